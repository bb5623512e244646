"""One call of a load: right or wrong, and how long its moments took."""

from __future__ import annotations

import pytest

from V3.calls.report import BargeInReport, CallReport, PromptReport
from V3.load.heard import HeardCall, HeardPrompt, HeardSpeech
from V3.load.record import record_of

REPORT = CallReport(
    call_id="one",
    number="0199000002",
    started_at="",
    disposition="ANSWERED",
    moments={"verdict": 1700},
    prompts=[PromptReport(step="accueil", path="a.wav", start_ms=1800)],
    barge_ins=[
        BargeInReport(
            reason="", text="", speech_start_ms=4000, detected_ms=4350, break_confirmed_ms=4372, outcome="resumed"
        ),
        BargeInReport(
            reason="", text="", speech_start_ms=7000, detected_ms=7300, break_confirmed_ms=7321, outcome="stopped"
        ),
    ],
)
HEARD = HeardCall(
    call_id="one",
    speech=(
        HeardSpeech(onset_ms=500, end_ms=900),
        HeardSpeech(onset_ms=3990, end_ms=4700),
        HeardSpeech(onset_ms=6950, end_ms=8000),
    ),
    prompts=(
        HeardPrompt(start_ms=1810, stop_ms=4380, status="break"),
        HeardPrompt(start_ms=5400, stop_ms=7330, status="break"),
        HeardPrompt(start_ms=9000, stop_ms=12000, status="done"),
    ),
)


def test_the_break_counts_from_the_first_sound_to_the_silence_that_the_callee_hears() -> None:
    record = record_of(REPORT, "interrupts", right=True, faults=[], span_s=(1.0, 14.0), heard=HEARD)
    assert record.breaks_ms == (380.0,)  # the pause that was taken back is none
    assert (record.verdict_ms, record.prompt_ms) == (1700, 1800)


@pytest.mark.parametrize("heard", [None, HeardCall(call_id="one"), HEARD.model_copy(update={"speech": ()})])
def test_without_the_simulators_word_the_robots_report_is_taken(heard: HeardCall | None) -> None:
    record = record_of(REPORT, "interrupts", right=True, faults=[], span_s=(1.0, 14.0), heard=heard)
    assert record.breaks_ms == (321.0,)


def test_a_call_that_nobody_answered_has_no_times() -> None:
    busy = CallReport(call_id="two", number="0199000006", started_at="", disposition="BUSY")
    record = record_of(busy, "busy", right=True, faults=[], span_s=(1.0, 1.4))
    assert (record.verdict_ms, record.prompt_ms, record.breaks_ms) == (None, None, ())
