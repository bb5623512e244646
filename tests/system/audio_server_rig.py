"""An audio server on a real socket, and clients as FreeSWITCH's module is one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from V3.audio.pcm import Audio, to_l16
from V3.config import AnswerSettings, ServerSettings
from V3.events import Event, StreamFailed
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer

__all__ = ["CALL", "Ears", "barrier", "frames", "listening", "run", "stream"]

CALL = "6f1b0f8c-2a43-4a8f-9d3e-0c4c1f7a9b11"
AMD = AMDService()
Kind = TypeVar("Kind", bound=Event)


class Ears:
    """A server and everything it told."""

    def __init__(self, server: WebSocketAudioServer) -> None:
        self.server = server
        self.events: list[Event] = []
        self._news = asyncio.Event()
        server.on_event.append(self._take)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def all(self, kind: type[Kind], call_id: str = CALL) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind) and event.call_id == call_id]

    async def first(self, kind: type[Kind], call_id: str = CALL, *, count: int = 1) -> Kind:
        """The ``count``-th event of that kind, waited for."""
        async with asyncio.timeout(20):
            while len(found := self.all(kind, call_id)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def url(self, call_id: str = CALL, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.server.port}/call/{call_id}{query}"

    def call(self, call_id: str = CALL, query: str = "", **options: Any) -> connect:
        """A client of an expected call."""
        self.server.expect(call_id, lambda _event: None)
        return connect(self.url(call_id, query), **options)


@contextlib.asynccontextmanager
async def listening(
    stt: Any, *, answer: AnswerSettings | None = None, accept_any: bool = False, amd: bool = True, **settings: Any
) -> AsyncIterator[Ears]:
    """A server with an answer window of 2.3 s whose decode may take as long as a busy machine needs.

    Audio comes much faster than it was spoken here, so how far an early verdict has heard is chance: it is off unless
    ``answer`` says otherwise.
    """
    server = WebSocketAudioServer(
        stt,
        amd=AMD if amd else None,
        settings=ServerSettings(port=0, **settings),
        answer=answer or AnswerSettings(decode_timeout_s=10, early_verdict=False),
        accept_any=accept_any,
    )
    async with server:
        yield Ears(server)


def frames(audio: Audio | bytes, *, ms: int = 20, rate_hz: int = 16_000) -> Iterator[bytes]:
    """L16 messages of ``ms``; a rest that fills none is left out, as FreeSWITCH does."""
    data = audio if isinstance(audio, bytes) else to_l16(audio)
    size = 2 * rate_hz * ms // 1000
    return (data[start : start + size] for start in range(0, len(data) - size + 1, size))


async def stream(socket: ClientConnection, *parts: Audio, ms: int = 20) -> None:
    for frame in frames(np.concatenate(parts), ms=ms):
        await socket.send(frame)


async def barrier(ears: Ears, socket: ClientConnection, call_id: str = CALL) -> StreamFailed:
    """Everything sent before has been taken: a text that is refused comes back as an event."""
    count = len(ears.all(StreamFailed, call_id)) + 1
    await socket.send("no JSON")
    return await ears.first(StreamFailed, call_id, count=count)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine and see that it left no task behind."""

    async def guarded() -> None:
        async with asyncio.timeout(50):
            await test()
        await asyncio.sleep(0)  # what a closed socket has cancelled ends in the next turn
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, left

    asyncio.run(guarded())
