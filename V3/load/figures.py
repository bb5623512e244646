"""A load in figures: percentiles, dispositions, refusals, what the machine spent. A core, and the report's JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from V3.load.record import CallRecord, RefusedCall

__all__ = ["AGAINST", "SPREADS", "Figures", "LoadReport", "Machine", "Sample", "Spread", "Step", "Usage", "figures_of"]

SPREADS: Final = {
    "verdict_ms": "time to verdict",
    "prompt_ms": "answer to first prompt",
    "partial_lag_ms": "partial lag",
    "break_ms": "speech to break",
    "refusal_ms": "refusal",
}
"""The figures that are spreads, by what people call them."""
AGAINST: Final = {"simulator": "the embedded simulator, on the same machine", "freeswitch": "a FreeSWITCH"}
_MOST_FAULTS: Final = 50


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Part):
    """Percentiles of so many values; None where there are none."""

    count: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = list(values)
        if not known:
            return cls()
        p50, p95, p99 = (round(float(value), 1) for value in np.percentile(known, (50, 95, 99)))
        return cls(count=len(known), p50=p50, p95=p95, p99=p99, most=round(max(known), 1))

    def cells(self) -> tuple[str, ...]:
        """Count and percentiles as text."""
        values = (self.p50, self.p95, self.p99, self.most)
        return (str(self.count), *("-" if value is None else f"{value:.0f}" for value in values))


class Sample(_Part):
    """The state at ``at_s``, and what the second before it took. ``loop_lag_ms`` is the longest in it; CPU is in cores:
    1.0 is all of one. None where it cannot be told.
    """

    at_s: float
    calls: int
    loop_lag_ms: float
    robot_cpu: float
    robot_mb: float
    simulator_cpu: float | None = None
    simulator_mb: float | None = None
    batch: float | None = None
    queued: float = 0.0
    stretch: float = 1.0
    capacity: float = 0.0


class Usage(_Part):
    """What a process took: CPU in cores, memory in MB."""

    cpu_mean: float = 0.0
    cpu_most: float = 0.0
    mb_before: float = 0.0
    mb_most: float = 0.0
    mb_per_call: float | None = None

    @classmethod
    def of(cls, cpu: Sequence[float], mb: Sequence[float], *, mb_before: float, calls: int) -> Usage:
        if not mb:
            return cls(mb_before=round(mb_before, 1))
        most = max(mb)
        return cls(
            cpu_mean=round(sum(cpu) / len(cpu), 3),
            cpu_most=round(max(cpu), 3),
            mb_before=round(mb_before, 1),
            mb_most=round(most, 1),
            mb_per_call=round((most - mb_before) / calls, 2) if calls else None,
        )


class Figures(_Part):
    """Of calls that ended. ``wrong``: another disposition or verdict than scripted; ``astray``: right so far, and
    something else went otherwise (an outcome, a stop, an error).
    """

    calls: int = 0
    right: int = 0
    wrong: int = 0
    astray: int = 0
    refused: int = 0
    dispositions: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    faults: tuple[str, ...] = ()
    verdict_ms: Spread = Spread()
    prompt_ms: Spread = Spread()
    partial_lag_ms: Spread = Spread()
    break_ms: Spread = Spread()
    refusal_ms: Spread = Spread()


class Step(_Part):
    """So many calls at once, ``rate_per_s`` begun per second for ``duration_s``."""

    calls: int
    rate_per_s: float
    duration_s: float
    most_at_once: int
    took_s: float
    figures: Figures
    canary: Figures
    loop_lag_ms: Spread
    robot: Usage
    simulator: Usage | None = None
    batch_mean: float | None = None
    records: tuple[CallRecord, ...] = ()
    refusals: tuple[RefusedCall, ...] = ()
    samples: tuple[Sample, ...] = ()


class Machine(_Part):
    """What it was measured on; no name of it."""

    cpu: str
    cores: int
    memory_gb: float
    load_before: float
    python: str
    model: str
    device: str
    compute_type: str
    workers: int
    capacity: int

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gb:g} GB, load {self.load_before:.1f} when begun; model "
            f"{self.model} ({self.device}, {self.compute_type}, {self.workers} decodes side by side)"
        )


class LoadReport(_Part):
    """What ``python -m V3 load`` writes. ``against``: simulator or freeswitch; ``stopped``: it was ended early."""

    at: str
    version: str
    against: Literal["simulator", "freeswitch"]
    machine: Machine
    limits: dict[str, float]
    steps: tuple[Step, ...]
    knee: int | None = None
    stopped: bool = False


def figures_of(records: Sequence[CallRecord], refusals: Sequence[RefusedCall] = ()) -> Figures:
    """The figures of calls."""
    told = [f"{record.who}: {'; '.join(record.faults)}" for record in records if record.faults]
    return Figures(
        calls=len(records),
        right=sum(record.right and not record.faults for record in records),
        wrong=sum(not record.right for record in records),
        astray=sum(record.right and bool(record.faults) for record in records),
        refused=len(refusals),
        dispositions=dict(Counter(record.disposition for record in records)),
        verdicts=dict(Counter(record.label or "none" for record in records)),
        faults=tuple(told[:_MOST_FAULTS]),
        verdict_ms=Spread.of(record.verdict_ms for record in records if record.verdict_ms is not None),
        prompt_ms=Spread.of(record.prompt_ms for record in records if record.prompt_ms is not None),
        partial_lag_ms=Spread.of(lag for record in records for lag in record.partial_lags_ms),
        break_ms=Spread.of(ms for record in records for ms in record.breaks_ms),
        refusal_ms=Spread.of(refusal.took_ms for refusal in refusals),
    )
