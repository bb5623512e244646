"""How many connections an address may open, and how fast: counted before a byte of them is read. A core.

Addresses that have nothing open and have not come for a while are forgotten, so a flood from many of them is bounded
too. An IPv6 neighbour has a whole /64 to come from: that counts as one address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

__all__ = ["Doors", "address_of"]

_MOST_KNOWN: Final = 4096
_TELL_EVERY_S: Final = 10.0
_BURST_S: Final = 4.0  # so many seconds' worth of connections may come at once


@dataclass(slots=True)
class _Caller:
    inside: int = 0
    credit: float = 0.0  # connections it may open now
    seen_s: float = 0.0


class Doors:
    """``most`` connections in all and ``most_each`` of one address; ``new_per_s`` of one address. 0: no bound."""

    def __init__(self, *, most: int, most_each: int, new_per_s: float) -> None:
        self._most = most
        self._most_each = most_each
        self._new_per_s = new_per_s
        self._inside = 0
        self._told_s = -_TELL_EVERY_S
        self._callers: dict[str, _Caller] = {}

    @property
    def inside(self) -> int:
        """Connections that are open."""
        return self._inside

    @property
    def known(self) -> int:
        """Addresses that are remembered."""
        return len(self._callers)

    def enter(self, address: str, *, now_s: float) -> str:
        """Count a new connection; why it is not taken, where it is not: then there is nothing to :meth:`leave`."""
        caller = self._caller(address, now_s)
        if self._new_per_s and caller.credit < 1:
            return f"more than {self._new_per_s:g} new connections a second from one address"
        caller.credit -= 1
        if 0 < self._most <= self._inside:
            return f"{self._most} connections are open"
        if 0 < self._most_each <= caller.inside:
            return f"{self._most_each} connections of one address are open"
        caller.inside += 1
        self._inside += 1
        return ""

    def worth_telling(self, *, now_s: float) -> bool:
        """Whether a refusal should be logged: one in ten seconds is, or a flood of them would fill the log."""
        if now_s - self._told_s < _TELL_EVERY_S:
            return False
        self._told_s = now_s
        return True

    def leave(self, address: str) -> None:
        """A connection that was counted is over."""
        self._inside -= 1
        self._callers[address].inside -= 1

    def _caller(self, address: str, now_s: float) -> _Caller:
        full = self._new_per_s * _BURST_S
        caller = self._callers.get(address)
        if caller is None:
            if len(self._callers) >= _MOST_KNOWN:
                self._forget()
            caller = self._callers[address] = _Caller(credit=full, seen_s=now_s)
        caller.credit = min(full, caller.credit + max(0.0, now_s - caller.seen_s) * self._new_per_s)
        caller.seen_s = now_s
        return caller

    def _forget(self) -> None:
        """Half of those that have nothing open: the ones that came longest ago."""
        gone = sorted((c.seen_s, address) for address, c in self._callers.items() if not c.inside)
        for _, address in gone[: _MOST_KNOWN // 2]:
            del self._callers[address]


def address_of(peer: object) -> str:
    """What counts as one address, of a socket's peer name."""
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return host if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
