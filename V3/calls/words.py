"""Words as the decisions of a call compare them. A core.

A recogniser writes "Allô ?", "allo" or "ALLÔ" for the same word, and a shipped keyword must match them all: so both
sides are folded to lower-case letters and digits without accents, one space between words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Phrases", "fold", "fold_words"]

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "Œ": "oe", "Æ": "ae"})


def fold(text: str) -> str:
    """``"Ça n'est pas, Œuvre !"`` becomes ``"ca n est pas oeuvre"``."""
    return " ".join(fold_words(text))


def fold_words(text: str) -> list[str]:
    """The folded words of a text; apostrophes and hyphens part words."""
    plain = unicodedata.normalize("NFKD", text.translate(_LIGATURES)).casefold()
    kept = "".join(c if c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain)
    return kept.split()


class Phrases:
    """A set of phrases, found in a text by whole words, longest first."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_length = sorted({tuple(fold_words(p)) for p in phrases} - {()}, key=len, reverse=True)
        self._words = frozenset(phrase[0] for phrase in self._by_length)

    def __len__(self) -> int:
        return len(self._by_length)

    def __iter__(self) -> Iterator[str]:
        return (" ".join(p) for p in self._by_length)

    def longest(self, words: Sequence[str]) -> tuple[str, int]:
        """The longest phrase in ``words`` and where it begins; ``("", -1)`` where there is none."""
        for phrase in self._spellable(words):
            if (at := _find(words, phrase)) >= 0:
                return " ".join(phrase), at
        return "", -1

    def all(self, words: Sequence[str]) -> list[str]:
        """Every phrase in ``words`` that is not part of a longer one found."""
        left, found = list(words), []
        for phrase in self._spellable(words):
            while (at := _find(left, phrase)) >= 0:
                left[at : at + len(phrase)] = [""]  # a gap, so that nothing matches across it
                found.append(" ".join(phrase))
        return found

    def kept(self, words: Sequence[str]) -> list[int]:
        """The indexes of the words that belong to no phrase; phrases may overlap ("très bien sûr")."""
        said = tuple(words)
        covered = {
            index
            for phrase in self._spellable(words)
            for at in range(len(said) - len(phrase) + 1)
            if said[at : at + len(phrase)] == phrase
            for index in range(at, at + len(phrase))
        }
        return [index for index, word in enumerate(said) if word and index not in covered]

    def _spellable(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """The phrases that have no other words than these: few, and seeking is what takes time."""
        there = set(words)
        if self._words.isdisjoint(there):
            return []
        return [phrase for phrase in self._by_length if there.issuperset(phrase)]

    def begun(self, words: Sequence[str]) -> int:
        """How many words at the end of ``words`` may be the beginning of a phrase."""
        most = min(len(words), len(self._by_length[0]) - 1 if self._by_length else 0)
        ends = (n for n in range(most, 0, -1) if any(p[:n] == tuple(words[-n:]) for p in self._by_length if len(p) > n))
        return next(ends, 0)


def _find(words: Sequence[str], phrase: Sequence[str]) -> int:
    size = len(phrase)
    return next((i for i in range(len(words) - size + 1) if tuple(words[i : i + size]) == tuple(phrase)), -1)
