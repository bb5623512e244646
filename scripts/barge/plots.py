"""``barge_in.png``: what became of the prompt by kind, and how soon it fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.barge.accounts import Tally
from scripts.barge.verdicts import Fate
from scripts.bench.plots import save_figure
from scripts.bench.report import Machine

__all__ = ["plot_barge_in"]

_FATES: Final = {
    "not touched": "#c7d6cf",
    "paused and resumed": "#2c7fb8",
    "stopped for good": "#0b6e4f",
    "stopped before or long after the sound": "#d95f0e",
}
_COLORS: Final = ("#0b6e4f", "#d95f0e", "#7a0177")
_LONGEST_MS: Final = 2000.0
_GOAL_MS: Final = 400.0


def plot_barge_in(directory: Path, tallies: Sequence[Tally], timed: Sequence[Tally], machine: Machine) -> Path:
    """Draw it; ``timed`` are those whose times to silence are shown."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _fates(left, tallies)
    _times(right, timed)
    return save_figure(figure, directory / "barge_in.png", machine, [left, right], "x")


def _fates(axes: Axes, tallies: Sequence[Tally]) -> None:
    counted = [one for one in tallies if one.right.of]
    names = [f"{one.name} ({one.right.of})" for one in counted]
    before = np.zeros(len(counted))
    for number, (label, color) in enumerate(_FATES.items()):
        shares = np.array([100 * _counts(one)[number] / one.right.of for one in counted])
        axes.barh(names, shares, left=before, color=color, height=0.65, label=label)
        before += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("of the dialogues (%)")
    axes.set_title("What became of the prompt", pad=40)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)


def _counts(one: Tally) -> tuple[int, int, int, int]:
    untimely = one.early + one.late
    return one.fates[Fate.UNTOUCHED], one.fates[Fate.RESUMED], one.fates[Fate.STOPPED] - untimely, untimely


def _times(axes: Axes, timed: Sequence[Tally]) -> None:
    """How many of all dialogues had the prompt silent by then: what was never stopped keeps a curve below 100 %."""
    for one, color in zip(timed, _COLORS, strict=False):
        values = np.array([0.0, *one.stop.values_ms, _LONGEST_MS * 10])
        count = len(one.stop.values_ms)
        share = np.array([*range(count + 1), count]) * 100 / max(1, one.right.of)
        axes.step(values, share, where="post", color=color, lw=1.8, label=one.name)
    axes.axvline(_GOAL_MS, color="#555555", lw=1, ls="--")
    axes.set_xlim(0, _LONGEST_MS)
    axes.set_ylim(0, 102)
    axes.set_xlabel("from the first sound of the callee (ms)")
    axes.set_ylabel("prompt silent for good (%)")
    axes.set_title("How soon an interruption is obeyed", pad=40)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)
