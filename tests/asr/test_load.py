"""Load: partials are stretched as far as needed and no further, finals first; capacity follows what decodes cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.asr.load import MAX_STRETCH, LoadMeter
from V3.asr.transcript import DecodeKind

PARTIAL, FINAL, FILE = DecodeKind.PARTIAL, DecodeKind.FINAL, DecodeKind.FILE


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
        meter.heard(10.0, now_s=float(second))
        meter.decoded([PARTIAL, FINAL], busy_s=0.05, now_s=float(second))
    assert meter.calls == 10
    # a call costs 5 ms a second, and its partials could come 1.5 times rarer; the first guess still counts a little
    assert 3 * guessed < meter.capacity < 0.8 * 2 / 0.0041


def told(meter: LoadMeter, *, seconds: int, busy_s: float, calls: int = 0, from_s: int = 0) -> list[int]:
    """The capacity after every second of so much work in finals, with so many calls more."""
    for _ in range(calls):
        meter.opened(now_s=float(from_s))
    figures = []
    for second in range(from_s + 1, from_s + seconds + 1):
        for tenth in range(10):
            meter.heard(meter.calls / 10, now_s=second + tenth / 10)
            meter.decoded([FINAL], busy_s=busy_s / 10, now_s=second + tenth / 10)
        figures.append(meter.capacity)
    return figures


def test_a_capacity_that_is_told_moves_in_steps_and_does_not_flap() -> None:
    meter = LoadMeter(workers=2, decode_s=0.02)
    told(meter, seconds=200, busy_s=0.4, calls=10)  # 40 ms a second and call: some 40 calls fit
    figures = []
    for turn in range(60):  # a little more, a little less, every second
        figures += told(meter, seconds=1, busy_s=0.4 + 0.04 * (-1) ** turn, from_s=200 + turn)
    assert 36 <= figures[0] <= 42
    assert len(set(figures)) == 1


def test_capacity_is_never_less_than_the_calls_that_are_open() -> None:
    meter = LoadMeter(workers=1, decode_s=0.1)
    calls = 3 * meter.capacity
    assert told(meter, seconds=30, busy_s=0.9, calls=calls)[-1] == calls
    for _ in range(calls):
        meter.closed(now_s=31.0)
    assert meter.capacity < calls


def test_a_machine_that_is_crowded_now_takes_no_more_though_calls_were_cheap_so_far() -> None:
    meter = LoadMeter(workers=1, decode_s=0.01)
    for _ in range(40):
        meter.opened(now_s=0.0)
    for tenth in range(3000):  # five minutes of next to nothing
        meter.heard(4.0, now_s=tenth / 10)
        meter.decoded([PARTIAL], busy_s=0.02, now_s=tenth / 10)
    assert meter.capacity > 80
    for tenth in range(3000, 3150):  # something else takes the machine: every decode is ten times slower
        meter.heard(4.0, now_s=tenth / 10)
        meter.decoded([PARTIAL, FINAL], busy_s=0.1, now_s=tenth / 10)
    assert meter.crowded
    assert meter.capacity == 40
    for tenth in range(3150, 3400):
        meter.heard(4.0, now_s=tenth / 10)
        meter.decoded([PARTIAL], busy_s=0.01, now_s=tenth / 10)
    assert not meter.crowded
    assert meter.capacity > 40


def test_an_event_loop_that_is_half_busy_bounds_the_calls_and_one_that_is_late_takes_none() -> None:
    meter = LoadMeter(workers=8, decode_s=0.001)  # a fast engine
    assert meter.capacity > 1000
    for _ in range(50):
        meter.opened(now_s=0.0)
    for tenth in range(600):
        meter.loop_turned(busy_s=0.05, late_s=0.01, passed_s=0.1, now_s=tenth / 10)
    assert meter.capacity == pytest.approx(80, abs=4)  # 50 calls take half of it: four fifths are 80 calls
    for tenth in range(600, 900):
        meter.loop_turned(busy_s=0.05, late_s=0.5, passed_s=0.1, now_s=tenth / 10)
    assert meter.capacity == 50


def test_an_idle_event_loop_bounds_nothing() -> None:
    meter = LoadMeter(workers=1, decode_s=0.01)
    before = meter.capacity
    meter.opened(now_s=0.0)
    for tenth in range(600):
        meter.loop_turned(busy_s=0.003, late_s=0.001, passed_s=0.1, now_s=tenth / 10)
    assert meter.capacity >= before


def test_audio_that_comes_faster_than_it_is_spoken_crowds_nobody_and_costs_by_its_length() -> None:
    meter = LoadMeter(workers=1, decode_s=0.01)
    meter.opened(now_s=0.0)
    for tenth in range(600):  # a backlog at ten times its speed, heard as fast as the machine can
        meter.heard(1.0, now_s=tenth / 10)
        meter.decoded([PARTIAL], busy_s=0.1, now_s=tenth / 10)
    assert meter.stretch == MAX_STRETCH
    assert not meter.crowded
    assert meter.capacity == pytest.approx(0.8 / (0.1 / 1.5), abs=2)  # a tenth of a second for each of audio


def test_a_recording_takes_what_calls_leave_and_nothing_of_the_capacity() -> None:
    meter = LoadMeter(workers=1, decode_s=0.01)
    before = meter.capacity
    for tenth in range(3000):
        meter.decoded([FILE], busy_s=0.1, now_s=tenth / 10)
    assert meter.busy > 0.9
    assert (meter.capacity, meter.stretch, meter.crowded) == (before, 1.0, False)


def test_after_a_burst_the_capacity_comes_back_without_a_decode() -> None:
    meter = LoadMeter(workers=1, decode_s=0.01)
    told(meter, seconds=20, busy_s=1.0, calls=5)
    low = meter.capacity
    for second in range(20, 400):
        meter.look(now_s=float(second))
    assert meter.capacity > low


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
