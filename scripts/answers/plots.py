"""``answer.png``: what was said of whom, how soon, and each signal alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.answers.accounts import LABELS, Account, wilson
from scripts.bench.plots import save_figure
from scripts.bench.report import Machine
from V3.calls.answer import AnswerLabel

__all__ = ["plot_answers"]

_COLORS: Final = {
    AnswerLabel.HUMAN: "#0b6e4f",
    AnswerLabel.MACHINE: "#2c7fb8",
    AnswerLabel.NO_ANSWER: "#8a8a8a",
}


def plot_answers(directory: Path, accounts: Mapping[str, Account], machine: Machine) -> Path:
    """Draw it; the first account is the whole, the others are single signals."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.0, 1.35, 1.25))
    whole = next(iter(accounts.values()))
    _confusion(left, whole)
    _times(middle, whole)
    _signals(right, accounts)
    return save_figure(figure, directory / "answer.png", machine, [middle, right], "x")


def _confusion(axes: Axes, account: Account) -> None:
    counts = np.array([[account.confusion.get((str(was), str(said)), 0) for said in LABELS] for was in LABELS])
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1.25, aspect="auto")
    names = [str(label).replace("_", " ").lower() for label in LABELS]
    axes.set_xticks(range(len(LABELS)), names)
    axes.set_yticks(range(len(LABELS)), names, rotation=90, va="center")
    for row, column in np.ndindex(counts.shape):
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=13)
    axes.set_xlabel("taken for")
    axes.set_ylabel("was")
    axes.set_title("Calls")


def _times(axes: Axes, account: Account) -> None:
    for label in LABELS:
        times = account.times_ms(label)
        if times:
            shares = 100 * np.arange(1, len(times) + 1) / len(times)
            name = str(label).replace("_", " ").lower()
            axes.step([0, *times], [0, *shares], where="post", color=_COLORS[label], label=f"{name} ({len(times)})")
    axes.set_xlim(0, 2600)
    axes.set_ylim(0, 101)
    axes.set_xlabel("from the answer (ms of audio)")
    axes.set_ylabel("of the verdicts (%)")
    axes.set_title("Time to the verdict")
    axes.legend(frameon=False, loc="upper left")


def _signals(axes: Axes, accounts: Mapping[str, Account]) -> None:
    names = list(accounts)
    for row, account in enumerate(accounts.values()):
        count, right = len(account.judged), sum(each.right for each in account.judged)
        low, high = wilson(right, count)
        axes.barh(row, 100 * right / count, color="#0b6e4f" if row == 0 else "#c7d6cf", height=0.6)
        axes.plot([100 * low, 100 * high], [row, row], color="black", lw=1)
        lost, people = account.false_machines
        axes.text(52, row, f"{100 * right / count:.1f} %, {lost} of {people} people lost", va="center", fontsize=9,
                  color="white" if row == 0 else "black")  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(50, 100)
    axes.set_xlabel("right (%), 95 % interval")
    axes.set_title("Each signal alone")
