"""Signals that send a robot away: as good as Ctrl-C, so that calls in progress are hung up and reported."""

from __future__ import annotations

import asyncio
import signal

__all__ = ["cancelled_by_signals"]


def cancelled_by_signals() -> None:
    """Have SIGTERM, and SIGHUP (the terminal or its ssh connection is gone), cancel the current task.

    A signal that is ignored stays so: nohup means to outlive its terminal.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, task.cancel)
