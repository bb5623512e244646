"""What became of dialogues: each judged by what the simulator saw, then counted. No clock, no model, no files.

The rules:

* a prompt's *fate* is what the callee heard: not touched, paused and resumed, or stopped for good;
* a true interruption is *right* when it stopped the prompt for good, and the prompt was not resumed over it before;
  anything else is right when the prompt reached its end;
* a *resume* is right when nobody had interrupted (an echo paused the prompt before the callee spoke, say); a stop for
  good that nobody wanted is a resume that was missed;
* a dialogue is *void* when nothing can be learned of it: no prompt was played, the call ended while it was, or the
  robot took the callee for a machine after all;
* times count from the first audible moment of the callee's sound: to the silence of the prompt as the callee heard it,
  and to when the robot sent the break. Of a stop word also from its end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from scripts.barge.dialogues import Dialogue, Kind
from scripts.bench.accounts import Spread
from V3.simulator import CallTruth, HeardPrompt, Utterance

__all__ = ["Fate", "Resumes", "Share", "Tally", "Verdict", "judge", "resumes_of", "tally", "wilson"]

_Z: Final = 1.96  # 95 %
Report = dict[str, Any]


class Fate(StrEnum):
    """What became of the prompt."""

    UNTOUCHED = "not touched"
    RESUMED = "paused and resumed"
    STOPPED = "stopped for good"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Share:
    """So many of all, with the 95 % interval after Wilson."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan


def wilson(count: int, of: int) -> Share:
    """The interval that stays between 0 and 1, and says something of 0 and of all."""
    if not of:
        return Share(0, 0, 0.0, 1.0)
    share, squared = count / of, _Z * _Z
    middle = (share + squared / (2 * of)) / (1 + squared / of)
    half = _Z / (1 + squared / of) * math.sqrt(share * (1 - share) / of + squared / (4 * of * of))
    return Share(count, of, max(0.0, middle - half), min(1.0, middle + half))


