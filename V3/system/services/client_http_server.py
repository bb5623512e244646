"""uvicorn inside the running event loop: started and stopped like any other part, and quiet about signals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from V3.config import ClientSettings
from V3.errors import ConfigError
from V3.system.services.client_connection import ABORT

__all__ = ["HttpServer"]

_STOP_TIMEOUT_S: Final = 8.0
_GRACE_S: Final = 3


class _Protocol(WebSocketsSansIOProtocol):
    """Lets the application cut a connection whose peer has stopped reading.

    A CLOSE frame would wait behind what was not read.
    """

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        scope: dict[str, Any] | None = getattr(self, "scope", None)  # none where the handshake was refused
        if scope is not None:
            scope["extensions"][ABORT] = self.transport.abort

    async def send(self, message: Any) -> None:
        """A handshake that was refused is complete too: it would be logged as an error otherwise."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command line's: they cancel its task."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class HttpServer:
    """An ASGI application on a port."""

    def __init__(self, app: Any, settings: ClientSettings) -> None:
        self._app = app
        self._settings = settings
        self._uvicorn: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken, ConfigError for a certificate that cannot be used."""
        config = self._config()
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listener = socket.create_server((self._settings.host, self._settings.port), family=family, backlog=128)
        self.port = int(listener.getsockname()[1])
        self._uvicorn = _Uvicorn(config)
        self._task = asyncio.create_task(self._uvicorn.serve([listener]), name="http server")
        listening = asyncio.create_task(self._uvicorn.listening.wait())
        await asyncio.wait([self._task, listening], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Stop listening, let requests in progress end for some seconds, close what is left."""
        if self._uvicorn is None or self._task is None:
            return
        self._uvicorn.should_exit = True
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._task
        except TimeoutError:
            self._uvicorn.force_exit = True
        self._uvicorn = self._task = None

    def _config(self) -> uvicorn.Config:
        settings = self._settings
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws=_Protocol,
            lifespan="off",
            log_config=None,
            log_level="warning",  # below it, paths are logged, and tokens with them
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_max_size=settings.max_message_bytes,
            ws_ping_interval=20,
            ws_ping_timeout=60,  # a client that sends faster than it is heard answers late
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=settings.certificate or None,
            ssl_keyfile=settings.key or None,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(f"clients.certificate and clients.key cannot be used: {exc}") from exc
        return config
