"""What the robot does when something breaks: each fault by name, on the simulator. The call always ends, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from robot_rig import NUMBER, answering, person, rigged, run, says, until

from V3.clock import Clock
from V3.config import ServerSettings
from V3.errors import CommandError, EslCommandFailed, StreamError
from V3.simulator import Callee, Faults, FreeSwitchSimulator, Trigger, When
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.commands import kill
from V3.telephony.esl import EslClient, EslSettings
from V3.telephony.line import MAX_BREAKS, Line

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
