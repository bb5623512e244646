"""Samples: telephone formats in, float32 at 16 kHz out, and back.

Rules kept here: one scale (``PCM_SCALE``) for the whole house, so that a sample survives L16 -> float -> L16
unchanged; nothing is clipped silently on the way in; what cannot be audio is an AudioError that names what was given.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from V3.errors import AudioError

__all__ = [
    "FRAME_SAMPLES",
    "PCM_SCALE",
    "RATE_HZ",
    "SAMPLES_PER_MS",
    "SILENCE_DBFS",
    "Audio",
    "Resampler",
    "as_audio",
    "as_frame",
    "deinterleave",
    "from_alaw",
    "from_l16",
    "from_mulaw",
    "mean_square",
    "peak",
    "quietest_sample",
    "resample",
    "rms_dbfs",
    "to_alaw",
    "to_l16",
    "to_mulaw",
]

Audio = NDArray[np.float32]
"""Mono samples in [-1, 1], float32, one dimension; 16 kHz unless a name says otherwise."""

RATE_HZ: Final = 16_000
SAMPLES_PER_MS: Final = RATE_HZ // 1000
FRAME_SAMPLES: Final = 20 * SAMPLES_PER_MS
PCM_SCALE: Final = 32768.0
SILENCE_DBFS: Final = -120.0
"""What :func:`rms_dbfs` answers for digital silence, instead of minus infinity."""

_HALF_BAND_REACH: Final = 12  # samples before and after that the doubling filter hears
_L16_MIN, _L16_MAX = -32768, 32767
_MULAW_BIAS, _MULAW_CLIP = 33, 8158  # on 14 bits; their sum is the last value of the last segment


def from_l16(data: bytes | bytearray | memoryview) -> Audio:
    """Signed 16-bit little-endian samples as float32. Raises AudioError for half a sample."""
    if memoryview(data).nbytes % 2:
        raise AudioError(f"L16 audio has two bytes per sample; {memoryview(data).nbytes} bytes were given")
    samples: Audio = np.multiply(np.frombuffer(data, dtype="<i2"), np.float32(1 / PCM_SCALE), dtype=np.float32)
    return samples


def to_l16(audio: Audio) -> bytes:
    """Float samples as signed 16-bit little-endian, rounded; beyond [-1, 1] they are clipped."""
    scaled = np.asarray(audio * PCM_SCALE)
    np.rint(scaled, out=scaled)
    np.minimum(np.maximum(scaled, _L16_MIN, out=scaled), _L16_MAX, out=scaled)  # np.clip is slower
    return scaled.astype("<i2").tobytes()


def from_mulaw(data: bytes | bytearray | memoryview) -> Audio:
    """G.711 mu-law octets as float32 (8 kHz by custom)."""
    return _mulaw_table()[np.frombuffer(data, dtype=np.uint8)]


def from_alaw(data: bytes | bytearray | memoryview) -> Audio:
    """G.711 A-law octets as float32 (8 kHz by custom)."""
    return _alaw_table()[np.frombuffer(data, dtype=np.uint8)]


def to_mulaw(audio: Audio) -> bytes:
    """G.711 mu-law octets, with the segment arithmetic of Sun's g711.c on 14 bits."""
    samples = _as_int(audio) >> 2
    magnitude = np.minimum(np.abs(samples), _MULAW_CLIP) + _MULAW_BIAS
    segment = np.log2(magnitude).astype(np.int32) - 5
    octets = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return _octets(octets ^ np.where(samples < 0, 0x7F, 0xFF))


def to_alaw(audio: Audio) -> bytes:
    """G.711 A-law octets, with the segment arithmetic of Sun's g711.c: 12 bits of magnitude, even bits inverted."""
    samples = _as_int(audio) >> 3
    magnitude = np.where(samples < 0, -samples - 1, samples)
    segment = np.maximum(np.log2(np.maximum(magnitude, 1)).astype(np.int32) - 4, 0)
    octets = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)  # the first two segments share a step
    return _octets(octets ^ np.where(samples < 0, 0x55, 0xD5))


