"""Who may connect to the audio server of the calls: how many at once, how fast, by what name and page, with the token.

A page in somebody's browser can open a WebSocket to loopback, where no token is needed. So there the Host must be a
name of this machine, and the Origin that host (mod_audio_stream sends it so); the name of ``public_url`` is taken for
both. With a token the token counts: no page knows it.
"""

from __future__ import annotations

import asyncio
import hmac
import http
import logging
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from V3.config import LOOPBACK, ServerSettings
from V3.errors import ConfigError
from V3.system.services.doors import Doors, address_of

__all__ = ["CallAdmission", "CallConnection", "tls_of"]

log = logging.getLogger(__name__)

_WAITING: Final = 1024  # connections that have not said which call they are, and of one address
_WAITING_EACH: Final = 64
_UNREAD_BYTES: Final = 1_048_576


class CallAdmission:
    """The doorkeeper."""

    def __init__(self, settings: ServerSettings) -> None:
        self._token = settings.token.get_secret_value()
        self._public = {urlsplit(settings.public_url).hostname} - {None}
        self.doors = Doors(most=_WAITING, most_each=_WAITING_EACH, new_per_s=settings.max_new_per_s)

    def refusal(self, request: Request, token: str) -> tuple[http.HTTPStatus, str, str] | None:
        """Why this request, with this token in its path, may not connect: status, in a word, in words. None: it may."""
        if self._token:
            given = token or _bearer(request)
            # "surrogateescape": older websockets hand out header bytes that are no ASCII so
            if hmac.compare_digest(self._token.encode(), given.encode("utf-8", "surrogateescape")):
                return None
            return http.HTTPStatus.UNAUTHORIZED, "token", "the token is missing or wrong"
        if not self._is_meant(request.headers.get_all("Host"), request.headers.get_all("Origin")):
            return http.HTTPStatus.FORBIDDEN, "foreign", "pages of other origins, and other names, may not connect"
        return None

    def _is_meant(self, hosts: list[str], origins: list[str]) -> bool:
        try:
            if len(hosts) != 1 or urlsplit(f"//{hosts[0]}").hostname not in {*LOOPBACK, *self._public}:
                return False
            told = [urlsplit(origin) for origin in origins]
            return all(o.netloc.lower() == hosts[0].lower() or o.hostname in self._public for o in told)
        except ValueError:
            return False


class CallConnection(ServerConnection):
    """One connection, counted until its call is known; cut off where it asks for pongs without reading them."""

    def __init__(self, *given: Any, doors: Doors, **named: Any) -> None:
        super().__init__(*given, **named)
        self._doors = doors
        self._address = ""
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._address = address_of(transport.get_extra_info("peername"))
        now_s = time.monotonic()
        why = self._doors.enter(self._address, now_s=now_s)
        self._counted = not why
        if why:
            if self._doors.worth_telling(now_s=now_s):
                log.warning("connections refused: %s", why)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_known()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.transport.abort()

    def is_known(self) -> None:
        """It waits no more: its call is served, or it is gone."""
        if self._counted:
            self._counted = False
            self._doors.leave(self._address)


def tls_of(settings: ServerSettings) -> ssl.SSLContext | None:
    """The certificate of ``settings``, None without one. Raises ConfigError for one that cannot be used."""
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(f"server.certificate and server.key cannot be used: {exc}") from exc
    return context


def _bearer(request: Request) -> str:
    """The token of ``Authorization: Bearer ...``; empty without one, or with two headers of that name."""
    given = request.headers.get_all("Authorization")
    return given[0].removeprefix("Bearer ") if len(given) == 1 else ""
