"""The report of a call: what it holds, and that it comes back from JSON as it was."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from V3.calls.report import (
    BargeInReport,
    CallReport,
    CallUpdate,
    PromptReport,
    SpeechReport,
    VerdictReport,
    WordReport,
)

FULL = CallReport(
    call_id="c-1",
    number="0199001299",
    started_at="2026-01-01T10:00:00.000+00:00",
    scenario="rendez_vous",
    disposition="ANSWERED",
    verdict=VerdictReport(
        label="HUMAN", reason="opener: allo", confidence=0.97, text="Allô ?", evidence=["opener: allo (-4)"], at_ms=2380
    ),
    outcome="accepted",
    intents=["oui"],
    moments={"dialled": -4200, "answer": 0, "verdict": 2380},
    prompts=[PromptReport(step="a", path="/p/a.wav", start_ms=2400, stop_ms=4000, status="break")],
    barge_ins=[BargeInReport(reason="stop word: stop", text="stop", speech_start_ms=3500, detected_ms=3900)],
    transcript=[
        SpeechReport(
            text="Allô ?",
            start_ms=300,
            end_ms=700,
            words=[WordReport(text="Allô ?", start_ms=310, end_ms=650, confidence=0.912)],
        )
    ],
    duration_ms=9000,
)


def test_it_comes_back_from_json_as_it_was() -> None:
    written = FULL.model_dump_json()
    assert CallReport.model_validate_json(written) == FULL
    assert json.loads(written)["moments"]["dialled"] == -4200  # before the answer


def test_a_call_that_was_not_answered_has_a_report_too() -> None:
    report = CallReport(call_id="c", number="1", started_at="now")
    assert (report.disposition, report.retry, report.label, report.verdict) == ("UNKNOWN", "NEVER", "", None)
    assert CallReport.model_validate_json(report.model_dump_json()) == report


def test_the_label_is_the_verdicts() -> None:
    assert FULL.label == "HUMAN"


def test_reports_share_nothing() -> None:
    one, two = (CallReport(call_id=name, number="1", started_at="now") for name in "ab")
    one.errors.append("x")
    one.moments["answer"] = 0
    one.prompts.append(PromptReport(step="a", path="p", start_ms=0))
    assert (two.errors, two.moments, two.prompts) == ([], {}, [])


@pytest.mark.parametrize("part", [CallReport, VerdictReport, PromptReport, BargeInReport, SpeechReport, CallUpdate])
def test_a_key_it_does_not_know_is_refused(part: type[CallReport]) -> None:
    with pytest.raises(ValidationError, match="verdct"):
        part.model_validate({"verdct": None})


def test_a_duration_is_not_negative() -> None:
    with pytest.raises(ValidationError, match="duration_ms"):
        CallReport(call_id="c", number="1", started_at="now", duration_ms=-1)