def resample(audio: Audio, *, from_hz: int, to_hz: int) -> Audio:
    """The whole of a recording at another rate (soxr, high quality). Equal rates give the samples as they are."""
    _check_rates(from_hz, to_hz)
    if from_hz == to_hz or not audio.size:
        return audio.astype(np.float32, copy=False)
    return np.asarray(soxr.resample(audio.astype(np.float32, copy=False), from_hz, to_hz), dtype=np.float32)


class Resampler:
    """Another rate for audio that arrives in pieces; the pieces join without a click.

    A few samples are held back until later ones decide them: ``push(audio, last=True)`` hands those out and ends it.
    soxr does it, except for a telephone's 8 kHz made 16 kHz: there soxr's stream was measured 60 to 115 ms behind,
    which is time a callee talks into the robot's prompt, and a half-band filter of our own is 1.5 ms behind.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        _check_rates(from_hz, to_hz)
        self._stream: Any = None
        if to_hz == 2 * from_hz:
            self._stream = _Doubler()
        elif from_hz != to_hz:
            self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def push(self, audio: Audio, *, last: bool = False) -> Audio:
        """The samples that are now certain, float32 at the target rate; any number of them."""
        samples = audio.astype(np.float32, copy=False)
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples, last=last), dtype=np.float32)


class _Doubler:
    """Twice the rate by a half-band filter (zeros between the samples, then a Kaiser-windowed sinc, 49 taps)."""

    def __init__(self) -> None:
        self._heard = np.zeros(2 * _HALF_BAND_REACH, dtype=np.float32)  # what the next sample's filter still reaches
        self._early = 2 * _HALF_BAND_REACH  # outputs before the first sample's own, left out

    def resample_chunk(self, audio: Audio, *, last: bool = False) -> Audio:
        if not (audio.size or last):
            return audio  # np.convolve takes the shorter of its two for the filter
        tail = np.zeros(_HALF_BAND_REACH if last else 0, dtype=np.float32)
        samples = np.concatenate([self._heard, audio, tail])
        stuffed = np.zeros(2 * samples.size, dtype=np.float32)
        stuffed[::2] = samples
        self._heard = samples[-2 * _HALF_BAND_REACH :]
        out = np.convolve(stuffed, _half_band(), "valid")  # two for each new sample
        skipped = min(self._early, out.size)
        self._early -= skipped
        return np.asarray(out[skipped:], dtype=np.float32)


def rms_dbfs(audio: Audio) -> float:
    """Level in dB below a full-scale square wave; ``SILENCE_DBFS`` for nothing or digital silence."""
    if not audio.size:
        return SILENCE_DBFS
    power = mean_square(audio)
    return max(SILENCE_DBFS, 10.0 * math.log10(power)) if power > 0.0 else SILENCE_DBFS


def mean_square(audio: Audio) -> float:
    """The power of samples; there must be some.

    Not by ``np.dot``, which gives up the interpreter lock: beside busy decoding threads it is then waited for.
    """
    return float(np.add.reduce(np.square(audio))) / audio.size


def peak(audio: Audio) -> float:
    """Largest magnitude, 0.0 for nothing."""
    return float(np.max(np.abs(audio))) if audio.size else 0.0


def deinterleave(audio: Audio, channels: int) -> tuple[Audio, ...]:
    """One array per channel. Raises AudioError when the samples do not fill every channel."""
    if channels < 1 or audio.size % channels:
        raise AudioError(f"{audio.size} samples cannot be shared out over {channels} channels")
    return tuple(np.ascontiguousarray(audio[channel::channels]) for channel in range(channels))


def quietest_sample(audio: Audio, *, block_ms: int) -> int:
    """The middle of the quietest block of 16 kHz audio: where a cut hurts least. Raises AudioError if too short."""
    block = block_ms * SAMPLES_PER_MS
    blocks = audio[: audio.size // block * block].reshape(-1, block)
    if not blocks.size:
        raise AudioError(f"{audio.size} samples hold no block of {block_ms} ms")
    return int(np.argmin(np.square(blocks).sum(axis=1))) * block + block // 2


def as_audio(buffer: Any) -> Audio:
    """What a caller hands in as audio at 16 kHz: float32 in [-1, 1] (one dimension) or L16 bytes, of any length.

    Raises AudioError for another type or shape, for half a sample, NaN, infinity, and for values so far beyond
    [-1, 1] that they must be integers passed as floats. A sample slightly beyond (a resampler overshoots) is taken.
    """
    if isinstance(buffer, bytes | bytearray | memoryview):
        return from_l16(buffer)
    if not isinstance(buffer, np.ndarray):
        raise AudioError(f"audio is a float32 array or L16 bytes, not {type(buffer).__name__}")
    if buffer.dtype != np.float32 or buffer.ndim != 1:
        raise AudioError(f"audio is a float32 array of one dimension, not {buffer.dtype} of shape {buffer.shape}")
    if buffer.size:
        _check_values(buffer)
    return buffer


def as_frame(frame: Any) -> Audio:
    """:func:`as_audio` of one or more 20 ms frames: a multiple of 320 samples (640 bytes of L16) at 16 kHz."""
    audio = as_audio(frame)
    if not audio.size or audio.size % FRAME_SAMPLES:
        raise AudioError(f"a frame is a multiple of {FRAME_SAMPLES} samples (20 ms at 16 kHz); {audio.size} were given")
    return audio


def _check_values(audio: Audio) -> None:
    largest = max(float(audio.max()), -float(audio.min()))  # NaN and infinity come through both
    if not math.isfinite(largest):
        raise AudioError("audio holds NaN or infinity")
    if largest > 2.0:
        raise AudioError(f"audio is float32 in [-1, 1]; a sample of magnitude {largest:g} was given")


def _check_rates(from_hz: int, to_hz: int) -> None:
    if from_hz <= 0 or to_hz <= 0:
        raise AudioError(f"rates are positive; {from_hz} Hz to {to_hz} Hz was asked for")


def _as_int(audio: Audio) -> NDArray[np.int32]:
    samples: NDArray[np.int32] = np.clip(np.rint(audio * PCM_SCALE), _L16_MIN, _L16_MAX).astype(np.int32)
    return samples


def _octets(values: NDArray[np.int32]) -> bytes:
    return bytes(values.astype(np.uint8))


@functools.cache
def _half_band() -> Audio:
    """Passes a telephone's 300-3400 Hz within 0.1 dB, their mirror image (4600 Hz and up) at least 40 dB down."""
    taps = np.arange(-2 * _HALF_BAND_REACH, 2 * _HALF_BAND_REACH + 1)
    return np.asarray(np.sinc(taps / 2) * np.kaiser(taps.size, 7.0), dtype=np.float32)


@functools.cache
def _mulaw_table() -> Audio:
    octets = np.arange(256, dtype=np.int32) ^ 0xFF
    magnitude = ((((octets & 0x0F) << 1) + _MULAW_BIAS) << ((octets >> 4) & 7)) - _MULAW_BIAS
    return _signed(magnitude << 2, negative=(octets & 0x80) != 0)


@functools.cache
def _alaw_table() -> Audio:
    octets = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (octets >> 4) & 7
    linear = ((octets & 0x0F) << 4) + 8
    magnitude = np.where(segment > 0, (linear + 0x100) << np.maximum(segment - 1, 0), linear)
    return _signed(magnitude, negative=(octets & 0x80) == 0)


def _signed(magnitude: NDArray[np.int32], *, negative: NDArray[np.bool_]) -> Audio:
    return (np.where(negative, -magnitude, magnitude) / PCM_SCALE).astype(np.float32)
