"""Figures of what was measured, as PNG files. Drawn without a screen."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.bench.accounts import Spread
from scripts.bench.capacity import Level
from scripts.bench.compare import EngineResult
from scripts.bench.hour import HourResult
from scripts.bench.report import Machine

__all__ = ["plot_capacity", "plot_comparison", "plot_hour", "save_figure"]

_COLORS: Final = ("#0b6e4f", "#2c7fb8", "#d95f0e", "#7a0177", "#d17fc4", "#4d4d4d", "#b8a000")
_LONGEST_S: Final = 6.0
_CAPTION_LETTERS_PER_INCH: Final = 18


def plot_comparison(directory: Path, results: Sequence[EngineResult], machine: Machine) -> list[Path]:
    """``latency.png`` and ``cost.png``; their paths."""
    heard = [result for result in results if result.audio_s]
    return [_latency(directory, heard, machine), _cost(directory, heard, machine)]


def plot_hour(directory: Path, result: HourResult, machine: Machine) -> Path:
    """``hour.png``: latency above, memory below, by minute."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    minutes = [minute.minute for minute in result.minutes]
    for name, spreads, color in (
        ("first shown", [minute.shown for minute in result.minutes], _COLORS[1]),
        ("certain", [minute.certain for minute in result.minutes], _COLORS[0]),
    ):
        above.plot(minutes, [_or_gap(spread.median_ms) for spread in spreads], color=color, label=f"{name}, median")
        above.plot(minutes, [_or_gap(spread.p95_ms) for spread in spreads], color=color, ls=":", label=f"{name}, 95 %")
    above.set_ylabel("from the end of a word (ms)")
    above.set_ylim(bottom=min(0.0, above.get_ylim()[0]))
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    below.plot(minutes, [minute.held_bytes / 1e6 for minute in result.minutes], color=_COLORS[0])
    below.set_ylabel("held by the stream (MB)")
    below.set_ylim(bottom=0.0)
    below.set_xlabel("minute of the call")
    above.set_title(f"One stream of {result.audio_s / 60:.0f} minutes: {result.cpu_s:.0f} s of CPU time")
    return save_figure(figure, directory / "hour.png", machine, [above, below])


def _latency(directory: Path, results: Sequence[EngineResult], machine: Machine) -> Path:
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, title, which in ((left, "first shown", "shown"), (right, "certain", "certain")):
        for result, color in zip(results, itertools.cycle(_COLORS), strict=False):
            _curve(axes, getattr(result, which), result, color)
        axes.set_title(f"Words {title}")
        axes.set_xlabel("time from the true end of the word (s)")
        axes.set_xlim(-0.5, _LONGEST_S)
        axes.set_xticks(range(int(_LONGEST_S) + 1))
    left.set_ylabel("of all words said (%)")
    left.set_ylim(0, 100)
    figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return save_figure(figure, directory / "latency.png", machine, [left, right])


def _curve(axes: Axes, spread: Spread, result: EngineResult, color: str) -> None:
    """How many of all words were there by then: words that never came keep the curve below 100 %."""
    values_s = np.array([-10.0, *(value / 1000 for value in spread.values_ms), 1000.0])
    share = np.array([*range(spread.count + 1), spread.count]) * 100 / max(1, result.words)
    axes.step(values_s, share, where="post", color=color, lw=1.8, label=result.name)


def _cost(directory: Path, results: Sequence[EngineResult], machine: Machine) -> Path:
    figure = Figure(figsize=(9, 1.4 + 0.5 * len(results)), layout="constrained")
    axes = figure.subplots()
    values = [result.cpu_s_per_audio_s for result in results]
    bars = axes.barh([result.name for result in results], values, color=_COLORS[: len(results)], height=0.6)
    axes.bar_label(bars, labels=[f"{value:.3f}" for value in values], padding=4)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(values, default=1.0))
    axes.set_xlabel("CPU seconds per second of audio")
    axes.set_title("What one stream costs")
    return save_figure(figure, directory / "cost.png", machine, [axes], "x")


def save_figure(
    figure: Figure, path: Path, machine: Machine, axes: Sequence[Axes], grid: Literal["both", "x"] = "both"
) -> Path:
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis=grid, alpha=0.25)
        one.set_axisbelow(True)
    letters = int(figure.get_figwidth() * _CAPTION_LETTERS_PER_INCH)
    caption = "\n".join(textwrap.wrap(str(machine), letters, break_on_hyphens=False))
    figure.text(0.01, -0.02, caption, fontsize=7.5, color="#555555", va="top")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight", pad_inches=0.15)
    return path


def _or_gap(value_ms: float | None) -> float:
    return float("nan") if value_ms is None else value_ms


def plot_capacity(directory: Path, levels: Sequence[Level], machine: Machine, *, limit_ms: float) -> Path:
    """``capacity.png``: how late partials come, and what the engine does about it, against calls at once."""
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    calls = [level.calls for level in levels]
    for name, values, color, style in (
        ("lag, 95 %", [level.lag_p95_ms for level in levels], _COLORS[2], "-"),
        ("lag, median", [level.lag_p50_ms for level in levels], _COLORS[2], ":"),
        ("final after the end of speech was sure, 95 %", [level.final_p95_ms for level in levels], _COLORS[0], "-"),
    ):
        above.plot(calls, values, color=color, ls=style, marker="o", ms=3.5, label=name)
    above.axhline(limit_ms, color="#555555", lw=1, ls="--")
    above.set_ylabel("ms")
    above.set_ylim(0, 3 * limit_ms)
    above.legend(frameon=False)
    above.set_title("Calls at once on one machine")
    below.plot(
        calls, [100 * level.load for level in levels], color=_COLORS[0], marker="o", ms=3.5, label="workers busy"
    )
    below.set_ylabel("workers busy (%)")
    below.set_ylim(0, 105)
    below.set_xlabel("calls at once")
    beside = below.twinx()
    beside.plot(calls, [level.stretch for level in levels], color=_COLORS[3], marker="o", ms=3.5)
    beside.set_ylabel("stretch of the hop", color=_COLORS[3])
    beside.set_ylim(0, 4.2)
    return save_figure(figure, directory / "capacity.png", machine, [above, below])
