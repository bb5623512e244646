"""Make the sounds of the barge-in dialogues again: scripts/dialogues/*.wav and their index.jsonl.

    python scripts/make_dialogue_sounds.py [FOLDER]

Needs espeak-ng. The voices are those that the shipped model was never trained on (training/synthesis.py), in the
French of France, Belgium and Switzerland; noises are made by signal processing. The same call makes the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
import re
import wave
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import numpy as np
import typer

from scripts.barge.noises import NOISES, RATE_HZ, Samples, hum
from scripts.barge.sounds import BUNDLED, sounding_ms
from scripts.barge.texts import BACKCHANNELS, GREETINGS, INTERRUPTIONS, SIDE_TALK, STOP_WORDS
from training.espeak import Prosody
from training.synthesis import HELD_OUT_VARIANTS, speak
from V3.audio.pcm import to_l16
from V3.calls.words import fold_words

_SEED: Final = 5
_LANGUAGES: Final = ("fr", "fr-be", "fr-ch")
_SPEECH_DBFS: Final = -22.0  # of the loud half of its blocks: what a telephone gives of somebody who speaks up
_PEAK_DBFS: Final = -1.0
_SPOKEN: Final = (  # kind, texts, voices for each
    ("interruption", INTERRUPTIONS, 1),
    ("stop_word", STOP_WORDS, 3),
    ("backchannel", BACKCHANNELS, 3),
    ("side_talk", SIDE_TALK, 1),
    ("greeting", GREETINGS, 0),  # every voice has one
)
_HUMS_HZ: Final = (105.0, 125.0, 185.0, 220.0)


def main(folder: Annotated[Path, typer.Argument(help="where to write them")] = BUNDLED) -> None:
    """Write every sound and the index."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.wav"):
        old.unlink()
    rows = []
    for name, row, samples in (*_spoken(), *_hummed(), *_noises()):
        _write(folder / name, samples)
        begin_ms, end_ms = sounding_ms(samples, RATE_HZ)
        rows.append({"file": name, **row, "onset_ms": begin_ms, "end_ms": end_ms})
    index = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "index.jsonl").write_text(index, encoding="utf-8")
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    typer.echo(f"{len(rows)} sounds, {size_mb:.2f} MB: {folder}")


def _spoken() -> Iterator[tuple[str, dict[str, Any], Samples]]:
    rng = np.random.default_rng([_SEED, 1])
    turn = 0
    for kind, texts, voices in _SPOKEN:
        chosen = [(text, n) for text in texts for n in range(voices)] if voices else _one_each(texts)
        for text, _ in chosen:
            variant = HELD_OUT_VARIANTS[turn % len(HELD_OUT_VARIANTS)]
            manner = Prosody(
                voice=f"{_LANGUAGES[turn // len(HELD_OUT_VARIANTS) % len(_LANGUAGES)]}+{variant}",
                rate_wpm=int(np.clip(rng.normal(175, 18), 140, 215)),
                pitch=int(np.clip(rng.normal(50, 12), 20, 80)),
                pitch_range=int(np.clip(rng.normal(55, 12), 25, 85)),
            )
            samples, words = speak(text, manner)
            timed = [[word, round(start / 8), round(end / 8)] for word, start, end in words]
            name = f"{kind}_{'_'.join(fold_words(text))[:40]}_{variant.lower()}.wav"
            yield name, {"kind": kind, "text": text, "voice": manner.voice, "words": timed}, _levelled(samples)
            turn += 1


def _one_each(texts: Iterable[str]) -> list[tuple[str, int]]:
    """As many as there are voices: the turn goes on, so that each voice has one."""
    every = list(texts)
    return [(every[n % len(every)], n) for n in range(len(HELD_OUT_VARIANTS))]


def _hummed() -> Iterator[tuple[str, dict[str, Any], Samples]]:
    rng = np.random.default_rng([_SEED, 2])
    for pitch_hz in _HUMS_HZ:
        for humps in (1, 2):
            text = " ".join(["mmh"] * humps)
            name = f"backchannel_{text.replace(' ', '_')}_{pitch_hz:.0f}hz.wav"
            row = {"kind": "backchannel", "text": text, "voice": f"hum of {pitch_hz:.0f} Hz", "words": []}
            yield name, row, _scaled(hum(rng, pitch_hz, humps=humps), -14.0)


def _noises() -> Iterator[tuple[str, dict[str, Any], Samples]]:
    rng = np.random.default_rng([_SEED, 3])
    for what, (make, count, peak_dbfs) in NOISES.items():
        for number in range(1, count + 1):
            name = f"noise_{re.sub(' ', '_', what)}_{number}.wav"
            yield name, {"kind": "noise", "text": what, "voice": "", "words": []}, _scaled(make(rng), peak_dbfs)


def _levelled(spoken: np.ndarray[Any, np.dtype[np.int16]]) -> Samples:
    """Speech at one level: the mean power of the louder half of its 20 ms blocks, whatever its peaks allow."""
    samples = spoken.astype(np.float32) / np.float32(32768)
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = np.sort((blocks**2).mean(axis=1))
    rms = float(np.sqrt(power[len(power) // 2 :].mean()))
    gain = min(10 ** (_SPEECH_DBFS / 20) / rms, 10 ** (_PEAK_DBFS / 20) / float(np.abs(samples).max()))
    return (samples * gain).astype(np.float32)


def _scaled(samples: Samples, peak_dbfs: float) -> Samples:
    return (samples * 10 ** (peak_dbfs / 20)).astype(np.float32)


def _write(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE_HZ)
        target.writeframes(to_l16(samples))


if __name__ == "__main__":
    typer.run(main)
