"""A robot whose audio server is elsewhere dials no more than that can hear, and slows down where it is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from robot_rig import Rig, hangs_up, person, rigged, run, until

from V3.calls.report import CallReport
from V3.config import ServerSettings
from V3.errors import CapacityReached
from V3.simulator import Trigger, When
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

NUMBERS = [f"019900123{n}" for n in range(6)]
CALLEE = person(hangs_up(When(Trigger.PROMPT_STARTED), after_ms=1000))


@contextlib.asynccontextmanager
async def far_away(stt: WhisperStreamingSTT, folder: Path) -> AsyncIterator[tuple[Rig, WebSocketAudioServer]]:
    """A robot, and the audio server that is not in its process as far as it knows."""
    settings = ServerSettings(port=0, send_events=True)
    elsewhere = WebSocketAudioServer(stt, amd=AMDService(), settings=settings, accept_any=True, speed=8.0)
    async with elsewhere:
        where = {"elsewhere": f"ws://127.0.0.1:{elsewhere.port}"}
        async with rigged(stt, folder, dict.fromkeys(NUMBERS, CALLEE), server=where) as rig:
            yield rig, elsewhere


def test_dialling_follows_the_capacity_that_a_server_elsewhere_tells(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WhisperStreamingSTT, "capacity", 3)

    async def test() -> None:
        most = 0
        reports: list[CallReport] = []
        async with far_away(stt, tmp_path) as (rig, elsewhere):

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, rig.parts.robot.calls_in_progress)
                    await asyncio.sleep(0.005)

            watching = asyncio.create_task(watch())
            await rig.parts.call_all(NUMBERS, at_once=6, on_end=reports.append)
            watching.cancel()
            assert sorted(rig.simulator.dialled) == NUMBERS
            assert elsewhere.refused == 0
        assert most == 3
        assert [report.label for report in reports] == ["HUMAN"] * 6
        assert [report.errors for report in reports] == [[]] * 6

    run(test)


def test_a_stream_that_is_refused_stops_the_dialling_until_there_is_room(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WhisperStreamingSTT, "capacity", 1)

    async def test() -> None:
        reports: list[CallReport] = []
        async with far_away(stt, tmp_path) as (rig, elsewhere):
            elsewhere.expect("of-another-robot", lambda _event: None)
            calling = asyncio.create_task(rig.parts.call_all(NUMBERS[:2], at_once=1, on_end=reports.append))
            await until(lambda: len(reports) == 1)
            assert rig.parts.robot.places.room == 0
            assert rig.simulator.dialled == NUMBERS[:1]
            with pytest.raises(CapacityReached, match="takes no calls now"):
                await rig.call(NUMBERS[2])
            elsewhere.forget("of-another-robot")
            await calling
            assert elsewhere.refusals == {"capacity": 2}  # the call's own second attempt too
            assert rig.simulator.dialled == NUMBERS[:2]
        assert "StreamError" in reports[0].errors[-1]
        assert (reports[1].label, reports[1].errors) == ("HUMAN", [])

    run(test)
