"""Steady tones in 16 kHz audio: where each began and ended, how pure and steady it was, how sharply it was cut.

What a tone means (a beep, a busy line) is decided in :mod:`V3.audio.tones`; here is only the signal:

1. Pairs of samples are added (8 kHz is left; a telephone has no more) and every 20 ms a Hann window of 40 ms is
   transformed, three windows at a time: one call of numpy costs more than the arithmetic inside it.
2. A window is tonal when one or two narrow peaks hold 80% of what lies between 200 and 3600 Hz. A peak's frequency
   comes from its two strongest bins, which is exact for a lone sinusoid under a Hann window.
3. Tonal windows of one frequency make a burst. It bridges 40 ms of anything else (a lost packet, a phase reversal of
   a fax) and has ended after 60 ms. Its edges are where a window holds half of the tone's power.

Memory is constant, and the grid of windows counts from the first sample: chunk sizes make no difference.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio

__all__ = ["BATCH_MS", "HOP_MS", "Burst", "BurstTracker", "Frame", "Peak", "SpectrumFrames"]

HOP_MS: Final = 20
_BATCH: Final = 3
BATCH_MS: Final = _BATCH * HOP_MS
"""Windows are judged this much audio at a time."""

_HOP: Final = HOP_MS * SAMPLES_PER_MS // 2  # at half the rate, as all that follows
_WINDOW: Final = 2 * _HOP
_BIN_HZ: Final = RATE_HZ / 2 / _WINDOW
_FIRST_BIN: Final = round(200 / _BIN_HZ)  # mains hum lies below
_BINS: Final = round(3600 / _BIN_HZ) + 1 - _FIRST_BIN
_LOWEST: Final = round(300 / _BIN_HZ) - _FIRST_BIN  # where a tone's strongest peak can lie
_HIGHEST: Final = round(2200 / _BIN_HZ) - _FIRST_BIN
_LOBE: Final = 2  # bins on each side of a peak: the main lobe of a Hann window

_FLOOR: Final = 10 ** (-50 / 10)  # mean square; no tone of a line is fainter
_PURITY: Final = 0.8
_SECOND_SHARE: Final = 1 / 32  # a second peak 15 dB below the first is no part of the tone
_BRIDGED: Final = 2  # windows
_REACH, _REACH_HZ = 0.015, 8.0  # a window belongs to a burst whose mean frequency is that near
_OUTER: Final = 2  # windows at each end of a burst that the tone may not fill
_EDGE: Final = 5  # windows kept around an edge: two before, the edge's own, two after

Spectrum: TypeAlias = NDArray[np.float32]


class Peak(NamedTuple):
    """One narrow peak of a window's spectrum."""

    hz: float
    power: float


class Frame(NamedTuple):
    """One window: all power from 200 to 3600 Hz, its one or two peaks if it is tonal (the stronger first), its bins.

    Powers are mean squares (a sinusoid at full scale: 0.5). Below -50 dBFS a window may come as 0 and without bins.
    """

    power: float
    peaks: tuple[Peak, ...]
    spectrum: Spectrum | None


_QUIET: Final = Frame(0.0, (), None)


class SpectrumFrames:
    """Cuts a stream of 16 kHz float32 audio into windows; window ``n`` has its middle at ``n * HOP_MS``."""

    def __init__(self) -> None:
        self._fresh = np.zeros(2 * _BATCH * _HOP, dtype=np.float32)
        self._fill = 0
        self._halved = np.zeros((_BATCH + 1) * _HOP, dtype=np.float32)
        step = self._halved.itemsize
        self._windows = np.lib.stride_tricks.as_strided(self._halved, (_BATCH, _WINDOW), (_HOP * step, step))
        hann = np.hanning(_WINDOW + 1)[:-1]
        # scaled so that the bins of a window add up to the mean square of its samples before they were added in pairs
        self._scaled = (hann / math.sqrt(2 * _WINDOW * float(np.square(hann).sum()))).astype(np.float32)

    def push(self, audio: Audio) -> Iterator[Frame]:
        """Take samples of any number; the windows that are complete with them, in order."""
        start = 0
        while start < audio.size:
            count = min(audio.size - start, self._fresh.size - self._fill)
            self._fresh[self._fill : self._fill + count] = audio[start : start + count]
            self._fill += count
            start += count
            if self._fill == self._fresh.size:
                self._fill = 0
                yield from self._batch()

    def _batch(self) -> Sequence[Frame]:
        self._halved[:_HOP] = self._halved[-_HOP:]
        np.add(self._fresh[::2], self._fresh[1::2], out=self._halved[_HOP:])
        if float(np.dot(self._halved, self._halved)) < _FLOOR * 4 * self._halved.size:
            return (_QUIET,) * _BATCH
        powers = np.abs(np.fft.rfft(self._windows * self._scaled)[:, _FIRST_BIN : _FIRST_BIN + _BINS])
        powers *= powers
        tops, totals = powers.argmax(axis=1).tolist(), powers.sum(axis=1).tolist()
        return [self._frame(row, top, total) for row, top, total in zip(powers, tops, totals, strict=True)]

    def _frame(self, row: Spectrum, top: int, total: float) -> Frame:
        # of a tone between two bins, one of two equal tones, the strongest bin holds a quarter
        if total < _FLOOR or not _LOWEST <= top <= _HIGHEST or row.item(top) < total * _PURITY / 4:
            return Frame(total, (), row)
        first = _peak(row, top)
        if first.power < total * _PURITY / 2:
            return Frame(total, (), row)
        second = _second_peak(row, top) if first.power < total * (1 - _SECOND_SHARE) else None
        if second is None or second.power < first.power * _SECOND_SHARE:
            return Frame(total, (first,) if first.power >= total * _PURITY else (), row)
        return Frame(total, (first, second) if first.power + second.power >= total * _PURITY else (), row)