def spread_of(values_ms: Iterable[float | None]) -> Spread:
    """How times in ms lie, those that do not apply left out."""
    return Spread.of(value / 1000 for value in values_ms if value is not None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One dialogue, judged. Times that do not apply are None; a negative ``said_again_ms`` left something out."""

    number: str
    kind: Kind
    condition: str
    file: str
    text: str
    at_ms: float  # how far the prompt had to be when the sound began
    level_db: float
    echo_delay_ms: float | None
    fate: Fate
    right: bool
    resumes: int
    over: int = 0  # of these, over a true interruption
    why_void: str = ""
    early: bool = False  # stopped for good before the callee's sound
    stop_ms: float | None = None  # onset to silence
    sent_ms: float | None = None  # onset to the break sent
    after_word_ms: float | None = None  # end of the stop word to silence
    pause_ms: float | None = None  # silence before the rest of the prompt
    said_again_ms: float | None = None  # of what had been heard before the cut
    reasons: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    heard: str = ""
    disagreement: str = ""  # between the robot's report and what happened


def judge(dialogue: Dialogue, report: Report, truth: CallTruth, *, shift_ms: float) -> Verdict:
    """Hold a report (as ``CallReport.model_dump``) and the truth against what was planned."""
    sound = _uttered(dialogue, truth)
    fate, why_void = _fate(dialogue, truth, sound, report)
    cuts = [prompt.stop_ms for prompt in truth.prompts if prompt.status == "break" and prompt.stop_ms is not None]
    onset_ms = sound.start_ms + dialogue.sound.onset_ms if sound and dialogue.sound else None
    early = fate is Fate.STOPPED and dialogue.sound is not None and (onset_ms is None or cuts[-1] < onset_ms)
    stopped_at_ms = cuts[-1] if fate is Fate.STOPPED and not early else None
    timed = onset_ms is not None and stopped_at_ms is not None
    word_end_ms = sound.start_ms + dialogue.sound.end_ms if sound and dialogue.sound else None
    resumes = len(truth.prompts) - 1 if fate in (Fate.RESUMED, Fate.STOPPED) else 0
    over = _resumed_over(dialogue.kind, cuts[:resumes], onset_ms)
    pause_ms, said_again_ms = _resumed(truth.prompts)
    return Verdict(
        number=dialogue.number,
        kind=dialogue.kind,
        condition=dialogue.condition,
        file=dialogue.sound.path.name if dialogue.sound else "",
        text=dialogue.sound.text if dialogue.sound else "",
        at_ms=dialogue.at_ms,
        level_db=dialogue.level_db,
        echo_delay_ms=dialogue.echo.delay_ms if dialogue.echo else None,
        fate=fate,
        right=_right(dialogue.kind, fate, over, early=early),
        resumes=resumes,
        over=over,
        why_void=why_void,
        early=early,
        stop_ms=_between(onset_ms, stopped_at_ms),
        sent_ms=_between(onset_ms, _last_break_sent(report, shift_ms)) if timed else None,
        after_word_ms=_between(word_end_ms, stopped_at_ms) if dialogue.kind is Kind.STOP_WORD else None,
        pause_ms=pause_ms,
        said_again_ms=said_again_ms,
        reasons=tuple(_reason(entry) for entry in report["barge_ins"]),
        ignored=tuple(entry["reason"] for entry in report.get("ignored", ())),
        heard=" / ".join(speech["text"] for speech in report["transcript"][1:]),
        disagreement="" if fate is Fate.VOID else _disagreement(report, truth.prompts, fate),
    )


def _reason(entry: Report) -> str:
    """Why the robot stopped, and why it went on."""
    went_on = f" (resumed: {entry.get('verdict', '')})" if entry.get("outcome") == "resumed" else ""
    return f"{entry['reason']}{went_on}"


def _right(kind: Kind, fate: Fate, over: int, *, early: bool) -> bool:
    if kind.wants_stop:
        return fate is Fate.STOPPED and not over and not early
    return fate in (Fate.UNTOUCHED, Fate.RESUMED)


def _resumed_over(kind: Kind, resumed_cuts: Sequence[float], onset_ms: float | None) -> int:
    """How many pauses of a true interruption were taken back."""
    return sum(cut_ms >= onset_ms for cut_ms in resumed_cuts) if kind.wants_stop and onset_ms is not None else 0


def _uttered(dialogue: Dialogue, truth: CallTruth) -> Utterance | None:
    """The callee's sound, if it came to it; the first utterance is the greeting."""
    if dialogue.sound is None:
        return None
    return next((said for said in truth.speech[1:] if said.file == dialogue.sound.path.name), None)


def _fate(dialogue: Dialogue, truth: CallTruth, sound: Utterance | None, report: Report) -> tuple[Fate, str]:
    label = (report["verdict"] or {}).get("label", "")
    if not truth.prompts:
        heard = f"taken for {label}" if label else "no verdict"
        return Fate.VOID, "; ".join(["no prompt was played", heard, *report["errors"]])
    last = truth.prompts[-1]
    if last.status == "break" and label != "HUMAN":
        return Fate.VOID, f"taken for {label} after all"
    if last.status not in ("done", "break"):
        return Fate.VOID, f"the call ended while the prompt played ({last.status}, by {truth.hangup_by})"
    if last.status == "break":
        return Fate.STOPPED, ""
    if dialogue.sound is not None and sound is None:
        return Fate.VOID, "the prompt was over before the callee's turn"
    return (Fate.RESUMED if len(truth.prompts) > 1 else Fate.UNTOUCHED), ""


def _resumed(prompts: Sequence[HeardPrompt]) -> tuple[float | None, float | None]:
    """The first pause, and how much of what had been heard was said again after it."""
    if len(prompts) < 2 or prompts[0].stop_ms is None or prompts[0].to_ms is None:
        return None, None
    return prompts[1].start_ms - prompts[0].stop_ms, prompts[0].to_ms - prompts[1].from_ms


def _last_break_sent(report: Report, shift_ms: float) -> float | None:
    sent = [entry["break_sent_ms"] for entry in report["barge_ins"] if entry["break_sent_ms"] is not None]
    return sent[-1] + shift_ms if sent else None


def _between(from_ms: float | None, to_ms: float | None) -> float | None:
    return None if from_ms is None or to_ms is None else to_ms - from_ms


def _disagreement(report: Report, prompts: Sequence[HeardPrompt], fate: Fate) -> str:
    """What the report says otherwise than it was; empty where they agree."""
    cuts = sum(prompt.status == "break" for prompt in prompts)
    told = [entry for entry in report["barge_ins"] if entry["break_confirmed_ms"] is not None]
    if len(told) != cuts:
        return f"{len(told)} breaks reported, {cuts} heard"
    outcomes = [entry.get("outcome", "") for entry in told]
    expected = ["resumed"] * (len(prompts) - 1) + (["stopped"] if fate is Fate.STOPPED else [])
    if any(outcomes) and outcomes != expected:
        return f"reported {', '.join(outcomes)}; heard {', '.join(expected)}"
    return ""


@dataclass(frozen=True, slots=True)
class Tally:
    """The dialogues of one kind, or of one condition of it. ``early``: stopped for good before the callee's sound."""

    name: str
    dialogues: int
    fates: dict[Fate, int]
    early: int
    right: Share
    stopped: Share
    stop: Spread
    sent: Spread
    after_word: Spread


def tally(name: str, verdicts: Sequence[Verdict]) -> Tally:
    """Count them; shares are of those that are not void."""
    valid = [verdict for verdict in verdicts if verdict.fate is not Fate.VOID]
    return Tally(
        name=name,
        dialogues=len(verdicts),
        fates={fate: sum(verdict.fate is fate for verdict in verdicts) for fate in Fate},
        early=sum(verdict.early for verdict in valid),
        right=wilson(sum(verdict.right for verdict in valid), len(valid)),
        stopped=wilson(sum(verdict.fate is Fate.STOPPED for verdict in valid), len(valid)),
        stop=spread_of(verdict.stop_ms for verdict in valid),
        sent=spread_of(verdict.sent_ms for verdict in valid),
        after_word=spread_of(verdict.after_word_ms for verdict in valid),
    )


@dataclass(frozen=True, slots=True)
class Resumes:
    """Pauses and what followed.

    ``wrong``: it went on though it was truly interrupted; ``missed``: it stopped for good though nobody wanted that.
    """

    right: int
    wrong: int
    missed: int
    pause: Spread
    said_again: Spread


def resumes_of(verdicts: Sequence[Verdict]) -> Resumes:
    """Right and wrong resumes of all dialogues."""
    valid = [verdict for verdict in verdicts if verdict.fate is not Fate.VOID]
    return Resumes(
        right=sum(verdict.resumes - verdict.over for verdict in valid),
        wrong=sum(verdict.over for verdict in valid),
        missed=sum(verdict.fate is Fate.STOPPED for verdict in valid if not verdict.kind.wants_stop),
        pause=spread_of(verdict.pause_ms for verdict in valid),
        said_again=spread_of(verdict.said_again_ms for verdict in valid),
    )
