"""The simulator's one clock: simulated milliseconds since start, ``speed`` of them per real millisecond.

Every delay, tick and frame interval of the simulator goes through it. Schedules are absolute (``sleep_until_ms``),
so that a late loop does not make them drift.
"""

from __future__ import annotations

import asyncio
import math
import time

__all__ = ["FRAME_MS", "SimClock", "Waker"]

FRAME_MS = 20.0  # FreeSWITCH's packet time: media frames and the event socket's tick alike


class SimClock:
    """Simulated time. ``start`` is called once, on the loop that will be used."""

    def __init__(self, speed: float) -> None:
        if not 0 < speed < math.inf:
            raise ValueError(f"a speed of {speed}: simulated seconds per real second, above 0")
        self.speed = speed
        self._start_s = 0.0
        self._wall_start_us = 0

    def start(self) -> None:
        self._start_s = asyncio.get_running_loop().time()
        self._wall_start_us = time.time_ns() // 1000

    def now_ms(self) -> float:
        return (asyncio.get_running_loop().time() - self._start_s) * 1000.0 * self.speed

    def wall_us(self, at_ms: float | None = None) -> int:
        """Microseconds since 1970 as the simulated FreeSWITCH sees them."""
        return self._wall_start_us + int((self.now_ms() if at_ms is None else at_ms) * 1000)

    def real_s(self, duration_ms: float) -> float:
        """Real seconds that ``duration_ms`` simulated milliseconds take; never negative."""
        return max(0.0, duration_ms) / 1000.0 / self.speed

    async def sleep_ms(self, duration_ms: float) -> None:
        await asyncio.sleep(self.real_s(duration_ms))

    async def sleep_until_ms(self, at_ms: float) -> None:
        """Return no earlier than ``at_ms``; at once when it has passed."""
        left_ms = at_ms - self.now_ms()
        while left_ms > 0:
            await asyncio.sleep(self.real_s(left_ms))
            left_ms = at_ms - self.now_ms()


class Waker:
    """Lets one task wait for a moment or for ``kick``, whichever comes first."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def kick(self) -> None:
        self._event.set()

    async def wait(self, until_ms: float = math.inf) -> None:
        if math.isinf(until_ms):
            await self._event.wait()
        else:
            delay_s = self._clock.real_s(until_ms - self._clock.now_ms())
            try:
                async with asyncio.timeout(delay_s):
                    await self._event.wait()
            except TimeoutError:
                pass
        self._event.clear()
