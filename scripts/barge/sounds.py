"""The sounds of dialogues: the bundled ones from their index, or a user's own recordings by folder.

An own folder has a subfolder for each kind it brings (``interruption``, ``stop_word``, ``backchannel``, ``noise``,
``side_talk``); its sounds take the place of the bundled ones of that kind. Where a sound begins and ends is then
measured: its first and last block of 5 ms that is within 30 dB of its loudest.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from V3.audio.pcm import RATE_HZ, resample, to_l16
from V3.errors import AudioError, ConfigError
from V3.system.services.audio_files import read_audio

__all__ = ["BUNDLED", "KINDS", "DialogueSound", "load_bundled", "load_own", "replaced", "sounding_ms"]

BUNDLED: Final = Path(__file__).resolve().parents[1] / "dialogues"
KINDS: Final = ("interruption", "stop_word", "backchannel", "noise", "side_talk")
_BLOCK_MS: Final = 5
_AUDIBLE: Final = 10 ** (-30 / 20)
_LEG_HZ: Final = 8000
_RECORDINGS: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")


@dataclass(frozen=True, slots=True)
class DialogueSound:
    """A WAV that a callee can utter. ``onset_ms`` and ``end_ms``: its first and last audible moment in the file."""

    path: Path
    kind: str
    text: str
    voice: str
    onset_ms: int
    end_ms: int

    @property
    def speaker(self) -> str:
        """The voice without its language: sounds of one speaker belong in one call."""
        return self.voice.partition("+")[2]


def sounding_ms(samples: NDArray[np.float32], rate_hz: int) -> tuple[int, int]:
    """From when to when a sound is audible; all of it where it is silent or shorter than a block."""
    size = rate_hz * _BLOCK_MS // 1000
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    power = np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=1)) if len(blocks) else np.zeros(0)
    loud = np.flatnonzero(power > _AUDIBLE * power.max()) if power.any() else np.zeros(0, dtype=int)
    if not loud.size:
        return 0, round(1000 * len(samples) / rate_hz)
    return int(loud[0]) * _BLOCK_MS, (int(loud[-1]) + 1) * _BLOCK_MS


def load_bundled(folder: Path = BUNDLED) -> list[DialogueSound]:
    """The sounds of an index. Raises ConfigError without one that can be read."""
    index = folder / "index.jsonl"
    try:
        rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [_of_row(folder, row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"{index} cannot be read ({exc!r}): python scripts/make_dialogue_sounds.py makes it") from exc


def _of_row(folder: Path, row: dict[str, Any]) -> DialogueSound:
    end_ms = row["words"][-1][2] if row["words"] else row["end_ms"]
    return DialogueSound(folder / row["file"], row["kind"], row["text"], row["voice"], row["onset_ms"], end_ms)


def load_own(folder: Path, workspace: Path) -> list[DialogueSound]:
    """A user's recordings, brought to the telephone's 8 kHz in ``workspace``.

    Raises ConfigError when no subfolder has the name of a kind, or one of them has no recording that can be read.
    """
    found = [kind for kind in KINDS if (folder / kind).is_dir()]
    if not found:
        raise ConfigError(f"{folder} has none of the subfolders {', '.join(KINDS)}")
    sounds: list[DialogueSound] = []
    for kind in found:
        own = [_own_sound(path, kind, workspace) for path in _recordings(folder / kind)]
        if not own:
            raise ConfigError(f"{folder / kind} has no recording ({', '.join(_RECORDINGS)})")
        sounds += own
    return sounds


def replaced(sounds: Sequence[DialogueSound], own: Sequence[DialogueSound]) -> list[DialogueSound]:
    """``sounds``, with the kinds that ``own`` has taken from there."""
    kinds = {sound.kind for sound in own}
    return [*(sound for sound in sounds if sound.kind not in kinds), *own]


def _recordings(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in _RECORDINGS)


def _own_sound(path: Path, kind: str, workspace: Path) -> DialogueSound:
    try:
        samples = resample(read_audio(path), from_hz=RATE_HZ, to_hz=_LEG_HZ)
    except AudioError as exc:
        raise ConfigError(str(exc)) from exc
    target = workspace / kind / f"{path.name}.wav"
    target.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_LEG_HZ)
        file.writeframes(to_l16(samples))
    begin_ms, end_ms = sounding_ms(samples, _LEG_HZ)
    return DialogueSound(target, kind, path.stem, "", begin_ms, end_ms)
