"""A measurement run as a process of its own: what one leaves in memory, or dies of, is not the next one's.

What it prints passes through to the screen as it comes, its progress included. It is in a session of its own, so that
Ctrl-C reaches it once, from here: it then writes what it has measured.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from scripts.measures.measurements import Given, Measurement

__all__ = ["Outcome", "measure"]

_ENDS_WITHIN_S: Final = 20.0
"""Between Ctrl-C and the end of a measurement: a decode ends, dialogues hang up, figures are drawn."""
_ASKED: Final = 3
"""So often it is asked to end: Python loses an interrupt that comes while it imports."""
_TAIL_BYTES: Final = 20_000
_CONTROLS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\r")
_ERROR: Final = re.compile(r"[A-Z]\w+:(?: |$)")  # ConfigError: ..., on as many lines as the screen was narrow
_REASON_LETTERS: Final = 600
_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one measurement. ``reason`` says why it failed, or what became of it when it was stopped."""

    measurement: Measurement
    state: str  # measured, failed, stopped
    reason: str
    took_s: float
    figures: Mapping[str, Any] = field(default_factory=dict)
    pictures: Sequence[Path] = ()


def measure(
    measurement: Measurement,
    folder: Path,
    given: Given,
    *,
    quick: bool,
    show: Callable[[bytes], None],
    environment: Mapping[str, str],
) -> Outcome:
    """Run it to its end. Ctrl-C (KeyboardInterrupt) ends it early; the outcome is then ``stopped``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (measurement.json_name, *measurement.pictures):
        (folder / name).unlink(missing_ok=True)  # an earlier run's figures are not this one's
    size = measurement.quick if quick else measurement.full
    began_s = time.monotonic()
    running = _Running(measurement.command(folder, given, quick=quick), show, environment)
    with running:
        state, reason = running.to_the_end(size.within_s)
    took_s = round(time.monotonic() - began_s, 1)
    try:
        figures = json.loads((folder / measurement.json_name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        if state == "measured":
            state, reason = "failed", f"it ended well and left no figures: {exc}"
        figures = {}
    pictures = [folder / name for name in measurement.pictures if (folder / name).is_file()]
    return Outcome(measurement, state, reason, took_s, figures, pictures)


class _Running:
    """The process, and the last of what it said."""

    def __init__(self, command: Sequence[str], show: Callable[[bytes], None], environment: Mapping[str, str]) -> None:
        self._show = show
        self._tail = b""
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """However it is left, the process is gone."""
        self._kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def to_the_end(self, within_s: float) -> tuple[str, str]:
        """Its state, and why."""
        try:
            ended = self._pass_on(within_s)
        except KeyboardInterrupt:
            return "stopped", self._stop()
        if not ended:
            self._stop()
            return "failed", f"not done within {within_s / 60:g} minutes"
        code = self._process.wait()
        return ("measured", "") if code == 0 else ("failed", self._why(code))

    def _stop(self) -> str:
        """Ask it to end with what it has; a second Ctrl-C, or a minute, and it is killed."""
        try:
            for _ in range(_ASKED):
                self._signal(signal.SIGINT)
                if self._pass_on(_ENDS_WITHIN_S):
                    self._process.wait()
                    return "stopped by Ctrl-C"
        except KeyboardInterrupt:
            pass
        self._kill()
        return "stopped by Ctrl-C, and killed: it did not end by itself"

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _pass_on(self, within_s: float) -> bool:
        """Show what it prints until it ends; False when it has not after ``within_s``."""
        assert self._process.stdout is not None
        until_s = time.monotonic() + within_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while (left_s := until_s - time.monotonic()) > 0:
                if not selector.select(left_s):
                    continue
                piece = os.read(self._process.stdout.fileno(), _READ_BYTES)
                if not piece:
                    return True
                self._tail = (self._tail + piece)[-_TAIL_BYTES:]
                self._show(piece)
        return False

    def _why(self, code: int) -> str:
        """Its last words: an error's line, or how it ended."""
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        said = _CONTROLS.sub("\n", self._tail.decode("utf-8", "replace"))
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        errors = [number for number, line in enumerate(lines) if _ERROR.match(line)]
        last = " ".join(lines[errors[-1] :] if errors else lines[-1:])[:_REASON_LETTERS]
        return f"{last} ({ended})" if last else ended
