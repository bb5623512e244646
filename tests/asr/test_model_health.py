"""When a model is loaded again: not for one bad request, and not without end."""

from __future__ import annotations

import itertools

import pytest

from V3.asr.model_health import ModelHealth, is_out_of_memory


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA failed with error out of memory"), True),
        (RuntimeError("CUDA failed with error unspecified launch failure"), False),
        (ValueError("a bad shape"), False),
    ],
)
def test_out_of_memory_is_known_by_its_type_or_its_words(error: Exception, out: bool) -> None:
    assert is_out_of_memory(error) is out
    assert ModelHealth().failed(error, now_s=0.0) is out


def test_failures_in_a_row_load_it_and_a_success_between_forgives() -> None:
    health, bad = ModelHealth(), ValueError("bad")
    assert [health.failed(bad, now_s=0.0) for _ in range(4)] == [False] * 4
    health.heard()
    assert [health.failed(bad, now_s=0.0) for _ in range(5)] == [False] * 4 + [True]


def test_one_stall_is_the_machines_and_two_are_the_models() -> None:
    health = ModelHealth()
    assert not health.stalled(now_s=0.0)
    health.heard()
    assert [health.stalled(now_s=10.0), health.stalled(now_s=20.0)] == [False, True]


def test_loading_that_does_not_help_backs_off_to_a_bound() -> None:
    health, out = ModelHealth(), MemoryError()
    now_s, loads = 0.0, []
    while now_s < 200:
        if health.failed(out, now_s=now_s):
            loads.append(now_s)
        now_s += 0.5
    gaps = [later - earlier for earlier, later in itertools.pairwise(loads)]
    assert gaps[:6] == [1, 2, 4, 8, 16, 30]
    assert set(gaps[6:]) == {30}
    health.heard()
    assert health.failed(out, now_s=now_s)
