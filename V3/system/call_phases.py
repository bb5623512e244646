"""The phases of a call that was made, each passed or not, with its latency: what a person checks after a trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from V3.calls.answer import AnswerLabel
from V3.calls.report import BargeInReport, CallReport
from V3.system.checks import Check, State

__all__ = ["call_phases"]

VERDICT_SLACK_MS: Final = 1500  # beyond the window: the robot's own bound for the decode and its way
DIALLING, AMD = "phase DIALLING", "phase AMD in batch"
PLAYING, BARGE_IN, BREAK = "phase PLAYING streaming", "barge-in triggered", "break confirmed"
INTERRUPT: Final = "speak over the prompt: a few words"


def call_phases(report: CallReport, *, window_s: float, interrupted: bool) -> Iterator[Check]:
    """Each phase in the order of the call. One that did not pass is the last.

    A phase that was not reached for a good reason (a machine is played no prompt, nobody interrupted) is ``unknown``;
    with ``interrupted`` somebody has to.
    """
    for check in _phases(report, window_s=window_s, interrupted=interrupted):
        yield check
        if check.state == "failed":
            return


def _phases(report: CallReport, *, window_s: float, interrupted: bool) -> Iterator[Check]:
    yield _dialling(report)
    yield _amd(report, window_s)
    yield _playing(report)
    yield _barge_in(report, interrupted=interrupted)
    if report.barge_ins:
        yield _break(report)


def _dialling(report: CallReport) -> Check:
    if report.disposition == "ANSWERED":
        first_ms = report.moments.get("first_frame")
        heard = f", first audio {first_ms} ms after the answer" if first_ms is not None else ""
        return Check(DIALLING, "ok", f"answered after {report.moments.get('ring_ms', 0)} ms{heard}")
    found = f"{report.disposition} ({report.hangup_cause or '; '.join(report.errors)}), retry: {report.retry}"
    return Check(DIALLING, "failed", found, "call a number that answers")


def _amd(report: CallReport, window_s: float) -> Check:
    verdict, what = report.verdict, f"{AMD} on {window_s:g} s"
    if verdict is None:
        remedy = "see whether audio came (mod_audio_stream, server.public_url)"
        return Check(what, "failed", "the call ended before the verdict", remedy)
    at_ms = report.moments.get("verdict", verdict.at_ms)
    state: State = "ok" if at_ms <= 1000 * window_s + VERDICT_SLACK_MS else "failed"
    taken_back = f", {len(report.revised)} taken back" if report.revised else ""
    found = f"{verdict.label} ({verdict.kind}) {at_ms} ms after the answer: {verdict.reason}{taken_back}"
    return Check(what, state, found, "" if state == "ok" else "the machine is too busy: `python -m V3 load`")


def _playing(report: CallReport) -> Check:
    if not report.prompts:
        if report.label == AnswerLabel.HUMAN:
            return Check(PLAYING, "failed", "no prompt was played", "see the report's errors and prompts_dir")
        return Check(PLAYING, "unknown", f"not reached: no prompt is played to {report.label or 'nobody'}")
    first = report.prompts[0]
    heard = sum(partial.at_ms >= first.start_ms for partial in report.partials)
    found = f"first prompt {first.start_ms - report.moments.get('verdict', 0)} ms after the verdict, {first.status}"
    return Check(PLAYING, "ok", f"{found}; {heard} partials and {len(report.transcript)} utterances heard")


def _barge_in(report: CallReport, *, interrupted: bool) -> Check:
    if report.barge_ins:
        entry = _shown(report)
        said = f" « {entry.text} »" if entry.text else ""
        return Check(
            BARGE_IN, "ok", f"{entry.detected_ms - entry.speech_start_ms} ms after speech: {entry.reason}{said}"
        )
    state: State = "failed" if interrupted else "unknown"
    ignored = f"; ignored: {', '.join(entry.reason for entry in report.ignored)}" if report.ignored else ""
    return Check(BARGE_IN, state, f"nobody interrupted a prompt{ignored}", INTERRUPT)


def _break(report: CallReport) -> Check:
    entry = _shown(report)
    if entry.break_confirmed_ms is None:
        return Check(BREAK, "failed", f"not after {report.breaks_resent} re-sent breaks", "look at FreeSWITCH's log")
    after_ms, whole_ms = entry.break_confirmed_ms - entry.detected_ms, entry.break_confirmed_ms - entry.speech_start_ms
    resent = f", {report.breaks_resent} re-sent" if report.breaks_resent else ""
    outcome = f"; the prompt was {entry.outcome}" if entry.outcome else ""
    return Check(BREAK, "ok", f"{after_ms} ms after the decision, {whole_ms} ms after speech began{resent}{outcome}")


def _shown(report: CallReport) -> BargeInReport:
    """The barge-in that tells most: one whose break was not confirmed, else the first that stopped a prompt."""
    entries = report.barge_ins
    missed = (entry for entry in entries if entry.break_confirmed_ms is None)
    stopped = (entry for entry in entries if entry.outcome == "stopped")
    return next(missed, None) or next(stopped, entries[0])
