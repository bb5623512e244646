"""How busy the decoding workers are, how much rarer partials must come for it, and how many calls fit. A core.

Two controllers, both fed with what decodes and the event loop really took:

* **stretch**: the hop of partials is multiplied by it, so that they fill at most four fifths of the time that answer
  detection and finals leave. What partials used, each times the stretch at its time, is what they would have used
  without; that over what is left is the stretch. Past saturation it grows by a quarter per memory of 1.5 s.
* **capacity**: calls that fit while partials come at most one and a half times rarer than wanted. The cost of a call is
  what all decodes of the last minutes took, over the seconds of audio they were for, mixed with a first estimate (one
  decode, timed when the model was loaded) that counts for the first hundred seconds. An event loop that is half busy
  bounds it too, by what it spends on a call. A machine that is crowded now (partials rarer than that though audio comes
  no faster than it is spoken, an event loop that is late) takes no more calls, whatever the mean says, until it has
  recovered. What is told follows down within seconds and up slowly, in steps, and is never less than the calls that
  are open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from V3.asr.transcript import DecodeKind

__all__ = ["MAX_STRETCH", "LoadMeter"]

MAX_STRETCH: Final = 4.0

_BUSY_SHARE: Final = 0.8  # of the workers' time: beyond it, what waits in the queue grows fast
_STRETCH_WITH_ROOM: Final = 1.5  # a new call is taken while partials would come at most so much rarer
_LOAD_MEMORY_S: Final = 1.5
_COST_MEMORY_S: Final = 120.0
_PRIOR_AUDIO_S: Final = 100.0
_TALK_SHARE: Final = 0.4  # of a call in which the callee speaks
_FINALS_PER_TALK_S: Final = 0.4
_ANSWERS_PER_CALL_S: Final = 0.25  # the glances of answer detection, spread over a call of half a minute

_CROWDED_MEMORY_S: Final = 5.0
_STRETCH_RECOVERED: Final = 1.2
_LOOP_LATE_S, _LOOP_RECOVERED_S = 0.25, 0.1
_LOOP_MEMORY_S: Final = 10.0
_LOOP_COUNTS_FROM: Final = 0.4  # of its time; below it what it does is not for calls alone
_DOWN_S, _UP_S = 1.0, 10.0  # the told capacity follows with these time constants,
_STEP_SHARE: Final = 0.05  # and is told anew when it has moved by so much, and by one call at least


class LoadMeter:
    """``workers`` decode side by side; ``hop_ms`` is what partials want; ``decode_s`` is what one decode takes.

    Times are given as ``now_s``, on any clock that does not go back.
    """

    def __init__(self, *, workers: int, hop_ms: int = 300, decode_s: float = 0.02) -> None:
        self._workers = workers
        per_talk_s = 1000 / hop_ms / _STRETCH_WITH_ROOM + _FINALS_PER_TALK_S
        self._prior_cost = (_TALK_SHARE * per_talk_s + _ANSWERS_PER_CALL_S) * decode_s
        self._partial_s = 0.0  # busy seconds that are remembered, of partials,
        self._wanted_s = 0.0  # of partials had they not been stretched,
        self._other_s = 0.0  # of the rest,
        self._file_s = 0.0  # and of files, which take what is left
        self._cost_s = 0.0  # busy seconds that are remembered for the capacity
        self._audio_s = 0.0  # and the audio they were for
        self._calls = 0
        self._lately_s = 0.0  # call-seconds of the last few,
        self._lately_heard_s = 0.0  # and the audio that came in them
        self._now_s = -math.inf
        self._crowding = 1.0  # the stretch, smoothed
        self._crowded = False
        self._loop_share = 0.0  # of the event loop's time that is spent, smoothed,
        self._loop_late_s = 0.0  # and how late it is
        self._smooth = self._fitting
        self._told = int(self._smooth)

    @property
    def stretch(self) -> float:
        """How many times rarer partials are to come: 1 to :data:`MAX_STRETCH`."""
        time_s = _LOAD_MEMORY_S * self._workers
        left = max(_BUSY_SHARE - self._other_s / time_s, _BUSY_SHARE / 10)
        return min(MAX_STRETCH, max(1.0, self._wanted_s / time_s / left))

    @property
    def calls(self) -> int:
        """Calls that are open."""
        return self._calls

    @property
    def busy(self) -> float:
        """The share of the workers' time that the last second and a half took: 0 to 1."""
        return min(1.0, (self._partial_s + self._other_s + self._file_s) / (_LOAD_MEMORY_S * self._workers))

    @property
    def capacity(self) -> int:
        """How many calls fit: at least one, and at least those that are open."""
        return max(1, self._calls, 0 if self._crowded else self._told)

    @property
    def crowded(self) -> bool:
        """Whether the calls that are open are too many already."""
        return self._crowded

    def opened(self, *, now_s: float) -> None:
        """A call has begun."""
        self._pass(now_s)
        self._calls += 1

    def closed(self, *, now_s: float) -> None:
        """A call has ended."""
        self._pass(now_s)
        self._calls -= 1

    def heard(self, audio_s: float, *, now_s: float) -> None:
        """So much audio of calls came in."""
        self._pass(now_s)
        self._audio_s += audio_s
        self._lately_heard_s += audio_s

    def decoded(self, kinds: Sequence[DecodeKind], *, busy_s: float, now_s: float) -> None:
        """A batch of requests of these kinds took a worker ``busy_s``."""
        self._pass(now_s)
        row_s = busy_s / len(kinds)
        partial_s = row_s * sum(kind is DecodeKind.PARTIAL for kind in kinds)
        file_s = row_s * sum(kind is DecodeKind.FILE for kind in kinds)
        other_s = busy_s - partial_s - file_s
        self._partial_s += partial_s
        self._wanted_s += partial_s * self.stretch
        self._other_s += other_s
        self._file_s += file_s
        self._cost_s += partial_s * self._pressure / _STRETCH_WITH_ROOM + other_s

    def loop_turned(self, *, busy_s: float, late_s: float, passed_s: float, now_s: float) -> None:
        """The event loop that feeds the calls was busy for ``busy_s`` of ``passed_s``, and ``late_s`` late."""
        self._pass(now_s)
        self._loop_share += busy_s / max(passed_s, 1e-9) * _weight(passed_s, _LOOP_MEMORY_S)
        self._loop_late_s += late_s * _weight(passed_s, _CROWDED_MEMORY_S)

    def look(self, *, now_s: float) -> None:
        """Let time go by though nothing happened: before :attr:`capacity` is asked."""
        self._pass(now_s)

    @property
    def _pressure(self) -> float:
        """The stretch that audio would cause at the speed of speech: a backlog comes faster, and says nothing."""
        faster = max(1.0, self._lately_heard_s / max(self._lately_s, 1e-9))
        return max(1.0, self.stretch / faster)

    @property
    def _fitting(self) -> float:
        """Calls that fit by what they cost, before any smoothing."""
        cost = (self._cost_s + _PRIOR_AUDIO_S * self._prior_cost) / (self._audio_s + _PRIOR_AUDIO_S)
        fitting = _BUSY_SHARE * self._workers / max(cost, 1e-9)
        if self._calls and self._loop_share > _LOOP_COUNTS_FROM:
            fitting = min(fitting, self._calls * _BUSY_SHARE / self._loop_share)
        return max(1.0, min(self._calls, fitting) if self._crowded else fitting)

    def _follow(self, passed_s: float) -> None:
        """Move what is told: down fast, up slowly, and only in steps that matter."""
        self._crowding += (self._pressure - self._crowding) * _weight(passed_s, _CROWDED_MEMORY_S)
        stretch, late_s = (
            (_STRETCH_RECOVERED, _LOOP_RECOVERED_S) if self._crowded else (_STRETCH_WITH_ROOM, _LOOP_LATE_S)
        )
        self._crowded = self._crowding > stretch or self._loop_late_s > late_s
        fitting = self._fitting
        self._smooth += (fitting - self._smooth) * _weight(passed_s, _DOWN_S if fitting < self._smooth else _UP_S)
        if abs(self._smooth - self._told) >= max(1.0, _STEP_SHARE * self._told):
            self._told = int(self._smooth)

    def _pass(self, now_s: float) -> None:
        """Let time go by: what was is forgotten exponentially."""
        passed_s = max(0.0, now_s - self._now_s) if self._now_s > -math.inf else 0.0
        self._now_s = max(self._now_s, now_s)
        load, cost = math.exp(-passed_s / _LOAD_MEMORY_S), math.exp(-passed_s / _COST_MEMORY_S)
        self._partial_s *= load
        self._wanted_s *= load
        self._other_s *= load
        self._file_s *= load
        self._cost_s *= cost
        self._audio_s *= cost
        lately = math.exp(-passed_s / _CROWDED_MEMORY_S)
        self._lately_s = self._lately_s * lately + self._calls * passed_s
        self._lately_heard_s *= lately
        self._loop_share *= math.exp(-passed_s / _LOOP_MEMORY_S)
        self._loop_late_s *= lately
        self._follow(passed_s)


def _weight(passed_s: float, memory_s: float) -> float:
    """How much a new value counts in an exponential mean after ``passed_s``."""
    return 1.0 - math.exp(-passed_s / memory_s)
