"""A load on screen: a line that lives in a terminal, a line every few seconds elsewhere, then tables."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from V3.console import LiveScreen
from V3.load.figures import AGAINST, SPREADS, LoadReport, Sample, Spread, Step, figures_of
from V3.load.knee import broken_limits, said
from V3.load.record import CallRecord, RefusedCall
from V3.system.load.run import Watcher
from V3.system.load.step import Plan

__all__ = ["LoadScreen", "print_load"]

EVERY_SAMPLES: Final = 5  # a line, where there is no terminal
MAX_FAULTS: Final = 20  # shown of a step; the JSON and the page have more


class LoadScreen(LiveScreen):
    """A context manager; hand :attr:`watcher` to the load."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__(console, refresh_per_second=4)
        self._steps = steps
        self._step = 0
        self._plan = Plan(0, 0, 0)
        self._records: list[CallRecord] = []
        self._refused = 0
        self._samples = 0
        self.watcher = Watcher(self._begun, self._sampled, self._records.append, self._was_refused)

    def _begun(self, plan: Plan) -> None:
        self._step, self._plan, self._samples, self._refused = self._step + 1, plan, 0, 0
        self._records.clear()

    def _was_refused(self, _refused: RefusedCall) -> None:
        self._refused += 1

    def _sampled(self, sample: Sample) -> None:
        self._samples += 1
        if self._live is not None:
            self._live.update(self._line(sample))
        elif self._samples % EVERY_SAMPLES == 0:
            self._console.print(self._line(sample), soft_wrap=True)

    def _line(self, sample: Sample) -> Text:
        figures, plan = figures_of(self._records), self._plan
        left_s = max(0.0, plan.duration_s - sample.at_s)
        what = f"{left_s:.0f} s to go" if left_s else "the last calls end"
        wrong = (f"{figures.wrong} wrong", "bold red" if figures.wrong else "dim")
        refused = (f"{self._refused} refused", "yellow" if self._refused else "dim")
        return Text.assemble(
            (f"step {self._step}/{self._steps}, {plan.calls} at once  ", "bold"),
            f"{sample.calls} in progress, {figures.calls} ended, ",
            *(wrong, ", ", refused),
            f"  verdict p95 {_ms(figures.verdict_ms)}, break p95 {_ms(figures.break_ms)}, "
            f"partials p95 {_ms(figures.partial_lag_ms)}, loop {sample.loop_lag_ms:.0f} ms, "
            f"CPU {sample.robot_cpu:.2f}, {sample.robot_mb:.0f} MB  ",
            (what, "dim"),
        )


def print_load(console: Console, report: LoadReport) -> None:
    """The whole report as tables."""
    for step in report.steps:
        console.print(_spreads(step))
        _print_counts(console, step)
        for fault in (step.figures.faults + step.canary.faults)[:MAX_FAULTS]:
            console.print(Text(f"  otherwise than scripted: {fault}", style="yellow"))
        _print_cost(console, step)
    if len(report.steps) > 1:
        console.print(_overview(report))
        console.print(Text(said(report.steps, report.limits), style="bold"))
    console.print(Text(f"measured on {report.machine}; against {AGAINST[report.against]}", style="dim"), soft_wrap=True)


def _spreads(step: Step) -> Table:
    table = Table(title=f"{step.calls} calls at once, {step.rate_per_s:g} begun per second for {step.duration_s:g} s")
    table.add_column("in ms")
    for heading in ("values", "p50", "p95", "p99", "longest", "canary: values", "p50", "p95", "longest"):
        table.add_column(heading, justify="right")
    for field, name in SPREADS.items():
        of_load, of_canary = getattr(step.figures, field), getattr(step.canary, field)
        if of_load.count or of_canary.count:
            count, p50, p95, _p99, most = of_canary.cells()
            table.add_row(name, *of_load.cells(), count, p50, p95, most)
    table.add_row("event-loop lag", *step.loop_lag_ms.cells(), "", "", "", "")
    return table


def _print_counts(console: Console, step: Step) -> None:
    figures = step.figures
    style = "red" if figures.wrong else "green"
    console.print(
        Text.assemble(
            (f"{figures.right} of {figures.calls} calls as scripted, {figures.wrong} wrong", style),
            f", {figures.astray} right and astray later, {figures.refused} refused; "
            f"{step.most_at_once} at once at most, with the canary ({step.canary.right} of {step.canary.calls} right)",
        )
    )
    console.print(f"  dispositions: {_counted(figures.dispositions)};  verdicts: {_counted(figures.verdicts)}")


def _print_cost(console: Console, step: Step) -> None:
    robot, batch = step.robot, f"; {step.batch_mean:g} requests to a batch" if step.batch_mean is not None else ""
    per_call = f", {robot.mb_per_call:g} MB a call" if robot.mb_per_call is not None else ""
    console.print(
        f"  robot, server and recogniser: {robot.cpu_mean:.2f} cores ({robot.cpu_most:.2f} at most), "
        f"{robot.mb_most:.0f} MB ({robot.mb_before:.0f} before{per_call}){batch}"
    )
    if step.simulator is not None:
        console.print(f"  simulator: {step.simulator.cpu_mean:.2f} cores, {step.simulator.mb_most:.0f} MB")


def _overview(report: LoadReport) -> Table:
    table = Table(title="steps")
    for heading in ("calls", "at once", "verdict p95", "break p95", "partial lag p95", "loop p95", "CPU", "MB"):
        table.add_column(heading, justify="right")
    table.add_column("not kept")
    for step in report.steps:
        figures = step.figures
        spreads = (figures.verdict_ms, figures.break_ms, figures.partial_lag_ms, step.loop_lag_ms)
        broken = broken_limits(step, report.limits)
        cost = (f"{step.robot.cpu_mean:.2f}", f"{step.robot.mb_most:.0f}")
        kept = Text("; ".join(broken), style="red") if broken else Text("all kept", style="green")
        table.add_row(str(step.calls), str(step.most_at_once), *map(_ms, spreads), *cost, kept)
    return table


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _ms(spread: Spread) -> str:
    return "-" if spread.p95 is None else f"{spread.p95:.0f} ms"
