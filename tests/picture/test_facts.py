"""What a report says in short."""

from __future__ import annotations

from picture_cases import full_report

from V3.calls.report import CallReport
from V3.picture.facts import decisions, end_ms, headline, latencies, prompt_name, stopped_ms, verdict_line


def test_the_headline_tells_the_call_and_hides_its_number() -> None:
    report = full_report(outcome="declined")
    parts = ["01 99 ** ** 02", "ANSWERED", "HUMAN", "outcome: declined", "9.1 s", "hung up by the robot"]
    assert headline(report, mask=True) == "  ·  ".join(parts)
    assert headline(report, mask=False).startswith("0199001202")


def test_a_call_that_nobody_answered_is_told_by_its_cause() -> None:
    report = CallReport(
        call_id="c", number="0199001206", started_at="now", disposition="BUSY", hangup_cause="USER_BUSY"
    )
    assert headline(report, mask=True) == "01 99 ** ** 06  ·  BUSY  ·  USER_BUSY"
    assert verdict_line(report) == "no verdict: USER_BUSY"
    assert (latencies(report), decisions(report), end_ms(report)) == ([], [], 0)


def test_latencies_are_those_of_the_report() -> None:
    assert dict(latencies(full_report())) == {
        "ringing": "144 ms",
        "first audio": "45 ms",
        "time to verdict": "1215 ms",
        "answer to first prompt": "1570 ms",
        "speech to silence": "300 ms",
    }


def test_decisions_come_in_order_and_say_how_each_ended() -> None:
    found = decisions(full_report("nothing"))
    kinds = ["revised", "verdict", "resumed", "ignored", "barge_in", "hangup"]
    assert [decision.kind for decision in found] == kinds
    paused, stopped = found[2], found[4]
    assert paused.text == "silent 300 ms after speech began: speech for 350 ms; resumed: nothing"
    assert (paused.from_ms, paused.at_ms, paused.until_ms) == (4100, 4370, 5000)
    assert stopped.text.startswith("break not confirmed")


def test_a_break_that_was_not_confirmed_has_no_time_to_silence() -> None:
    assert [stopped_ms(entry) for entry in full_report().barge_ins] == [300, None]


def test_a_resumed_prompt_says_from_where() -> None:
    prompts = full_report("p/accueil.wav").prompts
    assert [prompt_name(prompt) for prompt in prompts] == ["accueil", "from 2.7 s: accueil", "b"]
