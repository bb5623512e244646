"""What the robot does when something breaks: each fault by name, on the simulator. The call always ends, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from robot_rig import CLOCKED, NUMBER, SOUNDS, answering, hangs_up, person, rigged, run, says, until

from V3.clock import Clock
from V3.config import ServerSettings
from V3.errors import CommandError, EslCommandFailed, EslNotConnected, RecognitionError, StreamError, VoicebotError
from V3.simulator import Callee, Faults, FreeSwitchSimulator, Trigger, When
from V3.system.journal import Journal
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.commands import kill
from V3.telephony.esl import EslClient, EslSettings
from V3.telephony.line import MAX_BREAKS, Line, LineBounds

INTERRUPTS = says("de_la_part_de_qui", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=1500), after_ms=0)
ACCEPTS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=600)


def test_a_lost_break_is_sent_again_until_it_is_confirmed(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(INTERRUPTS), faults=Faults(lose_break=2)) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert truth.prompts[0].status == "break"
        assert report.breaks_resent == 2
        assert report.barge_ins[0].break_confirmed_ms is not None

    run(test)


def test_a_prompt_that_cannot_be_stopped_ends_the_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(INTERRUPTS), faults=Faults(lose_break=1000)) as rig:
            report = await rig.call()
        assert report.hung_up_by == "robot"
        (error,) = report.errors
        assert error.startswith("CallTimeout")
        assert "could not be stopped" in error
        assert report.breaks_resent == MAX_BREAKS - 1
        assert report.prompts[0].status == "hangup"

    run(test)


def test_a_prompt_that_the_hang_up_ended_is_no_confirmed_break(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(INTERRUPTS), faults=Faults(lose_break=1000)) as rig:
            call = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "BARGE-IN" for u in rig.updates))
            await rig.parts.esl.api(kill(rig.updates[0].call_id))
            report = await call
        (barge_in,) = report.barge_ins
        assert report.prompts[0].status == "hangup"
        assert barge_in.break_sent_ms is not None
        assert barge_in.break_confirmed_ms is None

    run(test)


def test_a_wrong_address_of_ours_rings_nobody_up_and_keeps_the_token(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        wrong = {"public_url": "http://h", "token": "s3cr3t-of-the-test"}
        async with rigged(stt, tmp_path, person(), server=wrong) as rig:
            with pytest.raises(CommandError, match="WebSocket URL") as failure:
                await rig.call()
            assert rig.simulator.dialled == []
        assert "s3" not in str(failure.value)

    run(test)


def test_a_missing_prompt_is_a_named_error(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        empty = tmp_path / "prompts"
        empty.mkdir()
        async with rigged(stt, tmp_path, person(), freeswitch={"prompts_dir": str(empty)}) as rig:
            report = await rig.call()
        (error,) = report.errors
        assert error.startswith("PromptError")
        assert "rendez_vous_accueil.wav" in error
        assert "FILE NOT FOUND" in error
        assert report.hung_up_by == "robot"

    run(test)


def test_a_refused_stream_is_started_once_more(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS), faults=Faults(refuse_stream=1)) as rig:
            report = await rig.call()
        assert report.stream_restarts == 1
        assert report.outcome == "accepted"

    run(test)


@pytest.mark.parametrize("faults", [Faults(refuse_stream=9), Faults(slow_handshake_ms=1500)], ids=["refused", "slow"])
def test_a_stream_that_never_connects_is_a_named_failure(
    stt: WhisperStreamingSTT, tmp_path: Path, faults: Faults
) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(), faults=faults) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert any(e.startswith("StreamError") for e in report.errors)
        assert (report.hung_up_by, report.verdict, truth.prompts) == ("robot", None, [])

    run(test)


def test_a_stream_that_dies_is_started_once_more_and_then_given_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(), faults=Faults(stream_dies_after_ms=3500)) as rig:
            report = await rig.call()
        assert report.stream_restarts == 1
        assert report.label == "HUMAN"
        assert report.errors[-1].startswith("StreamError: the audio stream was lost again")
        assert report.hung_up_by == "robot"

    run(test)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(drop_before_command=("bgapi originate", 1)),
        Faults(drop_after_command=("bgapi originate", 1)),
        Faults(drop_inside_body=("bgapi originate", 1)),
        Faults(drop_between_commands=("bgapi originate", 1)),
    ],
    ids=["before", "after", "inside", "between"],
)
def test_esl_lost_while_dialling_never_dials_twice(stt: WhisperStreamingSTT, tmp_path: Path, faults: Faults) -> None:
    async def test() -> None:
        callee = Callee(ring_ms=1500, progress="ringing", rules=(says("je_vous_ecoute"),))
        async with rigged(stt, tmp_path, callee, faults=faults) as rig:
            report = await rig.call()
            await until(lambda: not rig.simulator.channels())
            assert rig.simulator.dialled in ([], [NUMBER])
        if rig.simulator.dialled:
            assert report.disposition in ("ANSWERED", "UNKNOWN")
        assert report.retry == "NEVER" or report.disposition == "OURS"

    run(test)


@pytest.mark.parametrize(
    ("command", "nth"),
    [
        ("api uuid_exists", 1),
        ("api uuid_audio_stream", 1),
        ("sendmsg", 1),
        ("sendmsg", 2),
        ("api uuid_break", 1),
        ("api uuid_kill", 1),
    ],
)
@pytest.mark.parametrize("point", ["before", "after", "inside"])
def test_esl_lost_at(stt: WhisperStreamingSTT, tmp_path: Path, command: str, nth: int, point: str) -> None:
    """Whatever command the connection is lost at: the call ends, is reported, and nothing is left up."""
    order = (command, nth)
    faults = {
        "before": Faults(drop_before_command=order),
        "after": Faults(drop_after_command=order),
        "inside": Faults(drop_inside_body=order),
    }[point]

    async def test() -> None:
        async with rigged(stt, tmp_path, person(INTERRUPTS), faults=faults) as rig:
            report = await rig.call()
            await until(lambda: not rig.simulator.channels())
            assert len(rig.simulator.dialled) <= 1
            truth = rig.truth(report) if rig.simulator.dialled else None
        if command == "api uuid_break":
            assert truth is not None
            assert truth.prompts[0].status == "break"
        assert report.hangup_cause or not rig.simulator.dialled

    run(test)


def test_esl_lost_in_mid_call_and_back_the_call_goes_on(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS)) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            await rig.simulator.drop_connections()
            report = await task
            assert rig.parts.esl.reconnects == 1
        assert (report.outcome, report.errors) == ("accepted", [])

    run(test)


def test_a_prompt_that_ended_while_the_connection_was_away_is_known_to_have_ended(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS), speed=CLOCKED) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            rig.simulator.faults = Faults(random_drop_rate=1.0)  # nobody is let in again
            await rig.simulator.drop_connections()
            (truth,) = rig.simulator.truths()
            await until(lambda: truth.prompts[0].status == "done")
            rig.simulator.faults = Faults()
            report = await task
        assert (report.outcome, report.errors) == ("accepted", [])
        assert report.prompts[0].heard_out
        assert report.prompts[0].stop_ms == pytest.approx(truth.prompts[0].stop_ms, abs=400)

    run(test)


def test_freeswitch_restarted_in_mid_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person()) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            await rig.simulator.restart(down_s=1.0)
            report = await task
            assert rig.simulator.dialled == [NUMBER]
            again = await rig.call("0199001298")  # nobody there: the robot itself works on
            assert again.disposition == "INVALID_NUMBER"
        assert report.disposition == "ANSWERED"
        assert report.hangup_cause

    run(test)


def test_freeswitch_gone_for_good_the_call_ends_by_name(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(), call={"reconnect_wait_s": 0.5}) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            await rig.simulator.stop()
            report = await task
            assert report.call_id in rig.parts.robot.orphans
        assert any("not confirmed" in e for e in report.errors)

    run(test)


def test_without_freeswitch_nothing_is_dialled(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        book = tmp_path / "journal.jsonl"
        async with rigged(stt, tmp_path, person(), journal=book, call={"reconnect_wait_s": 0.2}) as rig:
            await rig.simulator.stop()
            await until(lambda: not rig.parts.esl.connected)
            report = await rig.call()
        with Journal(book) as journal:
            assert not journal.dialled(NUMBER)
        assert (report.disposition, report.retry) == ("OURS", "SOON")
        assert report.errors[0].startswith("EslNotConnected")

    run(test)


class BrokenStt:
    """The real engine, whose answer to the first seconds fails or is late."""

    def __init__(self, stt: WhisperStreamingSTT, *, late: bool) -> None:
        self._stt = stt
        self._late = late
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._stt, name)

    async def transcribe_async(self, buffer: object, *, call_id: str, timeout_s: float | None = None) -> object:
        self.asked += 1
        if self._late:
            await asyncio.Event().wait()
        raise RecognitionError("the worker died")


@pytest.mark.parametrize("late", [False, True], ids=["failing", "late"])
def test_a_recogniser_failing_or_late_leaves_the_verdict_to_timing(
    stt: WhisperStreamingSTT, tmp_path: Path, late: bool
) -> None:
    async def test() -> None:
        broken = BrokenStt(stt, late=late)
        answer = {"decode_timeout_s": 0.2}
        callee = person(hangs_up(When(Trigger.PROMPT_STARTED)))
        async with rigged(broken, tmp_path, callee, answer=answer) as rig:  # type: ignore[arg-type]
            report = await rig.call()
        assert broken.asked >= 1
        assert report.verdict is not None
        assert report.verdict.text == ""
        assert report.verdict.reason.startswith("timing")
        assert report.label == "HUMAN"

    run(test)


def test_a_robot_elsewhere_needs_only_its_event_socket(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The audio server is another process's; its events come as mod_audio_stream::json."""

    async def test() -> None:
        settings = ServerSettings(port=0, send_events=True)
        elsewhere = WebSocketAudioServer(stt, amd=AMDService(), settings=settings, accept_any=True, speed=8.0)
        async with elsewhere:
            where = {"elsewhere": f"ws://127.0.0.1:{elsewhere.port}"}
            async with rigged(stt, tmp_path, person(ACCEPTS), server=where) as rig:
                assert rig.parts.server is None
                report = await rig.call()
        assert (report.label, report.outcome, report.errors) == ("HUMAN", "accepted", [])
        assert [s.text for s in report.transcript] == ["Je vous écoute.", "Oui, ça m'intéresse."]

    run(test)


