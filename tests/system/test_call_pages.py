"""The page of calls beside a robot that calls: what the robot does is seen there, a number never whole."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from robot_rig import NUMBER, person, rigged, run, says
from websockets.asyncio.client import connect

from V3.config import RobotConfig
from V3.errors import ConfigError
from V3.simulator import Trigger, When
from V3.system.assembly import Assembly
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.system.serving import watched


def test_a_call_of_ours_is_seen_ringing_playing_interrupted_and_ended(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callee = person(
            says("de_la_part_de_qui", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=2500), after_ms=0),
            says("ca_ne_m_interesse_pas", when=When(Trigger.PROMPT_ENDED)),
        )
        async with rigged(stt, tmp_path, callee, clients={"port": 0}, speed=10) as rig:
            async with watched(rig.parts, rig.config) as clients:
                rig.listeners.append(clients.monitor.tell)
                async with connect(f"ws://127.0.0.1:{clients.port}/ws/calls") as page:
                    assert json.loads(await page.recv())["calls"] == []
                    report, seen = await asyncio.gather(rig.call(), _until_ended(page))
            assert clients.monitor.pages == 0
        assert report.outcome == "declined"
        states = [call["state"] for call in seen]
        for state in ("ringing", "detecting", "playing", "listening", "ended"):
            assert state in states, states
        last = seen[-1]
        assert last["number_masked"] == "01 99 ** ** 99"
        assert last["verdict"]["label"] == "HUMAN"
        assert [each["reason"] for each in last["barge_ins"]] == [each.reason for each in report.barge_ins]
        assert NUMBER not in json.dumps(seen)

    run(test)


async def _until_ended(page: Any) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    async with asyncio.timeout(40):
        while not seen or seen[-1]["state"] != "ended":
            message = json.loads(await page.recv())
            if message["type"] == "call":
                seen.append(message["call"])
    return seen


def test_without_a_recogniser_here_there_are_no_pages() -> None:
    async def test() -> None:
        elsewhere = Assembly(robot=None, esl=None, server=None, metrics=None, drain_s=0)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="elsewhere"):
            async with watched(elsewhere, RobotConfig()):
                pass

    run(test)
