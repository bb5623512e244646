"""What the words of an answer say about who answered. A core: phrases and short runs of words, found by their sound.

Two tables: the *classes* of ``config/amd_fr.yaml`` (phrases that mean one thing, written by hand, one weight a class)
and the *cues* of ``config/amd_fr_cues.tsv`` (short runs of words and of sounds, their weights learned from labelled
texts by ``scripts/train_answer.py``: logistic regression over n-grams). A phrase is found by whole words first, then by
its sound, since a recogniser writes "message rit" where "messagerie" was said; the last word may have been cut ("n'est
plus attrib").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from V3.calls.sound_key import sound_key
from V3.calls.words import Phrases

__all__ = ["Cues", "Finding", "KeywordClass", "Spoken", "cue_features"]

START = "^"  # as the first word of a cue: the answer begins here
MAX_RUN = 3
MIN_PIECE, MAX_PIECE = 3, 6
_MIN_SOUND = 4  # a shorter sound is found in too many words
_MIN_CUT = 4  # letters of a last word that was cut
_SHOWN_WORDS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks for a machine (weight above 0) or a person (below): log odds."""

    source: str
    what: str
    weight: float

    def __str__(self) -> str:
        return f"{self.source}: {self.what} ({round(self.weight, 3):+.3g})"


@dataclass(frozen=True, slots=True)
class KeywordClass:
    """Phrases that mean one thing. ``weight`` is taken for a machine or against it, as the decider files the class;
    ``kind`` is what answered where this class decides.
    """

    name: str
    weight: float
    phrases: Phrases
    kind: str = ""
    _sounds: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _endings: Mapping[tuple[str, ...], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        endings: dict[tuple[str, ...], tuple[str, ...]] = {}
        for *begun, last in (phrase.split() for phrase in self.phrases):
            endings[tuple(begun)] = (*endings.get(tuple(begun), ()), last)
        object.__setattr__(self, "_endings", {begun: lasts for begun, lasts in endings.items() if begun})
        sounds = ((_joined(phrase.split()), phrase) for phrase in self.phrases)
        found = tuple((sound, phrase) for sound, phrase in sounds if len(sound) >= _MIN_SOUND)
        object.__setattr__(self, "_sounds", found)

    def hits(self, words: Sequence[str], spoken: Spoken) -> list[str]:
        """The phrases of the class that were said; those found by their sound only where none was found as written."""
        found = self.phrases.all(words)
        if not found and (cut := self._cut(words)):
            found = [cut]
        if not found:
            found = [f"~{phrase}" for sound, phrase in self._sounds if spoken.has(sound)][:2]
        return found

    def _cut(self, words: Sequence[str]) -> str:
        """The phrase whose last word the end of the text has cut."""
        if not words or len(words[-1]) < _MIN_CUT:
            return ""
        for start in range(len(words) - 1):
            begun = tuple(words[start:-1])
            for last in self._endings.get(begun, ()):
                if last.startswith(words[-1]):
                    return " ".join((*begun, last))
        return ""


class Spoken:
    """The sound of a text, to find phrases in that begin and end where its words do."""

    def __init__(self, words: Sequence[str]) -> None:
        sounding = [(word, key) for word in words if (key := "0" if word.isdigit() else sound_key(word))]
        self.words = [word for word, _ in sounding]
        self.keys = [key for _, key in sounding]
        self._sound = "".join(self.keys)
        ends: list[int] = []
        for key in self.keys:
            ends.append((ends[-1] if ends else 0) + len(key))
        self._ends = frozenset(ends)
        self._starts = frozenset({0, *ends[:-1]})

    def has(self, sound: str) -> bool:
        at = self._sound.find(sound)
        while at >= 0:
            if at in self._starts and at + len(sound) in self._ends:
                return True
            at = self._sound.find(sound, at + 1)
        return False


def _joined(words: Sequence[str]) -> str:
    return "".join(Spoken(words).keys)


def cue_features(spoken: Spoken) -> dict[str, range]:
    """What may be a cue in a text, with the words it was found in: every run of one to three words ("=^ bOjUr vU": the
    answer's beginning is a word of its own) and every three to six sounds in a row ("~mesaj", a blank between words).
    """
    keys = (START, *spoken.keys)
    found: dict[str, range] = {}
    for length in range(1, MAX_RUN + 1):
        for at in range(0 if length > 1 else 1, len(keys) - length + 1):
            run = range(max(0, at - 1), at + length - 1)
            found.setdefault("=" + " ".join(keys[at : at + length]), run)
    sounds = START + " ".join(spoken.keys)
    owners = [0] + [index for index, key in enumerate(spoken.keys) for _ in (*key, " ")]
    for length in range(MIN_PIECE, MAX_PIECE + 1):
        for at in range(len(sounds) - length + 1):
            found.setdefault("~" + sounds[at : at + length], range(owners[at], owners[at + length - 1] + 1))
    return found


class Cues:
    """Learned weights of cue features."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights

    def __len__(self) -> int:
        return len(self._weights)

    def finding(self, spoken: Spoken) -> Finding | None:
        """All cues of a text as one finding: what each word weighs, the cues it shares with others in equal parts."""
        found = [(words, self._weights[cue]) for cue, words in cue_features(spoken).items() if cue in self._weights]
        if not found:
            return None
        by_word = [0.0] * len(spoken.words)
        for words, weight in found:
            for index in words:
                by_word[index] += weight / len(words)
        telling = sorted(range(len(by_word)), key=lambda index: -abs(by_word[index]))[:_SHOWN_WORDS]
        shown = [f"{spoken.words[index]} {by_word[index]:+.2f}" for index in sorted(telling)]
        return Finding("words", ", ".join(shown), math.fsum(weight for _, weight in found))
