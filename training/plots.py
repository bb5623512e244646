"""Figures of an evaluation, as PNG files. Drawn without a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

__all__ = ["plot_reliability"]


def plot_reliability(path: Path, results: Mapping[str, Any], *, folder: str) -> Path:
    """How often words are right against how sure the model is of them, and how many words are how sure.

    ``results`` is what :func:`training.evaluate.evaluate` gives; ``folder`` names the recordings in it.
    """
    found = results[folder]["confidence"]
    bars: Sequence[Sequence[float]] = found["confidence_right_words"]
    sure, right, words = ([bar[column] for bar in bars] for column in range(3))
    figure = Figure(figsize=(6, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="perfectly calibrated")
    above.plot(
        sure, right, color="#0b6e4f", marker="o", label=f"words (calibration error {found['calibration_error']})"
    )
    above.set_ylabel("share of words that are right")
    above.set_ylim(0, 1.02)
    above.legend(frameon=False)
    above.set_title(f"Confidence of words, {folder} (synthetic voices)")
    below.bar(sure, words, width=0.07, color="#2c7fb8")
    below.set_yscale("log")
    below.set_ylabel("words")
    below.set_xlabel("confidence")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path
