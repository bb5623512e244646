"""What a telephone line does to speech, at 8 kHz, each effect with its chance. No effect moves a word in time.

The one that does, ``warp``, returns the factor by which times change. Everything draws from the generator handed in,
so a sample is the same for the same seed. Codecs are G.711 (its companding), GSM-like (band and coarse quantising of
the range, by block of 20 ms) and Opus (real, through PyAV).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from training.noises import NoiseBank

__all__ = ["LineSettings", "a_law", "band_limit", "mu_law", "opus", "phone_line", "reverb", "warp"]

Samples = NDArray[np.float32]
_RATE_HZ: Final = 8000
_MU: Final = 255.0
_A: Final = 87.6
_GAP_SAMPLES: Final = 160  # packets hold 20 ms
_OPUS_HZ: Final = 48000
_OPUS_DELAY_SAMPLES: Final = 52  # at 8 kHz


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Chances of each effect."""

    reverb: float = 0.2
    band: float = 0.4
    noise: float = 0.6
    babble: float = 0.08
    hum: float = 0.05
    clip: float = 0.05
    codec: float = 0.55
    opus: float = 0.03
    packet_loss: float = 0.06
    tilt: float = 0.35


def warp(samples: Samples, rng: np.random.Generator, *, spread: float = 0.12) -> tuple[Samples, float]:
    """Resample by a factor within ``spread``: speed, pitch and formants move together. Returns the lengths' factor."""
    factor = float(np.exp(rng.uniform(-spread, spread)))
    return soxr.resample(samples, _RATE_HZ, _RATE_HZ * factor, quality="MQ").astype(np.float32), factor


def mu_law(samples: Samples) -> Samples:
    """G.711 mu-law there and back (continuous companding, 8 bits)."""
    packed = np.sign(samples) * np.log1p(_MU * np.minimum(np.abs(samples), 1)) / np.log1p(_MU)
    packed = np.round(packed * 127) / 127
    return np.asarray(np.sign(packed) * np.expm1(np.abs(packed) * np.log1p(_MU)) / _MU, dtype=np.float32)


def a_law(samples: Samples) -> Samples:
    """G.711 A-law there and back (continuous companding, 8 bits)."""
    size, scale = np.minimum(np.abs(samples), 1), 1 + np.log(_A)
    packed = np.where(size < 1 / _A, _A * size / scale, (1 + np.log(np.maximum(_A * size, 1))) / scale)
    packed = np.round(packed * 127) / 127
    opened = np.where(packed < 1 / scale, packed * scale / _A, np.exp(packed * scale - 1) / _A)
    return np.asarray(np.sign(samples) * opened, dtype=np.float32)


def _fast_size(count: int) -> int:
    """A length that the FFT likes; a prime one takes ten times as long."""
    return -(-count // 1024) * 1024


def band_limit(samples: Samples, *, low_hz: float, high_hz: float) -> Samples:
    """A smooth band-pass by spectrum, with no delay."""
    size = _fast_size(len(samples))
    hz = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    gain = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 6) / (1 + (hz / high_hz) ** 16)
    return np.fft.irfft(np.fft.rfft(samples, size) * gain, size)[: len(samples)].astype(np.float32)


def reverb(samples: Samples, rng: np.random.Generator) -> Samples:
    """A simulated small room: the direct sound, a few early echoes and a decaying tail of 0.08 to 0.5 s."""
    length = int(_RATE_HZ * rng.uniform(0.08, 0.5))
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    response = (tail * rng.uniform(0.005, 0.05)).astype(np.float32)
    response[0] = 1.0
    for delay in rng.integers(8, min(length, 240), size=5):
        response[delay] += rng.uniform(-0.3, 0.3)
    size = _fast_size(len(samples) + length)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return wet[: len(samples)].astype(np.float32)


def _gsm_like(samples: Samples) -> Samples:
    """Blocks of 20 ms quantised to their own range with few steps, as a full-rate codec's residual is."""
    count = -(-len(samples) // _GAP_SAMPLES) * _GAP_SAMPLES
    padded = np.zeros(count, dtype=np.float32)
    padded[: len(samples)] = samples
    blocks = padded.reshape(-1, _GAP_SAMPLES)
    peak = np.maximum(np.abs(blocks).max(axis=1, keepdims=True), 1e-4)
    coarse = np.round(blocks / peak * 9) / 9 * peak
    return band_limit(coarse.reshape(-1)[: len(samples)], low_hz=150, high_hz=3400)


def _lose_packets(samples: Samples, rng: np.random.Generator) -> Samples:
    out = samples.copy()
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(max(1, len(out) - _GAP_SAMPLES)))
        length = _GAP_SAMPLES * int(rng.integers(1, 3))
        if rng.random() < 0.5 and at > length:
            out[at : at + length] = 0.5 * out[at - length : at][: len(out[at : at + length])]
        else:
            out[at : at + length] = 0
    return out


