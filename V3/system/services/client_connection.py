"""One client's WebSocket: messages in to its session, its outbox out, and one named end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from V3.errors import VoicebotError, WireError
from V3.system.services.client_session import ClientSession, wall_s

__all__ = ["ABORT", "close_socket", "serve_session"]

log = logging.getLogger(__name__)

ABORT: Final = "voicebot.abort"  # the scope's extension that cuts a TCP connection
_CLOSE_TIMEOUT_S: Final = 2.0
_MAX_REASON_BYTES: Final = 120  # what a CLOSE frame can hold
_FAILED_CLOSE: Final = 1011
_LOOK_EVERY_S: Final = 0.25


async def serve_session(socket: WebSocket, session: ClientSession, *, idle_timeout_s: float) -> None:
    """Serve an accepted connection to its end, whatever ends it. The session is left open."""
    tasks = [
        asyncio.create_task(_read(socket, session, idle_timeout_s), name=f"read {session.name}"),
        asyncio.create_task(_send(socket, session), name=f"send {session.name}"),
    ]
    try:
        anything: list[asyncio.Future[Any]] = [*tasks, session.over]
        await asyncio.wait(anything, return_when=asyncio.FIRST_COMPLETED)
        ended = _why(tasks, session)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if ended is not None:
        await close_socket(socket, ended.close_code, str(ended))


async def close_socket(socket: WebSocket, code: int, reason: str) -> None:
    """Close with a code and a reason; a peer that does not take them within two seconds is cut off."""
    short = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
    abort: Callable[[], None] = socket.scope.get("extensions", {}).get(ABORT, lambda: None)
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await socket.close(code, short)
    except (TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
        abort()
    else:  # written, and perhaps never read: closing would then wait for ever; cutting what is closed does nothing
        asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT_S, abort)


async def _read(socket: WebSocket, session: ClientSession, idle_timeout_s: float) -> None:
    """Take messages until the peer goes, or is silent for too long."""
    await session.opened()
    heard_s = wall_s()
    while True:
        until_s = heard_s + idle_timeout_s
        due_s = session.dialect.due_s
        wait_s = max(0.0, min(until_s, until_s if due_s is None else due_s) - wall_s())
        if session.unpacks:  # its samples come while we wait here, and change what is due
            wait_s = min(wait_s, _LOOK_EVERY_S)
        message: str | bytes | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                message = await _message(socket)
        if message is not None:
            await session.take(message)
            heard_s = wall_s()
        elif wall_s() >= until_s:
            raise WireError(f"no message for {idle_timeout_s:g} s", close_code=1008)
        else:
            await session.tick()


async def _message(socket: WebSocket) -> str | bytes:
    received: dict[str, Any] = dict(await socket.receive())
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005), received.get("reason"))
    data = received.get("bytes")
    return received["text"] if data is None else bytes(data)


async def _send(socket: WebSocket, session: ClientSession) -> None:
    while True:
        await socket.send_text(await session.outbox.get())


def _why(tasks: list[asyncio.Task[None]], session: ClientSession) -> WireError | None:
    """Why the connection is to be closed; None when the peer has gone."""
    if session.over.done():
        return session.over.result()
    error = next(task.exception() for task in tasks if task.done())
    match error:
        case WireError():
            return error
        case WebSocketDisconnect() | OSError() | RuntimeError():  # gone while we read, or while we wrote
            return None
        case VoicebotError():
            return WireError(str(error), close_code=_FAILED_CLOSE)
    log.error("client %s failed", session.name, exc_info=error)
    return WireError(f"internal error: {type(error).__name__}", close_code=_FAILED_CLOSE)
