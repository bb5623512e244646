"""A step of a load on the real robot, against the simulator and faster than real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from robot_rig import Rig, rigged, run, until

from V3.load.figures import Step
from V3.load.lag import PartialLag
from V3.simulator import Callee
from V3.simulator.cast import crowd
from V3.system.load.crowd_process import heard_of
from V3.system.load.gauges import Gauges, ProcessGauge
from V3.system.load.step import Load, LoadStep, Plan
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


@dataclass(slots=True)
class Loaded:
    rig: Rig
    step: LoadStep


@contextlib.asynccontextmanager
async def loaded(
    stt: WhisperStreamingSTT, folder: Path, plan: Plan, numbers: list[str], *, callees: object = crowd
) -> AsyncIterator[Loaded]:
    async with rigged(stt, folder, callees) as rig:  # type: ignore[arg-type]
        lag, loop = PartialLag(), asyncio.get_running_loop()
        assert rig.parts.server is not None
        rig.parts.server.on_event.append(lambda event: lag.take(event, now_ms=loop.time() * 1000))

        async def heard(call_id: str, timeout_s: float) -> object:
            await until(lambda: rig.simulator.truth(call_id).ended, timeout_s=timeout_s)
            return heard_of(rig.simulator.truth(call_id))

        load = Load(
            rig.parts.robot, lag, endless(numbers), iter(()), heard=heard, leaves_messages=False  # type: ignore[arg-type]
        )  # fmt: skip
        gauges = Gauges(ProcessGauge(), None, lambda: rig.parts.robot.calls_in_progress, stt.stats)
        load.canaries = endless(["0199000000"])
        yield Loaded(rig, LoadStep(load, plan, gauges))


def endless(numbers: list[str]) -> Iterator[str]:
    yield from numbers
    n = 10
    while True:
        yield f"01990{n:04d}{numbers[-1][-1]}"
        n += 1


def test_every_call_ends_and_is_judged_and_the_canary_is_counted_apart(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    async def test() -> None:
        numbers = ["0199000001", "0199000009", "0199000004", "0199000006"]
        async with loaded(stt, tmp_path, Plan(4, 40, 0.2), numbers) as it:
            step = await it.step.run()
            assert not it.rig.simulator.channels()
            assert len(it.rig.simulator.dialled) == len(set(it.rig.simulator.dialled)) == 4 + step.figures.calls - 3
        assert step.figures.verdicts.keys() >= {"HUMAN", "MACHINE", "none"}
        assert step.figures.dispositions["BUSY"] >= 1
        assert step.most_at_once >= 2
        assert step.canary.calls == 1
        refuses = next(record for record in step.records if record.who == "refuses")
        assert refuses.verdict_ms is not None
        assert 0 < refuses.began_s < refuses.ended_s <= step.took_s + 0.1
        assert step.loop_lag_ms.count > 0
        assert step.robot.mb_most > 0

    run(test)


def test_a_call_that_is_refused_is_counted_and_not_dialled(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        rings = Callee(outcome="no_answer", ring_ms=60_000)
        async with loaded(stt, tmp_path, Plan(8, 40, 0.4), ["0199000006"], callees=lambda _number: rings) as it:
            running = asyncio.create_task(it.step.run())
            await until(lambda: len(it.step._refusals) >= 2)
            dialled = list(it.rig.simulator.dialled)
            running.cancel()
            step = await running
        assert it.step.stopped
        assert len(dialled) == 2
        assert step.figures.refused >= 2
        assert all("can hear no more at once" in refusal.why for refusal in step.refusals)

    monkeypatch.setattr(WhisperStreamingSTT, "capacity", property(lambda _self: 2))
    run(test)


def test_cancelled_it_hangs_up_all_and_keeps_what_ended(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> Step:
        async with loaded(stt, tmp_path, Plan(6, 40, 30), ["0199000006", "0199000001"]) as it:
            running = asyncio.create_task(it.step.run())
            await until(lambda: len(it.rig.simulator.channels()) >= 4 and bool(it.step._records))
            running.cancel()
            step = await running
            assert it.step.stopped
            assert not it.rig.simulator.channels()
            assert it.rig.parts.robot.calls_in_progress == 0
        assert step.figures.dispositions == {"BUSY": 1}
        return step

    run(test)  # type: ignore[arg-type]


def test_a_fault_of_ours_ends_the_step_and_says_so(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with loaded(stt, tmp_path, Plan(1, 40, 0.05), ["0199000006"]) as it:
            monkeypatch.setattr(Load, "expected", lambda _load, _number: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await it.step.run()

    run(test)