def opus(samples: Samples, *, bits_per_s: int) -> Samples:
    """Opus at 8 kHz through FFmpeg (PyAV), there and back; same length, the codec's delay of 6.5 ms taken off."""
    import av  # noqa: PLC0415 : only this effect needs it

    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = _RATE_HZ, "mono", "s16", bits_per_s
    encoder.open()
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = _OPUS_HZ, "mono"
    pcm = np.clip(samples * 32767, -32768, 32767).astype(np.int16)
    pcm = np.concatenate([pcm, np.zeros(-len(pcm) % _GAP_SAMPLES + 2 * _GAP_SAMPLES, dtype=np.int16)])
    heard = []
    for begin in range(0, len(pcm), _GAP_SAMPLES):
        frame: Any = av.AudioFrame.from_ndarray(pcm[None, begin : begin + _GAP_SAMPLES], format="s16", layout="mono")
        frame.sample_rate, frame.pts = _RATE_HZ, begin
        for packet in encoder.encode(frame):
            heard += [decoded.to_ndarray().reshape(-1) for decoded in decoder.decode(packet)]
    out = np.concatenate(heard).astype(np.float32)
    if np.abs(out).max() > 2:  # PyAV gives int16 or float32 by FFmpeg's build
        out /= 32768
    out = soxr.resample(out, _OPUS_HZ, _RATE_HZ)[_OPUS_DELAY_SAMPLES:]
    return np.pad(out, (0, max(0, len(samples) - len(out))))[: len(samples)].astype(np.float32)


def _tilt(samples: Samples, rng: np.random.Generator) -> Samples:
    """First-order brightening or dulling, as handsets differ."""
    slope = float(rng.uniform(-0.6, 0.6))
    out = samples.copy()
    out[1:] -= slope * samples[:-1]
    return out / (1 + abs(slope))


def phone_line(
    samples: Samples, rng: np.random.Generator, *, bank: NoiseBank, babble: Samples | None = None,
    settings: LineSettings | None = None,
) -> Samples:  # fmt: skip
    """One random telephone line over a whole window: level, room, band, noise, codec, losses. Peak at most 1."""
    chance = settings or LineSettings()
    out = samples
    if rng.random() < chance.reverb:
        out = reverb(out, rng)
    if rng.random() < chance.tilt:
        out = _tilt(out, rng)
    if rng.random() < chance.band:
        out = band_limit(out, low_hz=float(rng.uniform(80, 320)), high_hz=float(rng.uniform(2900, 3900)))
    out = _levelled(out, rng, clip=rng.random() < chance.clip)
    if rng.random() < chance.noise:
        out = out + bank.draw(rng, len(out)) * _noise_level(out, rng)
    if babble is not None and rng.random() < chance.babble:
        out = out + np.resize(babble, len(out)) * (_noise_level(out, rng) / max(1e-4, float(np.std(babble))))
    if rng.random() < chance.hum:
        time = np.arange(len(out)) / _RATE_HZ
        hum = np.sin(2 * np.pi * float(rng.choice([50, 100, 150])) * time) * rng.uniform(0.001, 0.02)
        out = out + hum.astype(np.float32)
    if rng.random() < chance.packet_loss:
        out = _lose_packets(out, rng)
    return _coded(np.clip(out, -1, 1).astype(np.float32), rng, chance)


def _levelled(samples: Samples, rng: np.random.Generator, *, clip: bool) -> Samples:
    peak = max(1e-5, float(np.abs(samples).max()))
    gain = 10 ** (rng.uniform(-26, 0) / 20) / peak
    return np.clip(samples * gain * 4, -0.9, 0.9) if clip else samples * gain


def _noise_level(samples: Samples, rng: np.random.Generator) -> float:
    """RMS of a noise 5 to 45 dB under the loud parts."""
    loud = float(np.abs(samples).max()) * 0.25
    return max(loud, 1e-3) * 10 ** (-float(rng.triangular(5, 30, 45)) / 20)


def _coded(samples: Samples, rng: np.random.Generator, chance: LineSettings) -> Samples:
    drawn = rng.random()
    if drawn < chance.opus:
        return opus(samples, bits_per_s=int(rng.choice([6000, 8000, 12000, 16000])))
    if drawn < chance.codec:
        which = rng.random()
        return mu_law(samples) if which < 0.4 else a_law(samples) if which < 0.8 else _gsm_like(samples)
    return samples
