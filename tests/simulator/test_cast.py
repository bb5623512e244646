"""Callees by the last digit, and what should become of calls to them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from V3.calls.report import CallReport
from V3.simulator import Trigger
from V3.simulator.cast import CAST, canary_numbers, crowd, expected_of, faults_of, load_numbers
from V3.telephony.commands import checked_number

DIALPLAN = Path(__file__).resolve().parents[2] / "config" / "freeswitch" / "dialplan_voicebot.xml"


def test_numbers_of_a_load_never_repeat_and_are_all_somebody() -> None:
    load = list(itertools.islice(load_numbers(), 20_000))
    canary = list(itertools.islice(canary_numbers(), 2000))
    assert len({*load, *canary}) == 22_000
    assert all(number.startswith("019900") and checked_number(number) == number for number in load + canary)
    assert {expected_of(number).who for number in load} == {CAST[digit].who for digit in "123456789"}
    assert {expected_of(number).who for number in canary} == {CAST["0"].who}
    assert load[0] == "0199000001"
    assert all(len(number) == 10 for number in load[:9000])


@pytest.mark.parametrize("number", ["0199", "0612345678", "019900x", "", "019900" + "1" * 10])
def test_nobody_is_outside_the_range(number: str) -> None:
    assert crowd(number) is None


def test_one_number_is_the_same_callee_every_time_and_another_is_not() -> None:
    assert crowd("0199000002") == crowd("0199000002")
    assert crowd("0199000002") != crowd("0199000012")


def test_moments_move_and_words_stay() -> None:
    for digit in CAST:
        callees = [crowd(f"01990{n:04d}{digit}") for n in range(20)]
        said = {tuple(rule.do for rule in callee.rules) for callee in callees if callee is not None}
        assert len(said) == 1, digit
        for callee in callees:
            assert callee is not None
            assert all(rule.when.played_ms > 0 for rule in callee.rules if rule.when.trigger is Trigger.PROMPT_AT_MS)


def test_the_dialplan_has_the_same_people() -> None:
    patterns = re.findall(r'destination_number" expression="([^"]+)"', DIALPLAN.read_text(encoding="utf-8"))
    numbers = [*itertools.islice(load_numbers(), 9), next(canary_numbers()), "01990012345", "0199001201"]
    for number in numbers:
        assert sum(re.search(pattern, number) is not None for pattern in patterns) == 1, number


def test_what_went_otherwise_is_named() -> None:
    report = CallReport(call_id="one", number="0199000002", started_at="", disposition="BUSY", errors=["lost"])
    assert faults_of(report, CAST["2"]) == [
        *("lost", "disposition BUSY, not ANSWERED", "verdict none, not HUMAN", "outcome none, not declined"),
        "stops none, not 1",
    ]
