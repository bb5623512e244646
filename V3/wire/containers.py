"""Containers that arrive in pieces of any size, taken apart into what a demuxer can be trusted with. A core.

A recorder's stream is a head (what a decoder must know) and then units: blocks of WebM clusters, Ogg pages, MP4
fragments. Whole sound ones are passed on; bytes that are none of these make one :class:`Gap` that names them, and the
stream goes on at the next cluster, page or fragment, its head given again. A recorder that starts anew on the same
connection just sends another head. Memory is bounded by the largest unit taken.
"""

from __future__ import annotations

from typing import Final

from V3.wire.container_parts import LEAST_BYTES, Broken, Format, Gap, Head, Media, Part, Walker
from V3.wire.mp4 import Mp4Walker
from V3.wire.ogg import OggWalker
from V3.wire.webm import WebmWalker

__all__ = ["ContainerSplitter", "Format", "Gap", "Head", "Media", "Part"]

_WALKERS: Final[tuple[type[WebmWalker] | type[OggWalker] | type[Mp4Walker], ...]] = (WebmWalker, OggWalker, Mp4Walker)


class ContainerSplitter:
    """One connection's bytes to heads, units and gaps; which container it is, its first bytes say."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._walker: Walker | None = None
        self._seeking = False  # after a gap: skip to where a unit begins

    def push(self, data: bytes) -> list[Part]:
        """What the bytes complete. Never raises. A message that begins with a head ends what was before it."""
        parts: list[Part] = []
        if self._buffer and _is_head(data):
            if not self._seeking:
                self._lose("an element that broke off", parts)
            self._seeking = False
            self._buffer.clear()
        self._buffer += data
        at = 0
        while True:
            if self._seeking and (at := self._skipped(at)) + LEAST_BYTES > len(self._buffer):
                break
            if len(self._buffer) - at < LEAST_BYTES:
                break
            try:
                taken = self._walker_at(at).step(self._buffer, at)
            except Broken as exc:
                self._lose(str(exc), parts)
                at += 1
                continue
            if taken is None:
                break
            at = taken[0]
            parts += taken[1]
        del self._buffer[:at]
        return _joined(parts)

    def _walker_at(self, at: int) -> Walker:
        """The walker in use, or a new one where another container begins. Raises Broken where there is none."""
        for kind in _WALKERS:
            begins = self._buffer.startswith(kind.mark, at + kind.mark_offset)
            if begins and not isinstance(self._walker, kind):
                self._walker = kind()
        if self._walker is None:
            raise Broken("bytes that are no WebM, Ogg or MP4 stream's beginning")
        return self._walker

    def _lose(self, why: str, parts: list[Part]) -> None:
        if not (parts and isinstance(parts[-1], Gap)):
            parts.append(Gap(why))
        self._seeking = True
        if self._walker is not None:
            self._walker.lost()

    def _skipped(self, start: int) -> int:
        """Where the next unit or head may begin; else the last bytes, which may hold the beginning of one."""
        places = [self._buffer.find(kind.mark, start + kind.mark_offset) - kind.mark_offset for kind in _WALKERS]
        if self._walker is not None:
            places.append(self._walker.find(self._buffer, start))
        at = min((place for place in places if place >= start), default=-1)
        if at < 0:
            return max(start, len(self._buffer) - LEAST_BYTES + 1)
        if at + LEAST_BYTES <= len(self._buffer):
            self._seeking = False
        return at


def _is_head(data: bytes) -> bool:
    """Whether a recorder begins here; an Ogg page says so in its header type."""
    if data.startswith(OggWalker.mark):
        return len(data) > 5 and bool(data[5] & 0x02)
    return data.startswith(WebmWalker.mark) or data.startswith(Mp4Walker.mark, Mp4Walker.mark_offset)


def _joined(parts: list[Part]) -> list[Part]:
    """Units that follow one another as one."""
    joined: list[Part] = []
    run: list[bytes] = []
    for part in parts:
        if isinstance(part, Media):
            run.append(part.data)
            continue
        if run:
            joined.append(Media(b"".join(run)))
            run = []
        joined.append(part)
    if run:
        joined.append(Media(b"".join(run)))
    return joined
