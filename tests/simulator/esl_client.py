"""A plain event-socket client, a WebSocket server and sound files for the simulator's tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from V3.simulator import FreeSwitchSimulator
from V3.telephony.codec import EslDecoder, EslEvent, EslMessage

PATIENCE_S = 10.0  # real seconds; far more than any wait here needs


def write_wav(path: Path, duration_s: float, *, rate_hz: int = 8000, hz: float = 440.0) -> Path:
    """A tone of peak 8000."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moments = np.arange(round(rate_hz * duration_s)) / rate_hz
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((8000 * np.sin(2 * np.pi * hz * moments)).astype("<i2").tobytes())
    return path


class EslClient:
    """Commands and their replies in order; everything received is kept in ``messages`` and ``events``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = EslDecoder()
        self.received: list[EslMessage | EslEvent] = []
        self.events: list[EslEvent] = []
        self.replies: list[EslMessage] = []
        self._answers: asyncio.Queue[EslMessage | None] = asyncio.Queue()
        self._news = asyncio.Event()
        self.closed = asyncio.Event()
        self.half_message = False
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, port: int, *, password: str = "ClueCon", events: str = "") -> EslClient:
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        if password:
            assert await client.command(f"auth {password}") == "+OK accepted"
        if events:
            await client.command(f"event plain {events}")
        return client

    def send(self, command: str) -> None:
        self._writer.write(command.encode() + b"\n\n")

    async def command(self, command: str) -> str:
        """The reply's text; ``EOF`` when the connection ended instead."""
        if self.closed.is_set() and self._answers.empty():
            return "EOF"
        self.send(command)
        answer = await asyncio.wait_for(self._answers.get(), PATIENCE_S)
        return "EOF" if answer is None else answer.reply

    async def api(self, command: str) -> str:
        return await self.command(f"api {command}")

    async def event(self, name: str, matches: Callable[[EslEvent], bool] = lambda _: True) -> EslEvent:
        """The first event of that name, waited for."""
        return (await self.count(name, 1, matches))[0]

    async def count(
        self, name: str, number: int, matches: Callable[[EslEvent], bool] = lambda _: True
    ) -> list[EslEvent]:
        found: list[EslEvent] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < number:
                self._news.clear()
                found = [event for event in self.events if event.name == name and matches(event)]
                if len(found) < number:
                    await self._news.wait()
        return found

    async def news(self) -> None:
        await self._news.wait()
        self._news.clear()

    def names(self, uuid: str) -> list[str]:
        return [event.name for event in self.events if event.uuid == uuid]

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                for message in self._decoder.feed(data):
                    self._take(message)
        except ConnectionError:
            pass
        self._decoder.eof()
        self.half_message = bool(self._decoder.error_count)
        self.closed.set()
        self._answers.put_nowait(None)
        self._news.set()

    def _take(self, message: EslMessage) -> None:
        if message.content_type == "text/event-plain":
            event = self._decoder.event(message)
            assert event is not None
            self.events.append(event)
            self.received.append(event)
        elif message.content_type == "text/event-json":
            fields = json.loads(message.body)
            event = EslEvent(fields, fields.pop("_body", "").encode())
            self.events.append(event)
            self.received.append(event)
        else:
            self.received.append(message)
            if message.content_type in ("command/reply", "api/response"):
                self.replies.append(message)
                self._answers.put_nowait(message)
        self._news.set()


@dataclass
class StreamServer:
    """What arrived, per connection: bytes are audio, str is text."""

    port: int = 0
    connections: list[list[bytes | str]] = field(default_factory=list)
    open: list[ServerConnection] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    close_codes: list[tuple[int | None, str | None]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    server: Server | None = None

    def audio(self, connection: int = -1) -> list[bytes]:
        return [message for message in self.connections[connection] if isinstance(message, bytes)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def handle(self, connection: ServerConnection) -> None:
        messages: list[bytes | str] = []
        self.connections.append(messages)
        self.open.append(connection)
        self.paths.append(connection.request.path if connection.request else "")
        self.arrived.set()
        try:
            async for message in connection:
                messages.append(message)
                self.arrived.set()
        except ConnectionClosed:
            pass
        self.close_codes.append((connection.close_code, connection.close_reason))
        self.arrived.set()


@asynccontextmanager
async def stream_server(*, port: int = 0) -> AsyncIterator[StreamServer]:
    found = StreamServer()
    async with serve(found.handle, "127.0.0.1", port, compression=None, ping_interval=None) as server:
        found.server = server
        found.port = next(iter(server.sockets)).getsockname()[1]
        yield found


async def answered_call(
    client: EslClient, number: str = "0600000001", *, endpoint: str = "", uuid: str = "call"
) -> str:
    """Dial and wait until the call is parked; returns the channel's uuid."""
    endpoint = endpoint or f"sofia/gateway/trunk/{number}"
    await client.command(f"bgapi originate {{origination_uuid={uuid}}}{endpoint} &park()")
    await client.event("CHANNEL_PARK", lambda event: event.uuid == uuid)
    return uuid


def assert_clean(simulator: FreeSwitchSimulator) -> None:
    """No error inside the simulator and no task of it left."""
    assert simulator.failures == []
    left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("simulator")]
    assert left == []
