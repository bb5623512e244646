"""A server for the browser tests: the pages with their security headers, and both protocols spoken from a script.

What is "heard" depends only on how much audio came: utterance ``n`` begins at ``n * 900`` ms and lasts 600 ms, or
until a second of silence comes in one message. What clients sent is kept, so that tests can look at it. The server has
its own thread and event loop, and listens on loopback only.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

__all__ = ["BYTES_PER_MS", "CSP", "SPOKEN_MS", "Client", "ScriptedServer"]

WEB = Path(__file__).resolve().parents[2] / "V3" / "web"
CSP = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "worker-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGES = {"/": "index.html", "/calls": "calls.html"}
BYTES_PER_MS = 32
WINDOW_MS = 2000
PERIOD_MS, SPOKEN_MS, ENDPOINT_MS, HOP_MS = 900, 600, 200, 100
WAIT_S = 10.0


@dataclass
class Client:
    """One captions connection: what it sent, and how far its script is."""

    query: dict[str, list[str]]
    audio: bytearray = field(default_factory=bytearray)
    sizes: list[int] = field(default_factory=list)
    configs: list[dict[str, Any]] = field(default_factory=list)
    mode: str = "classic"
    heard_ms: int = 0
    answered_ms: int = 0

    def binary(self, data: bytes, says: tuple[str, ...]) -> list[dict[str, Any]]:
        self.audio += data
        self.sizes.append(len(data))
        before_ms, self.heard_ms = self.heard_ms, self.heard_ms + len(data) // BYTES_PER_MS
        return self._live(before_ms, data, says) if self.mode == "live" else self._classic(says)

    def text(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        if message["type"] == "ping":
            return [{"type": "pong", "timestamp": "2026-01-01T00:00:00.000+00:00"}]
        if message["type"] == "config":
            self.configs.append(message)
        if message["type"] == "clear_buffer" or message.get("mode", self.mode) != self.mode:
            self.heard_ms = self.answered_ms = 0
        self.mode = message.get("mode", self.mode)
        return []

    def _live(self, before_ms: int, data: bytes, says: tuple[str, ...]) -> list[dict[str, Any]]:
        silent = len(data) >= 1000 * BYTES_PER_MS and not any(data)
        answers = []
        for index, text in enumerate(says):
            start_ms, end_ms = index * PERIOD_MS, index * PERIOD_MS + SPOKEN_MS
            until_ms = before_ms if silent else self.heard_ms
            if not start_ms < until_ms or before_ms >= end_ms + ENDPOINT_MS:
                continue  # not begun, or over
            said = _transcription(_so_far(text, until_ms - start_ms), start_ms, min(end_ms, until_ms))
            if silent or until_ms >= end_ms + ENDPOINT_MS:
                answers.append(said)
            elif before_ms // HOP_MS != until_ms // HOP_MS:
                answers.append(said | {"partial": True})
        return answers

    def _classic(self, says: tuple[str, ...]) -> list[dict[str, Any]]:
        waiting_ms = self.heard_ms - self.answered_ms
        if waiting_ms < WINDOW_MS:
            return [{"type": "buffering", "buffered": waiting_ms / 1000, "needed": WINDOW_MS / 1000}]
        window = range(self.answered_ms, self.heard_ms)
        text = " ".join(said for index, said in enumerate(says) if index * PERIOD_MS + SPOKEN_MS // 2 in window)
        self.answered_ms = self.heard_ms
        return [_transcription(text, window.start, window.stop)]


def _so_far(text: str, spoken_ms: int) -> str:
    words = text.split()
    return " ".join(words[: max(1, round(min(1.0, spoken_ms / SPOKEN_MS) * len(words)))])


def _transcription(text: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    duration_s = (end_ms - start_ms) / 1000
    times = {"start": start_ms / 1000, "end": end_ms / 1000, "duration": duration_s}
    return {"type": "transcription", "text": text, "processing_time": 0.12, "rtf": 0.12 / duration_s, **times}


class ScriptedServer:
    """Says ``says``, one after the other, to every captions client that sends audio for long enough."""

    def __init__(self, *says: str, token: str = "") -> None:
        self.says = says
        self.token = token
        self.clients: list[Client] = []
        self.snapshot: dict[str, Any] = {"type": "snapshot", "calls": [], "engine": {}}
        self._open: set[ServerConnection] = set()
        self._port = 0
        self._server: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-server", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    @property
    def client(self) -> Client:
        """The newest captions connection; the first may be on its way."""
        until_s = time.monotonic() + WAIT_S
        while not self.clients:
            if time.monotonic() > until_s:
                raise TimeoutError("no client came")
            time.sleep(0.01)
        return self.clients[-1]

    def start(self) -> None:
        """Listen; after a :meth:`stop`, on the same port again."""
        self._run(self._start())

    def stop(self) -> None:
        """Close every connection and listen no more."""
        self._run(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def drop(self, code: int, reason: str) -> None:
        """Close every connection with a code, and go on listening."""
        self._run(self._drop(code, reason))

    def tell(self, message: dict[str, Any]) -> None:
        """To every page of calls, and every captions client."""
        self._run(self._tell(message))

    def _run(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(WAIT_S)

    async def _start(self) -> None:
        self._server = await serve(self._handle, "127.0.0.1", self._port, process_request=self._http)
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _drop(self, code: int, reason: str) -> None:
        await asyncio.gather(*(connection.close(code, reason) for connection in self._open))

    async def _tell(self, message: dict[str, Any]) -> None:
        await asyncio.gather(*(connection.send(json.dumps(message)) for connection in self._open))

    async def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        address = urlsplit(request.path)
        if address.path in ("/captions", "/ws/calls"):
            given = parse_qs(address.query).get("token", [""])[0]
            return connection.respond(HTTPStatus.UNAUTHORIZED, "token\n") if given != self.token else None
        if address.path == "/healthz":
            return connection.respond(HTTPStatus.OK, "ok\n")
        file = WEB / PAGES.get(address.path, address.path.removeprefix("/web/"))
        if not file.resolve().is_relative_to(WEB) or not file.is_file():
            return connection.respond(HTTPStatus.NOT_FOUND, "no such file\n")
        headers = {"Content-Type": f"{TYPES[file.suffix]}; charset=utf-8", "Content-Security-Policy": CSP}
        body = file.read_bytes()
        headers |= {"Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        return Response(200, "OK", Headers(headers), body)

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        address = urlsplit(connection.request.path)
        self._open.add(connection)
        try:
            if address.path == "/ws/calls":
                await connection.send(json.dumps(self.snapshot))
                await connection.wait_closed()
            else:
                await self._caption(connection, Client(parse_qs(address.query)))
        except ConnectionClosed:
            pass  # the client left while it was answered
        finally:
            self._open.discard(connection)

    async def _caption(self, connection: ServerConnection, client: Client) -> None:
        self.clients.append(client)
        await connection.send(json.dumps({"type": "connected", "message": "hello", "model": "scripted"}))
        async for message in connection:
            if isinstance(message, bytes):
                answers = client.binary(message, self.says)
            else:
                answers = client.text(json.loads(message))
            for answer in answers:
                await connection.send(json.dumps(answer))
