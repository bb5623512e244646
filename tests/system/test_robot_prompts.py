"""Prompts that give way and go on, on the simulator: what the callee heard is the simulator's own account."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from robot_rig import CLOCKED, SOUNDS, Rig, hangs_up, person, rigged, run, says, until
from robot_scenes import PROMPTS, VOICES, at_file, notice, presses, said, scene, scripted

from V3.audio.pcm import from_l16, resample, to_l16
from V3.simulator import Dtmf, Echo, Faults, Rule, Say, Silence, Trigger, When
from V3.simulator.truth import HeardPrompt
from V3.system import conversation
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

MMH = SOUNDS / "mmh_oui.wav"
WHO_IS_IT = SOUNDS / "de_la_part_de_qui.wav"
BROKEN = When(Trigger.PROMPT_BROKEN, nth=1)
QUICK = {"pause_ms": 100}  # a voice pauses the prompt before a recogniser, however good, can tell that it is "mmh, oui"
OVERLAP_MS = 200  # of a resumed prompt with what was heard of it, at most
STATES_WAIT = 15.0


def assert_heard_whole(prompts: Sequence[HeardPrompt]) -> None:
    """One file in pieces: each goes on where the one before was cut, or a little before, and the last ends it."""
    assert prompts[0].from_ms == 0
    for before, after in pairwise(prompts):
        assert before.status == "break"
        assert before.to_ms is not None
        assert 0 < before.to_ms - after.from_ms <= OVERLAP_MS
        assert before.stop_ms is not None
        assert after.start_ms > before.stop_ms
    assert prompts[-1].status == "done"
    assert prompts[-1].to_ms == pytest.approx(prompts[-1].file_ms, abs=1)


async def state(rig: Rig, name: str) -> None:
    await until(lambda: any(u.state == name for u in rig.updates), timeout_s=STATES_WAIT)


# ---- pause and resume


def test_a_backchannel_pauses_a_prompt_and_it_goes_on_from_the_cut(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1500)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.errors == []
        assert len(truth.prompts) == 2
        assert_heard_whole(truth.prompts)
        assert truth.prompts[0].to_ms is not None
        assert truth.prompts[0].to_ms > 1500 + 100
        (entry,) = report.barge_ins
        assert (entry.outcome, entry.verdict) == ("resumed", "backchannel")
        assert entry.break_confirmed_ms is not None
        assert entry.resumed_ms is not None
        assert entry.speech_start_ms < entry.detected_ms <= entry.break_confirmed_ms < entry.resumed_ms
        assert truth.prompts[1].start_ms >= truth.speech[1].end_ms  # not into the callee's words
        assert [(p.status, p.heard_out) for p in report.prompts] == [("break", False), ("done", True)]
        assert report.prompts[1].from_ms == pytest.approx(truth.prompts[1].from_ms, abs=2)

    run(test)


def test_several_pauses_lose_and_repeat_nothing(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(800)), said(MMH, at_file(2800)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert len(truth.prompts) == 3
        assert_heard_whole(truth.prompts)
        assert [entry.outcome for entry in report.barge_ins] == ["resumed", "resumed"]

    run(test)


def test_a_file_of_another_rate_goes_on_at_the_right_place(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """FreeSWITCH's position then adds samples of the file to samples of the channel."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    with wave.open(str(PROMPTS / "rendez_vous_confirme.wav"), "rb") as file:
        audio = resample(from_l16(file.readframes(file.getnframes())), from_hz=8000, to_hz=16_000)
    with wave.open(str(folder / "rendez_vous_confirme.wav"), "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(16_000)
        written.writeframes(to_l16(audio))

    async def test() -> None:
        callee = person(said(MMH, at_file(800)), said(MMH, at_file(2800)))
        where = {"prompts_dir": str(folder)}
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), freeswitch=where, barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.errors == []
        assert len(truth.prompts) == 3
        assert_heard_whole(truth.prompts)

    run(test)


