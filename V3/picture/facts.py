"""What a report says, as short lines for people: headline, verdict, latencies, what was decided when. A core."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from V3.calls.report import BargeInReport, CallReport, IgnoredReport, PromptReport, VerdictReport
from V3.masking import mask_number

__all__ = ["Decision", "decisions", "end_ms", "headline", "latencies", "prompt_name", "stopped_ms", "verdict_line"]

Kind = Literal["verdict", "revised", "barge_in", "resumed", "ignored", "message", "hangup"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Something decided at ``at_ms``; what it was about began at ``from_ms`` and was over at ``until_ms``."""

    kind: Kind
    at_ms: int
    text: str
    from_ms: int
    until_ms: int


def end_ms(report: CallReport) -> int:
    """When the call was over."""
    known = [report.duration_ms, *report.moments.values()]
    known += [prompt.stop_ms or prompt.start_ms for prompt in report.prompts]
    known += [speech.end_ms for speech in report.transcript]
    known += [partial.at_ms for partial in report.partials]
    return max(known, default=0) if "answer" in report.moments else 0


def headline(report: CallReport, *, mask: bool) -> str:
    number = mask_number(report.number) if mask else report.number
    parts = [number, report.disposition]
    if report.verdict is not None:
        parts.append(report.verdict.label)
    if report.outcome:
        parts.append(f"outcome: {report.outcome}")
    if report.duration_ms:
        parts.append(f"{report.duration_ms / 1000:.1f} s")
    if report.hung_up_by:
        parts.append(f"hung up by the {report.hung_up_by}" if report.hung_up_by != "freeswitch" else "by FreeSWITCH")
    elif report.hangup_cause:
        parts.append(report.hangup_cause)
    return "  ·  ".join(parts)


def verdict_line(report: CallReport) -> str:
    verdict = report.verdict
    if verdict is None:
        return "no verdict: " + (report.hangup_cause or "the call ended before it")
    return _verdict_text(verdict, long=True)


def _verdict_text(verdict: VerdictReport, *, long: bool = False) -> str:
    kind = f" ({verdict.kind.replace('_', ' ')})" if verdict.kind not in ("", "unknown") else ""
    sure = f", {verdict.confidence:.0%} sure" if long else f" ({verdict.confidence:.0%})"
    reason = verdict.reason if long else textwrap.shorten(verdict.reason, 48, placeholder=" …")
    return f"{verdict.label}{kind} after {verdict.at_ms} ms: {reason}{sure}"


def stopped_ms(barge_in: BargeInReport) -> int | None:
    """From the beginning of the callee's speech to the confirmed silence of the prompt."""
    if barge_in.break_confirmed_ms is None:
        return None
    return barge_in.break_confirmed_ms - barge_in.speech_start_ms


def latencies(report: CallReport) -> list[tuple[str, str]]:
    """Names and values, in the order of the call."""
    moments = report.moments
    found = [("ringing", moments.get("ring_ms")), ("first audio", moments.get("first_frame"))]
    found.append(("time to verdict", report.verdict.at_ms if report.verdict else None))
    if report.verdict is not None and report.prompts:
        found.append(("answer to first prompt", report.prompts[0].start_ms))
    told = [(name, f"{value} ms") for name, value in found if value is not None]
    stops = [f"{took} ms" for entry in report.barge_ins if (took := stopped_ms(entry)) is not None]
    return [*told, ("speech to silence", ", ".join(stops))] if stops else told


def prompt_name(prompt: PromptReport) -> str:
    """The file's name without its ending, and where it was resumed."""
    name = PurePosixPath(prompt.path.replace("\\", "/")).stem
    return f"from {prompt.from_ms / 1000:.1f} s: {name}" if prompt.from_ms else name


def decisions(report: CallReport) -> list[Decision]:
    """All that was decided, in order of time."""
    found = [Decision("revised", v.at_ms, f"taken back: {_verdict_text(v)}", v.at_ms, v.at_ms) for v in report.revised]
    if report.verdict is not None:
        at_ms = report.verdict.at_ms
        found.append(
            Decision("verdict", at_ms, _verdict_text(report.verdict), 0 if not report.revised else at_ms, at_ms)
        )
    found += [_barge_in(barge_in) for barge_in in report.barge_ins]
    found += [_ignored(ignored) for ignored in report.ignored]
    if (message := report.message) is not None:
        over_ms = message.stop_ms if message.stop_ms is not None else message.start_ms
        whole = "whole" if message.whole else "not to its end"
        text = f"message left ({message.reason}), {whole}"
        found.append(Decision("message", message.start_ms, text, message.start_ms, over_ms))
    if "hangup" in report.moments and "answer" in report.moments:
        at_ms = report.moments["hangup"]
        by = report.hung_up_by or "?"
        found.append(Decision("hangup", at_ms, f"hung up by {by} ({report.hangup_cause})", at_ms, at_ms))
    return sorted(found, key=lambda decision: decision.from_ms)


def _barge_in(entry: BargeInReport) -> Decision:
    took_ms = stopped_ms(entry)
    text = "break not confirmed" if took_ms is None else f"silent {took_ms} ms after speech began"
    text += f": {entry.reason}"
    if entry.outcome == "resumed":
        text += f"; resumed: {entry.verdict}"
    elif entry.verdict and entry.verdict != entry.reason:
        text += f"; stopped: {entry.verdict}"
    known = (entry.resumed_ms, entry.break_confirmed_ms, entry.detected_ms)
    over_ms = next(value for value in known if value is not None)
    kind: Kind = "resumed" if entry.outcome == "resumed" else "barge_in"
    return Decision(kind, entry.detected_ms, text, entry.speech_start_ms, over_ms)


def _ignored(entry: IgnoredReport) -> Decision:
    said = f" « {entry.text} »" if entry.text else ""
    return Decision("ignored", entry.at_ms, f"ignored, {entry.reason}{said}", entry.at_ms, entry.at_ms)
