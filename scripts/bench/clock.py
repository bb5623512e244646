"""A virtual clock: audio arrives in real time, engines work for real, and what they say shows when it would have.

Frames of 20 ms arrive at their ends. Work runs for real when the one virtual worker is free, and its result is
delivered at the virtual time when it began plus the seconds it took; frames go on arriving meanwhile. So an engine
slower than real time falls behind, and an hour of audio takes only the seconds of its work.

What an engine does with a frame (voice activity, buffering) counts as CPU time and delays nothing: tens of
microseconds.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from scripts.bench.accounts import Showing
from scripts.bench.memory import held_bytes
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio

__all__ = ["Cost", "Engine", "Job", "simulate"]


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the worker: ``work`` is run and timed, ``deliver`` gets its result when that would be there."""

    rank: int
    """The smaller goes first."""
    work: Callable[[], Any]
    deliver: Callable[[Any], None]


class Engine(Protocol):
    """One stream of one engine."""

    def hear(self, frame: Audio) -> None:
        """The next 20 ms."""
        ...

    def end(self) -> None:
        """The audio has ended."""
        ...

    def wanted(self, *, idle: bool) -> list[Job]:
        """Work to be queued now; ``idle`` says that none waits or runs."""
        ...

    def take_shown(self, at_s: float) -> list[Showing]:
        """What came on the screen since the last call."""
        ...

    def holds(self) -> tuple[list[object], list[object]]:
        """The objects this stream consists of, and those it shares with others (they are not counted)."""
        ...


@dataclass(slots=True)
class Cost:
    """What a stream cost: CPU seconds of the process, seconds of work; bytes it holds now and at most."""

    audio_s: float = 0.0
    cpu_s: float = 0.0
    busy_s: float = 0.0
    held_bytes: int = 0
    most_held_bytes: int = 0

    def add(self, other: Cost) -> None:
        self.audio_s += other.audio_s
        self.cpu_s += other.cpu_s
        self.busy_s += other.busy_s
        self.held_bytes = other.held_bytes
        self.most_held_bytes = max(self.most_held_bytes, other.most_held_bytes)


def simulate(
    audio: Audio,
    engine: Engine,
    *,
    on_showing: Callable[[Showing], None],
    on_second: Callable[[int, Cost], None] = lambda _seconds, _cost: None,
) -> Cost:
    """Let ``engine`` hear 16 kHz audio in whole frames. ``on_second`` gets the seconds heard and the cost so far."""
    worker = _Worker(engine, on_showing)
    per_second = RATE_HZ // FRAME_SAMPLES
    for number in range(audio.size // FRAME_SAMPLES):
        now_s = (number + 1) * FRAME_SAMPLES / RATE_HZ
        frame = audio[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
        worker.frame(frame.copy(), now_s)  # a view would make who keeps it hold the whole call
        if (number + 1) % per_second == 0:
            worker.weigh(now_s)
            on_second(round(now_s), worker.cost)
    worker.finish(audio.size / RATE_HZ)
    worker.cost.audio_s = audio.size / RATE_HZ
    return worker.cost


@dataclass(order=True, slots=True)
class _Queued:
    rank: int
    number: int
    job: Job = field(compare=False)


@dataclass(slots=True)
class _Running:
    job: Job
    result: Any
    done_s: float


class _Worker:
    def __init__(self, engine: Engine, on_showing: Callable[[Showing], None]) -> None:
        self._engine = engine
        self._on_showing = on_showing
        self._waiting: list[_Queued] = []
        self._numbers = itertools.count()
        self._running: _Running | None = None
        self.cost = Cost()

    def frame(self, frame: Audio, now_s: float) -> None:
        self._deliver_until(now_s)
        self._timed(lambda: self._engine.hear(frame))
        self._go_on(now_s)

    def finish(self, now_s: float) -> None:
        self._deliver_until(now_s)
        self._timed(self._engine.end)
        self._go_on(now_s)
        self._deliver_until(math.inf)

    def weigh(self, now_s: float) -> None:
        self.cost.audio_s = now_s
        self.cost.held_bytes = held_bytes(*self._engine.holds())
        self.cost.most_held_bytes = max(self.cost.most_held_bytes, self.cost.held_bytes)

    def _deliver_until(self, now_s: float) -> None:
        while self._running is not None and self._running.done_s <= now_s:
            done, self._running = self._running, None
            self._timed(lambda done=done: done.job.deliver(done.result))  # type: ignore[misc]
            self._go_on(done.done_s)

    def _go_on(self, now_s: float) -> None:
        idle = self._running is None and not self._waiting
        wanted, asking_s = self._timed(lambda: self._engine.wanted(idle=idle))
        for job in wanted:
            heapq.heappush(self._waiting, _Queued(job.rank, next(self._numbers), job))
        if self._running is None and self._waiting:
            job = heapq.heappop(self._waiting).job
            result, took_s = self._timed(job.work)
            self.cost.busy_s += took_s
            self._running = _Running(job, result, now_s + asking_s + took_s)
        for showing in self._engine.take_shown(now_s):
            self._on_showing(showing)

    def _timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        cpu_s, began_s = time.process_time(), time.perf_counter()
        result = work()
        took_s = time.perf_counter() - began_s
        self.cost.cpu_s += time.process_time() - cpu_s
        return result, took_s
