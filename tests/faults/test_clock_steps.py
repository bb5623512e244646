"""Wall clocks that step, ours and FreeSWITCH's: no decision looks at them."""

from __future__ import annotations

import ast
import asyncio
import time
from pathlib import Path

import pytest
from fault_rig import INTERRUPTS, assert_settled, faulty, in_state, works_again
from robot_rig import run

import V3
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

DAY_S = 86_400
WALL_CLOCKS = {"time", "time_ns", "now", "utcnow", "today", "localtime", "gmtime", "ctime", "strftime"}
MAY_TELL_THE_TIME = {  # a date in a file, or one that somebody said; never how long something takes
    "bench_commands.py": "the date on the page",
    "simulator/clock.py": "the dates in FreeSWITCH's events",
    "system/active_call.py": "when a call began, for its report",
    "system/call_book.py": "the same, of a call whose robot died",
    "system/conversation.py": "what day 'tomorrow' is",
    "system/journal.py": "when a line was written",
    "system/retention.py": "how old files are",
    "system/load/run.py": "when a load was measured",
    "system/services/client_session.py": "dates for clients, read once",
}


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S], ids=["forward", "back"])
def test_a_clock_step_in_mid_call(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    """The wall clocks of both machines jump by a day, in mid-call.

    Sees: dates in files jump; durations, verdicts and time-outs do not.
    Kept: all.
    Normal: throughout.
    """
    real_s, real_ns = time.time, time.time_ns

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS) as rig:
            call = asyncio.create_task(rig.call())
            for state in ("DETECTING", "PLAYING", "BARGE-IN"):
                await in_state(rig, state)
                monkeypatch.setattr(time, "time", lambda: real_s() + step_s)
                monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(step_s * 1e9))
                rig.simulator.clock._wall_start_us += int(step_s * 1e6)
            report = await call
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert (report.label, report.hung_up_by, report.errors) == ("HUMAN", "robot", [])
        moments = [report.moments[name] for name in ("first_frame", "verdict", "hangup")]
        assert moments == sorted(moments)
        assert 0 < report.duration_ms < 60_000

    run(test)


def test_no_decision_looks_at_a_wall_clock() -> None:
    """Any use of the wall clock in the program that is not listed above.

    Sees: nothing.
    Kept: durations and time-outs are counted by the monotonic clock.
    Normal: throughout.
    """
    root = Path(V3.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WALL_CLOCKS
        if isinstance(node.func.value, ast.Name) and node.func.value.id in ("time", "datetime", "date")
    }
    assert found - MAY_TELL_THE_TIME.keys() == set()
