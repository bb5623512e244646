"""Whole calls of the robot on the simulator: what goes well, and what people do."""

from __future__ import annotations

import asyncio
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from robot_rig import CLOCKED, NUMBER, SOUNDS, answering, hangs_up, person, rigged, run, says, until

from V3.asr.online import OnlineASRProcessor
from V3.calls.report import CallReport
from V3.errors import CommandError, DialRefused
from V3.simulator import Beep, Callee, Dtmf, Record, Rule, Say, Silence, Trigger, When
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

PROMPT_1_ENDED = When(Trigger.PROMPT_ENDED, nth=1)


def mid_prompt(ms: float, nth: int = 1) -> When:
    return When(Trigger.PROMPT_PLAYING_MS, nth=nth, played_ms=ms)


def only_report(folder: Path) -> dict[str, Any]:
    (written,) = folder.glob("*.json")
    report: dict[str, Any] = json.loads(written.read_text())
    return report


def test_a_person_who_listens_hears_everything_and_is_understood(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(says("oui_ca_m_interesse", when=PROMPT_1_ENDED, after_ms=600))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call("01 99 00 12 99")
            truth = rig.truth(report)
        assert report.errors == []
        assert (report.disposition, report.label, report.outcome) == ("ANSWERED", "HUMAN", "accepted")
        assert report.intents == ["oui"]
        assert [p.status for p in truth.prompts] == ["done", "done"]
        assert all(p.heard_out for p in report.prompts)
        assert report.hung_up_by == "robot"
        assert [s.text for s in report.transcript] == ["Je vous écoute.", "Oui, ça m'intéresse."]
        assert report.barge_ins == []
        moments = report.moments
        assert moments["answer"] == 0
        assert 0 < moments["first_frame"] <= moments["verdict"] <= moments["hangup"]
        assert (
            CallReport.model_validate_json((tmp_path / f"{report.call_id}.json").read_text()) == report.without_words()
        )

    run(test)


def test_words_carry_their_times_on_the_clock_of_the_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(), speed=CLOCKED) as rig:
            report = await rig.call()
            said = rig.truth(report).speech[0]
        heard = report.transcript[0]
        assert heard.words
        # The robot counts from the event of the answer, the simulator from the answer: a tick and a frame apart.
        assert heard.start_ms == pytest.approx(said.start_ms, abs=250)
        assert heard.end_ms == pytest.approx(said.end_ms, abs=350)

    run(test)


