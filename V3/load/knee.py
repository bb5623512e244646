"""The knee of a load: the most calls at once that still keep every limit. A core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from V3.load.figures import SPREADS, Step

__all__ = ["LIMITS", "broken_limits", "knee_of", "said"]

LIMITS: Final = {"verdict_ms": 2450.0, "break_ms": 500.0, "partial_lag_ms": 400.0}
"""The 95th percentiles of a step are at most these: 2.3 s and 150 ms to the verdict, and so on."""
_FULL: Final = 0.9  # of its calls a step must have had at once, to say anything of so many


def broken_limits(step: Step, limits: dict[str, float] = LIMITS) -> list[str]:
    """What a step did not keep, in words; empty where it kept everything."""
    figures = step.figures
    found = []
    for name, limit in limits.items():
        p95 = getattr(figures, name).p95
        if p95 is not None and p95 > limit:
            found.append(f"{SPREADS[name]} {p95:.0f} ms, over {limit:.0f}")
    if figures.wrong:
        found.append(f"{figures.wrong} wrong disposition{'s' if figures.wrong > 1 else ''}")
    if figures.refused:
        found.append(f"{figures.refused} refused")
    if step.most_at_once < _FULL * step.calls:
        found.append(f"only {step.most_at_once} at once")
    return found


def knee_of(steps: Iterable[Step], limits: dict[str, float] = LIMITS) -> int | None:
    """The largest step that kept everything; None where none did."""
    return max((step.calls for step in steps if step.figures.calls and not broken_limits(step, limits)), default=None)


def said(steps: Sequence[Step], limits: dict[str, float] = LIMITS) -> str:
    """The knee as a sentence."""
    knee = knee_of(steps, limits)
    if knee is None:
        return "no step kept all limits"
    beyond = [step for step in steps if step.calls > knee]
    if not beyond:
        return f"the knee is at {knee} calls or above: the largest step kept all limits"
    return f"the knee is at {knee} calls; {beyond[0].calls}: {', '.join(broken_limits(beyond[0], limits))}"
