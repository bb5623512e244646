"""The strips of the picture, planned: what stands in each, in which row, and how high that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from V3.calls.report import CallReport
from V3.picture.facts import Decision, decisions
from V3.picture.layout import Label, fitting, grown, in_rows, text_inches
from V3.picture.style import NOTE_PT, ROW_INCHES, WORD_PT, drawable

__all__ = ["Lane", "Scale", "planned_lanes"]

MOST_ROWS: Final = 8
NOTE_GAP_INCHES: Final = 0.14


@dataclass(frozen=True, slots=True)
class Scale:
    """Time across the picture."""

    from_ms: int
    until_ms: int
    inches: float

    @property
    def inches_per_ms(self) -> float:
        return self.inches / (self.until_ms - self.from_ms)


@dataclass(slots=True)
class Lane:
    """A strip of the picture, by its height in inches; a row for each label."""

    name: str
    inches: float
    labels: list[Label] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def planned_lanes(report: CallReport, scale: Scale, *, with_sound: bool) -> list[Lane]:
    """From top to bottom."""
    side_inches = 1.0 if with_sound else 0.3
    return [
        Lane("callee", side_inches),
        _worded("heard so far", grown(report), scale),
        _worded("final words", _final_words(report), scale),
        Lane("robot", side_inches),
        Lane("prompts", 0.26),
        _noted(decisions(report), scale),
    ]


def _final_words(report: CallReport) -> list[Label]:
    words = []
    for speech in report.transcript:
        words += [Label(w.start_ms, w.text, w.end_ms, confidence=w.confidence) for w in speech.words]
        if not speech.words:
            words.append(Label(speech.start_ms, speech.text, speech.end_ms))
    return sorted(words, key=lambda label: label.at_ms)


def _worded(name: str, labels: list[Label], scale: Scale) -> Lane:
    rows = in_rows(labels, inches_per_ms=scale.inches_per_ms, points=WORD_PT, most=MOST_ROWS)
    return Lane(name, _inches(rows), labels, rows)


def _noted(found: Sequence[Decision], scale: Scale) -> Lane:
    """Notes stand right of what they are about, or left of it where there is more room; what has none is cut."""
    notes = [_note(decision, scale) for decision in found]
    order = sorted(range(len(notes)), key=lambda index: notes[index].at_ms)
    spans = [Label(notes[index].at_ms, "", notes[index].until_ms) for index in order]
    placed = in_rows(spans, inches_per_ms=scale.inches_per_ms, points=NOTE_PT, most=MOST_ROWS)
    rows = [0] * len(notes)
    for index, row in zip(order, placed, strict=True):
        rows[index] = row
    return Lane("decided", _inches(rows), notes, rows)


def _note(decision: Decision, scale: Scale) -> Label:
    """Its text as far as there is room, and all the place it takes."""
    right = (scale.until_ms - decision.until_ms) * scale.inches_per_ms - NOTE_GAP_INCHES
    left = (decision.from_ms - scale.from_ms) * scale.inches_per_ms - NOTE_GAP_INCHES
    text = drawable(decision.text)
    on_left = text_inches(text, NOTE_PT) > right and left > right
    text = fitting(text, left if on_left else right, NOTE_PT)
    reach_ms = int((text_inches(text, NOTE_PT) + NOTE_GAP_INCHES) / scale.inches_per_ms)
    return Label(decision.from_ms - reach_ms * on_left, text, decision.until_ms + reach_ms * (not on_left))


def _inches(rows: Sequence[int]) -> float:
    return 0.1 + ROW_INCHES * (max(rows, default=0) + 1)
