"""What a spoken French negation reaches. A core: heard words and the phrases found in them, and a scope.

Speech leaves out "ne" and keeps "pas", after the verb: "ça m'intéresse pas", "je veux pas de rendez-vous". So "ne" is
dropped (it only tells "je ne veux plus", a refusal, from "j'en veux plus"), and a "pas" reaches its whole clause
forwards, but backwards only what has a verb: in "d'accord, pas demain" it leaves "d'accord" alone. A clause ends at
punctuation, at a conjunction, after a "pas" at a new subject or imperative ("je sais pas ça m'intéresse", not "je
pense pas que ça m'intéresse") and beside a bare yes or no: no negation reaches those but "je ne dis pas non".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from V3.calls.intent_phrases import (
    BARE,
    CLAUSE_BREAKS,
    CLITICS,
    HYPOTHETICAL,
    IMPERATIVES,
    NEAR_NEGATORS,
    NEGATORS,
    SAYING,
    SUBJECTS,
    TURNS,
)
from V3.calls.words import fold_words

__all__ = ["CUT", "CUTTING", "Heard", "Mark", "Negation", "Phrase", "Role", "hear", "without_ne"]

Phrase = tuple[str, ...]
CUT = "|"  # stands where punctuation ended a word
CUTTING = CLAUSE_BREAKS | TURNS | {CUT}
_NE = frozenset({"ne", "n"})
_BEGINNERS = SUBJECTS | IMPERATIVES
_QUE = frozenset({"que", "qu"})


class Role(StrEnum):
    """What kind of answer a phrase is."""

    YES = "yes"
    NO = "no"
    WANT = "want"  # no where negated, nothing otherwise
    OTHER = "other"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mark:
    """A phrase found in the heard words, from ``start`` to before ``end``, and what it means there."""

    phrase: Phrase
    role: Role
    intent: str
    start: int
    end: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Folded words without "ne", the word handed in that each is of, and those that a "ne" stood before."""

    words: Phrase
    owners: tuple[int, ...]
    after_ne: frozenset[int]

    def word(self, at: int) -> str:
        """The word at ``at``, an empty string outside."""
        return self.words[at] if 0 <= at < len(self.words) else ""


def without_ne(phrase: str) -> Phrase:
    """The folded words of a phrase as :func:`hear` leaves them."""
    return tuple(word for word in fold_words(phrase) if word not in _NE)


def hear(words: Sequence[str]) -> Heard:
    """Words as they are compared; ``words`` as a recogniser writes them, between spaces."""
    kept: list[tuple[str, int]] = []
    after_ne: set[int] = set()
    for owner, word in enumerate(words):
        for part in fold_words(word):
            if part in _NE:
                after_ne.add(len(kept))
            else:
                kept.append((part, owner))
        if word.rstrip().endswith((",", ".", ";", ":", "!", "?", "…")):
            kept.append((CUT, owner))
    return Heard(tuple(part for part, _ in kept), tuple(owner for _, owner in kept), frozenset(after_ne))


class Negation:
    """The negations in what was heard, given the phrases found in it."""

    def __init__(self, heard: Heard, marks: Sequence[Mark]) -> None:
        self._heard = heard
        self._marks = marks
        self._clauses = self._number_clauses()
        # a refusal ("absolument pas") and a phrase before "que" ("pas sûr que") negate what follows, too
        closed = (mark for mark in marks if mark.role is not Role.NO and heard.word(mark.end) not in _QUE)
        used = {at for mark in closed for at in range(mark.start, mark.end)}
        self._free = [at for at in range(len(heard.words)) if at not in used]

    def reaches(self, mark: Mark) -> bool:
        """Whether ``mark`` is negated by a word outside it."""
        if not NEGATORS.isdisjoint(mark.phrase) or (mark.role is Role.NO and "plus" in mark.phrase):
            return False  # it has its own
        clause = self._clauses[mark.start]
        return any(self._negates(at, mark) for at in self._free if self._clauses[at] == clause)

    def is_hypothetical(self, mark: Mark) -> bool:
        """Whether ``mark`` is said of a case: "si ça m'intéresse je vous le dirai"."""
        before = mark.start - 1
        while self._heard.word(before) in SUBJECTS:
            before -= 1
        if before == mark.start - 1 and mark.phrase[0] not in CLITICS:
            return False  # "si bien sûr"
        return self._heard.word(before) in HYPOTHETICAL and all(other.end != before + 1 for other in self._marks)

    def _number_clauses(self) -> list[int]:
        """The number of each word's clause."""
        inside = {at for mark in self._marks for at in range(mark.start + 1, mark.end)}
        numbers: list[int] = []
        number, has_negation = 0, False
        for at, word in enumerate(self._heard.words):
            alone = at not in inside and word in BARE and not self._is_said(at)
            begins = word in _BEGINNERS and has_negation and self._heard.word(at - 1) not in _QUE
            begins = begins or word in CUTTING
            if alone or (begins and at not in inside):
                number, has_negation = number + 1, False
            has_negation = has_negation or word in NEGATORS
            numbers.append(number)
            number += alone
        return numbers

    def _is_said(self, at: int) -> bool:
        """Whether a yes or no is only spoken of: "je ne dis pas non"."""
        return not SAYING.isdisjoint((self._heard.word(at - 1), self._heard.word(at - 2)))

    def _negates(self, at: int, mark: Mark) -> bool:
        """Whether the word ``at``, of the mark's clause, negates it."""
        word = self._heard.word(at)
        if word in NEAR_NEGATORS:
            return mark.start - at == 1
        if word == "plus" and not self._is_after_ne(at):
            return at == mark.end and self._ends_clause(at) and mark.phrase[0] in CLITICS  # "ça m'intéresse plus"
        if word not in NEGATORS and word != "plus":
            return False
        return at < mark.start or (mark.phrase[0] in CLITICS and at - mark.end <= 2)

    def _is_after_ne(self, at: int) -> bool:
        return any(ne <= at and self._clauses[ne] == self._clauses[at] for ne in self._heard.after_ne)

    def _ends_clause(self, at: int) -> bool:
        return at + 1 == len(self._clauses) or self._clauses[at + 1] != self._clauses[at]
