"""Alignment of what was said with what was heard. Plain functions of words, without a model or a clock."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["edits", "matched"]


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """The least insertions, deletions and substitutions that make ``heard`` of ``said`` (Levenshtein)."""
    return _costs(said, heard)[0][0]


def matched(said: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of equal words in an alignment with the fewest edits; of several the one that matches earliest."""
    costs = _costs(said, heard)
    pairs: list[tuple[int, int]] = []
    row = column = 0
    while row < len(said) and column < len(heard):
        cost = costs[row][column]
        if said[row] == heard[column] and cost == costs[row + 1][column + 1]:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif cost == 1 + costs[row + 1][column + 1]:
            row, column = row + 1, column + 1
        elif cost == 1 + costs[row][column + 1]:
            column += 1
        else:
            row += 1
    return pairs


def _costs(said: Sequence[str], heard: Sequence[str]) -> list[list[int]]:
    """``[i][j]``: edits between ``said[i:]`` and ``heard[j:]``. From the end, so that a path is followed forward."""
    below = list(range(len(heard), -1, -1))
    table = [below]
    for word in reversed(said):
        row = [below[-1] + 1]
        for column in range(len(heard) - 1, -1, -1):
            change = below[column + 1] + (word != heard[column])
            row.append(min(change, row[-1] + 1, below[column] + 1))
        below = row[::-1]
        table.append(below)
    return table[::-1]
