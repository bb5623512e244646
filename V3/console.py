"""The calls on screen: one live row per call in a terminal, one line per event elsewhere. Words are never markup."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from V3.calls.report import CallReport, CallUpdate
from V3.masking import mask_number

__all__ = ["LiveCalls", "LiveScreen", "report_table"]

MAX_ROWS = 30  # on screen; calls that have ended make room, oldest first
_COLOURS = {
    "DIALLING": "dim",
    "ANSWERED": "cyan",
    "DETECTING": "cyan",
    "VERDICT": "bold magenta",
    "PLAYING": "green",
    "LISTENING": "blue",
    "BARGE-IN": "bold yellow",
    "STOPPED": "bold yellow",
    "PAUSED": "yellow",
    "REVISED": "bold magenta",
    "WAITING": "cyan",
    "MESSAGE": "green",
    "ENDED": "dim",
    "REPORTED": "dim",
    "FAILED": "bold red",
}


class LiveScreen:
    """A context manager: ``_live`` is what moves in a terminal, and None elsewhere."""

    def __init__(self, console: Console, *, refresh_per_second: int = 8) -> None:
        self._console = console
        live = Live(console=console, refresh_per_second=refresh_per_second, transient=True)
        self._live = live if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


class LiveCalls(LiveScreen):
    """A context manager; hand ``update`` to the robot. ``names`` gives numbers a word or two, ``mask`` hides them."""

    def __init__(self, console: Console, names: dict[str, str] | None = None, *, mask: bool = False) -> None:
        super().__init__(console)
        self._names = names or {}
        self._mask = mask
        self._rows: dict[str, dict[str, CallUpdate]] = {}  # number -> what was last said of state, words, verdict...

    def update(self, update: CallUpdate) -> None:
        """Take one line of a call's story."""
        row = self._rows.setdefault(update.number, {})
        if len(self._rows) > MAX_ROWS:
            ended = (number for number, told in self._rows.items() if told and told["state"].state == "REPORTED")
            del self._rows[next(ended, next(iter(self._rows)))]
        row["state"] = update
        if update.text.startswith("«"):
            row["words"] = update
        elif update.text:
            row[update.state] = update
        if self._live is None:
            self._console.print(self._line(update))
        else:
            self._live.update(self._table())

    def _number(self, number: str) -> str:
        return mask_number(number) if self._mask else number

    def _line(self, update: CallUpdate) -> Text:
        name = self._names.get(update.number, "")
        return Text.assemble(
            (f"{update.at_ms / 1000:7.2f} s  {self._number(update.number):<14} {name:<14} ", "dim"),
            (f"{update.state:<10}", _COLOURS.get(update.state, "")),
            f" {update.text}",
        )

    def _table(self) -> Table:
        table = Table(expand=True, title="calls in progress", title_style="bold")
        for heading, ratio in (("number", 0), ("who", 0), ("time", 0), ("state", 0), ("verdict", 2), ("words", 3)):
            table.add_column(heading, no_wrap=True, ratio=ratio or None)
        table.add_column("barge-in", no_wrap=True)
        for number, row in self._rows.items():
            state = row["state"]
            verdict, words, stopped = (row[key].text if key in row else "" for key in ("VERDICT", "words", "STOPPED"))
            table.add_row(
                Text(self._number(number)),
                Text(self._names.get(number, "")),
                f"{state.at_ms / 1000:.1f} s",
                Text(state.state, style=_COLOURS.get(state.state, "")),
                Text(verdict),
                Text(words),
                Text(stopped.partition(" after")[0], style="yellow"),
            )
        return table


def report_table(reports: list[CallReport], *, mask: bool = False) -> Table:
    """A table of finished calls; ``mask`` hides their numbers."""
    table = Table(title="reports", title_style="bold")
    for heading in ("number", "disposition", "who answered", "decided by", "verdict", "outcome", "barge-in", "errors"):
        table.add_column(heading)
    for report in reports:
        verdict = report.verdict
        table.add_row(
            Text(mask_number(report.number) if mask else report.number),
            report.disposition,
            verdict.label if verdict else "",
            Text(verdict.reason if verdict else report.hangup_cause),
            f"{verdict.at_ms} ms" if verdict else "",
            Text(report.outcome),
            ", ".join(_stopped(b.break_confirmed_ms, b.speech_start_ms) for b in report.barge_ins),
            Text("; ".join(report.errors)),
        )
    return table


def _stopped(confirmed_ms: int | None, began_ms: int) -> str:
    return "not confirmed" if confirmed_ms is None else f"{confirmed_ms - began_ms} ms"
