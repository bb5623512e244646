"""The simulator in a process of its own: it comes up, tells of calls, and goes when it is let go."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
import pytest
from robot_rig import run

from V3.clock import Clock
from V3.demo import demo_config
from V3.errors import SimulatorError
from V3.system.assembly import assembled
from V3.system.load.crowd_process import SimulatorProcess
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


def test_it_tells_what_it_saw_of_a_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with SimulatorProcess(speed=8) as simulator:
            process = psutil.Process(simulator.pid)
            config = demo_config(port=simulator.port, reports_dir=str(tmp_path))
            async with assembled(config, stt=stt, clock=Clock(8)) as parts:
                report = await parts.robot.call("0199000009")
            heard = await simulator.heard(report.call_id, 5)
            assert heard is not None
            assert len(heard.speech) >= 1
            assert await simulator.heard("no such call", 0.01) is None
        assert not process.is_running()

    run(test)


def test_it_never_outlives_who_started_it() -> None:
    """Its standard input is all that holds it."""

    async def test() -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "V3.system.load.crowd_process", "1"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b'{"port": ')
        process.stdin.close()
        assert await process.wait() == 0
        process._transport.close()  # type: ignore[attr-defined]

    run(test)


def test_one_that_does_not_come_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        with pytest.raises(SimulatorError, match="did not come up"):
            async with SimulatorProcess(speed=-1):
                pass

    run(test)
