"""Who answered: a person, a machine, or nobody. A core: words, timing and tones in, a verdict with its evidence out.

Every finding is a weight in log odds for a machine; they add up (a logistic model small enough to read), and the sum is
the confidence. Words come from :mod:`V3.calls.answer_words`. Timing adds what words cannot say: a person says a word or
two and waits; a recording speaks on. Where the recogniser was late or heard nothing in speech, timing decides alone. A
tone that only equipment makes decides by itself. A person hung up on is the worse mistake: the sum must exceed
``machine_from``, not zero.

Weights and timing features are tuned by ``scripts/train_answer.py``; method and figures: ``docs/answer-detection.md``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from V3.audio.tones import Tone, ToneKind
from V3.calls.answer_words import Cues, Finding, KeywordClass, Spoken
from V3.calls.words import Phrases, fold_words

__all__ = [
    "TIMING_FEATURES",
    "AnswerDecider",
    "AnswerKind",
    "AnswerLabel",
    "AnswerVerdict",
    "Timing",
    "timing_features",
]

MIN_SPEECH_MS = 120  # less voice than this in the whole window is a click or a breath
GOES_ON_MS = 240  # a pause shorter than this lies inside what is being said
STEADY_SOUND = 0.75  # of the window: sound that nobody's words interrupt
_SPEAKABLE = re.compile(r"[aeiouy0-9]")
_NOTES = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪|[♪♫*]")  # what Whisper writes about sounds
TELLING = 1.0  # a class of this weight is more than a greeting
KEPT_TEXTS = 512  # of the calls going on: what is being said is weighed again every 40 ms
MAX_WORD_LOG_ODDS = 7.0  # no pile of words is surer than this: recognisers err


class AnswerLabel(StrEnum):
    """Who answered."""

    HUMAN = "HUMAN"
    MACHINE = "MACHINE"
    NO_ANSWER = "NO_ANSWER"


class AnswerKind(StrEnum):
    """More finely, what answered."""

    PERSON = "person"
    BUSINESS = "business"
    VOICEMAIL = "voicemail"
    CARRIER = "carrier"
    IVR = "ivr"
    CALL_SCREENING = "call_screening"
    MAILBOX_FULL = "mailbox_full"
    FAX = "fax"
    MUSIC = "music"
    SILENCE = "silence"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Timing:
    """Voice activity since the answer, in ms: the time looked at, the speech in it, silence before it and after it, the
    length of the first utterance (pauses under 240 ms included), the longest pause between utterances, and ``sound_ms``
    of anything louder than the line, music and noise included.
    """

    window_ms: int
    speech_ms: int
    lead_ms: int
    tail_ms: int
    first_ms: int = 0
    pause_ms: int = 0
    sound_ms: int = 0


@dataclass(frozen=True, slots=True)
class AnswerVerdict:
    """The label and its finer kind, what decided, how sure (0.5-1), and each finding as ``source: what (+weight)``."""

    label: AnswerLabel
    reason: str
    confidence: float
    evidence: tuple[str, ...] = ()
    text: str = ""
    kind: AnswerKind = AnswerKind.UNKNOWN


TIMING_FEATURES = ("waits", "goes_on", "goes_on_unheard", "waits_unheard", "long_first", "spoke_on")


def timing_features(timing: Timing, *, has_words: bool) -> dict[str, float]:
    """What the timing says, each from 0 to 1 (see ``timing`` in ``config/amd_fr.yaml``); empty without speech.

    Source of the idea: silence after a short greeting tells people from recordings (common to AMD engines).
    """
    if timing.speech_ms < MIN_SPEECH_MS:
        return {}
    waiting = min(1.0, max(0, timing.tail_ms - GOES_ON_MS) / 600)
    brief = min(1.0, max(0.0, (2000 - timing.speech_ms) / 1000))
    going = min(1.0, max(0, timing.speech_ms - 700) / 1000) if timing.tail_ms < GOES_ON_MS else 0.0
    features = {
        "waits": waiting * brief,
        "goes_on": going,
        "long_first": min(1.0, max(0, timing.first_ms - 1500) / 1500),
        "spoke_on": min(1.0, max(0, timing.speech_ms - 2000) / 2000),
    }
    if not has_words:
        features |= {"goes_on_unheard": going, "waits_unheard": waiting * brief}
    return {name: value for name, value in features.items() if value}


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one text says: kept, since it is weighed again whenever the timing has changed."""

    has_words: bool
    findings: tuple[Finding, ...]
    total: float
    evidence: tuple[str, ...]
    kinds: Mapping[AnswerLabel, str]
    as_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDecider:
    """Weighs words, timing and tones. ``machine`` and ``human`` are the classes of the keyword file, ``timing`` the
    weights of :func:`timing_features`, ``bias`` what speech alone says, ``kinds`` what each kind speaks of.
    """

    machine: Sequence[KeywordClass]
    human: Sequence[KeywordClass]
    hallucinations: Phrases
    hallucination_marks: Phrases = field(default_factory=lambda: Phrases(()))
    kinds: Mapping[AnswerKind, Phrases] = field(default_factory=dict)
    cues: Cues = field(default_factory=lambda: Cues({}))
    timing: Mapping[str, float] = field(default_factory=dict)
    bias: float = 0.0
    machine_from: float = 0.0
    _texts: dict[str, _Heard] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def keyword_counts(self) -> Mapping[AnswerLabel, int]:
        """How many phrases speak for each label."""
        return {
            AnswerLabel.MACHINE: sum(len(c.phrases) for c in self.machine),
            AnswerLabel.HUMAN: sum(len(c.phrases) for c in self.human),
        }

    def decide(self, text: str, *, timing: Timing | None = None, tones: Sequence[Tone] = ()) -> AnswerVerdict:
        """Say who answered from the words since the answer and, where known, their timing and the tones."""
        silent = timing is not None and timing.speech_ms < MIN_SPEECH_MS
        heard = self._hear("" if silent else text)
        if (signal := _signal(tones)) is not None:
            label, kind, what, confidence = signal
            evidence = (f"tone: {what}", *heard.evidence, *map(str, self._timing_findings(timing, heard)))
            return AnswerVerdict(label, f"tone: {what}", confidence, evidence, text, kind)
        if not heard.has_words and (timing is None or silent):
            return _nothing(timing, text)
        return self._weigh(heard, timing, text)

    def said(self, text: str, timing: Timing | None = None) -> list[str]:
        """The words that count: none where no voice was heard, nor where a recogniser wrote what nobody says."""
        if timing is not None and timing.speech_ms < MIN_SPEECH_MS:
            return []
        heard = fold_words(_NOTES.sub(" ", text))
        words = [word for word in heard if word.isascii()]
        if 2 * len(words) < len(heard):
            return []  # in another script
        if not any(_SPEAKABLE.search(word) for word in words):
            return []  # "pff", "chhh"
        if self.hallucination_marks.longest(words)[0] or not self.hallucinations.kept(words):
            return []
        return words

    def words_total(self, text: str, timing: Timing | None = None) -> float:
        """What words and bias say together, in log odds for a machine."""
        silent = timing is not None and timing.speech_ms < MIN_SPEECH_MS
        return self.bias + self._hear("" if silent else text).total

    def speaks_as_person(self, text: str) -> bool:
        """Whether something was said that machines do not say: more than a greeting, by the classes for people."""
        return self._hear(text).as_person

    def _hear(self, text: str) -> _Heard:
        if (heard := self._texts.get(text)) is None:
            if len(self._texts) >= KEPT_TEXTS:
                self._texts.clear()
            heard = self._texts[text] = self._find(self.said(text))
        return heard

    def _find(self, words: Sequence[str]) -> _Heard:
        spoken = Spoken(words)
        sides = ((1.0, self.machine), (-1.0, self.human))
        said = [  # one class speaks once, however many of its phrases are there
            (group, sign, hits) for sign, classes in sides for group in classes if (hits := group.hits(words, spoken))
        ]
        found = [Finding(group.name, ", ".join(hits), sign * group.weight) for group, sign, hits in said]
        if (cues := self.cues.finding(spoken)) is not None:
            found.append(cues)
        total = sum(finding.weight for finding in found)
        kinds = {}
        for label, side in ((AnswerLabel.MACHINE, 1.0), (AnswerLabel.HUMAN, -1.0)):
            telling = [group for group, sign, _ in said if sign == side and group.kind]
            kinds[label] = (
                max(telling, key=lambda group: group.weight).kind if telling else self._spoken_of(words, label)
            )
        return _Heard(
            bool(words),
            tuple(found),
            max(-MAX_WORD_LOG_ODDS, min(MAX_WORD_LOG_ODDS, total)),
            tuple(map(str, found)),
            kinds,
            any(sign < 0 and group.weight >= TELLING for group, sign, _ in said),
        )

    def _spoken_of(self, words: Sequence[str], label: AnswerLabel) -> str:
        """The kind whose words these are, where no class tells it; the first of equals."""
        kinds = [kind for kind in self.kinds if (kind is AnswerKind.BUSINESS) == (label is AnswerLabel.HUMAN)]
        counts = {kind: len(self.kinds[kind].all(words)) for kind in kinds}
        best = max(counts, key=lambda kind: counts[kind], default=None)
        return str(best) if best is not None and counts[best] else ""

    def _weigh(self, heard: _Heard, timing: Timing | None, text: str) -> AnswerVerdict:
        timed = self._timing_findings(timing, heard)
        total = self.bias + heard.total + sum(finding.weight for finding in timed)
        is_machine = total >= self.machine_from
        deciding = [finding for finding in (*heard.findings, *timed) if (finding.weight > 0) == is_machine]
        best = max(deciding, key=lambda finding: abs(finding.weight), default=None)
        label = AnswerLabel.MACHINE if is_machine else AnswerLabel.HUMAN
        return AnswerVerdict(
            label,
            f"{best.source}: {best.what}" if best else "no sign of a machine",
            round(1 / (1 + math.exp(-abs(total - self.machine_from))), 3),
            (*heard.evidence, *map(str, timed)),
            text,
            _kind(label, heard, timing),
        )

    def _timing_findings(self, timing: Timing | None, heard: _Heard) -> list[Finding]:
        features = timing_features(timing, has_words=heard.has_words) if timing is not None else {}
        weighed = [(name, value * self.timing.get(name, 0.0)) for name, value in features.items()]
        if timing is None or not any(weight for _, weight in weighed):
            return []
        what = f"spoke {timing.speech_ms} ms" + (
            f", then waits {timing.tail_ms} ms" if timing.tail_ms >= GOES_ON_MS else " and goes on"
        )
        names = ", ".join(f"{name} {weight:+.2f}" for name, weight in weighed if weight)
        return [Finding("timing", f"{what} [{names}]", sum(weight for _, weight in weighed))]


