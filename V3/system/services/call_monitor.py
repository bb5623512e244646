"""The WebSocket of the page of calls: a snapshot, then what changes, and the engine's counters once a second.

Every page has a bounded queue; one that does not read is closed, and may connect again for a new snapshot.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from V3.calls.board import CallBoard
from V3.calls.report import CallUpdate
from V3.events import Event
from V3.system.services.client_connection import close_socket

__all__ = ["CallMonitor"]

_WAITING: Final = 512
_ENGINE_EVERY_S: Final = 1.0
_TRY_LATER_CLOSE, _GOING_AWAY_CLOSE, _POLICY_CLOSE = 1013, 1001, 1008


class CallMonitor:
    """Hand every event of the audio server to :meth:`take`. ``engine`` gives the counters.

    ``behind_ms`` says how long ago the audio that a partial tells of had come (None: not known): the audio server's.
    """

    def __init__(self, board: CallBoard, engine: Callable[[], dict[str, Any]]) -> None:
        self.behind_ms: Callable[[Event], float | None] = lambda _event: None
        self._board = board
        self._engine = engine
        self._pages: set[_Page] = set()
        self._ticking: asyncio.Task[None] | None = None

    @property
    def pages(self) -> int:
        """Pages that watch."""
        return len(self._pages)

    def start(self) -> None:
        """Begin to send the counters."""
        self._ticking = asyncio.create_task(self._tick(), name="engine counters")

    async def stop(self) -> None:
        """Close every page."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for page in self._pages:
            page.end(_GOING_AWAY_CLOSE, "the server stops")

    def take(self, event: Event) -> None:
        """An event of a call."""
        for message in self._board.event(event, now_ms=_now_ms(), behind_ms=self.behind_ms(event)):
            self._send_all(message)

    def tell(self, update: CallUpdate) -> None:
        """A line of a call's live story, as the robot tells it."""
        for message in self._board.told(update, now_ms=_now_ms()):
            self._send_all(message)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page to its end."""
        page = _Page()
        calls = self._board.snapshot(now_ms=_now_ms())
        page.put({"type": "snapshot", "calls": calls, "engine": self._engine()})
        self._pages.add(page)
        try:
            ended = await page.serve(socket)
        finally:
            self._pages.discard(page)
        if ended is not None:
            await close_socket(socket, *ended)

    def _send_all(self, message: dict[str, Any]) -> None:
        for page in self._pages:
            page.put(message)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_ENGINE_EVERY_S)
            if self._pages:
                self._send_all({"type": "engine", **self._engine()})


class _Page:
    """One browser that watches."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING)
        self._over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def put(self, message: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.end(_POLICY_CLOSE, f"the page does not read: {_WAITING} messages wait for it")

    def end(self, code: int, reason: str) -> None:
        if not self._over.done():
            self._over.set_result((code, reason))

    async def serve(self, socket: WebSocket) -> tuple[int, str] | None:
        """Send until it is over; the code and reason to close with, None when the page has gone."""
        tasks = [asyncio.create_task(self._send(socket)), asyncio.create_task(_until_gone(socket))]
        try:
            anything: list[asyncio.Future[Any]] = [*tasks, self._over]
            await asyncio.wait(anything, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._over.result() if self._over.done() else None

    async def _send(self, socket: WebSocket) -> None:
        while True:
            await socket.send_text(json.dumps(await self._waiting.get()))


async def _until_gone(socket: WebSocket) -> None:
    """Read and drop what a page says; end when it has gone."""
    try:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
    except WebSocketDisconnect:
        return


def _now_ms() -> float:
    return time.monotonic() * 1000
