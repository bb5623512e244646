"""Answered calls made of the sounds that come with this checkout: a handful, for who has no recordings yet.

Each is a moment of line noise, what the callee says, and line noise until answer detection has long decided.
"""

from __future__ import annotations

import csv
import wave
from pathlib import Path
from typing import Final

import numpy as np

from scripts.answers.hearing import HEARD_MS
from scripts.barge.sounds import load_bundled
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio, to_l16
from V3.calls.answer import AnswerLabel
from V3.system.services.audio_files import read_audio

__all__ = ["write_calls"]

_LEAD_MS: Final = 300
_LINE_NOISE_DBFS: Final = -62.0
_SIMULATED: Final = Path(__file__).resolve().parents[2] / "V3" / "simulator" / "sounds"
_ANSWERS: Final = {
    "messagerie": AnswerLabel.MACHINE,
    "allo_bonjour": AnswerLabel.HUMAN,
    "oui_bonjour": AnswerLabel.HUMAN,
    "je_vous_ecoute": AnswerLabel.HUMAN,
    "de_la_part_de_qui": AnswerLabel.HUMAN,
}


def write_calls(folder: Path) -> None:
    """Write the calls as WAVs with their ``labels.tsv``; the last is a line on which nobody says anything."""
    found = [(sound.path, AnswerLabel.HUMAN) for sound in load_bundled() if sound.kind == "greeting"]
    found += [(_SIMULATED / f"{name}.wav", label) for name, label in _ANSWERS.items()]
    folder.mkdir(parents=True, exist_ok=True)
    for path, _ in found:
        _write(folder / path.name, read_audio(path))
    _write(folder / "silence.wav", np.zeros(0, dtype=np.float32))
    rows = [(path.name, label) for path, label in found] + [("silence.wav", AnswerLabel.NO_ANSWER)]
    with (folder / "labels.tsv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table, delimiter="\t").writerows([("file", "label"), *rows])


def _write(path: Path, said: Audio) -> None:
    noise = np.random.default_rng(len(said)).normal(scale=10 ** (_LINE_NOISE_DBFS / 20), size=HEARD_MS * SAMPLES_PER_MS)
    line = noise.astype(np.float32)
    said = said[: line.size - _LEAD_MS * SAMPLES_PER_MS]
    line[_LEAD_MS * SAMPLES_PER_MS :][: said.size] += said
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(to_l16(line))
