"""What an answer means: an intent of the scenario, heard as a French listener would. A core: tables and a scope.

An intent is a set of phrases. Found phrases are weighed in this order:

- A wish not to be called again is heard before all else: :mod:`V3.calls.opt_out`.
- The longest phrases are found first, and a word belongs to one; "ne" and small words between ("pas *vraiment* le
  temps") are skipped. Fixed phrases keep their own meaning: "pas de souci" is yes, "pas mal" nothing.
- A phrase under a negation is turned round: yes is no, "je ne dis pas non" is yes, any other intent is gone. The
  negation reaches its clause, backwards only to what has a verb ("ça m'intéresse pas", but "d'accord, pas demain").
- What follows "mais", "enfin" and the like decides where it says anything ("oui, enfin non").
- There, an intent other than yes and no decides (the longest phrase), else the last yes or no; "d'accord", "bien sûr"
  and their like yield to a clear one ("non bien sûr").

An intent that lists "oui" is yes and takes in every usual way to say yes; that with "non" is no, and those with "plus
tard", "faux numéro", "pardon" or "c'est qui" take in their groups likewise: :data:`V3.calls.intent_phrases.COMMON`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from V3.calls.intent_phrases import AFTER_FINAL, COMMON, FINAL, NEGATORS, NEUTRAL, SKIPPED, SOFT, TAGS, TURNS, WANTS
from V3.calls.negation import CUT, CUTTING, Heard, Mark, Negation, Phrase, Role, hear, without_ne
from V3.calls.opt_out import find_opt_out
from V3.calls.words import fold_words

__all__ = ["OPT_OUT", "Confidence", "IntentFinder", "IntentMatch"]

OPT_OUT = "opt_out"  # the intent of a wish not to be called again, where the scenario has none for it
LONG_SPEECH_WORDS = 8  # so many words with one that tells are a speech about something else


class Confidence(StrEnum):
    """How plainly it was said.

    SURE: everything heard points to the intent. LIKELY: something else was said too and outweighed. WEAK: it was said
    by denying its opposite ("je ne dis pas non"), or in one word of a long speech: worth asking again.
    """

    SURE = "sure"
    LIKELY = "likely"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class IntentMatch:
    """The intent, the phrase that decided and its place: ``words[start:end]`` of those handed in.

    negated: the phrase is of another intent and was turned round. opt_out: do not call again, whatever the scenario.
    """

    intent: str
    phrase: str
    start: int
    end: int
    negated: bool = False
    opt_out: bool = False
    confidence: Confidence = Confidence.SURE


def _phrases(texts: Iterable[str]) -> list[Phrase]:
    return [tuple(text.split()) for text in texts]


_GAPS = SKIPPED | {CUT}
_SOFT = frozenset(_phrases(SOFT))
_TAGS = frozenset(_phrases(TAGS))
_FINAL = frozenset(_phrases(FINAL))
# "ça m'intéresse pas de souci" ends in "pas de souci"; and "ça m'intéresse pas" is not in it
_FIXED = frozenset(phrase for phrase in _phrases((*COMMON["yes"], *NEUTRAL)) if phrase[0] in NEGATORS)


class IntentFinder:
    """The intents of one step of a scenario: ``{"oui": ("oui", "ça m'intéresse"), "non": ("non",)}``."""

    def __init__(self, intents: Mapping[str, Sequence[str]]) -> None:
        self._opt_out = next((label for label, phrases in intents.items() if any(map(_asks_out, phrases))), OPT_OUT)
        # a wish not to be called again is for the rules alone: "m'appelez plus" is in "vous m'appelez plus tard"
        listed = {label: [without_ne(p) for p in phrases if not _asks_out(p)] for label, phrases in intents.items()}
        groups = {group: _that_lists(listed, phrases[0]) for group, phrases in COMMON.items()}
        self._yes, self._no = groups["yes"], groups["no"]
        self._meanings = self._common(groups)
        for label, phrases in reversed(listed.items()):  # of two intents with one phrase the first keeps it
            self._meanings |= dict.fromkeys(filter(None, phrases), (self._role_of(label), label))
        self._starts: dict[str, list[Phrase]] = {}
        for phrase in self._meanings:
            self._starts.setdefault(phrase[0], []).append(phrase)

    def find(self, words: Sequence[str]) -> IntentMatch | None:
        """The intent of what was said, or None; ``words`` as a recogniser writes them, between spaces."""
        if match := self._find_opt_out(words):
            return match
        heard = hear(words)
        found = self._marks(heard)
        negation = Negation(heard, found)
        marks = [self._turned(mark) if negation.reaches(mark) else mark for mark in found]
        telling = [mark for mark in marks if mark.intent and not negation.is_hypothetical(mark)]
        if not telling:
            return None
        best = _decisive(telling, heard)
        return IntentMatch(
            best.intent,
            " ".join(best.phrase),
            heard.owners[best.start],
            heard.owners[best.end - 1] + 1,
            negated=best.negated,
            opt_out=best.intent == self._opt_out,
            confidence=_confidence(best, telling, heard),
        )

    def _role_of(self, label: str) -> Role:
        return {self._yes: Role.YES, self._no: Role.NO}.get(label, Role.OTHER)

    def _common(self, groups: Mapping[str, str]) -> dict[Phrase, tuple[Role, str]]:
        """The phrases that every scenario knows; they mean nothing where it has no intent for their group."""
        found: dict[Phrase, tuple[Role, str]] = {}
        for group, label in groups.items():
            role = self._role_of(label) if label else Role.NONE
            found |= dict.fromkeys(_phrases(COMMON[group]), (role, label))
        for phrases, meaning in (
            (SOFT, (Role.YES, self._yes)),
            (WANTS, (Role.WANT, "")),
            (NEUTRAL, (Role.NONE, "")),
        ):
            found |= dict.fromkeys(_phrases(phrases), meaning)
        return found

    def _find_opt_out(self, words: Sequence[str]) -> IntentMatch | None:
        parts = [(part, owner) for owner, word in enumerate(words) for part in fold_words(word)]
        if (span := find_opt_out([part for part, _ in parts])) is None:
            return None
        said = parts[slice(*span)]
        phrase = " ".join(part for part, _ in said)
        return IntentMatch(self._opt_out, phrase, said[0][1], said[-1][1] + 1, opt_out=True)

    def _marks(self, heard: Heard) -> list[Mark]:
        """The phrases in what was heard, in order. Fixed ones choose their words first, then the longest."""
        found = [
            Mark(phrase, *self._meanings[phrase], at, end)
            for at, word in enumerate(heard.words)
            for phrase in self._starts.get(word, ())
            if (end := _end_of(phrase, heard.words, at)) and (phrase not in _FINAL or _ends_clause(heard.words, end))
        ]
        kept: list[Mark] = []
        for mark in sorted(found, key=lambda mark: (mark.phrase not in _FIXED, mark.start - mark.end)):
            if all(mark.end <= other.start or mark.start >= other.end for other in kept):
                kept.append(mark)
        return sorted(kept, key=lambda mark: mark.start)

    def _turned(self, mark: Mark) -> Mark:
        """What a mark means under a negation."""
        role, intent = {
            Role.YES: (Role.NO, self._no),
            Role.NO: (Role.YES, self._yes),
            Role.WANT: (Role.NO, self._no),
        }.get(mark.role, (Role.NONE, ""))
        return replace(mark, role=role, intent=intent, negated=True)


def _asks_out(phrase: str) -> bool:
    return find_opt_out(fold_words(phrase)) is not None


def _that_lists(listed: Mapping[str, Sequence[Phrase]], phrase: str) -> str:
    return next((label for label, phrases in listed.items() if tuple(phrase.split()) in phrases), "")


def _end_of(phrase: Phrase, words: Phrase, at: int) -> int:
    """Where ``phrase`` that begins at ``at`` ends, 0 where it is not there; small words and commas may be inside."""
    for expected in phrase[1:]:
        at += 1
        while at < len(words) and words[at] != expected and words[at] in (SKIPPED if expected in NEGATORS else _GAPS):
            at += 1
        if at >= len(words) or words[at] != expected:
            return 0
    return at + 3 if phrase[-1] in NEGATORS and words[at + 1 : at + 3] == ("du", "tout") else at + 1


def _ends_clause(words: Phrase, at: int) -> bool:
    return at >= len(words) or words[at] in CUTTING or words[at] in AFTER_FINAL


def _decisive(marks: Sequence[Mark], heard: Heard) -> Mark:
    turns = [sum(word in TURNS for word in heard.words[: mark.start + 1]) for mark in marks]
    last = [mark for mark, turn in zip(marks, turns, strict=True) if turn == turns[-1]]
    plain = [mark for mark in last if mark.phrase not in _TAGS] or last
    answers = [mark for mark in plain if mark.role is not Role.OTHER]
    # one word ("pardon") says little beside an answer that follows it
    special = [mark for mark in plain if mark.role is Role.OTHER and (len(mark.phrase) > 1 or mark is plain[-1])]
    if special:
        return max(special, key=lambda mark: (len(mark.phrase), mark.start))
    return ([mark for mark in answers if mark.role is not Role.YES or mark.phrase not in _SOFT] or answers)[-1]


def _confidence(best: Mark, marks: Sequence[Mark], heard: Heard) -> Confidence:
    said = sum(word != CUT for word in heard.words)
    if (best.negated and best.role is Role.YES) or (len(best.phrase) == 1 and said >= LONG_SPEECH_WORDS):
        return Confidence.WEAK
    return Confidence.SURE if all(mark.intent == best.intent for mark in marks) else Confidence.LIKELY
