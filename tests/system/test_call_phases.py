"""The phases of a trial call: each with its latency, and which one failed."""

from __future__ import annotations

from picture_cases import full_report

from V3.calls.report import BargeInReport, CallReport, PromptReport, VerdictReport
from V3.system.call_phases import call_phases
from V3.system.checks import Check

PERSON = VerdictReport(
    label="HUMAN", kind="person", reason="a greeting", confidence=1, text="", evidence=[], at_ms=1800
)
PROMPT = PromptReport(step="accueil", path="/p/accueil.wav", start_ms=1900, stop_ms=5000, status="break")
STOPPED = BargeInReport(
    reason="2 words",
    text="de la part",
    speech_start_ms=4600,
    detected_ms=4975,
    break_confirmed_ms=5000,
    outcome="stopped",
)
CALL = CallReport(
    call_id="one", number="0199001202", started_at="", disposition="ANSWERED", verdict=PERSON, prompts=[PROMPT],
    barge_ins=[STOPPED], moments={"verdict": 1800, "ring_ms": 900, "first_frame": 50},
)  # fmt: skip


def phases(report: CallReport, *, interrupted: bool = True) -> list[Check]:
    return list(call_phases(report, window_s=2.3, interrupted=interrupted))


def changed(**fields: object) -> CallReport:
    return CALL.model_copy(update=fields)


def test_a_whole_call_passes_with_every_latency() -> None:
    checks = phases(CALL)
    assert [check.state for check in checks] == ["ok"] * 5
    assert [check.what for check in checks] == [
        *("phase DIALLING", "phase AMD in batch on 2.3 s", "phase PLAYING streaming"),
        *("barge-in triggered", "break confirmed"),
    ]
    found = [check.found for check in checks]
    assert found[0] == "answered after 900 ms, first audio 50 ms after the answer"
    assert found[1].startswith("HUMAN (person) 1800 ms after the answer")
    assert found[2].startswith("first prompt 100 ms after the verdict, break")
    assert found[3] == "375 ms after speech: 2 words « de la part »"
    assert found[4] == "25 ms after the decision, 400 ms after speech began; the prompt was stopped"


def test_the_first_phase_that_fails_is_the_last_that_is_told() -> None:
    unconfirmed = STOPPED.model_copy(update={"break_confirmed_ms": None, "outcome": ""})
    late = {"verdict": 4000, "ring_ms": 900}
    for report, failed in (
        (changed(disposition="BUSY", verdict=None, prompts=[], barge_ins=[]), "phase DIALLING"),
        (changed(verdict=None, prompts=[], barge_ins=[]), "phase AMD in batch on 2.3 s"),
        (changed(moments=late), "phase AMD in batch on 2.3 s"),
        (changed(prompts=[], barge_ins=[]), "phase PLAYING streaming"),
        (changed(barge_ins=[]), "barge-in triggered"),
        (changed(barge_ins=[STOPPED, unconfirmed]), "break confirmed"),
    ):
        *before, last = phases(report)
        assert (last.what, last.state) == (failed, "failed")
        assert all(check.state != "failed" for check in before)


def test_what_was_not_reached_for_a_good_reason_is_no_failure() -> None:
    machine = PERSON.model_copy(update={"label": "MACHINE"})
    report = changed(verdict=machine, prompts=[], barge_ins=[])
    assert [check.state for check in phases(report, interrupted=False)] == ["ok", "ok", "unknown", "unknown"]


def test_a_report_of_everything_can_be_told() -> None:
    assert [check.what for check in phases(full_report("Ça ne m'intéresse pas."))]
