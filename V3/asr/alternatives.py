"""A second opinion on few words: how likely the audio makes each of some phrases, beside what was written.

A recogniser writes down the one hypothesis it likes best; of a single short word ("attendez") a neighbour ("entendu")
may be written for want of a little evidence. Where it is known what is likely to be said (stop words, backchannels),
every such phrase is scored on the same audio by the same decoder: the product of its tokens' probabilities when they
are forced upon it (as ``align`` gives them; the usual score of a hypothesis, and of Whisper used as a classifier). So
"how much more like *arrêtez* than like *d'accord*" is asked of the audio itself, and not of one spelling.

The audio is heard twice, the second time half a position of the encoder later, and the likelihoods are averaged: where
a word falls on the grid of frames can make as much of a difference as between two words that sound alike.

No phrase is likelier than its first token: those whose is next to impossible, most of them, are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from V3.asr.features import HOP_SAMPLES
from V3.asr.transcript import DecodeRequest
from V3.audio.pcm import RATE_HZ
from V3.events import Alternative

__all__ = ["LATER_SAMPLES", "MAX_ALTERNATIVES_MS", "is_short", "on_cpu", "ranked", "score_phrases", "spelled"]

MAX_ALTERNATIVES_MS: Final = 1700  # of audio with its edges: some 1.2 s of voice; more is no lone word
LATER_SAMPLES: Final = RATE_HZ // 100  # where the second hearing begins
_POSITIONS: Final = MAX_ALTERNATIVES_MS // 20 + 15  # of the encoder: the audio and some silence after it
_LEAST: Final = 1e-3  # less likely ones tell nothing
_LEAST_UNWRITTEN: Final = 0.05  # the same where nothing was written
_MOST: Final = 64  # phrases that are scored, those with the likeliest first tokens


def score_phrases(
    whisper: ctranslate2.models.Whisper,
    tokenizer: Tokenizer,
    encoded: NDArray[np.float32],
    request: DecodeRequest,
    *,
    written: list[int],
) -> tuple[Alternative, ...]:
    """How likely the audio makes what is expected of it, and what was written (tokens).

    ``encoded``: the encoder's output for each hearing of the request's audio, hearings x positions x width.
    """
    heard = np.ascontiguousarray(encoded[:, :_POSITIONS])
    first = _first_token(whisper, heard[:1], [*tokenizer.sot_sequence, tokenizer.no_timestamps])[: tokenizer.eot]
    first = np.exp(first - first.max())
    first /= first.sum()  # among tokens of text, as ``align`` has it
    spellings = {text: list(tokenizer.encode(text)) for text in map(spelled, request.expected)}
    likely = {text: first[tokens[0]] for text, tokens in spellings.items()}
    least = _LEAST if written else _LEAST_UNWRITTEN
    wanted = [text for text in sorted(likely, key=lambda text: -likely[text])[:_MOST] if likely[text] >= least]
    texts = {text: spellings[text] for text in wanted}
    if written:
        texts[tokenizer.decode(written)] = written
    found = texts
    hearings: list[Mapping[str, float]] = []
    for each in heard:  # what the first finds unlikely is not looked for in the second
        hearings.append(_scores(whisper, tokenizer, each, request, found))
        found = {text: texts[text] for text, score in hearings[0].items() if score >= _LEAST}
    return ranked({text: math.fsum(each[text] for each in hearings) / len(hearings) for text in found})


def _scores(
    whisper: ctranslate2.models.Whisper,
    tokenizer: Tokenizer,
    heard: NDArray[np.float32],
    request: DecodeRequest,
    texts: Mapping[str, list[int]],
) -> dict[str, float]:
    """How likely each text is in one hearing (positions x width): its tokens' probabilities, multiplied."""
    if not texts:
        return {}
    rows = ctranslate2.StorageView.from_array(np.repeat(heard[np.newaxis], len(texts), axis=0))
    frames = max(2, request.audio.size // HOP_SAMPLES)
    forced = whisper.align(rows, tokenizer.sot_sequence, list(texts.values()), [frames] * len(texts))
    return {text: math.prod(each.text_token_probs) for text, each in zip(texts, forced, strict=True)}


def is_short(request: DecodeRequest) -> bool:
    """Whether its audio can be a lone word: what is longer, or nothing, has no alternatives."""
    return request.audio.size > LATER_SAMPLES and request.duration_ms <= MAX_ALTERNATIVES_MS


def spelled(phrase: str) -> str:
    """As a recogniser writes a phrase that is all that is said: "attendez" -> " Attendez."."""
    phrase = phrase.strip()
    return f" {phrase[:1].upper()}{phrase[1:]}{'' if phrase.endswith(('.', '?', '!')) else '.'}"


def ranked(scores: Mapping[str, float]) -> tuple[Alternative, ...]:
    """The likely ones, best first."""
    found = [Alternative(text.strip(), round(min(1.0, score), 4)) for text, score in scores.items() if score >= _LEAST]
    return tuple(sorted(found, key=lambda each: -each.likelihood))


def _first_token(
    whisper: ctranslate2.models.Whisper, heard: NDArray[np.float32], prompt: list[int]
) -> NDArray[np.float32]:
    """The logits of the first token after ``prompt``."""
    (found,) = whisper.generate(
        ctranslate2.StorageView.from_array(heard),
        [prompt],
        beam_size=1,
        max_length=2 * (len(prompt) + 1),
        suppress_blank=False,
        suppress_tokens=[],
        return_logits_vocab=True,
    )
    return on_cpu(found.logits[0][0]).ravel()


def on_cpu(values: ctranslate2.StorageView) -> NDArray[np.float32]:
    """What a model gave, as numpy's."""
    return np.asarray(values.to(ctranslate2.DataType.float32).to_device(ctranslate2.Device.cpu))
