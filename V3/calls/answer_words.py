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
_SHOWN_CUES = 5


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
        self.keys = [key for word in words if (key := "0" if word.isdigit() else sound_key(word))]
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


def cue_features(spoken: Spoken) -> set[str]:
    """What may be a cue in a text: every run of one to three words ("=^ bOjUr vU": the answer's beginning is a word of
    its own) and every three to six sounds in a row ("~mesaj", a blank between words).
    """
    keys = (START, *spoken.keys)
    runs = {
        "=" + " ".join(keys[at : at + length])
        for length in range(1, MAX_RUN + 1)
        for at in range(len(keys) - length + 1)
        if length > 1 or at
    }
    sounds = START + " ".join(spoken.keys)
    pieces = {
        "~" + sounds[at : at + length]
        for length in range(MIN_PIECE, MAX_PIECE + 1)
        for at in range(len(sounds) - length + 1)
    }
    return runs | pieces


class Cues:
    """Learned weights of cue features."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = weights

    def __len__(self) -> int:
        return len(self._weights)

    def finding(self, spoken: Spoken) -> Finding | None:
        """All cues of a text as one finding that names the strongest."""
        found = [(cue, self._weights[cue]) for cue in cue_features(spoken) if cue in self._weights]
        if not found:
            return None
        total = math.fsum(weight for _, weight in found)  # the same whatever the order of a set
        telling = sorted(found, key=lambda cue: (-abs(cue[1]), cue[0]))[:_SHOWN_CUES]
        return Finding("cues", ", ".join(f"{cue} {weight:+.2f}" for cue, weight in telling), total)