def test_a_taken_uuid_dials_nothing() -> None:
    async def test() -> None:
        async with (
            FreeSwitchSimulator({NUMBER: answering()}, speed=8) as simulator,
            EslClient(EslSettings(port=simulator.port)) as esl,
        ):
            first = Line(esl, uuid="one-uuid", clock=Clock(8.0))
            await first.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
            second = Line(esl, uuid="one-uuid", clock=Clock(8.0))
            with pytest.raises(EslCommandFailed, match="already"):
                await second.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
            assert simulator.dialled == [NUMBER]
            second.close()
            first = Line(esl, uuid="one-uuid", clock=Clock(8.0))
            await first.hang_up()
            first.close()

    run(test)


def test_a_stream_before_the_answer_is_never_asked_for() -> None:
    async def test() -> None:
        callee = Callee(ring_ms=60_000, progress="ringing", leg="sip")
        async with (
            FreeSwitchSimulator({NUMBER: callee}, speed=8) as simulator,
            EslClient(EslSettings(port=simulator.port)) as esl,
        ):
            line = Line(esl, uuid="ringing", clock=Clock(8.0))
            dialling = asyncio.create_task(line.dial(f"sofia/gateway/x/{NUMBER}", {}, ring_s=20))
            await until(lambda: bool(simulator.channels()))
            with pytest.raises(StreamError, match="before the answer"):
                await line.start_audio("ws://127.0.0.1:1/call/ringing", {})
            assert not simulator.crashed
            await line.hang_up()
            await asyncio.gather(dialling, return_exceptions=True)
            line.close()

    run(test)


