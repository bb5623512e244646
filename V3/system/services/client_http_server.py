"""uvicorn inside the running event loop: started and stopped like any other part, and quiet about signals.

What it leaves open to a rude client is closed here: connections are counted by address before they are read, a request
has to be told within ten seconds, an answer that is not read is cut off after thirty, and so is who asks for pongs
without reading them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from V3.config import LOOPBACK, ClientSettings
from V3.errors import ConfigError
from V3.system.services.client_connection import ABORT
from V3.system.services.doors import Doors, address_of

__all__ = ["HttpServer"]

log = logging.getLogger(__name__)

_STOP_TIMEOUT_S: Final = 8.0
_GRACE_S: Final = 3
_TLS_TIMEOUT_S: Final = 10.0
_HEAD_TIMEOUT_S: Final = 10.0
_READ_TIMEOUT_S: Final = 30.0  # of a peer that has to read what was written
_SPARE_CONNECTIONS: Final = 64  # beside the clients: pages, metrics, refusals that say why
_UNREAD_BYTES: Final = 1_048_576
_MAX_HEAD_BYTES: Final = 16_384


class _Http(H11Protocol):
    """One connection that speaks HTTP, until it is a WebSocket or over."""

    def __init__(self, *, doors: Doors, **given: Any) -> None:
        super().__init__(**given)
        self._doors = doors
        self._address = ""
        self._counted = False
        self._head_due: asyncio.TimerHandle | None = None
        self._read_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = address_of(transport.get_extra_info("peername"))
        now_s = time.monotonic()
        if why := self._doors.enter(self._address, now_s=now_s):
            if self._doors.worth_telling(now_s=now_s):
                log.warning("connections refused: %s", why)
            transport.abort()
            return
        self._counted = True
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_protocol() is self:  # else it is a WebSocket now
            self._watch_head()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._cancel_timers()
        super().handle_websocket_upgrade(event)
        protocol = self.transport.get_protocol()
        if isinstance(protocol, _Protocol):
            protocol.on_lost = self.leave

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._read_due is None:
            self._read_due = self.loop.call_later(_READ_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._read_due is not None:
            self._read_due.cancel()
            self._read_due = None

    def leave(self) -> None:
        """The connection is over, whatever it spoke last."""
        if self._counted:
            self._counted = False
            self._doors.leave(self._address)

    def _watch_head(self) -> None:
        """Between requests a timer runs from the first byte on; it is stopped by a whole head."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._head_due is None:
            self._head_due = self.loop.call_later(_HEAD_TIMEOUT_S, self.transport.abort)
        elif not waits and self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _cancel_timers(self) -> None:
        for timer in (self._head_due, self._read_due):
            if timer is not None:
                timer.cancel()
        self._head_due = self._read_due = None


class _Protocol(WebSocketsSansIOProtocol):
    """Lets the application cut a connection whose peer has stopped reading.

    A CLOSE frame would wait behind what was not read.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.on_lost: Callable[[], None] = lambda: None

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_lost()
        super().connection_lost(exc)

    def handle_ping(self) -> None:
        """Pongs wait for nobody: who asks for more and more of them without reading is cut off."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.transport.abort()

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
    def __init__(self, config: uvicorn.Config, doors: Doors) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._doors = doors

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command line's: they cancel its task."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """The same, with our protocol and a bound for TLS handshakes."""
        await self.lifespan.startup()
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        create = functools.partial(
            _Http,
            doors=self._doors,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        timeout_s = None if tls is None else _TLS_TIMEOUT_S
        self.servers = [
            await loop.create_server(create, sock=sock, ssl=tls, ssl_handshake_timeout=timeout_s, backlog=128)
            for sock in sockets or []
        ]
        self.started = True
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
        self._uvicorn = _Uvicorn(config, self._doors())
        if self._settings.host not in LOOPBACK and not self._settings.certificate:
            log.warning(
                "clients on %s without TLS: tokens and words can be read on the way (clients.certificate, or a proxy)",
                self._settings.host,
            )
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

    def _doors(self) -> Doors:
        settings = self._settings
        each = settings.max_per_address and settings.max_per_address + _SPARE_CONNECTIONS
        return Doors(
            most=settings.max_clients + 4 * _SPARE_CONNECTIONS, most_each=each, new_per_s=settings.max_new_per_s
        )

    def _config(self) -> uvicorn.Config:
        settings = self._settings
        config = uvicorn.Config(
            self._app,
            http=H11Protocol,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
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
