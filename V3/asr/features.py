"""Whisper's log-mel features, each 10 ms frame of a stream computed once. A core: samples in, features out.

A frame is the log power of a 25 ms Hann window around every 160th sample, in ``bands`` triangular mel bands (Slaney's
scale, as in Whisper's ``log_mel_spectrogram``). What depends on the whole window (the clamp 8 below its maximum, the
scaling) is applied when a window is assembled; what does not is kept, so that a hop of 300 ms costs 30 new frames
however long the window is.

A window that begins where its stream does, with silence after it, has exactly the features of Whisper's own extractor.
One that begins later differs in its first two frames: they hear the real audio before it, where Whisper can only
mirror what follows.
"""

from __future__ import annotations

import functools
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from V3.audio.pcm import RATE_HZ, Audio
from V3.audio.tape import AudioTape
from V3.errors import AudioError

__all__ = ["HOP_SAMPLES", "Features", "MelTape", "assemble", "log_mel", "mel_filters"]

Features: TypeAlias = NDArray[np.float32]
"""Shape (bands, frames)."""

HOP_SAMPLES: Final = RATE_HZ // 100
_FFT_SAMPLES: Final = RATE_HZ // 40
_HALF: Final = _FFT_SAMPLES // 2
_LOG_FLOOR: Final = 1e-10
_DYNAMIC_RANGE: Final = 8.0  # in log10: 80 dB below the loudest of the window is as good as silence


@functools.cache
def mel_filters(bands: int) -> Features:
    """Triangular filters of unit area on Slaney's mel scale, 0-8000 Hz: shape (bands, 201)."""
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(RATE_HZ / 2), bands + 2))
    bins_hz = np.linspace(0.0, RATE_HZ / 2, _HALF + 1)
    rise = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    fall = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    return np.asarray(triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None], dtype=np.float32)


def log_mel(audio: Audio, *, bands: int, frames: int) -> Features:
    """Features of a piece of 16 kHz audio, with silence after it up to ``frames``. Shape (bands, frames)."""
    tape = AudioTape()
    tape.append(audio)
    return assemble(MelTape(bands).rows(tape, 0, audio.size), frames=frames)


def assemble(rows: Features, *, frames: int) -> Features:
    """A window of ``frames`` from the rows of its audio (:meth:`MelTape.rows`): silence after them, clamped, scaled.

    Rows that the window has no room for are left out: they hear the silence behind it. Shape (bands, frames).
    """
    out = np.full((frames, rows.shape[1]), np.log10(_LOG_FLOOR), dtype=np.float32)
    out[: len(rows)] = rows[:frames]
    np.maximum(out, out.max() - _DYNAMIC_RANGE, out=out)
    return np.ascontiguousarray(((out + 4.0) / 4.0).T)


def _in_bands(power: Features, bands: int) -> Features:
    """Power by frequency, shape (frames, 201), summed into bands: shape (frames, bands).

    Not a matrix product: OpenBLAS gives one of this size to all cores, and its threads then wait spinning. Measured
    on 2 cores, that doubled the CPU time of every decode.
    """
    bins, weights, starts = _band_parts(bands)
    return np.asarray(np.add.reduceat(power[:, bins] * weights, starts, axis=1), dtype=np.float32)


@functools.cache
def _band_parts(bands: int) -> tuple[NDArray[np.intp], Features, NDArray[np.intp]]:
    """The filters without their zeros, one band after the other: FFT bins, weights, and where each band begins."""
    filters = mel_filters(bands)
    band_of, bins = np.nonzero(filters)
    starts = np.searchsorted(band_of, np.arange(bands))
    return bins, filters[band_of, bins], starts


class MelTape:
    """The frames of one stream that are computed already, beside the stream's :class:`AudioTape`."""

    def __init__(self, bands: int) -> None:
        self._bands = bands
        self._first = 0  # frame number of the first one kept
        self._kept: list[Features] = []  # blocks of whole frames, shape (frames, bands), log10 power before the clamp
        self._count = 0

    @property
    def kept_bytes(self) -> int:
        return sum(block.nbytes for block in self._kept)

    def rows(self, tape: AudioTape, start: int, end: int) -> Features:
        """Frames of the samples from ``start`` to ``end`` of ``tape``, as if nothing came after: shape (frames, bands).

        ``start`` is a multiple of 160 (AudioError otherwise) and still on the tape.
        """
        if start % HOP_SAMPLES or not tape.start <= start <= end <= tape.end:
            raise AudioError(f"no frames from sample {start} to {end} of a tape from {tape.start} to {tape.end}")
        first = start // HOP_SAMPLES
        sure = max(first, (end - _HALF) // HOP_SAMPLES + 1)  # frames before it hear nothing after ``end``
        last = max(sure, (end + _HALF - 1) // HOP_SAMPLES + 1)  # frames from it on hear silence only
        self._compute(tape, first, sure)
        return np.concatenate([self._rows(first, sure), self._power(tape, sure, last, end)])

    def drop_before(self, sample: int) -> None:
        """Forget frames that no window from ``sample`` on needs."""
        frame = sample // HOP_SAMPLES
        while self._kept and self._first + len(self._kept[0]) <= frame:
            block = self._kept.pop(0)
            self._first += len(block)
            self._count -= len(block)

    def _compute(self, tape: AudioTape, first: int, sure: int) -> None:
        """Have the frames from ``first`` to ``sure``; those kept are not computed again."""
        if not self._kept or first < self._first or first > self._first + self._count:
            self._kept, self._count, self._first = [], 0, first
        begin = self._first + self._count
        if begin < sure:
            self._kept.append(self._power(tape, begin, sure, tape.end))
            self._count += sure - begin

    def _rows(self, first: int, sure: int) -> Features:
        rows = np.concatenate(self._kept) if self._kept else np.zeros((0, self._bands), dtype=np.float32)
        return rows[first - self._first : sure - self._first]

    def _power(self, tape: AudioTape, first: int, last: int, end: int) -> Features:
        """Log10 mel power of frames ``first`` to ``last``, as if nothing came after sample ``end``."""
        if last <= first:
            return np.zeros((0, self._bands), dtype=np.float32)
        samples = _around(tape, first * HOP_SAMPLES - _HALF, (last - 1) * HOP_SAMPLES + _HALF, end)
        frames = np.lib.stride_tricks.sliding_window_view(samples, _FFT_SAMPLES)[::HOP_SAMPLES]
        spectrum = np.fft.rfft(frames * _hann(), axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        mel = _in_bands(power, self._bands)
        return np.asarray(np.log10(np.maximum(mel, _LOG_FLOOR)), dtype=np.float32)


def _around(tape: AudioTape, begin: int, finish: int, end: int) -> Audio:
    """Samples ``begin`` to ``finish``: silence from ``end`` on, mirrored before the first that is kept."""
    out = np.zeros(finish - begin, dtype=np.float32)
    kept = tape.cut(max(begin, tape.start), min(finish, end))
    lead = max(0, tape.start - begin)
    out[lead : lead + kept.size] = kept
    if lead:
        mirror = tape.cut(tape.start + 1, min(tape.start + 1 + lead, end))[::-1]
        out[lead - mirror.size : lead] = mirror
    return out


@functools.cache
def _hann() -> Audio:
    return np.hanning(_FFT_SAMPLES + 1)[:-1].astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    return hz / (200.0 / 3.0) if hz < 1000.0 else 15.0 + np.log(hz / 1000.0) * 27.0 / np.log(6.4)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * (200.0 / 3.0), 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))
