"""Words with times and confidences, from what CTranslate2's ``align`` gives. A core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np

from V3.events import Word

__all__ = ["WordSplitter", "timed_words"]

_POSITION_MS: Final = 20  # one encoder position


class WordSplitter(Protocol):
    """What of faster_whisper's tokenizer is needed here."""

    eot: int

    def split_to_word_tokens(self, tokens: list[int]) -> tuple[list[str], list[list[int]]]: ...


def timed_words(tokens: Sequence[int], alignment: Any, tokenizer: WordSplitter, *, start_ms: int) -> tuple[Word, ...]:
    """The words of ``tokens``; ``start_ms`` is added to their times.

    The path through attention is read as in faster-whisper's find_alignment (after Whisper's timing.py): a word lasts
    until the next one begins to be attended to, and is as sure as the mean of its tokens' probabilities.
    """
    texts, pieces = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    pairs = np.asarray(alignment.alignments)
    first_of_token = np.diff(pairs[:, 0], prepend=-1) > 0
    times_ms = pairs[first_of_token, 1] * _POSITION_MS + start_ms
    ends = np.minimum(np.cumsum([len(piece) for piece in pieces[:-1]]), len(times_ms) - 1)
    words: list[Word] = []
    begin = 0
    for text, end in zip(texts, ends.tolist(), strict=False):
        confidence = float(np.mean(alignment.text_token_probs[begin:end])) if end > begin else 0.0
        begin_ms = int(times_ms[min(begin, len(times_ms) - 1)])
        _append(words, Word(text, begin_ms, int(times_ms[end]), round(confidence, 3)))
        begin = end
    return tuple(words)


def _append(words: list[Word], word: Word) -> None:
    """Add a word as Whisper spells it, with its leading space or without.

    Without one it goes on the word before ("vous" on "êtes-"), and so does punctuation alone (" ?" on "allô").
    """
    if words and (not word.text.startswith(" ") or not any(letter.isalnum() for letter in word.text)):
        last = words[-1]
        words[-1] = Word(last.text + word.text, last.start_ms, max(last.end_ms, word.end_ms), last.confidence)
    elif word.text.strip():
        words.append(replace(word, text=word.text.strip()))
