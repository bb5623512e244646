"""Recordings with their texts, from whatever folder a user has: 16 kHz float32 out.

Three layouts are read: ``index.jsonl`` (file, text, category, words with start_s and end_s), ``labels.tsv`` (answered
calls: file, label, speech_start_s, ..., text), or WAVs with a ``.txt`` of the same name. Mono PCM16, any rate.
"""

from __future__ import annotations

import csv
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["Recording", "read_folder", "read_wav"]

_RATE_HZ: Final = 16000


@dataclass(frozen=True, slots=True)
class Recording:
    """One file: samples at 16 kHz, what is said, its category, and word times where they are known."""

    name: str
    samples: NDArray[np.float32]
    text: str
    category: str
    words: tuple[tuple[str, float, float], ...] = ()


def read_wav(path: Path) -> NDArray[np.float32]:
    """A mono PCM16 file at 16 kHz in [-1, 1]. Raises ValueError for another format."""
    with wave.open(str(path), "rb") as recording:
        if recording.getsampwidth() != 2 or recording.getnchannels() != 1:
            raise ValueError(f"{path.name}: mono 16-bit PCM is read, not {recording.getparams()}")
        rate_hz = recording.getframerate()
        raw = np.frombuffer(recording.readframes(recording.getnframes()), dtype=np.int16)
    samples = raw.astype(np.float32) / np.float32(32768)
    return samples if rate_hz == _RATE_HZ else soxr.resample(samples, rate_hz, _RATE_HZ).astype(np.float32)


def read_folder(folder: Path) -> list[Recording]:
    """Every recording of a folder that has a text. Raises FileNotFoundError when there is none."""
    if (folder / "index.jsonl").exists():
        found = _read_index(folder)
    elif (folder / "labels.tsv").exists():
        found = _read_calls(folder)
    else:
        found = [
            Recording(path.name, read_wav(path), path.with_suffix(".txt").read_text(encoding="utf-8").strip(), "all")
            for path in sorted(folder.glob("*.wav"))
            if path.with_suffix(".txt").exists()
        ]
    if not found:
        raise FileNotFoundError(f"no recordings with texts in {folder}")
    return found


def _read_index(folder: Path) -> list[Recording]:
    found = []
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        words = tuple((word["word"], word["start_s"], word["end_s"]) for word in entry.get("words", ()))
        found.append(
            Recording(
                entry["file"], read_wav(folder / entry["file"]), entry["text"], entry.get("category", "all"), words
            )
        )
    return found


def _read_calls(folder: Path) -> list[Recording]:
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return [
        Recording(row["file"], read_wav(folder / row["file"]), (row["text"] or "").replace(" | ", " "), row["label"])
        for row in rows
    ]
