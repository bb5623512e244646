"""What a robot knows of an audio server elsewhere: its places for calls, as far as its events and refusals tell.

It stands where the audio server of this process would: the robot asks it before it dials. Nothing is asked of the
server itself, so that a robot needs only its event socket. See :mod:`V3.calls.room` for the rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from V3.calls.room import FarRoom
from V3.errors import CapacityReached
from V3.events import Capacity, Event, StreamClosed, StreamOpened

__all__ = ["FarServer"]

log = logging.getLogger(__name__)

TRY_LATER_CLOSE: Final = 1013


class FarServer:
    """``expect`` before a call is dialled, ``forget`` after it; ``take`` its events, ``stream_refused`` its errors."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._far = FarRoom()
        self._room_made = asyncio.Event()

    @property
    def calls(self) -> int:
        """Calls of this robot."""
        return len(self._far.calls)

    @property
    def room(self) -> int:
        """How many more calls may be dialled."""
        return self._far.room(now_s=self._now_s())

    @property
    def capacity(self) -> int:
        """How many calls this robot may have at once."""
        return self._far.bound(now_s=self._now_s())

    @property
    def refused(self) -> int:
        """Streams that the server refused."""
        return self._far.refusals

    @property
    def may_have_room(self) -> bool:
        """Waiting helps always: the server may come back."""
        return True

    def expect(self, call_id: str, _handler: object = None) -> None:
        """A call is about to be dialled. Raises CapacityReached where it would not be heard."""
        if self.room < 1:
            held_s = self._far.held_s(now_s=self._now_s())
            why = (
                f"the audio server takes no calls now; asked again in {held_s:.0f} s"
                if held_s
                else f"{self.calls} calls are in progress, and the audio server can hear no more of ours"
            )
            raise CapacityReached(why)
        self._far.dialled(call_id)

    def forget(self, call_id: str) -> None:
        """A call has ended, or was not dialled."""
        self._far.ended(call_id)
        self._room_made.set()

    def take(self, event: Event) -> None:
        """An event of one of the calls."""
        match event:
            case Capacity():
                self._far.told(event, now_s=self._now_s())
                self._room_made.set()
            case StreamOpened():
                self._far.heard(event.call_id)
            case StreamClosed(code=code) if code == TRY_LATER_CLOSE:
                self.stream_refused()

    def stream_refused(self) -> None:
        """A call that was answered is not heard: better dial nobody for a while."""
        self._far.refused(now_s=self._now_s())
        log.warning(
            "the audio server refused a call's stream: nothing is dialled for %.0f s",
            self._far.held_s(now_s=self._now_s()),
        )

    async def wait_for_room(self, timeout_s: float) -> None:
        """Return when there may be room, or after ``timeout_s``: then it is worth asking again."""
        self._room_made.clear()
        held_s = self._far.held_s(now_s=self._now_s())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, held_s) if held_s else timeout_s):
                await self._room_made.wait()
