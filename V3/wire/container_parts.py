"""What a container taken apart consists of, and what takes one kind of container apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["LEAST_BYTES", "Broken", "Format", "Gap", "Head", "Media", "Part", "Walker"]

Format = Literal["matroska", "ogg", "mp4"]

LEAST_BYTES = 12
"""Enough of an element to tell what it is and how long; a walker is never asked about less."""


@dataclass(frozen=True, slots=True)
class Head:
    """A stream begins, or begins again: a new demuxer is to be given this first."""

    format: Format
    data: bytes


@dataclass(frozen=True, slots=True)
class Media:
    """Whole units of the stream."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that could not be used, and why."""

    message: str


Part = Head | Media | Gap


class Broken(Exception):
    """What stands there is no element of the container."""


class Walker(Protocol):
    """Takes one kind of container apart."""

    mark: bytes
    """What a stream's head begins with, ``mark_offset`` bytes after its beginning."""
    mark_offset: int

    def step(self, buffer: bytearray, at: int) -> tuple[int, list[Part]] | None:
        """Where the element at ``at`` ends and what it gives; None while it is not whole. Raises Broken."""
        ...

    def find(self, buffer: bytearray, start: int) -> int:
        """Where the next unit after a gap may begin, from ``start`` on; -1 for nowhere."""
        ...

    def lost(self) -> None:
        """Bytes were skipped: give the head again before the next unit."""
        ...
