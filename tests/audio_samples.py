"""Recordings and noises for tests, as float32 at 16 kHz. The recordings are 8 kHz, spoken by a synthesiser."""

from __future__ import annotations

import functools
import wave
from pathlib import Path

import numpy as np

from V3.audio.pcm import Audio, from_l16, resample

__all__ = ["DATA", "FULL_SCALE", "TEXTS", "noise", "silence", "speech"]

DATA = Path(__file__).parent / "data"
FULL_SCALE = 32768

TEXTS = {
    "oui_bonjour": "Oui bonjour.",
    "allo_qui": "Allô, c'est qui ?",
    "peut_etre": "Je ne sais pas. Peut-être.",
    "pas_la": "Il n'est pas là pour le moment.",
    "au_travail": "Je suis au travail, je ne peux pas parler.",
    "pas_joignable": "Le correspondant que vous demandez n'est pas joignable, veuillez rappeler ultérieurement. "
    "Votre correspondant n'est pas disponible, veuillez laisser un message après le signal sonore.",
}
"""What is said in ``data/<name>.wav``; the shipped model hears each of them word for word."""


def speech(name: str) -> Audio:
    return _recording(name).copy()


@functools.cache
def _recording(name: str) -> Audio:
    with wave.open(str(DATA / f"{name}.wav"), "rb") as recording:
        assert (recording.getframerate(), recording.getnchannels()) == (8000, 1)
        return resample(from_l16(recording.readframes(recording.getnframes())), from_hz=8000, to_hz=16_000)


def silence(seconds: float) -> Audio:
    return np.zeros(round(16_000 * seconds), dtype=np.float32)


def noise(seconds: float, *, dbfs: float, seed: int = 1) -> Audio:
    samples = np.random.default_rng(seed).normal(scale=10 ** (dbfs / 20), size=round(16_000 * seconds))
    return samples.astype(np.float32)
