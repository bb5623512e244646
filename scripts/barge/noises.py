"""Sounds that are no words, by signal processing: hums, coughs, breaths, doors, keys. float32 at 8 kHz, peak 1.

Each takes a random generator, so that a seed makes the same sound again. They resemble what a telephone carries well
enough to fool a voice detector now and then, which is what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOISES", "RATE_HZ", "Samples", "hum"]

RATE_HZ: Final = 8000
Samples: TypeAlias = NDArray[np.float32]
_Floats: TypeAlias = NDArray[np.float64]


def _seconds(duration_s: float) -> _Floats:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def _band(samples: _Floats, low_hz: float, high_hz: float) -> _Floats:
    """Keep a band, with slopes of a quarter of its edges."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    rises = np.clip((hz - 0.75 * low_hz) / (0.5 * low_hz), 0, 1)
    falls = np.clip((1.25 * high_hz - hz) / (0.5 * high_hz), 0, 1)
    kept: _Floats = np.fft.irfft(spectrum * rises * falls, len(samples))
    return kept


def _noise(rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float) -> _Floats:
    return _band(rng.standard_normal(round(duration_s * RATE_HZ)), low_hz, high_hz)


def _voice(rng: np.random.Generator, pitch_hz: _Floats, formants: tuple[tuple[float, float], ...]) -> _Floats:
    """A buzz of that pitch, with resonances (Hz and strength) and a little breath."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    wave = np.zeros(len(pitch_hz))
    for harmonic in range(1, int(3800 / float(pitch_hz.max())) + 1):
        hz = harmonic * float(pitch_hz.mean())
        strength = sum(gain / (1 + ((hz - at) / 120) ** 2) for at, gain in formants)
        wave += strength * np.sin(harmonic * phase + rng.uniform(0, 0.3))
    breath: _Floats = 0.02 * np.abs(wave).max() * rng.standard_normal(len(wave))
    return wave + breath


def _hill(count: int, rise: float, fall: float) -> _Floats:
    """An envelope that rises over the first part and falls over the last."""
    at = np.linspace(0, 1, count)
    hill: _Floats = np.clip(np.minimum(at / rise, (1 - at) / fall), 0, 1)
    return hill


def _loudest(wave: _Floats) -> Samples:
    scaled: Samples = (wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def hum(rng: np.random.Generator, pitch_hz: float, *, humps: int = 1) -> Samples:
    """A closed-mouth "mmh", or "mmh mmh" with two ``humps``."""
    parts: list[_Floats] = []
    for _ in range(humps):
        at = np.linspace(0, 1, round(rng.uniform(0.28, 0.42) * RATE_HZ))
        pitch = pitch_hz * (1 + 0.10 * np.sin(np.pi * at) - 0.08 * at)
        parts += [_voice(rng, pitch, ((260, 1.0), (1000, 0.12), (2200, 0.05))) * _hill(len(at), 0.2, 0.35)]
        parts += [np.zeros(round(0.09 * RATE_HZ))]
    return _loudest(np.concatenate(parts[:-1]))


def _cough(rng: np.random.Generator) -> Samples:
    """One to three bursts: an explosion of air, then a short hoarse voice."""
    parts: list[_Floats] = []
    for _ in range(int(rng.integers(1, 4))):
        burst = _noise(rng, 0.22, 350, 3000)
        burst *= np.exp(-_seconds(0.22) / 0.06) * _hill(len(burst), 0.03, 0.2)
        pitch = np.linspace(rng.uniform(170, 260), 120, round(0.16 * RATE_HZ))
        tail = _voice(rng, pitch, ((600, 1.0), (1300, 0.6), (2500, 0.3))) * _hill(len(pitch), 0.3, 0.6)
        burst = burst / np.abs(burst).max()
        burst[-len(tail) :] += 0.25 * tail / np.abs(tail).max()
        parts += [burst * rng.uniform(0.6, 1.0), np.zeros(round(rng.uniform(0.05, 0.2) * RATE_HZ))]
    return _loudest(np.concatenate(parts[:-1]))


def _throat(rng: np.random.Generator) -> Samples:
    """Clearing the throat: a low voice that is cut up some 25 times a second."""
    duration_s = rng.uniform(0.4, 0.7)
    pitch = np.full(round(duration_s * RATE_HZ), rng.uniform(90, 140))
    rough = 0.55 + 0.45 * np.sign(np.sin(2 * np.pi * rng.uniform(20, 30) * _seconds(duration_s)[: len(pitch)]))
    wave = _voice(rng, pitch, ((450, 1.0), (1100, 0.5), (2300, 0.2))) * rough + _noise(rng, duration_s, 400, 2500)
    return _loudest(wave * _hill(len(wave), 0.15, 0.3))


def _breath(rng: np.random.Generator) -> Samples:
    wave = _noise(rng, rng.uniform(0.6, 1.2), rng.uniform(300, 500), rng.uniform(1500, 2600))
    return _loudest(wave * _hill(len(wave), 0.4, 0.5))


def _door(rng: np.random.Generator) -> Samples:
    """A slam: the latch, a thump, and the room after it."""
    at = _seconds(0.7)
    thump = np.sin(2 * np.pi * rng.uniform(90, 160) * at) * np.exp(-at / 0.07)
    room = _noise(rng, 0.7, 200, 2500) * np.exp(-at / 0.16) * 0.5
    wave = thump + room
    click = _noise(rng, 0.008, 800, 3000)
    wave[: len(click)] += click
    return _loudest(wave * np.minimum(1, at / 0.002))


def _keys(rng: np.random.Generator) -> Samples:
    """Typing: five to eight strokes, each a press and a release."""
    strokes = int(rng.integers(5, 9))
    wave = np.zeros(round(0.2 * strokes * RATE_HZ))
    at = 0
    for _ in range(strokes):
        for delay_s, gain in ((0.0, rng.uniform(0.6, 1.0)), (rng.uniform(0.05, 0.08), 0.35)):
            click = _noise(rng, 0.012, 900, 3200) * np.exp(-_seconds(0.012) / 0.003)
            begin = at + round(delay_s * RATE_HZ)
            wave[begin : begin + len(click)] += gain * click[: max(0, len(wave) - begin)]
        at += round(rng.uniform(0.09, 0.18) * RATE_HZ)
    return _loudest(wave[: at + round(0.05 * RATE_HZ)])


def _dishes(rng: np.random.Generator) -> Samples:
    """A plate put on others: some inharmonic partials that ring."""
    at = _seconds(0.5)
    wave = np.zeros(len(at))
    for begin_s in (0.0, rng.uniform(0.08, 0.2)):
        since = np.clip(at - begin_s, 0, None)
        for hz in rng.uniform(900, 3500, 5):
            wave += np.where(at >= begin_s, np.sin(2 * np.pi * hz * since) * np.exp(-since / rng.uniform(0.03, 0.1)), 0)
    return _loudest(wave)


NOISES: Final[Mapping[str, tuple[Callable[[np.random.Generator], Samples], int, float]]] = MappingProxyType(
    {
        "toux": (_cough, 6, -8.0),
        "raclement de gorge": (_throat, 3, -12.0),
        "souffle": (_breath, 4, -24.0),
        "porte": (_door, 3, -6.0),
        "clavier": (_keys, 3, -14.0),
        "vaisselle": (_dishes, 3, -14.0),
    }
)
"""What makes each, how many are bundled, and the peak in dBFS of each."""
