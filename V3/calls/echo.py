"""Whether what was heard from the callee is our own prompt coming back. A core.

A handset lets some of what it plays into its microphone: the robot then hears itself, late and faint, and must not
take that for an interruption. What tells is the text: the words are the prompt's own, in its order, and of the moment
that is being played. A person who repeats a word of the question has others around it, or says it later.
"""

from __future__ import annotations

from collections.abc import Sequence

from V3.calls.sound_key import sound_key
from V3.calls.words import fold_words
from V3.events import Word

__all__ = ["EchoMatcher"]

_MS_PER_CHARACTER = 70  # of French speech, where the prompt's length is not known
_EARLY_MS, _LATE_MS = (
    800,
    2000,
)  # how far a word may lie from its place, by the text's even pace, and by the echo's delay
_SHARE = 0.6  # of the words heard
_TELLING_LETTERS = 4  # a lone shorter word is in every prompt


class EchoMatcher:
    """The words of one prompt and when they are played. ``length_ms`` is the prompt's, 0 where it is not known."""

    def __init__(self, text: str, *, length_ms: int = 0) -> None:
        words = fold_words(text)
        letters = sum(len(word) + 1 for word in words)
        length_ms = length_ms or letters * _MS_PER_CHARACTER
        self._words: list[tuple[str, float]] = []
        at = 0
        for word in words:
            self._words.append((sound_key(word), length_ms * at / max(1, letters)))
            at += len(word) + 1

    def is_echo(self, words: Sequence[Word], *, prompt_start_ms: int) -> bool:
        """Whether these words are the prompt's; ``prompt_start_ms`` is when its first sample was played, on their
        clock.
        """
        heard = [(part, word.start_ms - prompt_start_ms) for word in words for part in fold_words(word.text)]
        if not heard or not self._words:
            return False
        matched = self._in_order([(sound_key(part), at_ms) for part, at_ms in heard])
        if len(heard) == 1:
            return matched == 1 and len(heard[0][0]) >= _TELLING_LETTERS
        return matched >= max(2, _SHARE * len(heard))

    def _in_order(self, heard: Sequence[tuple[str, int]]) -> int:
        """How many heard words the prompt has in this order at about their time: a longest common subsequence."""
        best = [0] * (len(self._words) + 1)
        for key, at_ms in heard:
            row = best.copy()
            for index, (word, place_ms) in enumerate(self._words):
                near = -_EARLY_MS <= at_ms - place_ms <= _LATE_MS
                row[index + 1] = max(row[index], best[index] + 1 if near and key == word else best[index + 1])
            best = row
        return best[-1]
