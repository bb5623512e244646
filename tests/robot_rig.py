"""The whole robot against the simulator, for tests: real sockets, real recogniser, faster than real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patient_loop import run_patiently

from V3.calls.report import CallReport, CallUpdate
from V3.clock import Clock
from V3.config import RobotConfig
from V3.demo import demo_config
from V3.simulator import Callee, CallTruth, Faults, FreeSwitchSimulator, HangUp, Rule, Say, Trigger, When
from V3.system.assembly import Assembly, assembled
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["CLOCKED", "SOUNDS", "Rig", "answering", "person", "rigged", "says", "until"]

SOUNDS = Path(__file__).resolve().parents[1] / "V3" / "simulator" / "sounds"
NUMBER = "0199001299"
SPEED = 12.0  # the loop is patient: a slow machine only takes longer
CLOCKED = 4.0  # where the clocks of both are compared, or something between them breaks: there a thread needs its turn


@dataclass(slots=True)
class Rig:
    """A simulator and a robot on it."""

    simulator: FreeSwitchSimulator
    parts: Assembly
    config: RobotConfig
    updates: list[CallUpdate]
    listeners: list[Callable[[CallUpdate], None]]

    async def call(self, number: str = NUMBER) -> CallReport:
        return await self.parts.robot.call(number)

    def truth(self, report: CallReport) -> CallTruth:
        return self.simulator.truth(report.call_id)


@contextlib.asynccontextmanager
async def rigged(
    stt: WhisperStreamingSTT,
    folder: Path,
    callees: Mapping[str, Callee] | Callable[[str], Callee | None] | Callee,
    *,
    speed: float = SPEED,
    faults: Faults | None = None,
    journal: Path | None = None,
    **sections: Mapping[str, Any],
) -> AsyncIterator[Rig]:
    """Start both; at the end nothing is left up, and the simulator had no error of its own."""
    found = {NUMBER: callees} if isinstance(callees, Callee) else callees
    updates: list[CallUpdate] = []
    listeners: list[Callable[[CallUpdate], None]] = [updates.append]

    def tell(update: CallUpdate) -> None:
        for listener in listeners:
            listener(update)

    async with FreeSwitchSimulator(found, speed=speed, faults=faults, seed=7) as simulator:
        settings = {**sections, "answer": {"on_machine": "hang_up", **sections.get("answer", {})}}
        config = demo_config(port=simulator.port, reports_dir=str(folder)).replacing(**settings)
        async with assembled(config, stt=stt, journal=journal, clock=Clock(speed), on_update=tell) as parts:
            yield Rig(simulator, parts, config, updates, listeners)
        await until(lambda: not simulator.channels())
        assert not simulator.failures


async def until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Wait for something that must come; a TimeoutError says that it did not."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)  # 12 ms of calls


def says(name: str, *, after_ms: float = 500, when: When | None = None) -> Rule:
    """A rule: say a bundled sound."""
    return Rule(when or When(Trigger.ANSWERED), (Say(SOUNDS / f"{name}.wav"),), after_ms=after_ms)


def answering(*rules: Rule, **settings: Any) -> Callee:
    return Callee(rules=rules, ring_ms=100, **settings)


def person(*rules: Rule, **settings: Any) -> Callee:
    """Somebody who answers with "Je vous écoute."."""
    return answering(says("je_vous_ecoute"), *rules, **settings)


def hangs_up(when: When, *, after_ms: float = 0) -> Rule:
    return Rule(when, (HangUp(),), after_ms=after_ms)


def run(test: Callable[[], Awaitable[None]], *, timeout_s: float = 50.0) -> None:
    """Run a test's coroutine and see that it left no task behind."""

    async def guarded() -> None:
        async with asyncio.timeout(timeout_s):
            await test()
        left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        assert not left, left

    run_patiently(guarded())
