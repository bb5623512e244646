"""What became of a dialogue, judged by what the simulator saw. No clock, no model, no files.

The rules:

* a prompt's *fate* is what the callee heard: not touched, paused and resumed, or stopped for good;
* a true interruption is *right* when it stopped the prompt for good, and the prompt was not resumed over it before;
  a stop before the callee's sound, or more than 1.5 s after its end, had another cause. Anything else is right when
  the prompt reached its end;
* a *resume* is right when nobody had interrupted (an echo paused the prompt before the callee spoke, say); a stop for
  good that nobody wanted is a resume that was missed;
* a dialogue is *void* when nothing can be learned of it: no prompt was played, the call ended while it was, or the
  robot took the callee for a machine after all;
* times count from the first audible moment of the callee's sound: to the silence of the prompt as the callee heard it,
  and to when the robot sent the break. Of a stop word also from its end. They are those of stops in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from scripts.barge.dialogues import Dialogue, Kind
from V3.simulator import CallTruth, HeardPrompt

__all__ = ["Fate", "Verdict", "judge"]

_LATEST_MS: Final = 1500.0  # after the end of a sound: what then stops the prompt was something else
Report = dict[str, Any]


class Fate(StrEnum):
    """What became of the prompt."""

    UNTOUCHED = "not touched"
    RESUMED = "paused and resumed"
    STOPPED = "stopped for good"
    VOID = "void"


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
    late: bool = False  # or long after it
    stop_ms: float | None = None  # onset to silence
    sent_ms: float | None = None  # onset to the break sent
    after_word_ms: float | None = None  # end of the stop word to silence
    pause_ms: float | None = None  # silence before the rest of the prompt
    said_again_ms: float | None = None  # of what had been heard before the cut
    reasons: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    heard: str = ""
    disagreement: str = ""  # between the robot's report and what happened


@dataclass(frozen=True, slots=True)
class _Sound:
    """The callee's sound as it was uttered, on the truth's clock: its first and last audible moment."""

    onset_ms: float
    end_ms: float


def judge(dialogue: Dialogue, report: Report, truth: CallTruth, *, shift_ms: float) -> Verdict:
    """Hold a report (as ``CallReport.model_dump``) and the truth against what was planned."""
    sound = _uttered(dialogue, truth)
    fate, why_void = _fate(dialogue, truth, sound, report)
    cuts = [prompt.stop_ms for prompt in truth.prompts if prompt.status == "break" and prompt.stop_ms is not None]
    early, late = _untimely(dialogue, fate, sound, cuts)
    stopped_ms = cuts[-1] if fate is Fate.STOPPED and not (early or late) else None
    resumes = len(truth.prompts) - 1 if fate in (Fate.RESUMED, Fate.STOPPED) else 0
    over = _resumed_over(dialogue.kind, cuts[:resumes], sound)
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
        right=_right(dialogue.kind, fate, over, in_time=not (early or late)),
        resumes=resumes,
        over=over,
        why_void=why_void,
        early=early,
        late=late,
        stop_ms=stopped_ms - sound.onset_ms if sound and stopped_ms is not None else None,
        sent_ms=_sent(report, shift_ms, sound) if stopped_ms is not None else None,
        after_word_ms=_after_word(dialogue.kind, sound, stopped_ms),
        pause_ms=pause_ms,
        said_again_ms=said_again_ms,
        reasons=tuple(_reason(entry) for entry in report["barge_ins"]),
        ignored=tuple(entry["reason"] for entry in report.get("ignored", ())),
        heard=" / ".join(speech["text"] for speech in report["transcript"][1:]),
        disagreement="" if fate is Fate.VOID else _disagreement(report, truth.prompts, fate),
    )


def _untimely(dialogue: Dialogue, fate: Fate, sound: _Sound | None, cuts: Sequence[float]) -> tuple[bool, bool]:
    """Whether the prompt was stopped before the callee's sound, and whether it was long after it."""
    if fate is not Fate.STOPPED or dialogue.sound is None:
        return False, False
    if sound is None or cuts[-1] < sound.onset_ms:
        return True, False
    return False, cuts[-1] > sound.end_ms + _LATEST_MS


def _reason(entry: Report) -> str:
    """Why the robot stopped, and why it went on."""
    went_on = f" (resumed: {entry.get('verdict', '')})" if entry.get("outcome") == "resumed" else ""
    return f"{entry['reason']}{went_on}"


def _right(kind: Kind, fate: Fate, over: int, *, in_time: bool) -> bool:
    if kind.wants_stop:
        return fate is Fate.STOPPED and not over and in_time
    return fate in (Fate.UNTOUCHED, Fate.RESUMED)


def _resumed_over(kind: Kind, resumed_cuts: Sequence[float], sound: _Sound | None) -> int:
    """How many pauses of a true interruption were taken back."""
    return sum(cut_ms >= sound.onset_ms for cut_ms in resumed_cuts) if kind.wants_stop and sound is not None else 0


def _uttered(dialogue: Dialogue, truth: CallTruth) -> _Sound | None:
    """The callee's sound, if it came to it; the first utterance is the greeting."""
    planned = dialogue.sound
    if planned is None:
        return None
    said = next((said for said in truth.speech[1:] if said.file == planned.path.name), None)
    return _Sound(said.start_ms + planned.onset_ms, said.start_ms + planned.end_ms) if said is not None else None


def _fate(dialogue: Dialogue, truth: CallTruth, sound: _Sound | None, report: Report) -> tuple[Fate, str]:
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


def _sent(report: Report, shift_ms: float, sound: _Sound | None) -> float | None:
    """From the first sound to when the last break was sent."""
    sent = [entry["break_sent_ms"] for entry in report["barge_ins"] if entry["break_sent_ms"] is not None]
    return sent[-1] + shift_ms - sound.onset_ms if sent and sound is not None else None


def _after_word(kind: Kind, sound: _Sound | None, stopped_ms: float | None) -> float | None:
    if kind is not Kind.STOP_WORD or sound is None or stopped_ms is None:
        return None
    return stopped_ms - sound.end_ms


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
