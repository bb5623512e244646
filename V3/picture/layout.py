"""Texts put where they do not cover one another. A core: widths are estimated, in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from V3.calls.report import CallReport, PartialReport

__all__ = ["Label", "fitting", "grown", "in_rows", "text_inches"]

INCHES_PER_LETTER_PT = 0.0078  # a letter of DejaVu Sans is this wide on average, for each point of its size


@dataclass(frozen=True, slots=True)
class Label:
    """A text from ``at_ms`` on; ``until_ms`` is the end of what it names. ``changed``: it replaces what stood there."""

    at_ms: int
    text: str
    until_ms: int = 0
    changed: bool = False
    confidence: float = 1.0


def text_inches(text: str, points: float) -> float:
    return len(text) * points * INCHES_PER_LETTER_PT


def fitting(text: str, inches: float, points: float) -> str:
    """As much of the text as there is room for."""
    letters = max(0, int(inches / (points * INCHES_PER_LETTER_PT)))
    return text if len(text) <= letters else text[: max(0, letters - 1)].rstrip() + "…"


def in_rows(
    labels: Sequence[Label], *, inches_per_ms: float, points: float, most: int, gap_inches: float = 0.06
) -> list[int]:
    """A row for each label (in order of time): the first that is free there; with none free, the one free soonest."""
    free_from = [float("-inf")] * most
    rows = []
    for label in labels:
        starts = label.at_ms * inches_per_ms
        ends = starts + max(text_inches(label.text, points), (label.until_ms - label.at_ms) * inches_per_ms)
        row = next((r for r, free in enumerate(free_from) if free <= starts), None)
        row = free_from.index(min(free_from)) if row is None else row
        free_from[row] = ends + gap_inches
        rows.append(row)
    return rows


def grown(report: CallReport) -> list[Label]:
    """Partials as they grew: at each, the words that were new; ``changed`` where they replace some shown before."""
    labels = []
    before: PartialReport | None = None
    for partial in report.partials:
        words = partial.text.split()
        shown = before.text.split() if before is not None and before.start_ms == partial.start_ms else []
        same = next(
            (n for n, (a, b) in enumerate(zip(words, shown, strict=False)) if a != b), min(len(words), len(shown))
        )
        fresh = words[same:]
        if fresh:
            labels.append(Label(partial.at_ms, " ".join(fresh), changed=len(shown) > same))
        before = partial
    return labels
