"""Whether what was heard from the callee is our own prompt coming back. A core.

A handset lets some of what it plays into its microphone: the robot then hears itself, late and faint, and must not
take that for an interruption. What tells is the text: several telling words are the prompt's own, in its order, and of
the moment that is being played: a sure sign. Fewer words, all of them of that very moment, are a weak one: people say
"bonjour" when they are told it. A person who repeats a word of the question has others around it ("quel rendez-vous
?"), or says it later. A recogniser mishears faint words: of five one may be wrong, and where a weak sign was heard
before half of them, as long as the last ones are the prompt's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise

from V3.calls.sound_key import sound_key
from V3.calls.words import fold_words
from V3.events import Word

__all__ = ["EchoMatcher", "share_said"]

_MS_PER_CHARACTER = 70  # of French speech, where the prompt's length is not known
_EARLY_MS, _LATE_MS = 700, 1200  # how far a word may lie from its place: the text's uneven pace, the echo's delay
_TIGHT_MS = (-500, 700)  # the same where every word heard must be the prompt's
_SHARE = 0.6  # of the telling words heard
_TELLING_LETTERS = 4  # shorter words are in every prompt
_LEAST_SAID = 2  # pairs of our own words
_LEAST_SHORT = 2  # words too short to tell anything by themselves
_LEAST = 3  # telling words; where this call has echoed before, one less
_LEAST_HINTED = 4  # words of any length, after a weak sign
_ONE_MISHEARD_OF = 5
_TAIL = 2  # words heard last: where none of them is the prompt's, somebody else speaks by now


class EchoSign(IntEnum):
    """Whether words are an echo. ``WEAK``: they may be, and a person may say them too."""

    NONE = 0
    WEAK = 1
    SURE = 2


class EchoMatcher:
    """The words of one prompt and when they are played. ``length_ms`` is the prompt's, 0 where it is not known."""

    def __init__(self, text: str, *, length_ms: int = 0) -> None:
        words = fold_words(text)
        letters = sum(len(word) + 1 for word in words)
        length_ms = length_ms or letters * _MS_PER_CHARACTER
        self._words: list[_Placed] = []
        at = 0
        for word in words:
            self._words.append((sound_key(word), length_ms * at / max(1, letters), len(word) >= _TELLING_LETTERS))
            at += len(word) + 1

    def sign(
        self, words: Sequence[Word], *, prompt_start_ms: int, suspected: bool = False, hinted: bool = False
    ) -> EchoSign:
        """How sure it is that these words are the prompt's.

        ``prompt_start_ms``: when its first sample was played, on their clock. ``suspected``: the call has echoed
        before, so fewer words tell. ``hinted``: there was a weak sign before, so half of the words do for another.
        """
        heard = [
            (sound_key(part), float(word.start_ms - prompt_start_ms), len(part) >= _TELLING_LETTERS)
            for word in words
            for part in fold_words(word.text)
        ]
        telling = [each for each in heard if each[2]]
        tight = self._tight(heard, hinted=hinted)
        if not telling:
            return EchoSign.WEAK if tight and len(heard) >= _LEAST_SHORT else EchoSign.NONE
        wanted = max(_LEAST - suspected, _SHARE * len(telling))
        if _in_order(telling, [each for each in self._words if each[2]], (-_EARLY_MS, _LATE_MS)) >= wanted:
            return EchoSign.SURE
        if hinted and tight >= _LEAST_HINTED:
            return EchoSign.SURE
        return EchoSign.WEAK if tight else EchoSign.NONE

    def _tight(self, heard: Sequence[_Placed], *, hinted: bool) -> int:
        """How many of these words are the prompt's at this very moment; 0 where more are not than can be misheard."""
        misheard = len(heard) // (2 if hinted else _ONE_MISHEARD_OF)
        same = _in_order(heard, self._words, _TIGHT_MS)
        if same < len(heard) - misheard:
            return 0
        goes_on = same == len(heard) or len(heard) <= _TAIL
        return same if goes_on or same > _in_order(heard[:-_TAIL], self._words, _TIGHT_MS) else 0


_Placed = tuple[str, float, bool]  # a word's sound, when it is said, whether it is a telling one


def _in_order(heard: Sequence[_Placed], said: Sequence[_Placed], reach_ms: tuple[float, float]) -> int:
    """How many heard words were said in this order at about their time: a longest common subsequence."""
    best = [0] * (len(said) + 1)
    for key, at_ms, _ in heard:
        row = best.copy()
        for index, (word, place_ms, _) in enumerate(said):
            near = reach_ms[0] <= at_ms - place_ms <= reach_ms[1]
            row[index + 1] = max(row[index], best[index] + 1 if near and key == word else best[index + 1])
        best = row
    return best[-1]


def share_said(heard: str, texts: Iterable[str]) -> float:
    """The share of the pairs of neighbouring words in ``heard`` that one of our own texts has; 0 where fewer than two
    are: "bonjour", "vous" and "je suis" are in every prompt, and in every announcement.
    """
    ours = {pair for text in texts for pair in pairwise(map(sound_key, fold_words(text)))}
    pairs = list(pairwise(map(sound_key, fold_words(heard))))
    own = sum(pair in ours for pair in pairs)
    return own / len(pairs) if own >= _LEAST_SAID else 0.0
