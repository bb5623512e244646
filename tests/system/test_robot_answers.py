"""Who answered, and what the robot does about it: early, late, taken back, and messages on voicemails."""

from __future__ import annotations

from pathlib import Path

import pytest
from robot_rig import CLOCKED, SOUNDS, answering, hangs_up, rigged, run, says
from robot_scenes import DATA, NOTICE, PROMPTS, at_file, mid_prompt, notice, said, scene, scripted

from V3.simulator import Beep, Callee, Echo, Record, Rule, Say, Silence, Trigger, When
from V3.simulator.callee import Action
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ANSWERED = When(Trigger.ANSWERED)
VOICEMAIL_GREETING = SOUNDS / "messagerie.wav"
CARRIER = DATA / "pas_joignable.wav"
MESSAGE = "rendez_vous_excuse.wav"  # 3 s
BEEP = (Beep(1000, 500), Record())


def with_message(folder: Path, **keys: object) -> dict[str, str]:
    """The notice, and what is left on a voicemail instead."""
    message = {"prompt": MESSAGE, "text": "Veuillez m'excuser pour le dérangement. Au revoir."}
    return scene(folder, {"notice": {**NOTICE, **keys}}, message=message)


def voicemail(*after: Action) -> Callee:
    """A greeting, then what follows it."""
    return answering(Rule(ANSWERED, (Say(VOICEMAIL_GREETING), *after), after_ms=250))


LEAVES = {"on_machine": "leave_message"}


# ---- early and late


