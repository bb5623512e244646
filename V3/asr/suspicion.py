"""What a recogniser wrote that nobody said: it is taken out, and a reason code says so. A core.

Whisper fills silence with what its training had there (subtitle credits), and a decoder that lost its way repeats
itself. What people do say ("oui oui oui", "merci") is never taken out for its words alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from V3.asr.hypothesis import word_key
from V3.calls.words import Phrases, fold_words
from V3.events import Word

__all__ = ["Suppressed", "cut_loops", "silence_hallucination"]

_MAX_WORDS_PER_S: Final = 22.0  # faster than any speaker
_LOOP_REPEATS: Final = 3
_LOOP_NGRAM_WORDS: Final = 8
_LOOP_WORD_MS: Final = 90  # a repeated word spoken faster than this was not spoken
_DOUBTFUL_NO_SPEECH: Final = 0.4

# Credits of films and videos: nobody says them on the telephone.
_NEVER_SAID: Final = Phrases(
    [
        "sous-titrage",
        "sous-titres",
        "sous-titrage st 501",
        "sous-titrage société radio-canada",
        "sous-titrage fr",
        "sous-titres par",
        "sous-titres réalisés par la communauté d'amara.org",
        "sous-titres réalisés para la communauté d'amara.org",
        "sous-titres réalisés par les soustitreurs d'amara.org",
        "sous-titres faits par la communauté d'amara.org",
        "sous-titreur.com",
        "amara.org",
        "merci d'avoir regardé cette vidéo",
        "merci d'avoir regardé la vidéo",
        "merci d'avoir regardé",
        "merci à tous d'avoir regardé cette vidéo",
        "abonnez-vous",
        "abonnez-vous à la chaîne",
        "n'oubliez pas de vous abonner",
        "n'hésitez pas à vous abonner",
        "likez et abonnez-vous",
        "à la prochaine vidéo",
        "cliquez sur la cloche",
    ]
)
# Said by people too: taken out only where the recogniser itself doubts that anybody spoke.
_DOUBTFUL: Final = Phrases(
    [
        "merci",
        "merci à tous",
        "merci beaucoup",
        "au revoir",
        "à bientôt",
        "et voilà",
        "ok",
        "musique",
        "applaudissements",
    ]
)


class Suppressed(StrEnum):
    """Why something is missing from a transcript."""

    INAUDIBLE = "inaudible"
    """The audio was digital silence: the model was not asked."""
    NO_SPEECH = "no_speech"
    """The model itself thinks that nobody spoke, and its words are unlikely."""
    HALLUCINATION = "known_hallucination"
    """The text is what the model is known to write for silence."""
    LOOP = "loop"
    """An n-gram repeated three times or more, faster than anybody speaks."""
    TOO_FAST = "too_fast"
    """More words than 22 per second of audio."""


def silence_hallucination(text: str, *, no_speech_prob: float) -> bool:
    """Whether the text is nothing but what Whisper is known to write for silence.

    ``no_speech_prob`` is the model's own guess that nobody spoke; phrases that people say need it above 0.4.
    """
    words = fold_words(text)
    if not words:
        return False
    left = [words[index] for index in _NEVER_SAID.kept(words)]
    return not left or (no_speech_prob > _DOUBTFUL_NO_SPEECH and not _DOUBTFUL.kept(left))


def cut_loops(words: Sequence[Word], *, duration_ms: int) -> tuple[tuple[Word, ...], tuple[Suppressed, ...]]:
    """The words without what a decoder that loops has added, and why words are missing.

    An n-gram that comes three times or more in a row is kept once when its repeats would have been spoken faster
    than 90 ms a word; three "oui" in a second stay. Beyond 22 words per second of audio the rest is dropped.
    """
    most = max(2, int(_MAX_WORDS_PER_S * duration_ms / 1000))
    kept: list[Word] = []
    index = 0
    while index < len(words):
        size, repeats = _loop_at(words, index)
        kept += words[index : index + size]
        index += size * repeats
    reasons = [Suppressed.LOOP] * (len(kept) < len(words)) + [Suppressed.TOO_FAST] * (len(kept) > most)
    return tuple(kept[:most]), tuple(reasons)


def _loop_at(words: Sequence[Word], index: int) -> tuple[int, int]:
    """The n-gram (its size, its repeats) that loops at ``index``; (1, 1) when none does."""
    for size in range(1, _LOOP_NGRAM_WORDS + 1):
        repeats = _repeats(words, index, size)
        last = index + size * repeats - 1
        if repeats < _LOOP_REPEATS:
            continue
        if words[last].end_ms - words[index].start_ms < _LOOP_WORD_MS * size * repeats:
            return size, repeats
    return 1, 1


def _repeats(words: Sequence[Word], index: int, size: int) -> int:
    gram = [word_key(word.text) for word in words[index : index + size]]
    count = 1
    while [word_key(word.text) for word in words[index + count * size : index + (count + 1) * size]] == gram:
        count += 1
    return count if len(gram) == size else 1
