"""Who answered: a person, a machine, or nobody. A core: words and timing of the first seconds in, a verdict out.

Words carry most of it: phrases of ``config/amd_fr.yaml`` by class and weight. Timing adds what words cannot say: a
person says a word or two and waits; a recording speaks on. Where the recogniser was late or heard nothing in speech,
timing decides alone. A person hung up on is the worse mistake, so doubt is HUMAN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from V3.calls.words import Phrases, fold_words

__all__ = ["AnswerDecider", "AnswerLabel", "AnswerVerdict", "KeywordClass", "Timing"]

MIN_SPEECH_MS = 120  # less voice than this in the whole window is a click or a breath
STEADY_SPEECH_MS = 1000  # a recording that began late in the window has said so much, and goes on
LONG_SPEECH_MS = 1500  # through most of the window: few people begin like that
BRIEF_SPEECH_MS = 1100  # "Allô, oui bonjour ?" is done by then
WAITING_MS = 400  # and this much silence follows


class AnswerLabel(StrEnum):
    """Who answered."""

    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    NO_ANSWER = "NO_ANSWER"


@dataclass(frozen=True, slots=True)
class Timing:
    """Voice activity in the window, in ms: its length, the speech in it, silence before it and after it."""

    window_ms: int
    speech_ms: int
    lead_ms: int
    tail_ms: int


@dataclass(frozen=True, slots=True)
class KeywordClass:
    """Phrases that speak for one label with one weight."""

    name: str
    weight: float
    phrases: Phrases


@dataclass(frozen=True, slots=True)
class AnswerVerdict:
    """The label, what decided, how sure (0.5-1), and each finding as ``class: phrase (+weight)``."""

    label: AnswerLabel
    reason: str
    confidence: float
    evidence: tuple[str, ...] = ()
    text: str = ""


class AnswerDecider:
    """Weighs words and timing. ``machine`` and ``human`` are the classes of the keyword file."""

    def __init__(
        self,
        *,
        machine: Sequence[KeywordClass],
        human: Sequence[KeywordClass],
        hallucinations: Sequence[str],
        machine_from: float = 1.0,
    ) -> None:
        self._machine = tuple(machine)
        self._human = tuple(human)
        self._hallucinations = Phrases(hallucinations)
        self._machine_from = machine_from

    @property
    def keyword_counts(self) -> Mapping[AnswerLabel, int]:
        """How many phrases speak for each label."""
        return {
            AnswerLabel.MACHINE: sum(len(c.phrases) for c in self._machine),
            AnswerLabel.HUMAN: sum(len(c.phrases) for c in self._human),
        }

    def decide(self, text: str, *, timing: Timing | None = None) -> AnswerVerdict:
        """Say who answered from the words of the first seconds and, where known, their timing."""
        words = fold_words(text)
        if not self._hallucinations.kept(words):  # one or more of them and nothing else
            words = []
        if timing is not None and timing.speech_ms < MIN_SPEECH_MS:
            words = []
        if not words and (timing is None or timing.speech_ms < MIN_SPEECH_MS):
            return AnswerVerdict(AnswerLabel.NO_ANSWER, "nothing was said", 0.9, text=text)
        findings = self._word_findings(words) + _timing_findings(timing, has_words=bool(words))
        total = sum(weight for _, weight in findings)
        is_machine = total >= self._machine_from
        deciding = [f for f in findings if (f[1] > 0) == is_machine]
        reason = max(deciding, key=lambda f: abs(f[1]))[0] if deciding else "no sign of a machine"
        return AnswerVerdict(
            AnswerLabel.MACHINE if is_machine else AnswerLabel.HUMAN,
            reason,
            round(1 / (1 + math.exp(-abs(total - self._machine_from))), 3),
            tuple(f"{what} ({weight:+.3g})" for what, weight in findings),
            text,
        )

    def _word_findings(self, words: Sequence[str]) -> list[tuple[str, float]]:
        found = []
        for sign, classes in ((1.0, self._machine), (-1.0, self._human)):
            for group in classes:
                hits = group.phrases.all(words)
                if hits:  # one class speaks once, however many of its phrases are there
                    found.append((f"{group.name}: {', '.join(hits)}", sign * group.weight))
        return found


def _timing_findings(timing: Timing | None, *, has_words: bool) -> list[tuple[str, float]]:
    """Source of the idea: silence after a short greeting tells people from recordings (common to AMD engines)."""
    if timing is None:
        return []
    scale = 0.6 if has_words else 2.0  # beside words it is no machine alone: businesses greet at length
    if timing.speech_ms >= STEADY_SPEECH_MS and timing.tail_ms < WAITING_MS:
        weight = scale * (1.5 if timing.speech_ms >= LONG_SPEECH_MS else 1.0)
        return [(f"timing: spoke {timing.speech_ms} ms and goes on", weight)]
    if timing.speech_ms <= BRIEF_SPEECH_MS and timing.tail_ms >= WAITING_MS:
        return [(f"timing: {timing.speech_ms} ms of speech, then waits", -scale)]
    return []
