"""A load as pictures, by matplotlib: the knee over steps, latencies as they spread, and a step over time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from V3.errors import ConfigError
from V3.load.figures import SPREADS, LoadReport, Spread, Step
from V3.load.knee import knee_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_knee", "draw_spreads", "draw_time"]

DPI: Final = 110
PLOT_COLORS: Final = {"verdict_ms": "#7a0177", "break_ms": "#d7301f", "partial_lag_ms": "#2c7fb8"}
_QUIET: Final = "#777777"
_GOOD: Final = "#0b6e4f"
_LEAST_VALUES: Final = 2  # of a curve


def draw_knee(report: LoadReport) -> bytes:
    """95th percentiles by calls at once, each as a share of its limit, the knee marked; below, the cost. A PNG.

    Raises ConfigError where matplotlib is not installed.
    """
    figure = _figure(9.5, 6.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    calls = [step.calls for step in report.steps]
    for name, color in PLOT_COLORS.items():
        limit_ms = report.limits[name]
        shares = [_share(getattr(step.figures, name), limit_ms) for step in report.steps]
        above.plot(calls, shares, marker="o", color=color, label=f"{SPREADS[name]}: limit {limit_ms:.0f} ms")
    above.axhline(100, color="#222222", lw=1, ls="--")
    above.set_ylabel("95th percentile, % of its limit")
    above.set_ylim(bottom=0)
    above.set_title("What people on the telephone notice, by calls at once", fontsize=10)
    knee = knee_of(report.steps, report.limits)
    if knee is not None:
        above.axvline(knee, color=_GOOD, lw=2, alpha=0.5, label=f"knee: {knee} calls")
        below.axvline(knee, color=_GOOD, lw=2, alpha=0.5)
    above.legend(fontsize=8)
    _draw_cost(below, report.steps, calls)
    return _png(figure)


def _draw_cost(axes: Axes, steps: Sequence[Step], calls: Sequence[int]) -> None:
    axes.plot(calls, [step.robot.cpu_mean for step in steps], marker="o", color="#d95f0e", label="robot")
    if all(step.simulator is not None for step in steps):
        cpu = [step.simulator.cpu_mean if step.simulator else 0.0 for step in steps]
        axes.plot(calls, cpu, marker="o", color=_QUIET, label="simulator")
    axes.set_ylabel("CPU, cores")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("calls at once")
    memory = axes.twinx()
    memory.plot(calls, [step.robot.mb_most for step in steps], marker="s", ls=":", color=_GOOD)
    memory.set_ylabel("robot's memory, MB (dotted)", color=_GOOD)
    memory.set_ylim(bottom=0)
    axes.legend(fontsize=8, loc="upper left")


def draw_spreads(report: LoadReport) -> bytes:
    """How many of the values are at most so large, a curve for each step. A PNG."""
    figure = _figure(9.5, 3.4)
    shades = np.linspace(0.25, 1.0, len(report.steps))
    for axes, (name, color) in zip(figure.subplots(1, len(PLOT_COLORS)), PLOT_COLORS.items(), strict=True):
        for step, shade in zip(report.steps, shades, strict=True):
            values = sorted(values_of(step, name))
            if len(values) >= _LEAST_VALUES:
                share = np.arange(1, len(values) + 1) / len(values) * 100
                axes.step(values, share, where="post", color=color, alpha=float(shade), label=f"{step.calls}")
        axes.axvline(report.limits[name], color=color, lw=1, ls="--")
        axes.axhline(95, color="#bbbbbb", lw=0.8)
        axes.set_xlabel(f"{SPREADS[name]}, ms")
        axes.set_xlim(left=0)
        if axes.lines and len(report.steps) > 1:
            axes.legend(fontsize=7, title="calls", title_fontsize=7)
    figure.axes[0].set_ylabel("% at most so late")
    return _png(figure)


def draw_time(step: Step) -> bytes:
    """One step over time: calls, how late the loop ran, CPU. A PNG."""
    figure = _figure(9.5, 4.6)
    calls, lag, cpu = figure.subplots(3, 1, sharex=True)
    at_s = [sample.at_s for sample in step.samples]
    calls.plot(at_s, [sample.calls for sample in step.samples], color="#2c7fb8", label="in progress, with the canary")
    calls.plot(at_s, [sample.capacity for sample in step.samples], color=_GOOD, ls=":", label="capacity by itself")
    refused = [refusal.at_s for refusal in step.refusals]
    if refused:
        calls.plot(refused, [0.0] * len(refused), "x", color="#d7301f", label="refused")
    calls.legend(fontsize=7, loc="upper right")
    calls.set_ylabel("calls")
    lag.plot(at_s, [sample.loop_lag_ms for sample in step.samples], color=_QUIET)
    lag.set_ylabel("loop lag, ms\n(longest a s)")
    cpu.plot(at_s, [sample.robot_cpu for sample in step.samples], color="#d95f0e", label="robot")
    if step.simulator is not None:
        cpu.plot(at_s, [sample.simulator_cpu or 0.0 for sample in step.samples], color=_QUIET, label="simulator")
    cpu.legend(fontsize=7, loc="upper right")
    cpu.set_ylabel("CPU, cores")
    cpu.set_xlabel("seconds since the step began")
    for axes in (calls, lag, cpu):
        axes.set_ylim(bottom=0)
        axes.axvspan(0, step.duration_s, color="#000000", alpha=0.04)
    return _png(figure)


def values_of(step: Step, name: str) -> list[float]:
    """The single values behind a spread of the step's figures."""
    if name == "verdict_ms":
        return [record.verdict_ms for record in step.records if record.verdict_ms is not None]
    many = "breaks_ms" if name == "break_ms" else "partial_lags_ms"
    return [value for record in step.records for value in getattr(record, many)]


def _share(spread: Spread, limit_ms: float) -> float:
    return float("nan") if spread.p95 is None else 100 * spread.p95 / limit_ms


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure as figure_type  # noqa: PLC0415, N813 - only pages need it
    except ImportError as exc:
        raise ConfigError('the page needs matplotlib: pip install "V3[load]", or pip install matplotlib') from exc
    return figure_type(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": "V3 load"})
    return out.getvalue()
