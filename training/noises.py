"""Sounds that are not speech, at 8 kHz: noise, tones of the telephone network, music-like chords, clicks."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NoiseBank", "clicks", "music", "tones"]

Samples = NDArray[np.float32]
_RATE_HZ: Final = 8000
_BANK_S: Final = 60
_TONES_HZ: Final = (
    (440.0,),
    (425.0,),
    (1000.0,),
    (1400.0,),
    (950.0,),
    (330.0, 440.0),
    (350.0, 440.0),
    (480.0, 620.0),
    (697.0, 1209.0),
    (770.0, 1336.0),
    (852.0, 1477.0),
    (941.0, 1336.0),
    (2100.0,),
    (1100.0,),
    (800.0,),
    (1780.0,),
)
_SIT_HZ: Final = (950.0, 1400.0, 1800.0)


def _coloured(rng: np.random.Generator, exponent: float, count: int) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    shape = np.maximum(np.fft.rfftfreq(count), 20 / _RATE_HZ) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum * shape, count)
    return (noise / np.std(noise)).astype(np.float32)


class NoiseBank:
    """A minute of each colour of noise at RMS 1; ``draw`` cuts a piece."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        count = _BANK_S * _RATE_HZ
        self._colours = [_coloured(rng, exponent, count) for exponent in (0.0, 0.0, 0.5, 1.0, 1.5, 2.0)]

    def draw(self, rng: np.random.Generator, count: int) -> Samples:
        """``count`` samples of one colour (at most a minute)."""
        colour = self._colours[int(rng.integers(len(self._colours)))]
        begin = int(rng.integers(max(1, len(colour) - count)))
        return np.resize(colour[begin : begin + count], count)


def _faded(samples: Samples, fade: int) -> Samples:
    fade = min(fade, len(samples) // 2)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        samples[:fade] *= ramp
        samples[-fade:] *= ramp[::-1]
    return samples


def tones(rng: np.random.Generator, count: int) -> Samples:
    """Ringback, busy, beeps, DTMF or the three special information tones, with their cadence; peak about 1."""
    out = np.zeros(count, dtype=np.float32)
    on_s = float(rng.choice([0.1, 0.2, 0.33, 0.5, 1.0, 1.5, 5.0]))
    off_s = float(rng.choice([0.05, 0.1, 0.5, 1.0, 3.5]))
    pitches = _TONES_HZ[int(rng.integers(len(_TONES_HZ)))]
    special, at = rng.random() < 0.15, int(rng.integers(max(1, _RATE_HZ)))
    step = 0
    while at < count:
        hz = (_SIT_HZ[step % 3],) if special else pitches
        length = min(count - at, int((0.33 if special else on_s) * _RATE_HZ))
        time = np.arange(length) / _RATE_HZ
        wave = sum((np.sin(2 * np.pi * each * time) for each in hz), np.zeros(length)) / len(hz)
        out[at : at + length] = _faded(wave.astype(np.float32), 40)
        at += length + (8 if special and step % 3 < 2 else int(off_s * _RATE_HZ))
        step += 1
        if rng.random() < 0.15:
            break
    return out


def music(rng: np.random.Generator, count: int) -> Samples:
    """Chords and a melody of plucked or held harmonics with a beat; peak about 1."""
    out = np.zeros(count, dtype=np.float32)
    beat = int(_RATE_HZ * rng.uniform(0.18, 0.7))
    root, scale = (
        rng.uniform(110, 330),
        np.array([0, 2, 4, 5, 7, 9, 11, 12] if rng.random() < 0.6 else [0, 2, 3, 5, 7, 8, 10, 12]),
    )
    decay = rng.uniform(0.5, 8.0)
    harmonics = rng.integers(1, 7)
    for at in range(0, count, beat):
        length = min(int(beat * rng.uniform(0.8, 2.5)), count - at)
        time = np.arange(length) / _RATE_HZ
        degrees = rng.choice(scale, size=int(rng.integers(1, 4)))
        for hz in root * 2 ** (degrees / 12) * float(rng.choice([0.5, 1, 1, 2])):
            for order in range(1, int(harmonics) + 1):
                if hz * order < 3800:
                    out[at : at + length] += (
                        np.sin(2 * np.pi * hz * order * time) * np.exp(-decay * time) / order
                    ).astype(np.float32)
        if rng.random() < 0.3:
            hit = min(600, count - at)
            out[at : at + hit] += (rng.standard_normal(hit) * np.exp(-np.arange(hit) / 120)).astype(np.float32)
    return (out / max(1e-6, float(np.abs(out).max()))).astype(np.float32)


def clicks(rng: np.random.Generator, count: int) -> Samples:
    """Pops, handling noise and breaths: short shaped bursts; peak about 1."""
    out = np.zeros(count, dtype=np.float32)
    for _ in range(int(rng.integers(1, 7))):
        length = min(int(rng.choice([20, 60, 200, 1200, 3000])), count)
        at = int(rng.integers(max(1, count - length)))
        envelope = np.hanning(length) if length > 500 else np.exp(-np.arange(length) / (length / 4))
        burst = np.convolve(rng.standard_normal(length), np.ones(int(rng.integers(1, 6))) / 3, mode="same") * envelope
        out[at : at + length] += burst.astype(np.float32) * float(rng.uniform(0.2, 1))
    return (out / max(1e-6, float(np.abs(out).max()))).astype(np.float32)
