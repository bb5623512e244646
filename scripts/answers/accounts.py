"""Accounts of answer detection: confusion, accuracy with its interval, people hung up on, time to the verdict."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from V3.calls.answer import AnswerLabel, AnswerVerdict

__all__ = ["Account", "Judged", "wilson"]

LABELS = tuple(AnswerLabel)


@dataclass(frozen=True, slots=True)
class Judged:
    """One call or text: what it was, the first verdict with its time, and the last one, after revisions."""

    name: str
    label: AnswerLabel
    kind: str
    verdict: AnswerVerdict
    at_ms: int = 0
    last: AnswerVerdict | None = None

    @property
    def right(self) -> bool:
        return self.verdict.label is self.label

    @property
    def right_at_last(self) -> bool:
        return (self.last or self.verdict).label is self.label


def wilson(hits: int, count: int, *, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score interval)."""
    if not count:
        return 0.0, 1.0
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Account:
    """What came of a set."""

    judged: Sequence[Judged] = field(default_factory=list)

    @property
    def confusion(self) -> dict[tuple[str, str], int]:
        """How many by (what it was, what was said)."""
        return dict(Counter((str(each.label), str(each.verdict.label)) for each in self.judged))

    @property
    def accuracy(self) -> float:
        return sum(each.right for each in self.judged) / max(1, len(self.judged))

    @property
    def false_machines(self) -> tuple[int, int]:
        """People taken for machines, and all people."""
        people = [each for each in self.judged if each.label is AnswerLabel.HUMAN]
        return sum(each.verdict.label is AnswerLabel.MACHINE for each in people), len(people)

    def times_ms(self, label: AnswerLabel | None = None) -> list[int]:
        """Times to the first verdict, in order."""
        return sorted(each.at_ms for each in self.judged if label is None or each.label is label)

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Right ones and all, by kind (by label where the kind is not known)."""
        found: dict[str, list[bool]] = defaultdict(list)
        for each in self.judged:
            found[each.kind or str(each.label)].append(each.right)
        return {kind: (sum(hits), len(hits)) for kind, hits in sorted(found.items())}

    def calibration(self, edges: Sequence[float] = (0.5, 0.7, 0.9, 0.97, 1.0001)) -> list[tuple[float, float, int]]:
        """Mean confidence, share right and number, between these confidences."""
        rows = []
        for low, high in itertools.pairwise(edges):
            inside = [each for each in self.judged if low <= each.verdict.confidence < high]
            if inside:
                mean = sum(each.verdict.confidence for each in inside) / len(inside)
                rows.append((round(mean, 3), round(sum(each.right for each in inside) / len(inside), 3), len(inside)))
        return rows

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        count, right = len(self.judged), sum(each.right for each in self.judged)
        lost, people = self.false_machines
        return {
            "samples": count,
            "accuracy": round(self.accuracy, 4),
            "accuracy_95": [round(edge, 4) for edge in wilson(right, count)],
            "false_machines": lost,
            "people": people,
            "false_machine_rate": round(lost / people, 4) if people else None,
            "right_after_revisions": sum(each.right_at_last for each in self.judged),
            "confusion": {f"{was} as {said}": number for (was, said), number in sorted(self.confusion.items())},
            "time_to_verdict_ms": {
                name: {"median": quantile(times, 0.5), "p95": quantile(times, 0.95), "max": times[-1]}
                for name, times in self._named_times()
            },
            "by_kind": {kind: f"{hits} of {total}" for kind, (hits, total) in self.by_kind().items()},
            "confidence": [
                {"mean": mean, "right": share, "samples": number} for mean, share, number in self.calibration()
            ],
        }

    def _named_times(self) -> Iterable[tuple[str, list[int]]]:
        for name, label in (("all", None), *((str(label), label) for label in LABELS)):
            if times := self.times_ms(label):
                yield name, times


def quantile(values: Sequence[int], share: float) -> int:
    """A value of a sorted list, nearest rank."""
    return values[min(len(values) - 1, max(0, math.ceil(share * len(values)) - 1))]
