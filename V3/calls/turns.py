"""When a turn is over: how much silence ends an utterance, by its words. A core.

A complete short answer ("oui", "non merci", "c'est qui ?") is over after little silence; after "attendez", "euh", a
word that needs another or a number that is being spelled, the speaker is given time to go on; after any other number a
little of it, for what it counts may follow, and after a day of the week or "dix-sept heures" the rest of when it is.
Everything between has the usual silence.

The words are those of the decode made on trial while the silence lasts
(:class:`V3.asr.online.StreamingSession`); if speech resumes they are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from V3.calls.spoken_dates import WEEKDAYS
from V3.calls.spoken_values import may_go_on, read_numbers
from V3.calls.words import fold_words

__all__ = ["TurnRules", "turn_silence"]

SHORT_ANSWER_WORDS = 4
_HALF_SAID = frozenset((*WEEKDAYS, "heure", "heures"))


@dataclass(frozen=True, slots=True)
class TurnRules:
    """Silence that ends an utterance, in ms: after a complete short answer, usually, after a number, and where more is
    likely.
    """

    short_ms: int = 360
    usual_ms: int = 500
    number_ms: int = 900
    long_ms: int = 1200


def turn_silence(rules: TurnRules) -> Callable[[Sequence[str]], int]:
    """What tells a streaming session how much silence (ms) ends an utterance of these words, as they are written."""

    def silence_ms(words: Sequence[str]) -> int:
        asked = bool(words) and words[-1].endswith("?")  # "c'est qui ?" needs no other word
        if not asked and may_go_on(words):
            return rules.long_ms
        said = fold_words(" ".join(words))
        numbers = read_numbers(words)
        if (numbers and numbers[-1].end == len(words)) or (not asked and said[-1:] and said[-1] in _HALF_SAID):
            return rules.number_ms
        return rules.short_ms if 0 < len(said) <= SHORT_ANSWER_WORDS else rules.usual_ms

    return silence_ms
