"""Who may connect to the client server: token, origin, and how many at once.

A browser always says which page connects (Origin); a page may if this server sent it, or if it is on the list. Without
a token (then the server listens on loopback) only pages under a loopback name count as ours: any other name may have
been made to point here by somebody else: then the Host header gives it away, also where a page says no Origin. With a
token the token counts: no foreign page knows it.
"""

from __future__ import annotations

import hmac
from collections import Counter
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from V3.config import LOOPBACK, ClientSettings

__all__ = ["Admission"]

_OURS: Final = LOOPBACK


class Admission:
    """The doorkeeper, with its counts of who is inside."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._token = settings.token.get_secret_value()
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.origins)
        self._names = _OURS | {urlsplit(origin).hostname for origin in self._origins}
        self._inside: Counter[str] = Counter()

    def is_meant(self, connection: HTTPConnection) -> bool:
        """Whether the name that was asked for is one of ours: a page elsewhere may have its own name point here."""
        if self._token:
            return True
        try:
            return urlsplit(f"//{connection.headers.get('host', '')}").hostname in self._names
        except ValueError:
            return False

    def may_come_from(self, connection: HTTPConnection) -> bool:
        """Whether the page that connects, if it is one, may."""
        origin = connection.headers.get("origin")
        if origin is None or origin.lower() in self._origins:
            return True
        try:
            said = urlsplit(origin)
            name = said.hostname or ""
        except ValueError:
            return False
        host = connection.headers.get("host", "")
        if said.scheme not in ("http", "https") or not host or said.netloc.lower() != host.lower():
            return False
        return bool(self._token) or name in _OURS

    def has_token(self, connection: HTTPConnection) -> bool:
        """Whether it gave the right token, by header (Authorization: Bearer) or by query (?token=)."""
        if not self._token:
            return True
        header = connection.headers.get("authorization", "")
        kind, _, given = header.partition(" ")
        token = given.strip() if kind.lower() == "bearer" else connection.query_params.get("token", "")
        return hmac.compare_digest(self._token.encode(), token.encode("utf-8", "surrogateescape"))

    def enter(self, address: str) -> str:
        """Count one more client of this address; why not, where there is no place for it."""
        if self._inside.total() >= self._settings.max_clients:
            return f"{self._settings.max_clients} clients are connected, and no more are taken"
        if 0 < self._settings.max_per_address <= self._inside[address]:
            return f"{self._settings.max_per_address} clients of this address are connected, and no more are taken"
        self._inside[address] += 1
        return ""

    def leave(self, address: str) -> None:
        """One client less."""
        self._inside[address] -= 1
        if self._inside[address] <= 0:
            del self._inside[address]