def _kind(label: AnswerLabel, heard: _Heard, timing: Timing | None) -> AnswerKind:
    if heard.kinds[label]:
        return AnswerKind(heard.kinds[label])
    if label is AnswerLabel.HUMAN:
        return AnswerKind.PERSON
    if not heard.has_words and timing is not None and timing.sound_ms >= STEADY_SOUND * timing.window_ms:
        return AnswerKind.MUSIC
    return AnswerKind.UNKNOWN


def _nothing(timing: Timing | None, text: str) -> AnswerVerdict:
    if timing is not None and timing.sound_ms >= STEADY_SOUND * timing.window_ms > 0:
        what = f"sound without a voice through {timing.sound_ms} of {timing.window_ms} ms"
        return AnswerVerdict(AnswerLabel.NO_ANSWER, what, 0.7, (what,), text, AnswerKind.MUSIC)
    return AnswerVerdict(AnswerLabel.NO_ANSWER, "nothing was said", 0.9, (), text, AnswerKind.SILENCE)


_TONES: Mapping[ToneKind, tuple[AnswerLabel, AnswerKind]] = {
    ToneKind.BEEP: (AnswerLabel.MACHINE, AnswerKind.VOICEMAIL),
    ToneKind.SPECIAL_INFORMATION: (AnswerLabel.MACHINE, AnswerKind.CARRIER),
    ToneKind.FAX_CALLING: (AnswerLabel.MACHINE, AnswerKind.FAX),
    ToneKind.FAX_ANSWER: (AnswerLabel.MACHINE, AnswerKind.FAX),
    ToneKind.BUSY: (AnswerLabel.NO_ANSWER, AnswerKind.CARRIER),
    ToneKind.CONGESTION: (AnswerLabel.NO_ANSWER, AnswerKind.CARRIER),
    ToneKind.DIAL_TONE: (AnswerLabel.NO_ANSWER, AnswerKind.CARRIER),
}
_TONE_CONFIDENCE = 0.97  # a false one in 52 minutes of music: see V3.audio.tones


def _signal(tones: Sequence[Tone]) -> tuple[AnswerLabel, AnswerKind, str, float] | None:
    """What a tone says by itself; the first that says something. Ringback says only that nobody is there yet."""
    for tone in tones:
        if tone.kind in _TONES:
            pitch = "+".join(f"{hz:.0f}" for hz in tone.frequencies_hz)
            return *_TONES[tone.kind], f"{tone.kind} of {pitch} Hz at {tone.start_ms} ms", _TONE_CONFIDENCE
    return None
