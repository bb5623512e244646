"""A call's audio stream refused, late, dead, back again, in half frames, and not to be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fault_rig import INTERRUPTS, assert_settled, faulty, in_state, works_again
from robot_rig import person, rigged, run, says, until

from V3.simulator import Faults, Trigger, When
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ACCEPTS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=600)


def test_a_refused_stream_is_started_once_more(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The audio stream is refused once.

    Sees: the call goes on; the report has one restart.
    Kept: the call.
    Normal: with the second start.
    """

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
    """The audio stream is refused again, or its handshake takes over a second.

    Sees: a StreamError in the report; the robot hangs up without a word.
    Kept: the number's outcome; it is not dialled again.
    Normal: with the next call.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(), faults=faults) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert any(e.startswith("StreamError") for e in report.errors)
        assert (report.hung_up_by, report.verdict, truth.prompts) == ("robot", None, [])

    run(test)


def test_a_stream_that_dies_is_started_once_more_and_then_given_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The audio stream dies 3.5 s after each start.

    Sees: after one restart a StreamError; the robot hangs up.
    Kept: the verdict, and what was said.
    Normal: with the next call.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(), faults=Faults(stream_dies_after_ms=3500)) as rig:
            report = await rig.call()
        assert report.stream_restarts == 1
        assert report.label == "HUMAN"
        assert report.errors[-1].startswith("StreamError: the audio stream was lost again")
        assert report.hung_up_by == "robot"

    run(test)


def test_a_second_stream_of_a_call_needs_no_second_verdict(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The stream dies at 3.5 s, after the verdict; the interruption at 4.5 s is heard in words all the same."""

    async def test() -> None:
        callee = person(
            says("de_la_part_de_qui", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=2200), after_ms=0)
        )
        faults = Faults(stream_dies_after_ms=3500)
        async with rigged(stt, tmp_path, callee, faults=faults, speed=6) as rig:
            task = asyncio.create_task(rig.call())
            await until(lambda: any(u.state == "PLAYING" for u in rig.updates))
            rig.simulator.faults = Faults()  # the next stream lives
            report = await task
        assert report.stream_restarts == 1
        entry = report.barge_ins[0]
        assert (entry.verdict or entry.reason).endswith("words that are no backchannel")

    run(test)


def test_a_slow_handshake_that_succeeds_loses_nothing(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The WebSocket handshake takes 0.9 s: all audio of that time comes in one burst.

    Sees: nothing; the verdict is as late as its audio.
    Kept: every frame.
    Normal: at once.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS), faults=Faults(slow_handshake_ms=900), speed=4) as rig:
            report = await rig.call()
        assert (report.label, report.outcome, report.errors) == ("HUMAN", "accepted", [])
        assert report.transcript[0].text == "Je vous écoute."

    run(test)


def test_a_stream_that_dies_and_comes_back_in_mid_prompt(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """TCP of the audio stream is lost while a prompt plays.

    Sees: the call goes on; the report has one restart.
    Kept: the verdict, and the prompt's place; what was said meanwhile is not heard.
    Normal: when the stream has been started again, well within a second.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS) as rig:
            call = asyncio.create_task(rig.call())
            await in_state(rig, "PLAYING")
            assert rig.simulator.cut_streams() == 1
            report = await call
            truth = rig.truth(report)
        assert_settled(rig, tmp_path)
        assert report.stream_restarts == 1
        assert (report.label, report.hung_up_by) == ("HUMAN", "robot")
        assert truth.prompts[0].status in ("break", "done")

    run(test)


@pytest.mark.parametrize("split_bytes", [320, 322], ids=["half", "uneven"])
def test_half_frames_are_heard_as_whole_ones(stt: WhisperStreamingSTT, tmp_path: Path, split_bytes: int) -> None:
    """Each frame of 20 ms comes as two messages.

    Sees: nothing.
    Kept: every sample.
    Normal: throughout.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS), faults=Faults(split_bytes=split_bytes), speed=4) as rig:
            report = await rig.call()
        assert (report.label, report.outcome, report.errors) == ("HUMAN", "accepted", [])
        assert report.transcript[0].text == "Je vous écoute."

    run(test)


def test_half_samples_end_the_call_by_name(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """Messages cut within a sample: what follows would be noise.

    Sees: WireError and StreamError in the report, after one restart of the stream.
    Kept: the number's outcome; the call is hung up, and others go on.
    Normal: with the next call.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, faults=Faults(split_bytes=321)) as rig:
            report = await rig.call()
            rig.simulator.faults = Faults()
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert report.errors[-1].startswith("StreamError"), report.errors
        assert (report.hung_up_by, report.prompts) == ("robot", [])

    run(test)
