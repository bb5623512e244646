"""Fragmented MP4 taken apart: ftyp and moov are the head, every moof with its mdat is a unit. A core.

Boxes in between go with the unit that follows, so that places counted from the stream's beginning stay right. An MP4
that is not fragmented has its table of samples at one end and cannot be streamed: it is refused by name.

A demuxer makes room for as many samples as a table claims, whatever is in it: 24 bytes for each, gigabytes for a box
of 20 bytes. So a movie's tables must be empty, as a recorder's are, and a fragment's counts are bounded. They are
looked for by name anywhere in the boxes, for a demuxer may find them where they do not belong.
"""

from __future__ import annotations

from typing import Final

from V3.wire.container_parts import Broken, Head, Media, Part

__all__ = ["Mp4Walker"]

_PASSED: Final = {b"styp", b"sidx", b"free", b"skip", b"emsg", b"prft", b"uuid", b"mfra", b"wide"}
_MOST: Final = {b"ftyp": 4096, b"moov": 262_144, b"moof": 262_144, b"mdat": 8_388_608}
_MOST_PASSED: Final = 65_536
_MOST_BEFORE_SOUND: Final = 1_048_576
_COUNT_AT: Final = {  # bytes from a table's name to its count
    **dict.fromkeys((b"stts", b"ctts", b"stsc", b"stco", b"co64", b"stss"), 8),
    **dict.fromkeys((b"stsz", b"stz2"), 12),
}
_TRUN_COUNT_AT: Final = 8
_MOST_SAMPLES: Final = 65_536  # of one fragment


class Mp4Walker:
    """One fragmented MP4 stream."""

    mark = b"ftyp"
    mark_offset = 4

    def __init__(self) -> None:
        self._head = b""
        self._has_movie = False
        self._fragment = b""  # boxes that wait for their mdat
        self._has_moof = False
        self._owes_head = True

    def step(self, buffer: bytearray, at: int) -> tuple[int, list[Part]] | None:
        size, kind = int.from_bytes(buffer[at : at + 4], "big"), bytes(buffer[at + 4 : at + 8])
        most = _MOST.get(kind, _MOST_PASSED if kind in _PASSED else 0)
        if not 8 <= size <= most:
            raise Broken(f"MP4 damaged, or not fragmented: a box of {size} bytes that cannot be")
        if len(buffer) < at + size:
            return None
        return at + size, self._box(kind, bytes(buffer[at : at + size]))

    def find(self, buffer: bytearray, start: int) -> int:
        at = buffer.find(b"moof", start + 4)
        return at - 4 if at >= 0 else -1

    def lost(self) -> None:
        self._owes_head = True
        self._fragment, self._has_moof = b"", False

    def _box(self, kind: bytes, box: bytes) -> list[Part]:
        match kind:
            case b"ftyp":  # a recorder that begins anew
                self.lost()
                self._head, self._has_movie = box, False
            case b"moov":
                if b"mvex" not in box:
                    raise Broken("an MP4 that is not fragmented cannot be streamed")
                if b"cmov" in box or any(_counts(box, name, at) for name, at in _COUNT_AT.items()):
                    raise Broken("an MP4 whose samples are told before its fragments")
                if not self._has_movie:
                    self._head, self._has_movie = self._head + box, True
            case b"mdat":
                return self._sound(box)
            case _:
                if sum(_counts(box, b"trun", _TRUN_COUNT_AT)) > _MOST_SAMPLES:
                    raise Broken(f"an MP4 fragment of more than {_MOST_SAMPLES} samples")
                self._has_moof = self._has_moof or kind == b"moof"
                self._fragment += box
                if len(self._fragment) > _MOST_BEFORE_SOUND:
                    raise Broken("an MP4 fragment without sound")
        return []

    def _sound(self, box: bytes) -> list[Part]:
        if not self._has_movie or not self._has_moof:
            raise Broken("MP4 sound before the boxes that describe it")
        unit = Media(self._fragment + box)
        self._fragment, self._has_moof = b"", False
        if not self._owes_head:
            return [unit]
        self._owes_head = False
        return [Head("mp4", self._head), unit]


def _counts(box: bytes, name: bytes, offset: int) -> list[int]:
    """The counts of all tables of this name that are not empty."""
    found = []
    at = box.find(name)
    while at >= 0:
        found.append(int.from_bytes(box[at + offset : at + offset + 4], "big"))
        at = box.find(name, at + 4)
    return [count for count in found if count]
