"""The page of a load: its figures, the knee and each step over time. One file that opens from the disk."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from V3.load.figures import AGAINST, SPREADS, Figures, LoadReport, Step, Usage
from V3.load.knee import broken_limits, said
from V3.picture.load_plots import draw_knee, draw_spreads, draw_time
from V3.picture.page import document, table, text

__all__ = ["load_page"]

HEADS = ("in ms", "values", "p50", "p95", "p99", "longest")


def load_page(report: LoadReport) -> str:
    """The whole page. Raises ConfigError where matplotlib is not installed."""
    title = f"Load: up to {max((step.calls for step in report.steps), default=0)} whole calls at once"
    body = [
        f"<h1>{text(title)}</h1>",
        f'<p class="dim">{text(report.at)}, V3 {text(report.version)}, against {text(AGAINST[report.against])}</p>',
        f"<p>{text(report.machine)}</p>",
        "<p>Stopped before its end: what follows is of the calls that ended.</p>" if report.stopped else "",
        f'<p class="verdict">{text(said(report.steps, report.limits))}</p>' if len(report.steps) > 1 else "",
        _image(draw_knee(report), "percentiles by calls at once") if len(report.steps) > 1 else "",
        _overview(report),
        _image(draw_spreads(report), "how latencies spread") if report.steps else "",
        *(part for step in report.steps for part in _step(step)),
    ]
    return document(title, "".join(body))


def _overview(report: LoadReport) -> str:
    heads = (
        *("calls", "at once", "ended", "as scripted", "wrong", "astray", "refused", "verdict p95", "break p95"),
        *("partial lag p95", "loop lag p95", "robot, cores", "robot, MB", "MB a call", "not kept"),
    )
    rows = []
    for step in report.steps:
        figures = step.figures
        p95 = (figures.verdict_ms.p95, figures.break_ms.p95, figures.partial_lag_ms.p95, step.loop_lag_ms.p95)
        counts = (figures.calls, figures.right, figures.wrong, figures.astray, figures.refused)
        cost = (f"{step.robot.cpu_mean:.2f}", f"{step.robot.mb_most:.0f}", _plain(step.robot.mb_per_call))
        kept = "; ".join(broken_limits(step, report.limits)) or "all kept"
        rows.append((step.calls, step.most_at_once, *counts, *map(_plain, p95), *cost, kept))
    return table("Steps", heads, rows)


def _step(step: Step) -> Iterator[str]:
    name = f"{step.calls} calls at once"
    yield f"<h1>{text(name)}</h1>"
    yield f'<p class="dim">{step.rate_per_s:g} begun per second for {step.duration_s:g} s; {step.took_s:g} s in all</p>'
    yield _image(draw_time(step), f"{name} over time") if step.samples else ""
    yield table("Latencies of the load", HEADS, _spreads(step.figures))
    yield table("Latencies of the canary", HEADS, _spreads(step.canary))
    yield table("Event loop", HEADS, [("lag", *step.loop_lag_ms.cells())])
    yield table("Dispositions", ("what", "calls"), sorted(step.figures.dispositions.items()))
    yield table("Verdicts", ("who answered", "calls"), sorted(step.figures.verdicts.items()))
    usage = [("robot, server and recogniser", *_usage(step.robot))]
    usage += [("simulator", *_usage(step.simulator))] if step.simulator is not None else []
    yield table("Cost", ("process", "CPU mean", "CPU most", "MB before", "MB most", "MB a call"), usage)
    yield table("Decodes", ("what", ""), [("requests to a batch, mean", _plain(step.batch_mean))])
    yield table("Otherwise than scripted", ("callee: what",), [(fault,) for fault in step.figures.faults])
    yield table("Of the canary", ("callee: what",), [(fault,) for fault in step.canary.faults])


def _spreads(figures: Figures) -> list[tuple[str, ...]]:
    spreads = [(name, getattr(figures, field)) for field, name in SPREADS.items()]
    return [(name, *spread.cells()) for name, spread in spreads if spread.count]


def _usage(usage: Usage) -> tuple[str, ...]:
    memory = (f"{usage.mb_before:.0f}", f"{usage.mb_most:.0f}", _plain(usage.mb_per_call))
    return (f"{usage.cpu_mean:.2f}", f"{usage.cpu_most:.2f}", *memory)


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _image(png: bytes, told: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<div class="scroll"><img alt="{text(told)}" src="data:image/png;base64,{data}"></div>'
