"""Signals that send a program away.

SIGTERM, and SIGHUP (the terminal or its ssh connection is gone), are as good as Ctrl-C: calls in progress are hung up
and reported. What can drain lets the first SIGTERM ask for that; a second one, and Ctrl-C at any time, ends it at once.
A signal that is ignored stays so: nohup means to outlive its terminal.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

__all__ = ["cancelled_by_signals", "drain_on_sigterm"]


def cancelled_by_signals() -> None:
    """Have SIGTERM and SIGHUP cancel the current task."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, task.cancel)


def drain_on_sigterm(tell: Callable[[], None]) -> asyncio.Event:
    """From now on the first SIGTERM sets the event and calls ``tell``; the next one cancels the current task."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    wanted = asyncio.Event()

    def terminated() -> None:
        if wanted.is_set():
            task.cancel()
        else:
            wanted.set()
            tell()

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGTERM, terminated)
    return wanted
