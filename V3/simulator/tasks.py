"""Tasks that belong to someone: every one is referenced, and ends with its owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["TaskSet"]

log = logging.getLogger(__name__)


class TaskSet:
    """Spawns tasks; ``close`` cancels and awaits them all. A task's failure is logged and kept in ``failures``."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=f"simulator {name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=failure)
            self.failures = [*self.failures[-99:], failure]

    async def settle(self) -> None:
        """Wait until all have ended by themselves."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        me = asyncio.current_task()
        while others := [task for task in self._tasks if task is not me]:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
