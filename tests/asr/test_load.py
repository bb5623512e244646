"""Load: partials are stretched as far as needed and no further, finals first; capacity follows what decodes cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.asr.load import MAX_STRETCH, LoadMeter
from V3.asr.transcript import DecodeKind

PARTIAL, FINAL, ANSWER = DecodeKind.PARTIAL, DecodeKind.FINAL, DecodeKind.ANSWER


def run(
    meter: LoadMeter, *, talking: int, decode_s: float, seconds: float, hop_s: float = 0.3, finals_per_s: float = 0.0
) -> float:
    """Serve ``talking`` calls with one worker, in simulated time; the worker's busy share at the end."""
    step_s = 0.01
    due = credit = now_s = 0.0
    while now_s < seconds:
        now_s += step_s
        credit = min(credit + step_s, 0.05)  # a worker cannot save up time
        due = min(due + talking * step_s / (hop_s * meter.stretch), talking)  # one partial in flight per call
        if finals_per_s and credit >= decode_s and int(now_s * finals_per_s) > int((now_s - step_s) * finals_per_s):
            meter.decoded([FINAL], busy_s=decode_s, now_s=now_s)
            credit -= decode_s
        while due >= 1 and credit >= decode_s:
            meter.decoded([PARTIAL], busy_s=decode_s, now_s=now_s)
            due -= 1
            credit -= decode_s
    return meter.busy


def test_an_idle_engine_does_not_stretch() -> None:
    assert LoadMeter(workers=1).stretch == 1.0


def test_with_room_to_spare_partials_keep_their_hop() -> None:
    meter = LoadMeter(workers=1)
    run(meter, talking=10, decode_s=0.01, seconds=10)  # wants a third of the worker
    assert meter.stretch == 1.0


def test_overloaded_it_stretches_until_the_worker_has_a_fifth_of_its_time_left() -> None:
    meter = LoadMeter(workers=1)
    busy = run(meter, talking=60, decode_s=0.01, seconds=20)  # wants 2 workers
    assert meter.stretch == pytest.approx(2.5, rel=0.15)  # 2 / 0.8
    assert busy == pytest.approx(0.8, abs=0.05)


def test_finals_come_out_of_the_partials_share() -> None:
    alone, besides = LoadMeter(workers=1), LoadMeter(workers=1)
    run(alone, talking=60, decode_s=0.01, seconds=20)
    run(besides, talking=60, decode_s=0.01, seconds=20, finals_per_s=20)  # finals take a fifth
    assert besides.stretch > alone.stretch * 1.15
    assert besides.busy < 0.9


def test_it_never_stretches_beyond_its_bound_and_comes_back() -> None:
    meter = LoadMeter(workers=1)
    run(meter, talking=1000, decode_s=0.01, seconds=20)
    assert meter.stretch == MAX_STRETCH
    meter.decoded([FINAL], busy_s=0.001, now_s=40.0)
    assert meter.stretch == 1.0


def test_capacity_begins_with_the_decode_that_was_timed() -> None:
    fast, slow = (LoadMeter(workers=2, decode_s=seconds).capacity for seconds in (0.01, 0.1))
    assert fast == pytest.approx(10 * slow, rel=0.1)
    assert LoadMeter(workers=1, decode_s=30.0).capacity == 1  # a machine too slow for one call still tries one


def test_capacity_learns_what_calls_cost() -> None:
    meter = LoadMeter(workers=2, decode_s=0.02)
    guessed = meter.capacity
    for _ in range(10):
        meter.opened(now_s=0.0)
    for second in range(1, 301):  # ten calls that take a twentieth of a worker together
        meter.decoded([PARTIAL, FINAL], busy_s=0.05, now_s=float(second))
    assert meter.calls == 10
    # a call costs 5 ms a second, and its partials could come 1.5 times rarer; the first guess still counts a little
    assert 3 * guessed < meter.capacity < 0.8 * 2 / 0.0041


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 3), st.lists(st.sampled_from(list(DecodeKind)), min_size=1)),
        max_size=30,
    )
)
def test_whatever_comes_the_answers_are_in_range(batches: list[tuple[float, float, list[DecodeKind]]]) -> None:
    meter = LoadMeter(workers=2)
    now_s = 0.0
    for passed_s, busy_s, kinds in batches:
        now_s += passed_s - 0.5  # clocks of several threads: a step back counts as none
        meter.decoded(kinds, busy_s=busy_s, now_s=now_s)
        assert 1.0 <= meter.stretch <= MAX_STRETCH
        assert 0.0 <= meter.busy <= 1.0
        assert meter.capacity >= 1
