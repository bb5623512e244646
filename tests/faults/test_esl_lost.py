"""The event socket lost before, during and after each command of a call, in between, and for good."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fault_rig import INTERRUPTS, assert_settled, faulty, in_state, works_again
from robot_rig import NUMBER, SOUNDS, answering, person, rigged, run, says, until

from V3.clock import Clock
from V3.errors import EslNotConnected
from V3.simulator import Callee, Faults, FreeSwitchSimulator, Trigger, When
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.esl import EslClient, EslSettings
from V3.telephony.line import Line, LineBounds

ACCEPTS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=600)
POINTS = {
    "before": "drop_before_command",
    "during": "drop_inside_body",
    "after": "drop_after_command",
    "between": "drop_between_commands",
}
COMMANDS = {
    "exists": ("api uuid_exists", 1),
    "originate": ("bgapi originate", 1),
    "stream start": ("api uuid_audio_stream", 1),
    "record": ("api uuid_record", 1),
    "play": ("sendmsg", 1),
    "break": ("api uuid_break", 1),
    "kill": ("api uuid_kill", 1),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("point", POINTS)
def test_esl_lost(stt: WhisperStreamingSTT, tmp_path: Path, command: str, point: str) -> None:
    """The event socket is lost at a command.

    Sees: at most one call that ends early (an originate whose outcome is not known: UNKNOWN, never retried).
    Kept: the call goes on where FreeSWITCH still has it; a break is sent again until the prompt is silent.
    Normal: when the connection is back (first try after 0.2 s); FreeSWITCH is then asked what was missed.
    """
    faults = Faults(**{POINTS[point]: COMMANDS[command]})  # type: ignore[arg-type]

    async def test() -> None:
        recording = {"enabled": True, "folder": str(tmp_path / "calls")}
        async with faulty(stt, tmp_path, INTERRUPTS, faults=faults, recording=recording) as rig:
            report = await rig.call()
            await until(lambda: not rig.simulator.channels())
            truth = rig.truth(report) if rig.simulator.dialled else None
            await works_again(rig)
            assert rig.parts.esl.reconnects >= 1
        assert_settled(rig, tmp_path)
        assert report.disposition == ("ANSWERED" if truth else "OURS" if report.retry == "SOON" else "UNKNOWN")
        assert report.retry == "NEVER" or truth is None  # what may have rung is not dialled again by itself
        if command in ("break", "kill"):
            assert truth is not None
            assert truth.prompts[0].status == "break"

    run(test)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("nth", [2, 3], ids=["stop", "start again"])
def test_esl_lost_while_the_stream_is_started_once_more(
    stt: WhisperStreamingSTT, tmp_path: Path, nth: int, point: str
) -> None:
    """The event socket is lost while a refused audio stream is started anew.

    Sees: the call goes on, or ends as a StreamError in its report.
    Kept: the number is dialled once; the channel does not stay up.
    Normal: when the connection is back.
    """
    faults = Faults(refuse_stream=1, **{POINTS[point]: ("api uuid_audio_stream", nth)})  # type: ignore[arg-type]

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS, faults=faults) as rig:
            report = await rig.call()
            await until(lambda: not rig.simulator.channels())
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert report.stream_restarts == 1
        assert report.label == "HUMAN" or any("Error" in error for error in report.errors)

    run(test)


@pytest.mark.parametrize("point", POINTS)
def test_esl_lost_again_while_freeswitch_is_asked(stt: WhisperStreamingSTT, tmp_path: Path, point: str) -> None:
    """The event socket is lost in a call, and again at the question what was missed.

    Sees: the call goes on.
    Kept: all of it; the question is asked anew.
    Normal: when the connection is back.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS) as rig:
            call = asyncio.create_task(rig.call())
            await in_state(rig, "PLAYING")
            rig.simulator.faults = Faults(**{POINTS[point]: ("api uuid_dump", 1)})  # type: ignore[arg-type]
            await rig.simulator.drop_connections()
            report = await call
            assert rig.parts.esl.reconnects >= 1
            assert rig.truth(report).prompts[0].status in ("break", "done")
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert (report.disposition, report.hung_up_by) == ("ANSWERED", "robot")

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
def test_esl_lost_while_it_rings_never_dials_twice(stt: WhisperStreamingSTT, tmp_path: Path, faults: Faults) -> None:
    """The event socket is lost while the telephone rings.

    Sees: the call goes on where it could be asked for; else UNKNOWN, never retried.
    Kept: the number is dialled at most once.
    Normal: when the connection is back.
    """

    async def test() -> None:
        callee = Callee(ring_ms=1500, progress="ringing", rules=(says("je_vous_ecoute"),))
        async with faulty(stt, tmp_path, callee=callee, faults=faults) as rig:
            report = await rig.call()
            await until(lambda: not rig.simulator.channels())
            assert rig.simulator.dialled in ([], [NUMBER])
        if rig.simulator.dialled:
            assert report.disposition in ("ANSWERED", "UNKNOWN")
        assert report.retry == "NEVER" or report.disposition == "OURS"

    run(test)


def test_esl_lost_in_mid_call_and_back_the_call_goes_on(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The event socket is lost while a prompt plays.

    Sees: nothing.
    Kept: the whole call.
    Normal: when the connection is back (first try after 0.2 s).
    """

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
    """A prompt ends while the event socket is away.

    Sees: an answer that is listened for a little later.
    Kept: the call: FreeSWITCH is asked what was missed.
    Normal: when the connection is back.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS)) as rig:
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


def test_freeswitch_gone_for_good_the_call_ends_by_name(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """FreeSWITCH does not come back.

    Sees: "the hang-up was not confirmed" in the report.
    Kept: the channel is kept in mind, and hung up should it be heard of.
    Normal: never, for that call.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(), call={"reconnect_wait_s": 0.5}, speed=6) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            await rig.simulator.stop()
            report = await task
            assert report.call_id in rig.parts.robot.orphans
        assert any("not confirmed" in e for e in report.errors)

    run(test)


def test_without_freeswitch_nothing_is_dialled(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """There is no FreeSWITCH when a number is to be dialled.

    Sees: OURS, to be retried soon, after call.reconnect_wait_s.
    Kept: the number is free: nobody was called.
    Normal: when FreeSWITCH is there.
    """

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
