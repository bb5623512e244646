"""How busy the decoding workers are, how much rarer partials must come for it, and how many calls fit. A core.

Two controllers, both fed with what decodes really took:

* **stretch**: the hop of partials is multiplied by it, so that they fill at most four fifths of the time that answer
  detection and finals leave. What partials used, each times the stretch at its time, is what they would have used
  without; that over what is left is the stretch. Past saturation it grows by a quarter per memory of 1.5 s.
* **capacity**: calls that fit while partials come at most one and a half times rarer than wanted. The cost of a call is
  what all decodes of the last minutes took, over the call-seconds they were for, mixed with a first estimate (one
  decode, timed when the model was loaded) that counts for the first hundred call-seconds.
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
_PRIOR_CALL_S: Final = 100.0
_TALK_SHARE: Final = 0.4  # of a call in which the callee speaks
_FINALS_PER_TALK_S: Final = 0.4


class LoadMeter:
    """``workers`` decode side by side; ``hop_ms`` is what partials want; ``decode_s`` is what one decode takes.

    Times are given as ``now_s``, on any clock that does not go back.
    """

    def __init__(self, *, workers: int, hop_ms: int = 300, decode_s: float = 0.02) -> None:
        self._workers = workers
        per_talk_s = 1000 / hop_ms / _STRETCH_WITH_ROOM + _FINALS_PER_TALK_S
        self._prior_cost = _TALK_SHARE * per_talk_s * decode_s
        self._partial_s = 0.0  # busy seconds that are remembered, of partials,
        self._wanted_s = 0.0  # of partials had they not been stretched,
        self._other_s = 0.0  # and of the rest
        self._cost_s = 0.0  # busy seconds that are remembered for the capacity
        self._call_s = 0.0
        self._calls = 0
        self._now_s = -math.inf

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
        return min(1.0, (self._partial_s + self._other_s) / (_LOAD_MEMORY_S * self._workers))

    @property
    def capacity(self) -> int:
        """How many calls fit, at least one."""
        cost = (self._cost_s + _PRIOR_CALL_S * self._prior_cost) / (self._call_s + _PRIOR_CALL_S)
        return max(1, int(_BUSY_SHARE * self._workers / max(cost, 1e-9)))

    def opened(self, *, now_s: float) -> None:
        """A call has begun."""
        self._pass(now_s)
        self._calls += 1

    def closed(self, *, now_s: float) -> None:
        """A call has ended."""
        self._pass(now_s)
        self._calls -= 1

    def decoded(self, kinds: Sequence[DecodeKind], *, busy_s: float, now_s: float) -> None:
        """A batch of requests of these kinds took a worker ``busy_s``."""
        self._pass(now_s)
        partial_s = busy_s * sum(kind is DecodeKind.PARTIAL for kind in kinds) / len(kinds)
        wanted_s = partial_s * self.stretch
        self._partial_s += partial_s
        self._wanted_s += wanted_s
        self._other_s += busy_s - partial_s
        self._cost_s += wanted_s / _STRETCH_WITH_ROOM + (busy_s - partial_s)

    def _pass(self, now_s: float) -> None:
        """Let time go by: what was is forgotten exponentially."""
        passed_s = max(0.0, now_s - self._now_s) if self._now_s > -math.inf else 0.0
        self._now_s = max(self._now_s, now_s)
        load, cost = math.exp(-passed_s / _LOAD_MEMORY_S), math.exp(-passed_s / _COST_MEMORY_S)
        self._partial_s *= load
        self._wanted_s *= load
        self._other_s *= load
        self._cost_s *= cost
        self._call_s = self._call_s * cost + self._calls * passed_s
