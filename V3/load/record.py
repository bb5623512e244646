"""One call of a load: what became of it, what should have, and how long its moments took. A core.

Times to the break are the callee's own where the simulator tells them (first sound of the interruption to the silence
of the prompt), else those of the robot's report (voice activity to the confirmed break). Only interruptions that
stopped a prompt for good count.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from V3.calls.report import CallReport
from V3.load.heard import HeardCall

__all__ = ["CallRecord", "RefusedCall", "record_of"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RefusedCall(_Part):
    """A call that was refused before it was dialled; the refusal took ``took_ms``."""

    at_s: float
    took_ms: float
    why: str


class CallRecord(_Part):
    """``right``: disposition and verdict are those of the script; ``faults`` are all that is not. Seconds count from
    the beginning of the load.
    """

    who: str
    began_s: float
    ended_s: float
    disposition: str
    label: str
    right: bool
    faults: tuple[str, ...] = ()
    verdict_ms: float | None = None
    prompt_ms: float | None = None
    """From the answer to the first prompt."""
    breaks_ms: tuple[float, ...] = ()
    partial_lags_ms: tuple[float, ...] = ()


def record_of(
    report: CallReport,
    who: str,
    *,
    right: bool,
    faults: Sequence[str],
    span_s: tuple[float, float],
    heard: HeardCall | None = None,
    partial_lags_ms: Sequence[float] = (),
) -> CallRecord:
    """A call's record from its report."""
    return CallRecord(
        who=who,
        began_s=span_s[0],
        ended_s=span_s[1],
        disposition=report.disposition,
        label=report.label,
        right=right,
        faults=tuple(faults),
        verdict_ms=report.moments.get("verdict"),
        prompt_ms=report.prompts[0].start_ms if report.prompts else None,
        breaks_ms=tuple(_breaks_ms(report, heard)),
        partial_lags_ms=tuple(round(lag, 1) for lag in partial_lags_ms),
    )


def _breaks_ms(report: CallReport, heard: HeardCall | None) -> list[float]:
    confirmed = [entry for entry in report.barge_ins if entry.break_confirmed_ms is not None]
    silences_ms = heard.silences_ms() if heard is not None else []
    if len(silences_ms) != len(confirmed):  # no simulator, or a break that no word of the callee's explains
        silences_ms = [float((entry.break_confirmed_ms or 0) - entry.speech_start_ms) for entry in confirmed]
    return [round(ms, 1) for ms, entry in zip(silences_ms, confirmed, strict=True) if entry.outcome == "stopped"]
