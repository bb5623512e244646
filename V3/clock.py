"""The robot's clock: the event loop's, faster when a simulated FreeSWITCH runs faster. Every wait goes through it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time on the running loop. ``speed``: seconds of calls per real second; 1 against a real FreeSWITCH."""

    speed: float = 1.0

    def now_ms(self) -> float:
        """Milliseconds of call time since some moment in the past."""
        return asyncio.get_running_loop().time() * 1000.0 * self.speed

    def timeout(self, duration_s: float | None) -> asyncio.Timeout:
        """``asyncio.timeout`` in call time; None waits for ever."""
        return asyncio.timeout(None if duration_s is None else max(0.0, duration_s) / self.speed)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(max(0.0, duration_s) / self.speed)