def test_a_person_who_waits_is_answered_before_the_window_ends(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = answering(says("allo_bonjour", after_ms=300), hangs_up(When(Trigger.PROMPT_STARTED), after_ms=200))
        async with rigged(stt, tmp_path, callee) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.verdict is not None
        assert (report.verdict.label, report.verdict.kind) == ("HUMAN", "person")
        assert report.moments["verdict"] < 2300
        assert truth.prompts[0].start_ms > truth.speech[0].end_ms

    run(test)


def test_without_early_verdicts_the_window_is_heard_whole(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = answering(says("allo_bonjour", after_ms=300), hangs_up(When(Trigger.PROMPT_STARTED), after_ms=200))
        async with rigged(stt, tmp_path, callee, answer={"early_verdict": False}) as rig:
            report = await rig.call()
        assert report.label == "HUMAN"
        assert report.moments["verdict"] >= 2300

    run(test)


def test_a_voicemail_beyond_doubt_is_hung_up_on_at_once(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, voicemail(Silence(400), *BEEP), speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.label, report.hung_up_by, truth.prompts) == ("MACHINE", "robot", [])
        assert report.verdict is not None
        assert report.verdict.kind == "voicemail"
        assert truth.hangup_ms is not None
        assert truth.hangup_ms < 6000

    run(test)


def test_a_machine_that_is_not_sure_is_listened_to_for_longer(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """Long speech without a word that was understood: timing alone says machine, and may be wrong."""

    async def test() -> None:
        _, deaf = scripted(stt, "")
        with deaf:
            callee = answering(said(CARRIER, ANSWERED, after_ms=250))
            async with rigged(deaf, tmp_path, callee) as rig:
                report = await rig.call()
                truth = rig.truth(report)
        assert (report.label, report.hung_up_by, truth.prompts) == ("MACHINE", "robot", [])
        assert any(u.state == "WAITING" and u.text == "not sure" for u in rig.updates)
        assert truth.hangup_ms is not None
        assert truth.hangup_ms >= 5900

    run(test)


def test_a_silent_line_is_given_time_and_no_more(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, answering(), speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.label, report.revised, truth.prompts) == ("NO_ANSWER", [], [])
        assert truth.hangup_ms is not None
        assert 3900 <= truth.hangup_ms < 6500

    run(test)


@pytest.mark.parametrize("after_ms", [2450, 3500])
def test_somebody_who_speaks_after_a_silence_is_talked_to(
    stt: WhisperStreamingSTT, tmp_path: Path, after_ms: int
) -> None:
    async def test() -> None:
        callee = answering(says("allo_bonjour", after_ms=after_ms))
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [verdict.label for verdict in report.revised] == ["NO_ANSWER"]
        assert report.label == "HUMAN"
        assert [prompt.status for prompt in truth.prompts] == ["done"]

    run(test)


def test_without_revision_a_silent_line_is_hung_up_at_the_verdict(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = answering(says("allo_bonjour", after_ms=3000))
        async with rigged(stt, tmp_path, callee, answer={"revise": False}, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.label, truth.prompts) == ("NO_ANSWER", [])
        assert truth.hangup_ms is not None
        assert truth.hangup_ms < 3900

    run(test)


# ---- taken back


def answers_then(file: Path, *after: Action) -> Callee:
    """What sounds like a person, whose recording begins once the robot speaks."""
    return answering(says("oui_bonjour", after_ms=200), Rule(mid_prompt(150), (Say(file), *after)))


@pytest.mark.parametrize("barge_in", [False, True], ids=["over the prompt", "after a barge-in"])
def test_an_announcement_after_a_persons_verdict_stops_the_prompt_and_the_call(
    stt: WhisperStreamingSTT, tmp_path: Path, barge_in: bool
) -> None:
    async def test() -> None:
        where = notice(tmp_path, barge_in=barge_in, listen_s=5)  # the call lasts
        async with rigged(stt, tmp_path, answers_then(CARRIER), call=where, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [verdict.label for verdict in report.revised] == ["HUMAN"]
        assert (report.label, report.hung_up_by, report.errors) == ("MACHINE", "robot", [])
        assert [prompt.status for prompt in truth.prompts] == ["break"]
        assert truth.hangup_ms is not None
        assert truth.hangup_ms < 8500  # its announcement is 7.9 s long: it was not waited for

    run(test)


def test_an_announcement_with_words_of_our_prompt_is_no_echo_of_it(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The shipped prompt says "vous avez demandé", the carrier "que vous demandez"."""

    async def test() -> None:
        async with rigged(stt, tmp_path, answers_then(CARRIER)) as rig:
            report = await rig.call()
        assert report.label == "MACHINE"
        assert [verdict.label for verdict in report.revised] == ["HUMAN"]
        assert report.outcome == ""

    run(test)


def test_a_verdict_taken_back_leads_to_a_message_where_there_is_one(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = answers_then(VOICEMAIL_GREETING, Silence(400), *BEEP)
        where = with_message(tmp_path, barge_in=False)
        async with rigged(stt, tmp_path, callee, call=where, answer=LEAVES) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert [verdict.label for verdict in report.revised] == ["HUMAN"]
        assert report.label == "MACHINE"
        assert [part.whole for part in truth.recorded()] == [True]
        assert report.message is not None
        assert (report.message.whole, report.outcome) == (True, "message_left")

    run(test)


def echo_scene(folder: Path, text: str) -> dict[str, str]:
    """A prompt that says what a carrier's announcement says."""
    return scene(folder, {"carrier": {"prompt": CARRIER.name, "text": text, "barge_in": False}})


CARRIER_TEXT = (
    "Le correspondant que vous demandez n'est pas joignable, veuillez rappeler ultérieurement. "
    "Votre correspondant n'est pas disponible, veuillez laisser un message après le signal sonore."
)


@pytest.mark.parametrize(("text", "db"), [(CARRIER_TEXT, -6), (CARRIER_TEXT, -18), ("", -6)])
def test_our_own_echo_takes_no_verdict_back(stt: WhisperStreamingSTT, tmp_path: Path, text: str, db: float) -> None:
    """The echo of a prompt with a machine's words. Without its text the robot cannot know: that this test can fail."""

    async def test() -> None:
        callee = answering(says("oui_bonjour", after_ms=200), echo=Echo(db=db, delay_ms=120))
        where = {"prompts_dir": str(DATA)}
        async with rigged(stt, tmp_path, callee, call=echo_scene(tmp_path, text), freeswitch=where) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        if text:
            assert (report.label, report.revised) == ("HUMAN", [])
            assert [prompt.status for prompt in truth.prompts] == ["done"]
        else:
            assert report.label == "MACHINE"

    run(test)


# ---- a message on a voicemail


def test_the_whole_message_is_left_after_the_beep(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = voicemail(Silence(400), *BEEP)
        async with rigged(stt, tmp_path, callee, call=with_message(tmp_path), answer=LEAVES, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        (part,) = truth.recorded()
        assert part.path == str(PROMPTS / MESSAGE)
        assert part.whole
        assert report.message is not None
        assert (report.message.reason, report.message.whole) == ("beep", True)
        assert truth.beep_end_ms is not None
        assert truth.prompts[0].start_ms < truth.beep_end_ms + 1500
        assert (report.outcome, report.hung_up_by, report.errors) == ("message_left", "robot", [])

    run(test)


def test_without_a_beep_the_message_begins_after_a_silence(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = voicemail(Record())
        async with rigged(stt, tmp_path, callee, call=with_message(tmp_path), answer=LEAVES, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.message is not None
        assert (report.message.reason, report.message.whole) == ("silence after the greeting", True)
        silence_ms = truth.prompts[0].start_ms - truth.speech[0].end_ms
        assert 2300 < silence_ms < 4500
        assert [part.whole for part in truth.recorded()] == [True]
        assert report.outcome == "message_left"

    run(test)


def test_a_greeting_without_end_is_not_waited_for(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = voicemail(*(Say(VOICEMAIL_GREETING), Silence(300)) * 6)
        answer = {**LEAVES, "message_wait_s": 5}
        async with rigged(stt, tmp_path, callee, call=with_message(tmp_path), answer=answer) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.outcome, report.message, truth.prompts) == ("no_beep", None, [])
        assert report.verdict is not None
        assert truth.hangup_ms is not None
        assert truth.hangup_ms >= report.verdict.at_ms + 4900
        assert report.hung_up_by == "robot"

    run(test)


def test_a_beep_into_the_message_begins_it_again_once(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The pause in the greeting was no end; a second beep (another's telephone) changes no more."""

    async def test() -> None:
        callee = voicemail(Silence(3600), *BEEP, Silence(900), Beep(1000, 500))
        async with rigged(stt, tmp_path, callee, call=with_message(tmp_path), answer=LEAVES, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.errors == []
        assert [prompt.status for prompt in truth.prompts] == ["break", "done"]
        assert truth.recorded()[-1].whole
        assert report.message is not None
        assert (report.message.reason, report.message.whole) == ("beep", True)
        assert report.message.start_ms == pytest.approx(truth.prompts[1].start_ms, abs=250)
        assert report.outcome == "message_left"

    run(test)


def test_a_beep_just_before_the_verdict_is_not_missed(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """A short greeting: the beep is over when the window ends."""

    async def test() -> None:
        greeting = (Say(DATA / "pas_la.wav"), Silence(100), Beep(1000, 300), Record())
        callee = answering(Rule(ANSWERED, greeting, after_ms=50))
        script, engine = scripted(stt, "laissez un message après le bip sonore")
        with engine:
            answer = {**LEAVES, "early_verdict": False}
            async with rigged(engine, tmp_path, callee, call=with_message(tmp_path), answer=answer) as rig:
                report = await rig.call()
                truth = rig.truth(report)
        assert script.batches
        assert report.message is not None
        assert report.message.reason == "beep"
        assert [part.whole for part in truth.recorded()] == [True]

    run(test)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("la boîte vocale de votre correspondant est pleine", "mailbox_full"),
        ("le numéro que vous avez composé n'est pas attribué", "carrier"),
    ],
)
def test_where_nobody_would_hear_it_no_message_is_left(
    stt: WhisperStreamingSTT, tmp_path: Path, words: str, kind: str
) -> None:
    async def test() -> None:
        _, engine = scripted(stt, words)
        with engine:
            callee = voicemail(Silence(400), *BEEP)
            async with rigged(engine, tmp_path, callee, call=with_message(tmp_path), answer=LEAVES) as rig:
                report = await rig.call()
                truth = rig.truth(report)
        assert report.verdict is not None
        assert (report.label, report.verdict.kind) == ("MACHINE", kind)
        assert (report.message, truth.prompts, report.outcome) == (None, [], "")

    run(test)


def test_a_voicemail_that_hangs_up_meanwhile_has_part_of_the_message(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = answering(
            Rule(ANSWERED, (Say(VOICEMAIL_GREETING), Silence(400), *BEEP), after_ms=250), hangs_up(at_file(1000))
        )
        async with rigged(stt, tmp_path, callee, call=with_message(tmp_path), answer=LEAVES) as rig:
            report = await rig.call()
        assert (report.hung_up_by, report.errors) == ("callee", [])
        assert report.message is not None
        assert not report.message.whole
        assert report.outcome == ""

    run(test)


def test_a_campaign_without_a_message_hangs_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = voicemail(Silence(400), *BEEP)
        async with rigged(stt, tmp_path, callee, call=notice(tmp_path), answer=LEAVES) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert (report.label, report.message, truth.prompts) == ("MACHINE", None, [])

    run(test)
