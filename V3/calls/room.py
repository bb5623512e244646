"""Room for calls, at both ends of a wire: when a service tells how much it has, and how a robot elsewhere goes by that.

A core; ``now_s`` is on any clock that does not go back.

* :class:`RoomNews` decides what is worth telling: room where there was none or none where there was some, else a change
  of a tenth of the capacity; at most once a second.
* :class:`FarRoom` bounds the calls of a robot whose calls are heard elsewhere. It begins with two at once. What it is
  told (:class:`V3.events.Capacity`, on any of its calls) is the room there beside the calls that were heard then: its
  own bound is that plus those of its own. A call that rings counts from its dialling on, for the service does not know
  of it yet. Half a minute after the last news of a service that hears none of its calls, the bound is two again: others
  may have come. A stream that is refused stops the dialling: 2 s, then twice as long each time, up to a minute, with
  one call at a time between, until a stream is taken again. A service that drains stops it for a minute at once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from V3.events import Capacity

__all__ = ["FarRoom", "RoomNews"]

_TELL_EVERY_S: Final = 1.0
_WORTH_SHARE: Final = 0.1
_UNTOLD_CALLS: Final = 2
_STALE_S: Final = 30.0
_HOLD_S: Final = 2.0
_HOLD_MAX_S: Final = 60.0


class RoomNews:
    """What a service has told of its room."""

    def __init__(self) -> None:
        self._room = -1
        self._told_s = 0.0

    def worth_telling(self, *, capacity: int, room: int, now_s: float) -> bool:
        """Whether this is news; then it counts as told."""
        first = self._room < 0
        changed = abs(room - self._room) >= max(1.0, _WORTH_SHARE * capacity) or (room > 0) != (self._room > 0)
        if not first and (not changed or now_s - self._told_s < _TELL_EVERY_S):
            return False
        self._room, self._told_s = room, now_s
        return True


class FarRoom:
    """One robot's calls, and what is known of the service that hears them."""

    def __init__(self) -> None:
        self._calls: dict[str, bool] = {}  # whether it is heard
        self._bound = _UNTOLD_CALLS
        self._told_s = 0.0
        self._hold_s = 0.0
        self._held_until_s = 0.0
        self.refusals = 0

    @property
    def calls(self) -> Collection[str]:
        """Calls that are dialled, or heard."""
        return self._calls.keys()

    def bound(self, *, now_s: float) -> int:
        """How many calls this robot may have at once."""
        if now_s < self._held_until_s:
            return 0
        if not any(self._calls.values()) and now_s - self._told_s > _STALE_S:
            return 1 if self._hold_s else _UNTOLD_CALLS
        return self._bound

    def room(self, *, now_s: float) -> int:
        """How many more calls may be dialled."""
        return max(0, self.bound(now_s=now_s) - len(self._calls))

    def held_s(self, *, now_s: float) -> float:
        """How long nothing is dialled yet, for a stream was refused."""
        return min(max(0.0, self._held_until_s - now_s), _HOLD_MAX_S)  # a sum of floats may be a hair more

    def dialled(self, call_id: str) -> None:
        """One call more."""
        self._calls[call_id] = False

    def ended(self, call_id: str) -> None:
        """One call less."""
        self._calls.pop(call_id, None)

    def heard(self, call_id: str) -> None:
        """The service took its stream."""
        if call_id in self._calls:
            self._calls[call_id] = True
            self._hold_s = self._held_until_s = 0.0

    def told(self, news: Capacity, *, now_s: float) -> None:
        """The service says how much room it has."""
        self._bound = news.room + sum(self._calls.values())
        self._told_s = now_s
        if news.draining:
            self._held_until_s = max(self._held_until_s, now_s + _HOLD_MAX_S)

    def refused(self, *, now_s: float) -> None:
        """A stream was refused."""
        self.refusals += 1
        if now_s < self._held_until_s:
            return  # of the same moment
        self._hold_s = min(_HOLD_MAX_S, 2 * self._hold_s or _HOLD_S)
        self._held_until_s = now_s + self._hold_s
        self._bound = max(1, sum(self._calls.values()))
