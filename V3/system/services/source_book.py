"""Sources by their client_id: who is connected, and who may come back and go on where it was.

A source that goes is kept for ``rejoin_s`` with its stream, its words and the messages it has not got; at most
``MAX_KEPT`` are, the oldest is dropped for one more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from V3.system.services.client_session import ClientSession

__all__ = ["SourceBook"]

log = logging.getLogger(__name__)

MAX_KEPT: Final = 64


class SourceBook:
    """The sessions of dialect B. Lives on the event loop."""

    def __init__(self, rejoin_s: float) -> None:
        self._rejoin_s = rejoin_s
        self._connected: dict[str, ClientSession] = {}
        self._kept: dict[str, tuple[ClientSession, asyncio.TimerHandle]] = {}
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
        while len(self._kept) >= MAX_KEPT:
            self._drop(next(iter(self._kept)))
        timer = asyncio.get_running_loop().call_later(self._rejoin_s, self._drop, client_id)
        self._kept[client_id] = (session, timer)

    def forget(self, client_id: str) -> None:
        """A source has gone for good."""
        self._connected.pop(client_id, None)

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

    def _drop(self, client_id: str) -> None:
        session, timer = self._kept.pop(client_id)
        timer.cancel()
        task = asyncio.create_task(session.close(), name=f"close {session.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
