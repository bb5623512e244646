"""A process looked at again and again: memory, threads, descriptors, and how late its event loop is."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psutil

__all__ = ["Sample", "Watch", "growth", "percentile"]

LAG_STEP_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    memory_mb: float
    threads: int
    files: int
    lag_ms: float


@dataclass(slots=True)
class Watch:
    """``run`` samples ``process`` every ``every_s`` and hands each sample to ``on_sample``."""

    process: psutil.Process
    every_s: float = 1.0
    on_sample: Callable[[Sample], None] = lambda _sample: None
    samples: list[Sample] = field(default_factory=list)

    async def run(self) -> None:
        began_s = time.monotonic()
        while True:
            lag_ms = await _lag_ms(self.every_s)
            sample = Sample(
                time.monotonic() - began_s,
                self.process.memory_info().rss / 1e6,
                self.process.num_threads(),
                self.process.num_fds(),
                lag_ms,
            )
            self.samples.append(sample)
            self.on_sample(sample)


async def _lag_ms(for_s: float) -> float:
    """How late the event loop was at the worst, within a time."""
    worst_s, until_s = 0.0, time.monotonic() + for_s
    while (asked_s := time.monotonic()) < until_s:
        await asyncio.sleep(LAG_STEP_S)
        worst_s = max(worst_s, time.monotonic() - asked_s - LAG_STEP_S)
    return worst_s * 1000


def growth(values: Sequence[float]) -> tuple[float, float]:
    """The median of the second quarter, after what is filled once, and that of the last."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[quarter : 2 * quarter] or values), statistics.median(values[-quarter:])


def percentile(values: Sequence[float], share: float) -> float:
    """0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