def test_an_interruption_stops_the_prompt_and_is_answered(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(
            says("de_la_part_de_qui", when=mid_prompt(2500), after_ms=0),
            says("ca_ne_m_interesse_pas", when=When(Trigger.PROMPT_ENDED, nth=2)),
        )
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.errors == []
        assert truth.prompts[0].status == "break"
        (barge_in,) = report.barge_ins
        assert barge_in.break_sent_ms is not None
        assert barge_in.break_confirmed_ms is not None
        assert barge_in.speech_start_ms < barge_in.detected_ms <= barge_in.break_sent_ms <= barge_in.break_confirmed_ms
        assert [p.status for p in report.prompts] == ["break", "done", "done"]
        assert not report.prompts[0].heard_out
        assert report.intents == ["explication", "non"]
        assert report.outcome == "declined"

    run(test)


def test_a_backchannel_does_not_stop_the_robot(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """It may pause it: then the prompt goes on where it was cut (test_robot_prompts.py)."""

    async def test() -> None:
        callee = person(
            says("mmh_oui", when=When(Trigger.PROMPT_AT_MS, played_ms=1500), after_ms=0),
            says("d_accord", when=When(Trigger.PROMPT_AT_MS, played_ms=4500), after_ms=0),
            says("oui_c_est_moi", when=When(Trigger.PROMPT_ENDED)),  # whichever playing of it was the last
        )
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [entry.outcome for entry in report.barge_ins if entry.outcome != "resumed"] == []
        first = [prompt for prompt in truth.prompts if prompt.path == truth.prompts[0].path]
        assert first[-1].status == "done"
        assert report.outcome == "accepted"

    run(test)


def test_speech_of_a_second_and_a_half_stops_the_prompt_whatever_the_words(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    async def test() -> None:
        callee = person(says("messagerie", when=mid_prompt(1000), after_ms=0))
        late = {"words": 20, "pause_ms": 10_000}
        answer = {"revise": False}  # its words are a machine's
        async with rigged(stt, tmp_path, callee, barge_in=late, answer=answer) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        first = report.barge_ins[0]
        assert "speech over 1500 ms" in (first.reason, first.verdict)
        assert first.outcome == "stopped"
        assert truth.prompts[0].status == "break"

    run(test)


def test_the_robot_does_not_begin_to_speak_over_a_person(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        # Says "allô", then speaks on over the verdict at 2.3 s, for 1.9 s.
        callee = answering(says("allo_bonjour", after_ms=300), says("de_la_part_de_qui", after_ms=1900))
        async with rigged(stt, tmp_path, callee, answer={"early_verdict": False}) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.label == "HUMAN"
        assert truth.prompts[0].start_ms > truth.speech[1].end_ms

    run(test)


def test_a_voicemail_is_hung_up_on(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        greeting = (Say(SOUNDS / "messagerie.wav"), Silence(400), Beep(1000, 500), Record())
        callee = answering(Rule(When(Trigger.ANSWERED), greeting, after_ms=250))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.label, report.disposition, report.hung_up_by) == ("MACHINE", "ANSWERED", "robot")
        assert report.verdict is not None
        assert report.verdict.reason
        assert report.verdict.evidence
        assert truth.prompts == []

    run(test)


def test_a_silent_line_is_no_answer(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, answering()) as rig:
            report = await rig.call()
        assert (report.label, report.disposition) == ("NO_ANSWER", "ANSWERED")
        assert report.transcript == []

    run(test)


@pytest.mark.parametrize(
    ("outcome", "disposition", "retry"),
    [
        ("busy", "BUSY", "SOON"),
        ("reject", "REJECTED", "LATER"),
        ("unallocated", "INVALID_NUMBER", "NEVER"),
        ("switched_off", "UNREACHABLE", "LATER"),
        ("congestion", "NETWORK", "SOON"),
        ("invalid_gateway", "OURS", "AFTER_FIX"),
    ],
)
def test_a_failed_call_has_a_disposition(
    stt: WhisperStreamingSTT, tmp_path: Path, outcome: str, disposition: str, retry: str
) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, Callee(outcome=outcome, ring_ms=200)) as rig:
            report = await rig.call()
            assert rig.simulator.dialled == [NUMBER]
        assert (report.disposition, report.retry) == (disposition, retry)
        assert report.errors == []

    run(test)


def test_nobody_answers_in_time(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = Callee(outcome="no_answer", progress="ringing", ring_ms=100)
        async with rigged(stt, tmp_path, callee, freeswitch={"originate_timeout_s": 5}) as rig:
            report = await rig.call()
        assert (report.disposition, report.retry, report.hangup_cause) == ("NO_ANSWER", "LATER", "NO_ANSWER")

    run(test)


def test_early_media_is_no_answer_and_starts_no_stream(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = Callee(progress="early_media", ring_ms=3000, leg="sip", rules=(says("je_vous_ecoute"),))
        async with rigged(stt, tmp_path, callee, freeswitch={"ignore_early_media": False}) as rig:
            report = await rig.call()
            assert not rig.simulator.crashed  # a stream started before the answer would have ended it
        assert report.label == "HUMAN"
        assert report.moments["ring_ms"] >= 2900

    run(test)


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        ("detecting", hangs_up(When(Trigger.ANSWERED), after_ms=900)),
        ("playing", hangs_up(mid_prompt(700))),
        ("listening", hangs_up(PROMPT_1_ENDED, after_ms=900)),
        ("goodbye", hangs_up(mid_prompt(300, nth=2))),
    ],
)
def test_the_callee_hangs_up_while(stt: WhisperStreamingSTT, tmp_path: Path, state: str, rule: Rule) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(rule)) as rig:
            report = await rig.call()
        assert (report.disposition, report.hung_up_by) == ("ANSWERED", "callee")
        assert report.errors == []
        if state in ("playing", "goodbye"):
            assert report.prompts[-1].status == "hangup"
            assert not report.prompts[-1].heard_out

    run(test)


def test_silence_asks_again_and_then_says_goodbye(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person()) as rig:
            report = await rig.call()
        assert [Path(p.path).stem for p in report.prompts] == [
            "rendez_vous_accueil",
            "rendez_vous_repete",
            "rendez_vous_sans_reponse",
        ]
        assert report.outcome == "no_reply"

    run(test)


def test_digits_are_reported(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(Rule(mid_prompt(1000), (Dtmf("42"),)))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
        assert report.digits == "42"

    run(test)


def test_a_call_too_long_is_ended_by_name(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(), call={"max_duration_s": 6}) as rig:
            report = await rig.call()
        assert [e.split(":")[0] for e in report.errors] == ["CallTimeout"]
        assert report.hung_up_by == "robot"

    run(test)


def test_cancelled_it_hangs_up_and_reports(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person()) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not rig.simulator.channels())
        report = only_report(tmp_path)
        assert report["errors"] == ["cancelled: the robot is stopping"]
        assert report["hung_up_by"] == "robot"

    run(test)


def test_a_number_is_never_dialled_twice(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        book = tmp_path / "journal.jsonl"
        callee = Callee(outcome="busy")
        async with rigged(stt, tmp_path, callee, journal=book) as rig:
            first, second = await asyncio.gather(rig.call(), rig.call("01.99.00.12.99"), return_exceptions=True)
            assert isinstance(first, CallReport)
            assert isinstance(second, DialRefused)
            with pytest.raises(DialRefused):
                await rig.call()
            assert rig.simulator.dialled == [NUMBER]
        async with rigged(stt, tmp_path, callee, journal=book) as rig:  # the robot was started again
            with pytest.raises(DialRefused):
                await rig.call()
            assert rig.simulator.dialled == []

    run(test)


def test_the_journal_is_written_before_the_telephone_rings(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        book = tmp_path / "journal.jsonl"
        async with rigged(stt, tmp_path, Callee(outcome="no_answer"), journal=book) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: bool(rig.simulator.dialled))
            lines = book.read_text().splitlines()
            assert json.loads(lines[0])["state"] == "dialling"
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        with Journal(book) as journal:
            assert journal.interrupted == {}

    run(test)


@pytest.mark.parametrize("number", ["", "abc", "0199\napi hupall", "0199001299}loopback/x", "1" * 40])
def test_what_is_no_number_is_not_dialled(stt: WhisperStreamingSTT, tmp_path: Path, number: str) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person()) as rig:
            with pytest.raises(CommandError):
                await rig.call(number)
            assert rig.simulator.dialled == []

    run(test)


def test_whisper_online_can_be_the_engine_of_a_whole_call(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in of that name: the module itself is its users' to install."""
    stand_in = types.ModuleType("whisper_online")
    vars(stand_in)["OnlineASRProcessor"] = OnlineASRProcessor
    monkeypatch.setitem(sys.modules, "whisper_online", stand_in)

    async def test() -> None:
        with WhisperStreamingSTT(recognizer=stt.recognizer, engine="whisper_online") as other:
            callee = person(says("oui_ca_m_interesse", when=PROMPT_1_ENDED, after_ms=600))
            async with rigged(other, tmp_path / "reports", callee) as rig:
                report = await rig.call()
        assert (report.label, report.outcome, report.errors) == ("HUMAN", "accepted", [])

    run(test)
