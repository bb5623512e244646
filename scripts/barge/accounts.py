"""Verdicts counted: shares with their intervals, times, resumes. No clock, no model, no files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.barge.verdicts import Fate, Verdict
from scripts.bench.accounts import Spread

__all__ = ["Resumes", "Share", "Tally", "resumes_of", "spread_of", "tally", "wilson"]

_Z: Final = 1.96  # 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """So many of all, with the 95 % interval after Wilson."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan


def wilson(count: int, of: int) -> Share:
    """The interval that stays between 0 and 1, and says something of 0 and of all."""
    if not of:
        return Share(0, 0, 0.0, 1.0)
    share, squared = count / of, _Z * _Z
    middle = (share + squared / (2 * of)) / (1 + squared / of)
    half = _Z / (1 + squared / of) * math.sqrt(share * (1 - share) / of + squared / (4 * of * of))
    return Share(count, of, max(0.0, middle - half), min(1.0, middle + half))


def spread_of(values_ms: Iterable[float | None]) -> Spread:
    """How times in ms lie, those that do not apply left out."""
    return Spread.of(value / 1000 for value in values_ms if value is not None)


@dataclass(frozen=True, slots=True)
class Tally:
    """The dialogues of one kind, or of one condition of it.

    ``early`` and ``late``: stopped for good before the callee's sound, and long after it.
    """

    name: str
    dialogues: int
    fates: dict[Fate, int]
    early: int
    late: int
    right: Share
    stopped: Share
    stop: Spread
    sent: Spread
    after_word: Spread


def tally(name: str, verdicts: Sequence[Verdict]) -> Tally:
    """Count them; shares are of those that are not void."""
    valid = [verdict for verdict in verdicts if verdict.fate is not Fate.VOID]
    return Tally(
        name=name,
        dialogues=len(verdicts),
        fates={fate: sum(verdict.fate is fate for verdict in verdicts) for fate in Fate},
        early=sum(verdict.early for verdict in valid),
        late=sum(verdict.late for verdict in valid),
        right=wilson(sum(verdict.right for verdict in valid), len(valid)),
        stopped=wilson(sum(verdict.fate is Fate.STOPPED for verdict in valid), len(valid)),
        stop=spread_of(verdict.stop_ms for verdict in valid),
        sent=spread_of(verdict.sent_ms for verdict in valid),
        after_word=spread_of(verdict.after_word_ms for verdict in valid),
    )


@dataclass(frozen=True, slots=True)
class Resumes:
    """Pauses and what followed.

    ``wrong``: it went on though it was truly interrupted; ``missed``: it stopped for good though nobody wanted that.
    """

    right: int
    wrong: int
    missed: int
    pause: Spread
    said_again: Spread


def resumes_of(verdicts: Sequence[Verdict]) -> Resumes:
    """Right and wrong resumes of all dialogues."""
    valid = [verdict for verdict in verdicts if verdict.fate is not Fate.VOID]
    return Resumes(
        right=sum(verdict.resumes - verdict.over for verdict in valid),
        wrong=sum(verdict.over for verdict in valid),
        missed=sum(verdict.fate is Fate.STOPPED for verdict in valid if not verdict.kind.wants_stop),
        pause=spread_of(verdict.pause_ms for verdict in valid),
        said_again=spread_of(verdict.said_again_ms for verdict in valid),
    )
