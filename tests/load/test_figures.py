"""Percentiles, counts and the knee."""

from __future__ import annotations

import pytest
from load_cases import record, report, step

from V3.load.figures import LoadReport, Spread, Usage, figures_of
from V3.load.knee import broken_limits, knee_of, said


def test_percentiles_of_a_spread() -> None:
    spread = Spread.of(range(1, 101))
    assert (spread.count, spread.p50, spread.p95, spread.p99, spread.most) == (100, 50.5, 95.0, 99.0, 100)
    assert spread.cells() == ("100", "50", "95", "99", "100")
    assert Spread.of([]).cells() == ("0", "-", "-", "-", "-")
    assert Spread.of([7.0]).p99 == 7.0


def test_right_wrong_and_astray_are_told_apart() -> None:
    records = [record(), record(fault="outcome none, not declined"), record(right=False, fault="verdict MACHINE")]
    figures = figures_of(records)
    assert (figures.calls, figures.right, figures.astray, figures.wrong) == (3, 1, 1, 1)
    assert figures.faults == ("interrupts: outcome none, not declined", "interrupts: verdict MACHINE")
    assert figures.dispositions == {"ANSWERED": 3}
    assert figures.partial_lag_ms.count == 6


def test_what_a_call_takes_of_memory_is_what_came_on_top() -> None:
    usage = Usage.of([0.5, 1.5], [140.0, 180.0], mb_before=140.0, calls=10)
    assert (usage.cpu_mean, usage.cpu_most, usage.mb_most, usage.mb_per_call) == (1.0, 1.5, 180.0, 4.0)
    assert Usage.of([], [], mb_before=140.0, calls=0).mb_per_call is None


def test_the_knee_is_the_largest_step_that_kept_everything() -> None:
    steps = [step(5, record()), step(10, record(2600)), step(20, record()), step(40, record(break_ms=900))]
    assert knee_of(steps) == 20
    assert said(steps) == "the knee is at 20 calls; 40: speech to break 900 ms, over 500"
    assert knee_of(steps, {"break_ms": 100.0}) is None
    assert said(steps, {"break_ms": 100.0}) == "no step kept all limits"
    assert said(steps[:1]) == "the knee is at 5 calls or above: the largest step kept all limits"


@pytest.mark.parametrize(
    ("beyond", "why"),
    [
        (step(40, record(right=False)), "1 wrong disposition"),
        (step(40, record(), refused=3), "3 refused"),
        (step(40, record(), most_at_once=30), "only 30 at once"),
        (step(40, record(2451)), "time to verdict 2451 ms, over 2450"),
    ],
)
def test_what_is_beyond_the_knee_says_why(beyond: object, why: str) -> None:
    assert broken_limits(beyond) == [why]  # type: ignore[arg-type]


def test_a_step_in_which_nothing_ended_keeps_nothing() -> None:
    assert knee_of([step(5)]) is None


def test_a_report_survives_its_file() -> None:
    whole = report(step(5, record()), step(10, record(), refused=1))
    assert LoadReport.model_validate_json(whole.model_dump_json()) == whole
