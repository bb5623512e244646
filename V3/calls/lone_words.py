"""What few words were, by everything that they may have been: an interruption or not. A core.

The final of a short utterance brings alternatives: how likely its audio makes each stop word, each backchannel and what
was written (:mod:`V3.asr.alternatives`). They are weighed as kinds: stop words count in full, words of neither kind
("le docteur ?") in part, for some are a backchannel that was misheard. More than half of the weight is an interruption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from V3.calls.words import Phrases, fold_words
from V3.events import Alternative

__all__ = ["interruption", "is_backchannel"]

_OTHER_SHARE: Final = 0.6  # of words of neither kind; 0.55 to 0.7 differ little
_LEAST: Final = 0.01  # likelihoods that together are less tell nothing
_LEAST_UNWRITTEN: Final = 0.5  # the same where nothing was written: most likely nothing was said


def interruption(
    alternatives: Iterable[Alternative],
    written: Sequence[str],
    *,
    stop_words: Phrases,
    backchannels: Phrases,
    tells: bool = True,
    sure: bool = False,
) -> str:
    """Why it is one; empty where it is more likely not.

    ``written``: the folded words of the final. ``tells``: they say something, besides a sentence's opening; ``sure``:
    surely so, which decides where no alternative is likely.
    """
    stop = other = total = 0.0
    best = ""
    for each in alternatives:
        parts = fold_words(each.text)
        if parts != written and parts == written[: len(parts)]:
            continue  # what was written begins with it and goes on: that nothing comes after it was not scored
        total += each.likelihood
        phrase, _ = stop_words.longest(parts)
        if phrase:
            stop, best = stop + each.likelihood, best or phrase
        elif not is_backchannel(parts, backchannels):
            other += each.likelihood
    if sure:
        other += max(0.0, _LEAST - total)
    total = max(total, _LEAST if written else _LEAST_UNWRITTEN)
    if stop + _OTHER_SHARE * other * tells <= total / 2:
        return ""
    return f"stop word: {best}" if stop > other else "words that are no backchannel"


def is_backchannel(parts: Sequence[str], backchannels: Phrases) -> bool:
    """Whether folded words are nothing but backchannels, or the beginning of one ("c'est") whose end was not heard."""
    return not backchannels.kept(parts) or backchannels.begun(parts) == len(parts)
