"""What the machine spends on a load, and how late the event loop runs: sampled beside the calls, kept in figures."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Final

from V3.errors import ConfigError
from V3.load.figures import Sample

if TYPE_CHECKING:
    import psutil

__all__ = ["Gauges", "ProcessGauge", "memory_gb"]

TICK_S: Final = 0.01  # how often the loop is asked
SAMPLE_S: Final = 1.0
MAX_TICKS: Final = 500_000  # the oldest are forgotten beyond: more than an hour
MAX_SAMPLES: Final = 20_000
MB: Final = 1e6


class ProcessGauge:
    """CPU and memory of a process, of this one by default. Raises ConfigError where psutil is not installed."""

    def __init__(self, pid: int | None = None) -> None:
        self._process: psutil.Process = _psutil().Process(pid)
        self._cpu_s = self._now_s()

    def cpu_s(self) -> float:
        """CPU time since it was asked last; 0 for a process that is gone."""
        before, self._cpu_s = self._cpu_s, self._now_s()
        return max(0.0, self._cpu_s - before)

    @property
    def mb(self) -> float:
        with contextlib.suppress(_psutil().Error):
            return float(self._process.memory_info().rss) / MB
        return 0.0

    def _now_s(self) -> float:
        with contextlib.suppress(_psutil().Error):
            times = self._process.cpu_times()
            return float(times.user + times.system)
        return 0.0


@dataclass(slots=True)
class Gauges:
    """Use :meth:`reading` around a load. ``in_progress`` counts its calls; ``stats`` are the recogniser's."""

    robot: ProcessGauge
    simulator: ProcessGauge | None
    in_progress: Callable[[], int]
    stats: Callable[[], Mapping[str, float | str]]
    on_sample: Callable[[Sample], None] = lambda _sample: None
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    lags_ms: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_TICKS))
    most_at_once: int = 0
    _worst_ms: float = 0.0

    @contextlib.asynccontextmanager
    async def reading(self, began_s: float) -> AsyncIterator[None]:
        """Read until the block is left. ``began_s``: the loop's time that samples count from."""
        tasks = [
            asyncio.create_task(self._ask_loop(), name="loop lag"),
            asyncio.create_task(self._sample(began_s), name="load samples"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            lag_ms = (loop.time() - due_s) * 1000
            self.lags_ms.append(lag_ms)
            self._worst_ms = max(self._worst_ms, lag_ms)
            self.most_at_once = max(self.most_at_once, self.in_progress())

    async def _sample(self, began_s: float) -> None:
        loop = asyncio.get_running_loop()
        before_s, before = loop.time(), self.stats()
        self._begin()
        while True:
            await asyncio.sleep(SAMPLE_S)
            now_s, now = loop.time(), self.stats()
            sample = self._read(now_s - began_s, now_s - before_s, before, now)
            self.samples.append(sample)
            self.on_sample(sample)
            before_s, before = now_s, now

    def _begin(self) -> None:
        """What was spent before does not count."""
        self.robot.cpu_s()
        if self.simulator is not None:
            self.simulator.cpu_s()

    def _read(
        self, at_s: float, span_s: float, before: Mapping[str, float | str], now: Mapping[str, float | str]
    ) -> Sample:
        worst_ms, self._worst_ms = self._worst_ms, 0.0
        other = self.simulator
        return Sample(
            at_s=round(at_s, 2),
            calls=self.in_progress(),
            loop_lag_ms=round(worst_ms, 1),
            robot_cpu=round(self.robot.cpu_s() / span_s, 3),
            robot_mb=round(self.robot.mb, 1),
            simulator_cpu=round(other.cpu_s() / span_s, 3) if other is not None else None,
            simulator_mb=round(other.mb, 1) if other is not None else None,
            batch=mean_batch(before, now),
            queued=float(now["queued"]),
            stretch=round(float(now["stretch"]), 2),
            capacity=float(now["capacity"]),
        )


def mean_batch(before: Mapping[str, float | str], now: Mapping[str, float | str]) -> float | None:
    """Requests to a batch between two readings; None where there was no batch."""
    batches = float(now["batches"]) - float(before["batches"])
    done = sum(float(now[name]) - float(before[name]) for name in ("decoded", "failed"))
    return round(done / batches, 2) if batches else None


def memory_gb() -> float:
    """Of this machine."""
    return round(float(_psutil().virtual_memory().total) / 1e9, 1)


def _psutil() -> ModuleType:
    try:
        import psutil as found  # noqa: PLC0415 - only a load needs it
    except ImportError as exc:
        raise ConfigError('a load needs psutil: pip install "V3[load]", or pip install psutil') from exc
    return found