def test_a_hang_up_that_cannot_be_sent_is_named() -> None:
    async def test() -> None:
        async with (
            FreeSwitchSimulator({NUMBER: answering()}, speed=8) as simulator,
            EslClient(EslSettings(port=simulator.port)) as esl,
        ):
            line = Line(esl, uuid="gone", clock=Clock(8.0), bounds=LineBounds(reconnect_s=0.1))
            await line.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
            await simulator.stop()
            await until(lambda: not esl.connected)
            with pytest.raises(EslNotConnected):
                await line.hang_up()
            line.close()

    run(test)


@contextlib.asynccontextmanager
async def one_line() -> AsyncIterator[tuple[FreeSwitchSimulator, EslClient, Line]]:
    async with (
        FreeSwitchSimulator({NUMBER: answering()}, speed=8.0) as simulator,
        EslClient(EslSettings(port=simulator.port, backoff_min_s=0.02)) as esl,
    ):
        line = Line(esl, uuid="one-call", clock=Clock(8.0))
        await line.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
        yield simulator, esl, line
        await line.hang_up()
        line.close()


def test_a_prompt_repeated_after_a_lost_connection_is_not_taken_for_the_one_before() -> None:
    """The channel still tells of the first playing of the same file when it is asked."""

    async def test() -> None:
        async with one_line() as (simulator, esl, line):
            first = await line.play(str(SOUNDS / "oui_bonjour.wav"))
            assert await first.stopped == "done"
            await simulator.drop_connections()
            await until(lambda: not esl.connected)
            second = await line.play(str(SOUNDS / "oui_bonjour.wav"))
            truth = simulator.truth("one-call")
            await until(lambda: len(truth.prompts) == 2)
            await line.stop_playing(second)
            await until(lambda: truth.prompts[1].status != "")
            assert (second.stopped.result(), truth.prompts[1].status) == ("break", "break")

    run(test)


