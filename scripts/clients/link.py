"""One client's connection: audio out at the pace it is spoken (or as fast as it is taken), answers in, one named end.

Everything that can go wrong between here and the server is a :class:`ClientFailed` whose message says what to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from scripts.clients.dialects import Answer, ClientDialect
from V3.audio.pcm import RATE_HZ, Audio

__all__ = ["ClientFailed", "Link", "Server", "linked"]

_OPEN_TIMEOUT_S: Final = 10.0
_SEND_TIMEOUT_S: Final = 60.0
_PONG_TIMEOUT_S: Final = 60.0
_HOW_TO_START: Final = "start one with `python -m V3 serve`"


class ClientFailed(Exception):
    """It cannot go on; the message is for whoever sits before the screen."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is. ``base`` is ws://host:port or wss://...; with ``whole`` it is the URL as it stands."""

    base: str
    token: str = ""
    whole: bool = False
    ca: str = ""

    def url(self, dialect: ClientDialect) -> str:
        """Where this dialect connects."""
        return self.base if self.whole else self.base.rstrip("/") + dialect.target()

    def trust(self) -> ssl.SSLContext | None:
        """Whose certificates are taken. Raises ClientFailed for a file that holds none."""
        if not self.base.startswith("wss://"):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except (OSError, ssl.SSLError) as exc:
            raise ClientFailed(f"{self.ca}: no certificate that can be used ({exc})") from exc


@contextlib.asynccontextmanager
async def linked(server: Server, dialect: ClientDialect, on_answer: Callable[[Answer], None]) -> AsyncIterator[Link]:
    """Connect and say what comes before audio; ``on_answer`` gets every answer. Raises ClientFailed."""
    link = Link(await _connected(server, dialect), dialect, on_answer)
    try:
        await link.open()
        yield link
    finally:
        await link.close()


class Link:
    """A connection that is open."""

    def __init__(self, socket: ClientConnection, dialect: ClientDialect, on_answer: Callable[[Answer], None]) -> None:
        self._socket = socket
        self._dialect = dialect
        self._on_answer = on_answer
        self._answered = asyncio.Event()
        self._ponged = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name="answers")
        self.sent_s = 0.0
        self.began_s = time.monotonic()

    async def open(self) -> None:
        """Say what comes before audio. A server that refuses does so by now, or with the next message."""
        for message in self._dialect.opening():
            await self._deliver(message)

    async def close(self) -> None:
        """Close, and stop reading."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await self._socket.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def send(self, audio: Audio) -> None:
        """A piece of audio at 16 kHz, at once."""
        await self._deliver(self._dialect.pack(audio))
        self.sent_s += audio.size / RATE_HZ

    async def stream(self, pieces: AsyncIterator[Audio], *, chunk_ms: int, paced: bool) -> None:
        """All of the audio in messages of so many ms, then the silence that a line has after it."""
        self.began_s, began_with_s = time.monotonic(), self.sent_s
        async for chunk in _chunks(pieces, chunk_ms * RATE_HZ // 1000, tail_s=self._dialect.tail_s):
            await self.send(chunk)
            if paced:
                ahead_s = self.sent_s - began_with_s - (time.monotonic() - self.began_s)
                await asyncio.sleep(max(0.0, ahead_s))
        await self._deliver(self._dialect.finish())

    async def ping(self) -> float:
        """Ask for a sign of life; how long it took, in ms."""
        asked_s = time.monotonic()
        self._ponged.clear()
        try:
            async with asyncio.timeout(_PONG_TIMEOUT_S):
                if self._dialect.ping:
                    await self._deliver(self._dialect.ping)
                    await self._or_closed(self._ponged)
                else:
                    await (await self._socket.ping())
        except TimeoutError as exc:
            raise ClientFailed(f"no sign of life within {_PONG_TIMEOUT_S:g} s") from exc
        except ConnectionClosed as exc:
            raise _closed(exc) from exc
        return (time.monotonic() - asked_s) * 1000

    async def quiet(self, for_s: float) -> None:
        """All was sent: wait until no answer has come for so long. (No protocol marks its last answer.)"""
        await self.ping()  # what was sent has been taken: from here on silence means something
        while True:
            self._answered.clear()
            try:
                async with asyncio.timeout(for_s):
                    await self._or_closed(self._answered)
            except TimeoutError:
                return

    async def _deliver(self, message: str | bytes) -> None:
        if not message:
            return
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._socket.send(message)
        except TimeoutError as exc:
            raise ClientFailed(f"the server has taken nothing for {_SEND_TIMEOUT_S:g} s") from exc
        except ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def _or_closed(self, event: asyncio.Event) -> None:
        """Wait for an event, or for the end of the connection."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait([waiting, self._reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._reading.done():
            await self._reading
            raise ClientFailed("the server closed the connection")

    async def _read(self) -> None:
        try:
            while True:
                answer = self._dialect.read(_text(await self._socket.recv()))
                if answer.kind == "pong":
                    self._ponged.set()
                elif answer.kind != "nothing":
                    self._on_answer(answer)
                    self._answered.set()
        except ConnectionClosed as exc:
            raise _closed(exc) from exc


async def _connected(server: Server, dialect: ClientDialect) -> ClientConnection:
    headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    url = server.url(dialect)
    where = url.partition("?")[0]  # a query may hold a token
    try:
        return await connect(
            url,
            additional_headers=headers,
            open_timeout=_OPEN_TIMEOUT_S,
            ping_timeout=None,  # a server that is fed faster than it hears answers late
            max_queue=None,  # what the server says is shown at once
            ssl=server.trust(),
        )
    except ConnectionRefusedError as exc:
        raise ClientFailed(f"nothing listens on {where}: {_HOW_TO_START}") from exc
    except InvalidStatus as exc:
        said = (exc.response.body or b"").decode(errors="replace").strip()
        raise ClientFailed(f"{where} refused: {exc.response.status_code} {said}") from exc
    except InvalidURI as exc:
        raise ClientFailed(f"{where} is no WebSocket URL: ws://host:port or wss://host:port") from exc
    except ssl.SSLCertVerificationError as exc:
        why = f"its certificate is not trusted ({exc.verify_message}); --ca FILE names the one to trust"
        raise ClientFailed(f"{where}: {why}") from exc
    except ssl.SSLError as exc:
        raise ClientFailed(f"{where} speaks no TLS ({exc.reason}): try without --tls") from exc
    except (OSError, InvalidHandshake, TimeoutError) as exc:
        raise ClientFailed(f"no connection to {where}: {exc or 'no answer'}") from exc


async def _chunks(pieces: AsyncIterator[Audio], size: int, *, tail_s: float) -> AsyncIterator[Audio]:
    """Pieces of any length in chunks of one; silence fills the last one up."""
    rest = np.zeros(0, dtype=np.float32)
    async for piece in pieces:
        rest = np.concatenate([rest, piece])
        whole = rest.size - rest.size % size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    rest = np.concatenate([rest, np.zeros(round(tail_s * RATE_HZ), dtype=np.float32)])
    rest = np.pad(rest, (0, -rest.size % size))
    for start in range(0, rest.size, size):
        yield rest[start : start + size]


def _closed(exc: ConnectionClosed) -> ClientFailed:
    if exc.rcvd is None:
        return ClientFailed("the connection was lost without a close")
    return ClientFailed(f"the server closed the connection: {exc.rcvd.reason or 'no reason given'} ({exc.rcvd.code})")


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode(errors="replace")
