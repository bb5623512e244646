"""A load's report made up, for tests of what shows it. Its figures are synthetic."""

from __future__ import annotations

from V3.load.figures import LoadReport, Machine, Sample, Spread, Step, Usage, figures_of
from V3.load.knee import LIMITS, knee_of
from V3.load.record import CallRecord, RefusedCall

__all__ = ["MACHINE", "record", "report", "step"]

MACHINE = Machine(
    cpu="a processor",
    cores=2,
    memory_gb=8.0,
    load_before=0.1,
    python="3.11",
    model="telephone-fr",
    device="cpu",
    compute_type="int8",
    workers=2,
    capacity=60,
)


def record(verdict_ms: float = 1700, *, break_ms: float = 350, right: bool = True, fault: str = "") -> CallRecord:
    return CallRecord(
        who="interrupts",
        began_s=1.0,
        ended_s=15.0,
        disposition="ANSWERED",
        label="HUMAN",
        right=right,
        faults=(fault,) if fault else (),
        verdict_ms=verdict_ms,
        prompt_ms=verdict_ms + 100,
        breaks_ms=(break_ms,),
        partial_lags_ms=(20.0, 60.0),
    )


def step(calls: int, *records: CallRecord, refused: int = 0, most_at_once: int | None = None) -> Step:
    refusals = [RefusedCall(at_s=3.0, took_ms=0.4, why="no room")] * refused
    return Step(
        calls=calls,
        rate_per_s=calls / 5,
        duration_s=30,
        most_at_once=calls if most_at_once is None else most_at_once,
        took_s=45.0,
        figures=figures_of(records, refusals),
        canary=figures_of(records[:1]),
        loop_lag_ms=Spread.of([1.0, 2.0, 9.0]),
        robot=Usage.of([0.2, 0.4], [150.0, 180.0], mb_before=140.0, calls=calls),
        simulator=Usage.of([0.1, 0.1], [60.0, 61.0], mb_before=55.0, calls=calls),
        batch_mean=1.2,
        records=records,
        refusals=tuple(refusals),
        samples=tuple(
            Sample(at_s=at, calls=calls, loop_lag_ms=2.0, robot_cpu=0.3, robot_mb=170.0, simulator_cpu=0.1)
            for at in (1.0, 2.0, 3.0)
        ),
    )


def report(*steps: Step) -> LoadReport:
    return LoadReport(
        at="2026-01-01T00:00:00+00:00",
        version="0",
        against="simulator",
        machine=MACHINE,
        limits=dict(LIMITS),
        steps=steps,
        knee=knee_of(steps),
    )
