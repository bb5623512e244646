"""Sources by their client_id: who is connected, who may come back and go on where it was, and who is taken over.

A source that goes is kept for ``rejoin_s`` with its stream, its words and the messages it has not got; at most
``MAX_KEPT`` are, the oldest is dropped for one more. A connection whose peer has gone without a word lasts until its
pings fail (80 s); a newer one of the same client_id takes over as soon as it has sent nothing for ``rejoin_s``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from V3.errors import WireError
from V3.system.services.client_session import ClientSession

__all__ = ["SourceBook"]

log = logging.getLogger(__name__)

MAX_KEPT: Final = 64
_LEAVE_TIMEOUT_S: Final = 5.0  # a peer that is gone is cut off two seconds after its close


class SourceBook:
    """The sessions of dialect B. Lives on the event loop."""

    def __init__(self, rejoin_s: float) -> None:
        self._rejoin_s = rejoin_s
        self._connected: dict[str, ClientSession] = {}
        self._kept: dict[str, tuple[ClientSession, asyncio.TimerHandle]] = {}
        self._gone: dict[str, asyncio.Event] = {}  # set when a source that is taken over has left
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Sources that are kept though they are not connected."""
        return len(self._kept)

    def connected(self, client_id: str) -> bool:
        """Whether a source of that name is connected now."""
        return client_id in self._connected

    def kept(self, client_id: str) -> bool:
        """Whether a source of that name has gone and may go on."""
        return client_id in self._kept

    async def take_over(self, client_id: str) -> None:
        """Have a silent connection of that name closed, and wait until it has left: then it may be resumed."""
        old = self._connected.get(client_id)
        if old is None or not self._rejoin_s or old.silent_s < self._rejoin_s:
            return
        why = f"a newer connection of client_id {client_id} took over: nothing came for {self._rejoin_s:g} s"
        old.end(WireError(why, close_code=1008))
        gone = self._gone.setdefault(client_id, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                await gone.wait()

    def begin(self, client_id: str, session: ClientSession) -> None:
        """A source that is not known has connected."""
        self._connected[client_id] = session

    def resume(self, client_id: str) -> ClientSession | None:
        """The session of a source that has come back; None where there is none (any more)."""
        session, timer = self._kept.pop(client_id, (None, None))
        if session is None or timer is None:
            return None
        timer.cancel()
        session.reattach()
        self._connected[client_id] = session
        return session

    def leave(self, client_id: str) -> None:
        """A source has gone: keep it for a while."""
        session = self._connected.pop(client_id)
        self._tell_gone(client_id)
        while len(self._kept) >= MAX_KEPT:
            self._drop(next(iter(self._kept)))
        timer = asyncio.get_running_loop().call_later(self._rejoin_s, self._drop, client_id)
        self._kept[client_id] = (session, timer)

    def forget(self, client_id: str) -> None:
        """A source has gone for good."""
        self._connected.pop(client_id, None)
        self._tell_gone(client_id)

    def make_room(self) -> bool:
        """Drop the source that has been away longest; False where there is none."""
        if not self._kept:
            return False
        self._drop(next(iter(self._kept)))
        return True

    async def close(self) -> None:
        """Drop all that are kept."""
        while self.make_room():
            pass
        await asyncio.gather(*self._closing)

    def _tell_gone(self, client_id: str) -> None:
        if (gone := self._gone.pop(client_id, None)) is not None:
            gone.set()

    def _drop(self, client_id: str) -> None:
        session, timer = self._kept.pop(client_id)
        timer.cancel()
        task = asyncio.create_task(session.close(), name=f"close {session.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