def test_a_connection_that_comes_and_goes_leaves_no_question_open() -> None:
    async def test() -> None:
        async with one_line() as (simulator, esl, line):
            simulator.faults = Faults(reply_delay_ms=2000)
            for told in list(esl.on_connection) * 2:  # the slow connection alone was away: the first question is out
                told(True)
                await asyncio.sleep(0)
            line.close()
            await asyncio.sleep(0)
            left = [task for task in asyncio.all_tasks() if task.get_name().startswith("ask ")]
            simulator.faults = Faults()
            assert left == []

    run(test)


def test_a_second_stream_of_a_call_needs_no_second_verdict(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The stream dies at 3.5 s, after the verdict; the interruption at 4.5 s is heard in words all the same."""

    async def test() -> None:
        callee = person(
            says("de_la_part_de_qui", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=2200), after_ms=0)
        )
        faults = Faults(stream_dies_after_ms=3500)
        async with rigged(stt, tmp_path, callee, faults=faults) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            rig.simulator.faults = Faults()  # the next stream lives
            report = await task
        assert report.stream_restarts == 1
        entry = report.barge_ins[0]
        assert (entry.verdict or entry.reason).endswith("words that are no backchannel")

    run(test)


def test_a_call_given_up_for_lost_that_comes_up_is_hung_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, answering()) as rig:
            rig.parts.robot._remember("late-uuid")
            late = Line(rig.parts.esl, uuid="late-uuid", clock=Clock(8.0))  # as a FreeSWITCH that was stuck would
            with contextlib.suppress(VoicebotError):
                await late.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
            await until(late.ended.done)  # nobody here hangs it up, and the callee stays on the line
            assert rig.simulator.truth("late-uuid").hangup_by == "robot"
            late.close()

    run(test)