def test_a_noise_without_words_resumes_it(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """A recogniser that hears no word in it, as ours in a cough: the voice alone paused the prompt."""

    async def test() -> None:
        _, deaf = scripted(stt, "")
        with deaf:
            callee = person(said(MMH, at_file(1000)))
            async with rigged(deaf, tmp_path, callee, call=notice(tmp_path)) as rig:
                report = await rig.call()
                truth = rig.truth(report)
        (entry,) = report.barge_ins
        assert (entry.outcome, entry.verdict) == ("resumed", "no words")
        assert_heard_whole(truth.prompts)

    run(test)


def test_a_pause_in_the_last_words_of_a_prompt_is_its_end(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So little of it is left that it is not taken up again."""
    monkeypatch.setattr(conversation, "LEAST_REST_MS", 1800)  # longer than it is, for a margin

    async def test() -> None:
        callee = person(said(MMH, at_file(4000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        assert [entry.outcome for entry in report.barge_ins] == ["stopped"]
        assert report.errors == []

    run(test)


def test_a_true_interruption_after_a_pause_is_not_resumed(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(WHO_IS_IT, at_file(1200)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        (prompt,) = truth.prompts
        assert prompt.status == "break"
        assert prompt.to_ms is not None
        assert prompt.to_ms < 1200 + 1500
        assert report.barge_ins[0].outcome == "stopped"

    run(test)


def test_who_speaks_again_while_a_pause_ends_is_understood_first(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """ "Oui", known only when the next sentence has begun: it does not let the prompt go on into that."""

    async def test() -> None:
        script, engine = scripted(stt, "oui", gated=True)
        with engine:
            both = Rule(at_file(1000), (Say(MMH), Silence(700), Say(WHO_IS_IT)))
            settings = notice(tmp_path)
            timing: dict[str, Any] = {"answer": {"decode_timeout_s": 0.1}, "barge_in": {"false_after_ms": 8000}}
            async with rigged(engine, tmp_path, person(both), speed=8, call=settings, **timing) as rig:
                call = asyncio.create_task(rig.call())
                await state(rig, "PAUSED")
                (active,) = rig.parts.robot._active.values()
                await until(lambda: not active.speaking)  # the first has ended, its words are not known
                await until(lambda: active.speaking)
                script.let_go(1000)
                await until(lambda: any(u.state == "PAUSED" and u.text == "« oui »" for u in rig.updates))
                script.text = "mais qui êtes-vous donc"
                report = await call
                truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        assert [entry.outcome for entry in report.barge_ins] == ["stopped"]

    run(test)


def test_words_that_come_late_after_a_pause_interrupt_and_answer_all_the_same(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    """The recogniser answers when the prompt goes on already."""

    async def test() -> None:
        slow, late = scripted(stt, "non vraiment pas maintenant", gated=True)
        with late:
            answer = {"decode_timeout_s": 0.1}
            callee = person(said(WHO_IS_IT, at_file(1000)))
            async with rigged(late, tmp_path, callee, call=scene(tmp_path, ASKS), answer=answer) as rig:
                call = asyncio.create_task(rig.call())
                await until(lambda: any("goes on" in u.text for u in rig.updates), timeout_s=STATES_WAIT)
                slow.let_go(1000)
                report = await call
                truth = rig.truth(report)
        assert [entry.outcome for entry in report.barge_ins] == ["resumed", "stopped"]
        assert [prompt.status for prompt in truth.prompts] == ["break", "break"]
        assert report.outcome == "declined"

    run(test)


# ---- what can go wrong meanwhile


def test_a_break_that_was_lost_costs_the_prompt_nothing(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1000)))
        async with rigged(
            stt, tmp_path, callee, call=notice(tmp_path), faults=Faults(lose_break=2), barge_in=QUICK
        ) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.breaks_resent == 2
        assert report.barge_ins[0].outcome == "resumed"
        assert_heard_whole(truth.prompts)

    run(test)


def test_a_hang_up_during_a_pause_ends_the_call_and_no_more(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1000)), hangs_up(BROKEN, after_ms=100))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.hung_up_by, report.errors) == ("callee", [])
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        assert report.barge_ins[0].outcome == ""
        assert report.barge_ins[0].resumed_ms is None

    run(test)


def test_esl_lost_during_a_pause_the_prompt_goes_on_when_it_is_back(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), speed=CLOCKED, barge_in=QUICK) as rig:
            call = asyncio.create_task(rig.call())
            await state(rig, "PAUSED")
            await rig.simulator.drop_connections()
            report = await call
            truth = rig.truth(report)
            assert rig.parts.esl.reconnects >= 1
        assert report.errors == []
        assert report.barge_ins[0].outcome == "resumed"
        assert_heard_whole(truth.prompts)

    run(test)


def test_the_stream_lost_during_a_pause_the_prompt_goes_on(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), speed=CLOCKED, barge_in=QUICK) as rig:
            call = asyncio.create_task(rig.call())
            await state(rig, "PAUSED")
            assert rig.parts.server is not None
            (stream,) = rig.parts.server._live.values()
            stream._socket.transport.abort()
            report = await call
            truth = rig.truth(report)
        assert report.stream_restarts == 1
        assert len(report.errors) == 1  # the restart, told
        assert report.barge_ins[0].outcome == "resumed"
        assert_heard_whole(truth.prompts)

    run(test)


# ---- modes


def test_a_step_without_barge_in_plays_to_its_end(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(WHO_IS_IT, at_file(1000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, barge_in=False)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.barge_ins == []
        assert [prompt.status for prompt in truth.prompts] == ["done"]

    run(test)


def test_by_words_a_backchannel_does_not_even_pause_it(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(1000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, barge_in="words")) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.barge_ins == []
        assert [prompt.status for prompt in truth.prompts] == ["done"]
        assert [entry.reason for entry in report.ignored] == ["backchannel"]

    run(test)


def test_by_words_a_question_stops_it(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(WHO_IS_IT, at_file(1000)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, barge_in="words")) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        assert report.barge_ins[0].reason.endswith("words that are no backchannel")

    run(test)


@pytest.mark.parametrize(("at_ms", "status"), [(600, "done"), (3300, "break")], ids=["within", "after"])
def test_a_protected_opening_is_not_stopped(stt: WhisperStreamingSTT, tmp_path: Path, at_ms: int, status: str) -> None:
    async def test() -> None:
        callee = person(said(VOICES / "stop_word_arretez_f5.wav", at_file(at_ms)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, protected_s=3)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == [status]
        assert bool(report.barge_ins) == (status == "break")

    run(test)


# ---- keys

ASKS = {
    "ask": {
        "prompt": "rendez_vous_accueil.wav",
        "listen_s": 4,
        "retries": 0,
        "next": "nobody",
        "intents": {
            "yes": {"phrases": ["oui"], "keys": "1*", "next": "end", "outcome": "accepted"},
            "no": {"phrases": ["non"], "keys": "2#", "next": "end", "outcome": "declined"},
        },
    },
    "nobody": {"prompt": "rendez_vous_sans_reponse.wav", "barge_in": False, "outcome": "no_reply"},
}


@pytest.mark.parametrize(("key", "outcome"), [("1", "accepted"), ("*", "accepted"), ("#", "declined")])
def test_a_key_stops_the_prompt_and_chooses(stt: WhisperStreamingSTT, tmp_path: Path, key: str, outcome: str) -> None:
    async def test() -> None:
        callee = person(presses(key, at_file(2000)))
        async with rigged(stt, tmp_path, callee, call=scene(tmp_path, ASKS), speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        (prompt,) = truth.prompts
        assert prompt.status == "break"
        assert prompt.to_ms is not None
        assert 2000 <= prompt.to_ms < 4000
        (entry,) = report.barge_ins  # "*" too is stopped by us: FreeSWITCH is told not to
        assert (entry.reason, entry.outcome) == (f"key {key}", "stopped")
        assert entry.break_sent_ms is not None
        assert (report.outcome, report.digits, report.errors) == (outcome, key, [])

    run(test)


def test_a_key_over_a_prompt_that_nothing_stops_is_taken_after_it(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        steps = {**ASKS, "ask": {**ASKS["ask"], "barge_in": False}}
        async with rigged(stt, tmp_path, person(presses("*", at_file(2000))), call=scene(tmp_path, steps)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["done"]
        assert (report.outcome, report.barge_ins) == ("accepted", [])

    run(test)


def test_a_key_during_a_pause_ends_it_for_good(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(MMH, at_file(2000)), presses("2", BROKEN))
        async with rigged(stt, tmp_path, callee, call=scene(tmp_path, ASKS), barge_in=QUICK) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        (entry,) = report.barge_ins
        assert (entry.verdict, entry.outcome) == ("key 2", "stopped")
        assert report.outcome == "declined"

    run(test)


def test_a_key_that_means_nothing_stops_the_prompt_and_the_answer_is_waited_for(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    async def test() -> None:
        callee = person(presses("7", at_file(2000)), says("oui_c_est_moi", when=BROKEN, after_ms=1500))
        async with rigged(stt, tmp_path, callee, call=scene(tmp_path, ASKS)) as rig:
            report = await rig.call()
        assert (report.outcome, report.intents, report.digits) == ("accepted", ["yes"], "7")

    run(test)


def test_keys_while_it_listens_choose_too(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(Rule(When(Trigger.PROMPT_ENDED, nth=1), (Dtmf("92"),), after_ms=500))
        async with rigged(stt, tmp_path, callee, call=scene(tmp_path, ASKS)) as rig:
            report = await rig.call()
        assert (report.outcome, report.digits) == ("declined", "92")

    run(test)


# ---- never to be called again

NO_MORE = VOICES / "interruption_ne_m_appelez_plus_john.wav"


def test_an_opt_out_with_an_intent_of_its_own(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(NO_MORE, When(Trigger.PROMPT_ENDED, nth=1), after_ms=500))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
        assert (report.do_not_call, report.outcome, report.intents) == (True, "do_not_call", ["retrait"])
        assert [Path(p.path).stem for p in report.prompts][-1] == "rendez_vous_retire"

    run(test)


def test_an_opt_out_that_the_step_does_not_know(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        steps = {**ASKS, "removed": {"prompt": "rendez_vous_retire.wav", "barge_in": False}}
        callee = person(said(NO_MORE, When(Trigger.PROMPT_ENDED, nth=1), after_ms=500))
        async with rigged(stt, tmp_path, callee, call=scene(tmp_path, steps, opt_out="removed")) as rig:
            report = await rig.call()
        assert (report.do_not_call, report.outcome) == (True, "do_not_call")
        assert [Path(p.path).stem for p in report.prompts][-1] == "rendez_vous_retire"

    run(test)


def test_an_opt_out_over_a_goodbye_that_listens_to_nothing(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(NO_MORE, at_file(1500)))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, barge_in=False, outcome="told")) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [prompt.status for prompt in truth.prompts] == ["done"]
        assert (report.do_not_call, report.outcome) == (True, "told")

    run(test)


def test_who_merely_declines_may_be_called_again(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(says("ca_ne_m_interesse_pas", when=When(Trigger.PROMPT_ENDED, nth=1)))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
        assert (report.do_not_call, report.outcome) == (False, "declined")

    run(test)


# ---- values


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        ("phone", "c'est le zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre", "0199001234"),
        ("amount", "environ deux cent cinquante euros", "250"),
    ],
)
def test_a_value_that_was_said_is_in_the_report(
    stt: WhisperStreamingSTT, tmp_path: Path, kind: str, words: str, value: str
) -> None:
    """The small model does not hear telephone numbers of synthetic voices: a scripted one does."""
    steps = {
        "number": {"prompt": "rendez_vous_excuse.wav", "barge_in": False, "listen_s": 4, "value": kind, "next": "bye"},
        "bye": {"prompt": "rendez_vous_refuse.wav", "barge_in": False, "outcome": "noted"},
    }

    async def test() -> None:
        script, engine = scripted(stt, "oui allô")
        with engine:
            callee = person(says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=800))
            async with rigged(engine, tmp_path, callee, call=scene(tmp_path, steps)) as rig:
                call = asyncio.create_task(rig.call())
                await state(rig, "LISTENING")
                script.text = words
                report = await call
        assert report.values["number"].startswith(value)
        assert report.intents == [f"value:{kind}"]
        assert report.outcome == "noted"

    run(test)


# ---- talk beside the telephone, and our own voice coming back


@pytest.mark.parametrize("file", sorted(VOICES.glob("side_talk_*.wav"))[:3], ids=lambda file: file.stem[10:30])
def test_side_talk_does_not_touch_the_prompt(stt: WhisperStreamingSTT, tmp_path: Path, file: Path) -> None:
    async def test() -> None:
        callee = person(said(file, at_file(1000), level_db=-24))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.barge_ins == []
        assert [prompt.status for prompt in truth.prompts] == ["done"]

    run(test)


@pytest.mark.parametrize("db", [-12, -18, -26])
def test_our_own_echo_does_not_stop_us_for_good(stt: WhisperStreamingSTT, tmp_path: Path, db: float) -> None:
    async def test() -> None:
        callee = person(echo=Echo(db=db, delay_ms=120))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert all(entry.outcome == "resumed" for entry in report.barge_ins)
        assert_heard_whole(truth.prompts)

    run(test)


LONG = {  # 8.7 s
    "prompt": "rendez_vous_accueil.wav",
    "text": "Bonjour, je suis l'assistant vocal du cabinet. Vous avez demandé à être rappelé au sujet d'un rendez-vous "
    "avec un conseiller. Est-ce que cela vous intéresse toujours ?",
}


def test_over_our_own_echo_an_interruption_is_heard(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(said(WHO_IS_IT, at_file(2000)), echo=Echo(db=-26, delay_ms=120))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path, **LONG)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.barge_ins[-1].outcome == "stopped"
        assert truth.prompts[-1].status == "break"

    run(test)
