"""An event loop for simulations faster than real time, on a machine that may be slow or busy with something else.

Robot and simulator take all their time from the loop. Here it passes while the loop has nothing to do, and by the CPU
time of what it does; it stands still while the model decodes, and while others have the processor. So a call takes the
same course however slow the machine is, and can be run as fast as the machine allows.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeRequest, Transcript

__all__ = ["PatientLoop", "PatientRecognizer", "run_patiently"]

T = TypeVar("T")
SLEEP_S: Final = 0.05  # at once; a sleep that took longer is the machine's, and does not count beyond that


class _Decoding:
    """For how long decodes were running, in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._since_s = 0.0
        self._total_s = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._since_s = time.monotonic()
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._total_s += time.monotonic() - self._since_s

    def total_s(self) -> float:
        with self._lock:
            return self._total_s + (time.monotonic() - self._since_s if self._running else 0.0)


_decoding = _Decoding()


class PatientRecognizer(Recognizer):
    """The real one; patient loops wait for it."""

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        with _decoding:
            return super().decode(requests)


class PatientLoop(asyncio.SelectorEventLoop):
    """See the module. ``time`` is the only thing that is different."""

    def __init__(self) -> None:
        self._now_s = time.monotonic()
        self._owner = threading.get_ident()
        self._waiting = False
        self._mark()
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Seconds that passed for this loop."""
        if threading.get_ident() == self._owner and not self._waiting:
            wall_s, decoded_s, cpu_s = self._marks
            self._mark()
            self._advance(min(self._marks[0] - wall_s - (self._marks[1] - decoded_s), self._marks[2] - cpu_s))
        return self._now_s

    def waits(self) -> None:
        """It goes to sleep until something is due."""
        self.time()
        self._waiting = True

    def woke(self, timeout_s: float) -> None:
        """It slept, and was not to sleep for longer than ``timeout_s``."""
        wall_s, decoded_s, _ = self._marks
        self._mark()
        self._waiting = False
        slept_s = self._marks[0] - wall_s - (self._marks[1] - decoded_s)
        self._advance(min(slept_s, timeout_s))

    def _mark(self) -> None:
        self._marks = time.monotonic(), _decoding.total_s(), time.thread_time()

    def _advance(self, seconds: float) -> None:
        self._now_s += max(0.0, seconds)


class _Selector(selectors.DefaultSelector):
    """Tells its loop when it sleeps."""

    def __init__(self, loop: PatientLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        sleep_s = SLEEP_S if timeout is None else min(timeout, SLEEP_S)
        self._loop.waits()
        events = super().select(sleep_s)
        self._loop.woke(max(0.0, sleep_s))
        return events


def run_patiently(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` on a patient loop."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(work)
