"""Dialogues run: the real robot, recogniser and audio server against the simulator, in real time.

One event loop holds both sides, so that what the robot reports and what the simulator saw can be put on one clock.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.barge.dialogues import Dialogue, scenario
from V3.calls.report import CallReport, CallUpdate
from V3.clock import Clock
from V3.config import RobotConfig, load_robot
from V3.simulator import CallTruth, FreeSwitchSimulator
from V3.system.assembly import assembled
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["Held", "hold", "robot_config"]


@dataclass(frozen=True, slots=True)
class Held:
    """A dialogue that was held. A moment of the report lies ``shift_ms`` later on the truth's clock."""

    dialogue: Dialogue
    report: dict[str, Any]
    truth: CallTruth
    shift_ms: float


def robot_config(path: Path | None, *, model: str) -> RobotConfig:
    """The robot's settings, by default or of a file; a model that is not empty takes the place of theirs."""
    settings = load_robot(path) if path else RobotConfig()
    return settings.replacing(stt={"model": model}) if model else settings


async def hold(
    dialogues: Sequence[Dialogue],
    stt: WhisperStreamingSTT,
    config: RobotConfig,
    *,
    at_once: int,
    seed: int,
    on_held: Callable[[Held], None],
    speed: float = 1.0,
) -> None:
    """Call every callee, ``at_once`` at a time; each dialogue goes to ``on_held`` when it is over.

    Figures are those of speed 1: a faster simulation does not make the recogniser faster.
    """
    by_number = {dialogue.number: dialogue for dialogue in dialogues}
    callees = {number: dialogue.callee() for number, dialogue in by_number.items()}
    answers_ms: dict[str, float] = {}  # the robot's moment 0 of each call, on the simulator's clock
    with tempfile.TemporaryDirectory(prefix="barge-in-") as folder:
        async with FreeSwitchSimulator(callees, speed=speed, seed=seed) as simulator:

            def updated(update: CallUpdate) -> None:
                if update.state == "ANSWERED":
                    answers_ms.setdefault(update.call_id, simulator.clock.now_ms() - update.at_ms)

            def ended(report: CallReport) -> None:
                truth = simulator.truth(report.call_id)
                shift_ms = answers_ms.get(report.call_id, 0.0) - (truth.answered_at_ms or 0.0)
                on_held(Held(by_number[report.number], report.model_dump(mode="json"), truth, shift_ms))

            own = config.replacing(
                freeswitch={"host": "127.0.0.1", "port": simulator.port, "password": "ClueCon", "prompts_dir": ""}
                | {"dial_string": "sofia/gateway/simulated/{number}"},
                server={"host": "127.0.0.1", "port": 0, "public_url": "", "elsewhere": ""},
                call={"reports_dir": folder},
            )
            async with assembled(own, stt=stt, scenario=scenario(), clock=Clock(speed), on_update=updated) as parts:
                await parts.call_all(by_number, at_once=at_once, on_end=ended)
