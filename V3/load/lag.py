"""How late the words are: from when a partial's audio came, or should have, to when the partial was told. A core.

The stream is its own clock: audio comes evenly, so the event that came soonest after its audio says when all audio was
due. Frames that wait in a socket for a busy process are late by that clock, too.
"""

from __future__ import annotations

import math
from typing import Final

from V3.events import Event, Partial

__all__ = ["PartialLag"]

MAX_CALLS: Final = 2000  # heard and not asked for: the oldest are forgotten beyond
MAX_PARTIALS: Final = 2000  # of one call


class PartialLag:
    """Feed ``take`` with every event of every call; ``pop`` gives a call's lags in ms and forgets it."""

    def __init__(self) -> None:
        self._due_ms: dict[str, float] = {}
        self._lags_ms: dict[str, list[float]] = {}

    def take(self, event: Event, *, now_ms: float) -> None:
        """``now_ms``: on any clock that does not go back."""
        call_id = event.call_id
        due_ms = min(self._due_ms.get(call_id, math.inf), now_ms - event.at_ms)
        self._due_ms[call_id] = due_ms
        if isinstance(event, Partial):
            lags_ms = self._lags_ms.setdefault(call_id, [])
            if len(lags_ms) < MAX_PARTIALS:
                lags_ms.append(now_ms - event.at_ms - due_ms)
        while len(self._due_ms) > MAX_CALLS:
            self.pop(next(iter(self._due_ms)))

    def pop(self, call_id: str) -> list[float]:
        """What was heard of a call so far."""
        self._due_ms.pop(call_id, None)
        return self._lags_ms.pop(call_id, [])
