"""Ogg taken apart: pages up to the first that carries sound are the head, every later page is a unit. A core.

Each page is checked by its own checksum (RFC 3533).
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from V3.wire.container_parts import Broken, Head, Media, Part

__all__ = ["OggWalker", "page_checksum"]

_PAGE_HEADER_BYTES: Final = 27
_BEGINS: Final = 0x02  # header type: the first page of a stream
_MAX_HEAD: Final = 262_144
_REVERSED: Final = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def page_checksum(page: bytes) -> int:
    """Of a page whose checksum field is 0: CRC-32 with polynomial 0x04c11db7, not reflected, from 0.

    zlib has its reflection, which on bytes reversed bit by bit gives the same bits in reverse.
    """
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)


class OggWalker:
    """One Ogg stream."""

    mark = b"OggS"
    mark_offset = 0

    def __init__(self) -> None:
        self._head = b""
        self._head_ended = True
        self._owes_head = True

    def step(self, buffer: bytearray, at: int) -> tuple[int, list[Part]] | None:
        if not buffer.startswith(b"OggS\0", at):
            raise Broken("Ogg damaged: no page begins here")
        if len(buffer) < at + _PAGE_HEADER_BYTES:
            return None
        header, granule = struct.unpack_from("<Bq", buffer, at + 5)
        segments = buffer[at + 26]
        body = at + _PAGE_HEADER_BYTES + segments
        if len(buffer) < body:
            return None
        end = body + sum(buffer[at + _PAGE_HEADER_BYTES : body])
        if len(buffer) < end:
            return None
        page = bytes(buffer[at:end])
        if page_checksum(page[:22] + bytes(4) + page[26:]) != struct.unpack_from("<I", page, 22)[0]:
            raise Broken("Ogg damaged: a page's checksum is wrong")
        return end, self._page(page, granule, begins=bool(header & _BEGINS))

    def find(self, buffer: bytearray, start: int) -> int:
        return buffer.find(self.mark, start)

    def lost(self) -> None:
        self._owes_head = True

    def _page(self, page: bytes, granule: int, *, begins: bool) -> list[Part]:
        if begins and self._head_ended:  # a recorder that begins anew
            self._head, self._head_ended, self._owes_head = b"", False, True
        if not self._head_ended and granule == 0:
            if len(self._head) + len(page) > _MAX_HEAD:
                raise Broken("an Ogg head of more than 256 KiB")
            self._head += page
            return []
        self._head_ended = True
        if not self._head:
            raise Broken("an Ogg page before the head of its stream")
        if not self._owes_head:
            return [Media(page)]
        self._owes_head = False
        return [Head("ogg", self._head), Media(page)]
