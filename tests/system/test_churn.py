"""Two hundred calls in a row, ten at a time, with hang-ups and lost connections: nothing left over, nobody twice."""

from __future__ import annotations

import gc
import json
import random
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from robot_rig import answering, hangs_up, person, rigged, run, says, until

from V3.calls.report import CallReport
from V3.simulator import Callee, Faults, Trigger, When
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

CALLS, AT_ONCE, SPEED = 200, 10, 15.0
DROP_RATE = 0.01  # per command; a call has about a dozen


def callee_of(number: str) -> Callee:
    """Each number has its own fate, the same on every run."""
    rng = random.Random(number)
    kind = rng.choice(["busy", "reject", "silent", "voicemail", "detecting", "playing", "interrupts", "early"])
    if kind in ("busy", "reject"):
        return Callee(outcome=kind, ring_ms=rng.uniform(0, 800))
    if kind == "silent":
        return answering()
    if kind == "voicemail":
        return answering(says("messagerie", after_ms=rng.uniform(100, 400)))
    leaves_ms = rng.uniform(0, 2500)
    if kind in ("detecting", "early"):
        return person(hangs_up(When(Trigger.ANSWERED), after_ms=leaves_ms if kind == "detecting" else 0))
    mid_prompt = When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=leaves_ms)
    if kind == "playing":
        return person(hangs_up(mid_prompt))
    return person(says("de_la_part_de_qui", when=mid_prompt, after_ms=0), hangs_up(mid_prompt, after_ms=3000))


@pytest.mark.timeout(180)
def test_200_calls_leave_nothing_behind(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    process = psutil.Process()
    numbers = [f"01990{n:05d}" for n in range(CALLS)]
    reports: list[CallReport] = []
    book = tmp_path / "journal.jsonl"

    async def churn(count: int) -> None:
        faults = Faults(random_drop_rate=DROP_RATE)
        async with rigged(stt, tmp_path / "reports", callee_of, speed=SPEED, faults=faults, journal=book) as rig:
            await rig.parts.call_all(numbers[:count], at_once=AT_ONCE, on_end=reports.append)
            await until(lambda: not rig.simulator.channels())
            twice = [number for number, times in Counter(rig.simulator.dialled).items() if times > 1]
            assert twice == []
            dialled.update(rig.simulator.dialled)
            assert rig.parts.robot.calls_in_progress == 0
            assert rig.parts.server is not None
            assert rig.parts.server.streams == 0
            reconnects.append(rig.parts.esl.reconnects)

    async def warm_up() -> None:  # what a process opens once stays open
        async with rigged(stt, tmp_path / "warm", person(hangs_up(When(Trigger.PROMPT_STARTED))), speed=SPEED) as rig:
            await rig.call()

    dialled: set[str] = set()
    reconnects: list[int] = []
    run(warm_up)
    gc.collect()
    threads, files = threading.active_count(), process.num_fds()
    run(lambda: churn(CALLS), timeout_s=170)
    gc.collect()
    assert threading.active_count() <= threads
    assert process.num_fds() <= files
    assert sorted(r.number for r in reports) == numbers
    written = {json.loads(p.read_text())["call_id"] for p in (tmp_path / "reports").glob("*.json")}
    assert written == {r.call_id for r in reports}
    assert reconnects[0] > 0, "no connection was lost: the test did not test"
    with Journal(book) as journal:
        assert journal.interrupted == {}
        assert dialled <= {number for number in numbers if journal.dialled(number)}
    assert dialled >= {r.number for r in reports if r.disposition not in ("OURS", "UNKNOWN")}
