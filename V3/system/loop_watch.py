"""The event loop watched: how late it is and how busy, four times a second, told to whoever wants to know.

Lateness is how long after its time the watch itself is woken: every other task waits as long. Busy is the CPU time of
the loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["LoopWatch", "Turn"]

log = logging.getLogger(__name__)

_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Turn:
    """What was seen in ``passed_s`` seconds."""

    passed_s: float
    busy_s: float
    late_s: float


class LoopWatch:
    """Hand callables to ``on_turn``, then ``start``. One that fails is logged; the others are told."""

    def __init__(self) -> None:
        self.on_turn: list[Callable[[Turn], None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the running loop."""
        self._task = asyncio.create_task(self._watch(), name="loop watch")

    async def stop(self) -> None:
        """Watch no more. Stopping twice does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        began_s, cpu_s = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(_EVERY_S)
            now_s, now_cpu_s = time.monotonic(), time.thread_time()
            turn = Turn(now_s - began_s, now_cpu_s - cpu_s, max(0.0, now_s - began_s - _EVERY_S))
            began_s, cpu_s = now_s, now_cpu_s
            for listener in list(self.on_turn):
                try:
                    listener(turn)
                except Exception:  # the root of a callback
                    log.exception("who is told of the event loop failed")
