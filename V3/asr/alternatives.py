"""A second opinion on few words: how likely the audio makes each of some phrases, beside what was written. A core.

A recogniser writes down the one hypothesis it likes best; of a single short word ("attendez") a neighbour ("entendu")
may be written for want of a little evidence. Where it is known what is likely to be said (stop words, backchannels),
every such phrase is scored on the same audio by the same decoder: the product of its tokens' probabilities when they
are forced upon it (as ``align`` gives them; the usual score of a hypothesis, and of Whisper used as a classifier). So
"how much more like *arrêtez* than like *d'accord*" is asked of the audio itself, and not of one spelling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from V3.events import Alternative

__all__ = ["LEAST_LIKELIHOOD", "LEAST_UNWRITTEN", "MAX_ALTERNATIVES_MS", "alternatives", "spelled"]

MAX_ALTERNATIVES_MS: Final = 1700  # of audio with its edges: some 1.2 s of voice; more is no lone word
LEAST_LIKELIHOOD: Final = 1e-3  # less likely ones tell nothing
LEAST_UNWRITTEN: Final = 0.05  # the same where nothing was written
_FLOOR: Final = 1e-12


def spelled(phrase: str) -> str:
    """As a recogniser writes a phrase that is all that is said: "attendez" -> " Attendez."."""
    phrase = phrase.strip()
    return f" {phrase[:1].upper()}{phrase[1:]}{'' if phrase.endswith(('.', '?', '!')) else '.'}"


def alternatives(texts: Iterable[str], probabilities: Iterable[Sequence[float]]) -> tuple[Alternative, ...]:
    """The likely ones, best first, from each text's token probabilities."""
    scored = {
        text.strip(): math.exp(sum(math.log(max(_FLOOR, each)) for each in tokens))
        for text, tokens in zip(texts, probabilities, strict=True)
    }
    likely = {text: score for text, score in scored.items() if score >= LEAST_LIKELIHOOD}
    found = [Alternative(text, round(min(1.0, score), 4)) for text, score in likely.items()]
    return tuple(sorted(found, key=lambda each: -each.likelihood))
