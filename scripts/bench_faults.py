"""How long after a fault calls are as they were: each fault once, with short calls begun all the time.

    python scripts/bench_faults.py [--only "ESL cut"]

A short call every quarter of a second, to somebody who greets: right is one that is answered, heard in words and
HUMAN. Told is when the first call began that was right with all that came after it, counted from the fault's
beginning: "at once" where no call noticed. Calls that were in progress are counted as lost where they ended otherwise.
Everything runs in real time with the shipped model. Exit status 1 when a fault was felt for longer than --limit.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from scripts.soak.callees import probe
from scripts.soak.faults import FAULTS, BreakableRecognizer, Scene
from V3.asr.model import Recognizer
from V3.demo import demo_config
from V3.errors import VoicebotError
from V3.simulator import FreeSwitchSimulator
from V3.system.assembly import assembled
from V3.system.robot_freeswitch_v3 import RobotFreeSwitchV3
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

EVERY_S: Final = 0.25
BEFORE_S, AFTER_S = 3.0, 8.0


@dataclass(frozen=True, slots=True)
class Felt:
    """One fault: for how long calls felt it, how many were begun before and after it, and how many went wrong."""

    fault: str
    seconds: float
    before: int
    before_wrong: int
    after: int
    after_wrong: int


async def measure(fault: str, stt: WhisperStreamingSTT, recognizer: BreakableRecognizer, folder: Path) -> Felt:
    """Break one thing amid short calls."""
    async with FreeSwitchSimulator(lambda _number: probe()) as simulator:
        settings = demo_config(port=simulator.port, reports_dir=str(folder))
        async with assembled(settings, stt=stt) as parts, asyncio.TaskGroup() as group:
            calls: list[tuple[float, asyncio.Task[bool]]] = []
            numbers = (f"019900{n:04}" for n in itertools.count())
            began_s = time.monotonic()
            broken_s = 0.0
            while (now_s := time.monotonic() - began_s) < BEFORE_S + AFTER_S:
                if not broken_s and now_s >= BEFORE_S:
                    broken_s = now_s
                    group.create_task(FAULTS[fault](Scene(simulator, recognizer)))
                calls.append((now_s, group.create_task(_right(parts.robot, next(numbers)))))
                await asyncio.sleep(EVERY_S)
            right = [(at_s, await call) for at_s, call in calls]
    wrong_s = [at_s for at_s, good in right if not good]
    last_wrong_s = max((at_s for at_s in wrong_s if at_s >= broken_s), default=None)
    recovered_s = next((at_s for at_s, _ in right if last_wrong_s is not None and at_s > last_wrong_s), broken_s)
    return Felt(
        fault,
        recovered_s - broken_s,
        sum(at_s < broken_s for at_s, _ in right),
        sum(at_s < broken_s for at_s in wrong_s),
        sum(at_s >= broken_s for at_s, _ in right),
        sum(at_s >= broken_s for at_s in wrong_s),
    )


async def _right(robot: RobotFreeSwitchV3, number: str) -> bool:
    try:
        report = await robot.call(number)
    except VoicebotError:
        return False
    verdict = report.verdict
    return report.label == "HUMAN" and verdict is not None and bool(verdict.text) and bool(report.prompts)


def main() -> int:
    asked = _parser().parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    recognizer = BreakableRecognizer(Recognizer.load())
    table = Table(title="after a fault", title_style="bold")
    for heading in ("fault", "felt for", "calls under way that it changed", "calls begun after it that it changed"):
        table.add_column(heading, justify="left" if heading == "fault" else "right")
    found: list[Felt] = []
    with WhisperStreamingSTT(recognizer=recognizer) as stt, tempfile.TemporaryDirectory() as folder:  # type: ignore[arg-type]
        for fault in asked.only or FAULTS:
            felt = asyncio.run(measure(fault, stt, recognizer, Path(folder)))
            found.append(felt)
            seconds = f"{felt.seconds:.1f} s" if felt.after_wrong else "at once"
            console.print(f"{fault}: {seconds}", style="red" if felt.seconds > asked.limit else None)
            table.add_row(
                fault, seconds, f"{felt.before_wrong} of {felt.before}", f"{felt.after_wrong} of {felt.after}"
            )
    console.print(table)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(felt) for felt in found], indent=1) + "\n", encoding="utf-8")
    return 1 if any(felt.seconds > asked.limit for felt in found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", action="append", choices=list(FAULTS), help="this fault; may be given more than once")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds that a fault may be felt (default: 5)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
