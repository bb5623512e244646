"""WebM (Matroska) taken apart: EBML header and tracks as the head, blocks of clusters as units. A core.

Sizes of segment and clusters are written as unknown, as a live recorder writes them: then no size can be wrong after a
gap. Elements that a listener has no use for (cues, tags, ...) are left out.
"""

from __future__ import annotations

from typing import Final

from V3.wire.container_parts import Broken, Head, Media, Part

__all__ = ["WebmWalker"]

_EBML: Final = 0x1A45DFA3
_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_CLUSTER_MARK: Final = b"\x1f\x43\xb6\x75"
_KEPT_IN_HEAD: Final = {0x1549A966, 0x1654AE6B}  # info, tracks
_TRACKS: Final = 0x1654AE6B
_LEFT_OUT: Final = {0x114D9B74, 0x1C53BB6B, 0x1254C367, 0x1043A770, 0x1941A469, 0xEC, 0xBF, 0xAB, 0xA7, 0x5854}
_TIMECODE: Final = 0xE7
_BLOCKS: Final = {0xA3, 0xA0}  # simple block, block group
_UNKNOWN_SIZE: Final = b"\x01\xff\xff\xff\xff\xff\xff\xff"
_MAX_BLOCK: Final = 65_536  # of sound in one block: more is damage
_MAX_OTHER: Final = 262_144
_MAX_TRACKS: Final = 32_768  # a demuxer takes 700 bytes for a track of two
_MAX_HEAD: Final = 65_536


class WebmWalker:
    """One WebM stream."""

    mark = b"\x1a\x45\xdf\xa3"
    mark_offset = 0

    def __init__(self) -> None:
        self._head = b""
        self._has_tracks = False
        self._in_cluster = False
        self._owes_head = True

    def step(self, buffer: bytearray, at: int) -> tuple[int, list[Part]] | None:
        number, size, start = _element(buffer, at)
        if number in (_SEGMENT, _CLUSTER):
            return start, self._enter(number)
        end = start + self._checked_size(number, size)
        if len(buffer) < end:
            return None
        return end, self._whole(number, bytes(buffer[at:end]), bytes(buffer[start : start + 1]))

    def find(self, buffer: bytearray, start: int) -> int:
        return buffer.find(_CLUSTER_MARK, start)

    def lost(self) -> None:
        self._owes_head = True
        self._in_cluster = False

    def _enter(self, number: int) -> list[Part]:
        if number == _SEGMENT:
            if not self._head or self._in_cluster:
                raise Broken("a WebM segment where none belongs")
            self._head += _written(number) + _UNKNOWN_SIZE
            return []
        if not self._has_tracks:
            raise Broken("a WebM cluster before the tracks it belongs to")
        self._in_cluster = True
        cluster = Media(_CLUSTER_MARK + _UNKNOWN_SIZE)
        if not self._owes_head:
            return [cluster]
        self._owes_head = False
        return [Head("matroska", self._head), cluster]

    def _checked_size(self, number: int, size: int | None) -> int:
        known = _BLOCKS | {_TIMECODE} if self._in_cluster else _KEPT_IN_HEAD
        most = 8 if number == _TIMECODE else _MAX_BLOCK if number in _BLOCKS else _MAX_OTHER
        most = _MAX_TRACKS if number == _TRACKS else most
        if number not in known | _LEFT_OUT | {_EBML} or size is None or size > most:
            raise Broken(f"WebM damaged: element {number:x} of {size} bytes")
        return size

    def _whole(self, number: int, data: bytes, first: bytes) -> list[Part]:
        if number == _EBML:  # a recorder that begins anew
            self._head, self._has_tracks, self._in_cluster, self._owes_head = data, False, False, True
        elif number in _BLOCKS | {_TIMECODE}:
            if number == 0xA3 and not (first and first[0] & 0x80):
                raise Broken("WebM damaged: a block of no track")
            return [Media(data)]
        elif number in _KEPT_IN_HEAD:
            if len(self._head) + len(data) > _MAX_HEAD:
                raise Broken("a WebM head of more than 64 KiB")
            self._head += data
            self._has_tracks = self._has_tracks or number == _TRACKS
        elif number in _AFTER_CLUSTERS:
            self._in_cluster = False
        return []


_AFTER_CLUSTERS: Final = {0x1C53BB6B, 0x1254C367, 0x114D9B74, 0x1043A770, 0x1941A469}


def _element(buffer: bytearray, at: int) -> tuple[int, int | None, int]:
    """(number, size or None for unknown, where its content begins). ``buffer`` holds 12 bytes from ``at`` on."""
    id_bytes = _length(buffer[at], most=4)
    number = int.from_bytes(buffer[at : at + id_bytes], "big")
    at += id_bytes
    size_bytes = _length(buffer[at], most=8)
    raw = int.from_bytes(buffer[at : at + size_bytes], "big")
    size = raw & ((1 << (7 * size_bytes)) - 1)
    unknown = size == (1 << (7 * size_bytes)) - 1
    return number, None if unknown else size, at + size_bytes


def _length(first: int, *, most: int) -> int:
    """Bytes of a variable-length number, by its first."""
    length = 9 - first.bit_length()
    if length > most:
        raise Broken("WebM damaged: no element begins here")
    return length


def _written(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
