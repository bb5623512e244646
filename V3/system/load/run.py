"""A whole load: the recogniser, the robot and whom it calls, step after step, and the report.

Against the embedded simulator (in a process of its own) or a FreeSWITCH whose loopback callees are those of
config/freeswitch/dialplan_voicebot.xml. No journal: numbers never repeat within a load, and nobody is behind them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from V3 import __version__
from V3.clock import Clock
from V3.config import RobotConfig
from V3.events import Event
from V3.load.figures import LoadReport, Machine, Sample, Step
from V3.load.knee import LIMITS, knee_of
from V3.load.lag import PartialLag
from V3.load.record import CallRecord, RefusedCall
from V3.simulator.cast import canary_numbers, load_numbers
from V3.system.assembly import Assembly, assembled, load_stt
from V3.system.load.crowd_process import SimulatorProcess
from V3.system.load.gauges import Gauges, ProcessGauge, memory_gb
from V3.system.load.step import Load, LoadStep, Plan
from V3.system.machine import cpu_name
from V3.system.scenario_files import load_scenario
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.system.started import keep_started

__all__ = ["Watcher", "run_load"]

SCENARIO: Final = "rendez_vous.yaml"  # what the callees answer to
REST_S: Final = 1.0  # between two steps


@dataclass(slots=True)
class Watcher:
    """Who is told while it runs."""

    on_step: Callable[[Plan], None] = lambda _plan: None
    on_sample: Callable[[Sample], None] = lambda _sample: None
    on_ended: Callable[[CallRecord], None] = lambda _record: None
    on_refused: Callable[[RefusedCall], None] = lambda _refused: None


@dataclass(slots=True)
class _Found:
    steps: list[Step] = field(default_factory=list)
    stopped: bool = False


async def run_load(
    config: RobotConfig,
    plans: Sequence[Plan],
    *,
    real: bool = False,
    reports: Path | None = None,
    limits: dict[str, float] | None = None,
    watcher: Watcher | None = None,
) -> LoadReport:
    """Run every step and report. ``real``: call the FreeSWITCH that ``config`` names, not the simulator.

    ``reports``: a folder for the calls' own reports, which are thrown away otherwise. Cancelled, it hangs up all
    calls and reports what ended. Raises ModelError, ConfigError, SimulatorError, EslError and OSError.
    """
    limits, load_before = limits or dict(LIMITS), os.getloadavg()[0]
    stt = await asyncio.to_thread(load_stt, config)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(stt.close)
        machine = _machine(stt, load_before)
        simulator = None if real else await stack.enter_async_context(SimulatorProcess())
        folder = str(reports) if reports else stack.enter_context(tempfile.TemporaryDirectory(prefix="voicebot-load-"))
        own = _settings(config, simulator, folder)
        parts = await stack.enter_async_context(
            assembled(own, stt=stt, scenario=load_scenario(SCENARIO), clock=Clock())
        )
        keep_started()
        found = await _steps(own, parts, plans, simulator, watcher or Watcher())
    return LoadReport(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        against="freeswitch" if real else "simulator",
        machine=machine,
        limits=limits,
        steps=tuple(found.steps),
        knee=knee_of(found.steps, limits),
        stopped=found.stopped,
    )


def _settings(config: RobotConfig, simulator: SimulatorProcess | None, folder: str) -> RobotConfig:
    """Any free port for the audio: a robot may be at work on the usual one."""
    own = config.replacing(server={"port": 0, "elsewhere": ""}, call={"reports_dir": folder})
    if simulator is None:
        return own
    return own.replacing(
        freeswitch={"host": "127.0.0.1", "port": simulator.port, "password": "ClueCon", "prompts_dir": ""}
        | {"dial_string": "sofia/gateway/simulated/{number}"},
        server={"host": "127.0.0.1", "public_url": ""},
    )


async def _steps(
    config: RobotConfig, parts: Assembly, plans: Sequence[Plan], simulator: SimulatorProcess | None, watcher: Watcher
) -> _Found:
    assert parts.server is not None
    loop, lag, stt = asyncio.get_running_loop(), PartialLag(), parts.server.stt

    def hear(event: Event) -> None:
        lag.take(event, now_ms=loop.time() * 1000)

    parts.server.on_event.append(hear)
    load = Load(
        parts.robot,
        lag,
        load_numbers(),
        canary_numbers(),
        heard=simulator.heard if simulator is not None else None,
        leaves_messages=config.answer.on_machine == "leave_message",
        on_ended=watcher.on_ended,
        on_refused=watcher.on_refused,
    )
    found = _Found()
    for plan in plans:
        watcher.on_step(plan)
        gauges = Gauges(
            robot=ProcessGauge(),
            simulator=ProcessGauge(simulator.pid) if simulator is not None else None,
            in_progress=lambda: parts.robot.calls_in_progress,
            stats=stt.stats,
            on_sample=watcher.on_sample,
        )
        step = LoadStep(load, plan, gauges)
        found.steps.append(await step.run())
        if step.stopped:
            found.stopped = True
            break
        await asyncio.sleep(REST_S if plan is not plans[-1] else 0)
    return found


def _machine(stt: WhisperStreamingSTT, load_before: float) -> Machine:
    info = stt.info
    return Machine(
        cpu=cpu_name(),
        cores=os.cpu_count() or 1,
        memory_gb=memory_gb(),
        load_before=round(load_before, 2),
        python=platform.python_version(),
        model=info.name,
        device=info.device,
        compute_type=info.compute_type,
        workers=info.workers,
        capacity=stt.capacity,
    )
