"""When a verdict on who answered is given, and when it is taken back. A core: evidence in, verdicts out.

Three moments, on the clock of the audio:

* an *early* verdict, as soon as it is sure: a lone "allô ?" and 400 ms of silence is a person who waits, and "vous êtes
  bien sur la messagerie" is none, whatever follows;
* the verdict at the *window's* end (2.3 s), whatever is known by then;
* a *revision* until 6 s: the greeting goes on after a pause, a beep. Only what is surer than the verdict changes it,
  and only words and tones do: by then the robot may speak, and people who listen are silent.

An early verdict for a person wants silence, since machines say "bonjour" too, and pause: how long depends on the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from V3.audio.tones import Tone
from V3.calls.answer import AnswerDecider, AnswerLabel, AnswerVerdict, Timing

__all__ = ["AnswerPolicy", "AnswerRules", "Evidence"]

LOOK_EVERY_MS = 40
NO_DOUBT = 0.985


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """When a verdict is given.

    window_ms: at the latest. early: sooner where it is at least ``early_person_from`` or ``early_machine_from`` sure;
    for a person after ``early_silence_ms`` (at once where the words leave no doubt: the robot speaks only once they are
    silent; after ``greeting_silence_ms`` where no word of a person was heard, a greeting at most). revise_until_ms:
    until then one at least ``revise_from`` sure may change it; 0: never.
    """

    window_ms: int = 2300
    early: bool = True
    early_person_from: float = 0.9
    early_machine_from: float = 0.7
    early_silence_ms: int = 400
    greeting_silence_ms: int = 700
    revise_until_ms: int = 6000
    revise_from: float = 0.97


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at one moment: all words said so far, partial ones included; voice activity; tones."""

    text: str
    timing: Timing
    tones: Sequence[Tone] = ()


class AnswerPolicy:
    """One call's verdict through time. Call :meth:`look` as evidence grows, and :meth:`decide` at the window's end."""

    def __init__(self, decider: AnswerDecider, rules: AnswerRules | None = None) -> None:
        self.rules = rules or AnswerRules()
        self.verdict: AnswerVerdict | None = None
        self._decider = decider
        self._next_look_ms = 0

    def wants(self, at_ms: int) -> bool:
        """Whether evidence still matters at this time: there is no verdict yet, or it may be revised."""
        return self.verdict is None or at_ms < self.rules.revise_until_ms

    def look(self, evidence: Evidence, *, news: bool = False) -> AnswerVerdict | None:
        """An early verdict, or one that takes it back or puts it beyond doubt, where it has become sure enough.

        Cheap where there is no ``news`` (a word, a tone): then it looks every 40 ms only.
        """
        at_ms = evidence.timing.window_ms
        if (at_ms < self._next_look_ms and not news) or not self.wants(at_ms):
            return None
        self._next_look_ms = at_ms + LOOK_EVERY_MS
        found = self._early(evidence) if self.verdict is None else self._revised(evidence, self.verdict)
        self.verdict = found or self.verdict
        return found

    def decide(self, evidence: Evidence) -> AnswerVerdict:
        """The verdict at the window's end, on what is known."""
        self.verdict = self._weigh(evidence)
        return self.verdict

    def _weigh(self, evidence: Evidence) -> AnswerVerdict:
        return self._decider.decide(evidence.text, timing=evidence.timing, tones=evidence.tones)

    def _early(self, evidence: Evidence) -> AnswerVerdict | None:
        if not self.rules.early or evidence.timing.window_ms >= self.rules.window_ms:
            return None
        verdict = self._weigh(evidence)
        return verdict if self._is_sure(verdict, evidence) else None

    def _is_sure(self, verdict: AnswerVerdict, evidence: Evidence) -> bool:
        """Whether nothing that may follow is likely to change it."""
        if verdict.label is AnswerLabel.MACHINE:  # never by timing alone: the words may be late
            told = bool(evidence.tones) or bool(self._decider.said(evidence.text))
            return told and verdict.confidence >= self.rules.early_machine_from
        if verdict.label is AnswerLabel.NO_ANSWER or verdict.confidence < self.rules.early_person_from:
            return False
        wanted_ms = self.rules.greeting_silence_ms
        if self._decider.speaks_as_person(evidence.text):
            wanted_ms = 0 if verdict.confidence >= NO_DOUBT else self.rules.early_silence_ms
        return evidence.timing.tail_ms >= wanted_ms

    def _revised(self, evidence: Evidence, verdict: AnswerVerdict) -> AnswerVerdict | None:
        """What contradicts the verdict, or puts it beyond doubt: words and tones alone, but where nobody had spoken."""
        if verdict.label is AnswerLabel.NO_ANSWER:
            found = self._weigh(evidence)
            return found if self._is_sure(found, evidence) else None
        found = self._decider.decide(evidence.text, tones=evidence.tones)
        if found.label is verdict.label and verdict.confidence < self.rules.revise_from <= found.confidence:
            return found  # no longer in doubt
        if found.label in (verdict.label, AnswerLabel.NO_ANSWER) or found.confidence < self.rules.revise_from:
            return None
        told_more = len(found.text.split()) > len(verdict.text.split())  # not the same words heard otherwise
        return found if told_more or found.reason.startswith("tone: ") else None