def _second_peak(row: Spectrum, top: int) -> Peak:
    rest = row.copy()
    rest[max(0, top - _LOBE - 1) : top + _LOBE + 2] = 0.0
    return _peak(rest, int(rest[_LOBE:-_LOBE].argmax()) + _LOBE)


def _peak(row: Spectrum, top: int) -> Peak:
    lobe = row[top - _LOBE : top + _LOBE + 1].tolist()
    below, middle, above = lobe[_LOBE - 1 : _LOBE + 2]
    side = max(below, above)
    ratio = math.sqrt(side / middle) if middle else 0.0
    shift = (2 * ratio - 1) / (ratio + 1)
    return Peak((_FIRST_BIN + top + (shift if above > below else -shift)) * _BIN_HZ, sum(lobe))


@dataclass(frozen=True, slots=True)
class Burst:
    """A tone of one frequency (or two at once) that has ended or goes on.

    Measured over the ``windows`` that it fills: ``purity`` is its share of the energy, ``drift`` and ``swing`` are the
    standard deviations of its frequency and of its power as parts of them, ``octave`` is the power at twice its
    frequency as a part of all, ``power`` is as in a :class:`Frame`. ``sharp``: it began and ended within about 60 ms.
    """

    start_ms: int
    end_ms: int
    hz: float
    second_hz: float | None
    windows: int
    purity: float
    drift: float
    swing: float
    octave: float
    power: float
    sharp: bool

    @property
    def duration_ms(self) -> int:
        """From its beginning to its end, or to now."""
        return self.end_ms - self.start_ms

    @property
    def pitches_hz(self) -> tuple[float, ...]:
        """One or two frequencies, the lower first."""
        return (self.hz,) if self.second_hz is None else (min(self.hz, self.second_hz), max(self.hz, self.second_hz))


class _Spread:
    """Mean and standard deviation of values that are not kept (Welford)."""

    __slots__ = ("_squares", "count", "mean")

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self._squares += off * (value - self.mean)

    @property
    def relative(self) -> float:
        """The deviation as a part of the mean."""
        return math.sqrt(self._squares / self.count) / self.mean


