"""Word error rates and their like: plain functions of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Tally", "edits", "matched", "normalize", "prefix_edits"]


def normalize(text: str) -> list[str]:
    """Words in lower case without punctuation; a hyphen parts words, an apostrophe does not."""
    plain = re.sub(r"[^\w' ]", " ", text.lower().replace("’", "'").replace("-", " "))
    return plain.split()


def _rows(said: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    table = [list(range(len(heard) + 1))]
    for row, word in enumerate(said, start=1):
        last = table[-1]
        current = [row]
        for column, other in enumerate(heard, start=1):
            current.append(min(last[column] + 1, current[-1] + 1, last[column - 1] + (word != other)))
        table.append(current)
    return table


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """The least insertions, deletions and substitutions from ``said`` to ``heard``."""
    return _rows(said, heard)[-1][-1]


def prefix_edits(said: Sequence[str], heard: Sequence[str]) -> tuple[int, int]:
    """Edits to the beginning of ``said`` that fits best, and its length: for audio that ends in the middle."""
    table = _rows(said, heard)
    best = min(range(len(said) + 1), key=lambda row: (table[row][-1], -row))
    return table[best][-1], best


def matched(said: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions of words that are the same in a best alignment."""
    table = _rows(said, heard)
    row, column = len(said), len(heard)
    pairs = []
    while row and column:
        if said[row - 1] == heard[column - 1] and table[row][column] == table[row - 1][column - 1]:
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif table[row][column] == table[row - 1][column - 1] + 1:
            row, column = row - 1, column - 1
        elif table[row][column] == table[row - 1][column] + 1:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


@dataclass
class Tally:
    """Errors over words."""

    errors: int = 0
    words: int = 0

    def add(self, said: str, heard: str) -> None:
        """Count one text."""
        reference = normalize(said)
        self.errors += edits(reference, normalize(heard))
        self.words += len(reference)

    @property
    def rate(self) -> float:
        """Errors by word; 0 when there was no word."""
        return round(self.errors / self.words, 4) if self.words else 0.0
