"""One stream that lasts an hour: whether latency, cost or memory grow with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import psutil

from scripts.bench.accounts import Ledger, Spread
from scripts.bench.clock import Cost, Engine, simulate
from scripts.bench.material import Call

__all__ = ["HourResult", "Minute", "run_hour"]

_MOST_COMPARED: Final = 10  # minutes at either end


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of the stream. ``held_bytes`` is the most that it held in it, ``process_bytes`` the RSS after it."""

    minute: int
    words: int
    shown: Spread
    certain: Spread
    cpu_s: float
    held_bytes: int
    process_bytes: int


@dataclass(frozen=True, slots=True)
class HourResult:
    """The minutes, and means of the first and of the last of them."""

    audio_s: float
    cpu_s: float
    minutes: tuple[Minute, ...]
    first: dict[str, float]
    last: dict[str, float]


def run_hour(call: Call, engine: Engine, *, on_second: Callable[[], None]) -> HourResult:
    """Let ``engine`` hear one long call. Whole minutes only are reported."""
    ledger = Ledger(call.words)
    snapshots: list[tuple[float, int, int]] = []
    held: list[int] = []

    def second(seconds: int, cost: Cost) -> None:
        on_second()
        held.append(cost.held_bytes)
        if seconds % 60 == 0:
            snapshots.append((cost.cpu_s, max(held[-60:]), psutil.Process().memory_info().rss))

    try:
        simulate(call.audio, engine, on_showing=ledger.take, on_second=second)
    except KeyboardInterrupt:  # what has been heard is reported
        if not snapshots:
            raise
    ledger.close()
    return _result(call, ledger, snapshots)


def _result(call: Call, ledger: Ledger, snapshots: Sequence[tuple[float, int, int]]) -> HourResult:
    shown, certain = ledger.shown(), ledger.certain()
    minutes: list[Minute] = []
    cpu_before_s = 0.0
    for number, (cpu_s, held, rss) in enumerate(snapshots):
        spoken = {
            index
            for index, word in enumerate(call.words)
            if word.timed and 60 * number <= word.end_s < 60 * (number + 1)
        }
        minutes.append(
            Minute(
                number + 1,
                len(spoken),
                _of(shown, spoken),
                _of(certain, spoken),
                round(cpu_s - cpu_before_s, 3),
                held,
                rss,
            )
        )
        cpu_before_s = cpu_s
    ends = max(1, min(_MOST_COMPARED, len(minutes) // 2))
    return HourResult(
        60.0 * len(minutes), round(cpu_before_s, 2), tuple(minutes), _means(minutes[:ends]), _means(minutes[-ends:])
    )


def _of(latencies_s: Mapping[int, float], words: set[int]) -> Spread:
    return Spread.of(value for number, value in latencies_s.items() if number in words)


def _means(minutes: Sequence[Minute]) -> dict[str, float]:
    """Means over some minutes; no entry where nothing was measured."""
    columns: dict[str, list[float | None]] = {
        "shown_median_ms": [minute.shown.median_ms for minute in minutes],
        "certain_median_ms": [minute.certain.median_ms for minute in minutes],
        "certain_p95_ms": [minute.certain.p95_ms for minute in minutes],
        "cpu_s_per_minute": [minute.cpu_s for minute in minutes],
        "held_kb": [minute.held_bytes / 1e3 for minute in minutes],
        "process_mb": [minute.process_bytes / 1e6 for minute in minutes],
    }
    known = {name: [value for value in values if value is not None] for name, values in columns.items()}
    return {"minutes": float(len(minutes))} | {
        name: round(fmean(values), 2) for name, values in known.items() if values
    }