class _Run:
    """Tonal windows of one frequency. The outer two on each side count for nothing: the tone may not fill them."""

    def __init__(self, at: int, frame: Frame, onset: list[Frame]) -> None:
        self.first = self.last = at
        self.onset = onset  # the windows around the first one
        self._mean_hz = frame.peaks[0].hz
        self._streak = 1
        self._held = [frame]
        self._hz, self._second_hz = _Spread(), _Spread()
        self._power, self._octave, self._all = _Spread(), _Spread(), _Spread()
        self._purity = _Spread()

    def matches(self, frame: Frame) -> bool:
        reach_hz = max(_REACH_HZ, _REACH * self._mean_hz)
        return any(abs(peak.hz - self._mean_hz) <= reach_hz for peak in frame.peaks)

    def extend(self, at: int, frame: Frame) -> None:
        if at != self.last + 1:
            self._streak = 0
            self._held.clear()
        self._streak += 1
        self._held.append(frame)
        if len(self._held) > _OUTER:
            held = self._held.pop(0)
            if self._streak > 2 * _OUTER:
                self._count(held)
        self.last = at
        self._mean_hz = self._hz.mean or self._own(frame).hz

    def burst(self, ending: Sequence[Frame] | None) -> Burst | None:
        """None when the tone never filled a window. ``ending`` as ``onset``, around the last window, if it ended."""
        if not self._hz.count:
            return None
        inwards, began = self._edge(self.onset)
        outwards, ended = self._edge(ending[::-1]) if ending else (0.0, True)
        second = self._second_hz if self._second_hz.count > 0.8 * self._hz.count else None
        return Burst(
            start_ms=max(0, round((self.first + inwards) * HOP_MS)),
            end_ms=round((self.last - outwards) * HOP_MS),
            hz=self._hz.mean,
            second_hz=second.mean if second else None,
            windows=self._hz.count,
            purity=self._purity.mean,
            drift=max(each.relative for each in (self._hz, second) if each),
            swing=self._power.relative,
            octave=self._octave.mean / self._all.mean,
            power=self._all.mean,
            sharp=began and ended,
        )

    def _own(self, frame: Frame) -> Peak:
        return min(frame.peaks, key=lambda peak: abs(peak.hz - self._mean_hz))

    def _count(self, frame: Frame) -> None:
        own = self._own(frame)
        for other in frame.peaks:
            if other is not own:
                self._second_hz.add(other.hz)
        self._hz.add(own.hz)
        self._power.add(own.power)
        self._octave.add(_power_at(frame, 2 * self._mean_hz))
        self._all.add(frame.power)
        self._purity.add(sum(peak.power for peak in frame.peaks) / frame.power)

    def _edge(self, frames: Sequence[Frame]) -> tuple[float, bool]:
        """Where the tone passes half its power, in windows inwards from the edge's own, and whether at once."""
        heights = [_power_at(frame, self._mean_hz) / self._power.mean for frame in frames]
        for outer in range(len(heights) - 2, -1, -1):
            low, high = heights[outer : outer + 2]
            if low < 0.5 <= high:
                sharp = max(heights[:outer], default=0.0) <= 0.1 and min(heights[outer + 2 :], default=1.0) >= 0.6
                middle = outer + _off_edge(low) if 0.5 - low < high - 0.5 else outer + 1 + _off_edge(high)
                return middle - _EDGE // 2, sharp
        return -_EDGE // 2, False


def _off_edge(height: float) -> float:
    """How far the edge lies inwards of a window that holds that part of the tone's power, in windows.

    Fitted to the step response of a Hann window's power; within 1 ms from a twentieth of the power to its rest.
    """
    return 1.26 * (0.5 - math.acos(max(-1.0, 1.0 - 2.0 * height)) / math.pi)


def _power_at(frame: Frame, hz: float) -> float:
    if frame.spectrum is None:
        return 0.0
    nearest = round(hz / _BIN_HZ) - _FIRST_BIN
    return float(sum(frame.spectrum[nearest - _LOBE : nearest + _LOBE + 1].tolist()))


class BurstTracker:
    """Joins windows to bursts. A new frequency ends a burst once it has lasted two windows."""

    def __init__(self) -> None:
        self._at = -1
        self._recent: deque[Frame] = deque([_QUIET] * (_EDGE + 1), maxlen=_EDGE + 1)
        self._run: _Run | None = None
        self._next: _Run | None = None

    @property
    def ongoing_ms(self) -> int:
        """How long a tone has been going on, roughly; 0 without one."""
        return (self._run.last - self._run.first) * HOP_MS if self._run else 0

    def ongoing(self) -> Burst | None:
        """The tone that goes on, up to now."""
        return self._run.burst(None) if self._run else None

    def push(self, frame: Frame) -> Burst | None:
        """The burst that ended, now that this window has been heard."""
        self._at += 1
        self._recent.append(frame)
        if self._run is None and not frame.peaks:
            return None
        for run in (self._run, self._next):
            if run is not None and len(run.onset) < _EDGE:
                run.onset.append(frame)
        if self._run is None:
            self._run = self._begin(frame)
        elif self._run.matches(frame):
            self._run.extend(self._at, frame)
            self._next = None
        else:
            return self._miss(self._run, frame)
        return None

    def _begin(self, frame: Frame) -> _Run:
        return _Run(self._at, frame, list(self._recent)[-(_EDGE // 2 + 1) :])

    def _miss(self, run: _Run, frame: Frame) -> Burst | None:
        if not frame.peaks:
            self._next = None
        elif self._next is not None and self._next.matches(frame):
            self._next.extend(self._at, frame)
        else:
            self._next = self._begin(frame)
        missed = self._at - run.last
        if missed <= _BRIDGED and (self._next is None or self._next.first == self._next.last):
            return None
        self._run, self._next = self._next, None
        last = _EDGE - missed
        return run.burst(list(self._recent)[last - _EDGE // 2 : last + _EDGE // 2 + 1])
