"""What the streaming clients show: lines that are settled above, the words under way below. Words are never markup.

In a terminal the last lines move; elsewhere each answer is a line, and partials are left out.
"""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console, Group
from rich.text import Text

from scripts.clients.dialects import Answer
from V3.console import LiveScreen

__all__ = ["COLOURS", "Screen"]

COLOURS: Final = ("cyan", "magenta", "green", "yellow")
_SHOWN_CHARS: Final = 400  # of words under way: the newest


class Screen(LiveScreen):
    """A context manager. ``names`` are the sources; with more than one, each line says whose it is, in its colour."""

    def __init__(self, console: Console, *names: str) -> None:
        super().__init__(console)
        self._colours = dict(zip(names, COLOURS, strict=False))
        self._named = len(names) > 1
        self._open: dict[str, str] = dict.fromkeys(names, "")
        self._status = ""
        self._began_s = time.monotonic()
        self.finals = 0
        self.errors = 0

    def answer(self, name: str, answer: Answer) -> None:
        """Something came from the server for this source."""
        match answer.kind:
            case "partial":
                self._open[name] = answer.text
            case "final":
                self._open[name] = ""
                if answer.text:
                    self.finals += 1
                    self._line(name, Text(answer.text))
            case "error":
                self.errors += 1
                self._line(name, Text(f"error: {answer.text}", style="bold red"))
            case "note":
                self._line(name, Text(answer.text, style="dim"))
        self._refresh()

    def status(self, text: str) -> None:
        """The last line: how it goes."""
        self._status = text
        self._refresh()

    def _line(self, name: str, words: Text) -> None:
        began = Text(f"{time.monotonic() - self._began_s:7.2f} s  ", style="dim")
        if self._named:
            began.append(f"{name:<12} ", style=f"bold {self._colours.get(name, '')}")
        self._console.print(began + words, soft_wrap=True)

    def _refresh(self) -> None:
        if self._live is None:
            return
        lines = [
            Text(f"… {name + ': ' if self._named else ''}{text[-_SHOWN_CHARS:]}", style=f"italic {self._colours[name]}")
            for name, text in self._open.items()
            if text
        ]
        self._live.update(Group(*lines, Text(self._status, style="dim")))
