"""One step of a load: calls begun at a rate, up to so many at once, by the real robot; a canary call beside them.

Nothing is dialled twice: a call that is refused (CapacityReached) is counted, and the next one has another number.
Cancelled, it hangs up every call and returns what ended by then with ``stopped``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from V3.calls.report import CallReport
from V3.errors import CapacityReached, VoicebotError
from V3.load.figures import Spread, Step, Usage, figures_of
from V3.load.heard import HeardCall
from V3.load.lag import PartialLag
from V3.load.record import CallRecord, RefusedCall, record_of
from V3.simulator.cast import Expected, expected_of, faults_of
from V3.system.load.gauges import Gauges, mean_batch
from V3.system.robot_freeswitch_v3 import RobotFreeSwitchV3

__all__ = ["Load", "LoadStep", "Plan"]

log = logging.getLogger(__name__)

CANARY_REST_S: Final = 0.5  # between two canary calls
HEARD_S: Final = 2.0  # the simulator tells of a call when its channel is gone, soon after the robot's report
CATCH_UP_S: Final = 0.5  # what a busy loop is behind by is
REFUSED_REST_S: Final = 0.5  # before a canary that was refused is tried again

Heard = Callable[[str, float], Awaitable[HeardCall | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """So many calls at once, ``rate_per_s`` begun per second, new ones for ``duration_s``."""

    calls: int
    rate_per_s: float
    duration_s: float


@dataclass(slots=True)
class Load:
    """What the steps of a load share. ``numbers`` and ``canaries`` never repeat. ``heard`` asks the simulator."""

    robot: RobotFreeSwitchV3
    lag: PartialLag
    numbers: Iterator[str]
    canaries: Iterator[str]
    heard: Heard | None = None
    leaves_messages: bool = True
    on_ended: Callable[[CallRecord], None] = lambda _record: None
    on_refused: Callable[[RefusedCall], None] = lambda _refused: None

    def expected(self, number: str) -> Expected:
        """What should become of a call: a machine is left a message, or is not."""
        expected = replace(expected_of(number), resumes=None)
        return expected if self.leaves_messages or expected.label != "MACHINE" else replace(expected, outcome="")


@dataclass(slots=True)
class LoadStep:
    """A step that runs. ``stopped``: it was cancelled."""

    load: Load
    plan: Plan
    gauges: Gauges
    began_s: float = 0.0
    stopped: bool = False
    _records: list[CallRecord] = field(default_factory=list)
    _canary: list[CallRecord] = field(default_factory=list)
    _refusals: list[RefusedCall] = field(default_factory=list)
    _canary_refusals: list[RefusedCall] = field(default_factory=list)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _failures: list[BaseException] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Step:
        """The whole step; when it returns no call of it is left up."""
        loop = asyncio.get_running_loop()
        self.began_s = loop.time()
        mb_before, stats_before = (self.gauges.robot.mb, self._simulator_mb()), self.gauges.stats()
        async with self.gauges.reading(self.began_s):
            self._spawn("canary", self._call_canaries())
            try:
                await self._begin_calls()
                while self._calls:
                    await self._one_ended()
            except asyncio.CancelledError:
                self.stopped = True
                _uncancel()
                await self._hang_up_all()
        if self._failures:
            raise self._failures[0]
        return self._result(loop.time() - self.began_s, mb_before, mean_batch(stats_before, self.gauges.stats()))

    async def _begin_calls(self) -> None:
        loop = asyncio.get_running_loop()
        until_s, due_s = self.began_s + self.plan.duration_s, self.began_s
        while True:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            await self._wait_for_place(until_s)
            if loop.time() >= until_s:
                return
            self._spawn("load call", self._call(next(self.load.numbers)))
            # what was not begun in time for want of a place is not caught up
            due_s = max(loop.time() - CATCH_UP_S, due_s) + 1 / self.plan.rate_per_s

    async def _wait_for_place(self, until_s: float) -> None:
        """Until one more call may be begun, or none is to be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                while len(self._calls) > self.plan.calls:  # the canary is among them
                    await self._one_ended()

    async def _one_ended(self) -> None:
        self._ended.clear()
        await self._ended.wait()

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._calls.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # a fault of ours, not of a call
            self._failures.append(error)
        self._ended.set()

    async def _call(self, number: str) -> None:
        record = await self._called(number, self._refusals)
        if record is not None:
            self._records.append(record)
            self.load.on_ended(record)

    async def _call_canaries(self) -> None:
        """One after another, as long as calls are begun."""
        loop = asyncio.get_running_loop()
        while loop.time() < self.began_s + self.plan.duration_s:
            record = await self._called(next(self.load.canaries), self._canary_refusals)
            if record is not None:
                self._canary.append(record)
            await asyncio.sleep(CANARY_REST_S if record is not None else REFUSED_REST_S)

    async def _called(self, number: str, refusals: list[RefusedCall]) -> CallRecord | None:
        """One call and its record; None for one that was refused, or never came about."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            report = await self.load.robot.call(number)
        except CapacityReached as exc:
            at_s, took_ms = began_s - self.began_s, (loop.time() - began_s) * 1000
            refused = RefusedCall(at_s=round(at_s, 3), took_ms=round(took_ms, 2), why=str(exc))
            refusals.append(refused)
            self.load.on_refused(refused)
            return None
        except VoicebotError as exc:
            log.warning("a call of the load was not made: %s", exc)
            return None
        span_s = (round(began_s - self.began_s, 3), round(loop.time() - self.began_s, 3))
        return await self._recorded(report, number, span_s)

    async def _recorded(self, report: CallReport, number: str, span_s: tuple[float, float]) -> CallRecord:
        expected = self.load.expected(number)
        heard = await self.load.heard(report.call_id, HEARD_S) if self.load.heard is not None else None
        return record_of(
            report,
            expected.who,
            right=(report.disposition, report.label) == (expected.disposition, expected.label),
            faults=faults_of(report, expected),
            span_s=span_s,
            heard=heard,
            partial_lags_ms=self.load.lag.pop(report.call_id),
        )

    async def _hang_up_all(self) -> None:
        """The robot hangs up a call whose task is cancelled, and only then lets it go."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _simulator_mb(self) -> float:
        return self.gauges.simulator.mb if self.gauges.simulator is not None else 0.0

    def _result(self, took_s: float, mb_before: tuple[float, float], batch: float | None) -> Step:
        samples = tuple(self.gauges.samples)
        most = self.gauges.most_at_once
        simulator = None
        if self.gauges.simulator is not None:
            cpu, mb = [s.simulator_cpu or 0.0 for s in samples], [s.simulator_mb or 0.0 for s in samples]
            simulator = Usage.of(cpu, mb, mb_before=mb_before[1], calls=most)
        return Step(
            calls=self.plan.calls,
            rate_per_s=self.plan.rate_per_s,
            duration_s=self.plan.duration_s,
            most_at_once=most,
            took_s=round(took_s, 1),
            figures=figures_of(self._records, self._refusals),
            canary=figures_of(self._canary, self._canary_refusals),
            loop_lag_ms=Spread.of(self.gauges.lags_ms),
            robot=Usage.of(
                [s.robot_cpu for s in samples], [s.robot_mb for s in samples], mb_before=mb_before[0], calls=most
            ),
            simulator=simulator,
            batch_mean=batch,
            records=tuple(self._records),
            refusals=tuple(self._refusals),
            samples=samples,
        )


def _uncancel() -> None:
    """The cancellation is seen to here: what is awaited after it is awaited."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
