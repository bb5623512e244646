"""Callees by the last digit of their number, each with what should become of a call to it.

Every number that begins with 01 99 00 (kept for fiction) is somebody: ``crowd`` finds the callee of any of them, with
moments that differ from number to number but not from run to run. The dialplan config/freeswitch/dialplan_voicebot.xml
has the same people behind the same digits, for a real FreeSWITCH.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from V3.calls.report import CallReport
from V3.simulator.callee import Callee, Rule, Trigger
from V3.simulator.callee_yaml import load_callees

__all__ = [
    "CALLEES",
    "CAST",
    "Expected",
    "canary_numbers",
    "crowd",
    "ended",
    "expected_of",
    "faults_of",
    "load_numbers",
]

CALLEES: Final = Path(__file__).resolve().parent / "demo_callees.yaml"
PREFIX: Final = "019900"
MOST_DIGITS: Final = 15  # of a telephone number
CANARY: Final = "0"
_LATER_MS: Final = 300.0  # what a greeting may come later by than the script has it
_MOVED_MS: Final = 400.0  # what an interruption may be moved by, either way


@dataclass(frozen=True, slots=True)
class Expected:
    """What the script of a callee should lead to."""

    who: str
    disposition: str = "ANSWERED"
    label: str = ""
    outcome: str = ""
    stops: int = 0
    """Interruptions that stopped a prompt for good."""
    resumes: int | None = 0
    """Prompts that paused and went on; None where either is right."""


CAST: Final = MappingProxyType(
    {
        CANARY: Expected("as people are", label="HUMAN", outcome="accepted", stops=1, resumes=None),
        "1": Expected("listens", label="HUMAN", outcome="accepted"),
        "2": Expected("interrupts", label="HUMAN", outcome="declined", stops=1),
        "3": Expected("says mmh, oui", label="HUMAN", outcome="accepted", resumes=None),
        "4": Expected("voicemail", label="MACHINE", outcome="message_left"),
        "5": Expected("silent line", label="NO_ANSWER"),
        "6": Expected("busy", disposition="BUSY"),
        "7": Expected("coughs", label="HUMAN", outcome="accepted", resumes=1),
        "8": Expected("opts out", label="HUMAN", outcome="do_not_call", stops=1),
        "9": Expected("refuses", label="HUMAN", outcome="declined", stops=1),
    }
)


def expected_of(number: str) -> Expected:
    """What should become of a call to that number."""
    return CAST[number[-1]]


def load_numbers() -> Iterator[str]:
    """Numbers of everybody but the canary, in turns, without end and without repetition.

    They have ten digits as long as there are such, and more after that: cut to ten by whoever cuts, they would still
    be in the range kept for fiction.
    """
    count = 0
    while True:
        tens, role = divmod(count, len(CAST) - 1)
        yield f"{PREFIX}{10 * tens + role + 1:04d}"
        count += 1


def canary_numbers() -> Iterator[str]:
    """Numbers of the canary, without end and without repetition."""
    count = 0
    while True:
        yield f"{PREFIX}{10 * count:04d}"
        count += 1


def crowd(number: str) -> Callee | None:
    """The callee of a number; None for one that does not begin with 01 99 00."""
    if not (number.isdecimal() and number.startswith(PREFIX) and len(number) <= MOST_DIGITS):
        return None
    chance = random.Random(number)  # noqa: S311 - a simulation; the same number is the same callee
    scripted = _scripts()[number[-1]]
    rules = tuple(_moved(rule, chance) for rule in scripted.rules)
    return replace(scripted, ring_ms=scripted.ring_ms * chance.uniform(0.5, 1.5), rules=rules)


def _moved(rule: Rule, chance: random.Random) -> Rule:
    when = rule.when
    if when.trigger is Trigger.ANSWERED:
        return replace(rule, after_ms=rule.after_ms + chance.uniform(0, _LATER_MS))
    if when.played_ms:
        moved_ms = when.played_ms + chance.uniform(-_MOVED_MS, _MOVED_MS)
        return replace(rule, when=replace(when, played_ms=moved_ms))
    return rule


@cache
def _scripts() -> dict[str, Callee]:
    return {number[-1]: callee for number, callee in load_callees(CALLEES).items()}


def faults_of(report: CallReport, expected: Expected) -> list[str]:
    """What became otherwise than scripted, errors included; empty where all is right."""
    found = [*report.errors]
    stops, resumes = ended(report, "stopped"), ended(report, "resumed")
    for what, got, wanted in (
        ("disposition", report.disposition, expected.disposition),
        ("verdict", report.label, expected.label),
        ("outcome", report.outcome, expected.outcome),
        ("stops", stops, expected.stops),
        ("resumes", resumes, resumes if expected.resumes is None else expected.resumes),
    ):
        if got != wanted:
            found.append(f"{what} {got or 'none'}, not {wanted or 'none'}")
    return found


def ended(report: CallReport, outcome: str) -> int:
    """How many barge-ins of a call ended so."""
    return sum(barge_in.outcome == outcome for barge_in in report.barge_ins)
