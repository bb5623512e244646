"""A second opinion on few words: how likely the audio makes each of some phrases, beside what was written.

A recogniser writes down the one hypothesis it likes best; of a single short word ("attendez") a neighbour ("entendu")
may be written for want of a little evidence. Where it is known what is likely to be said (stop words, backchannels),
every such phrase is scored on the same audio by the same decoder: the product of its tokens' probabilities when they
are forced upon it (as ``align`` gives them; the usual score of a hypothesis, and of Whisper used as a classifier). So
"how much more like *arrêtez* than like *d'accord*" is asked of the audio itself, and not of one spelling.

No phrase is likelier than its first token: those whose is next to impossible, most of them, are not scored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from V3.asr.features import HOP_SAMPLES
from V3.asr.transcript import DecodeRequest
from V3.events import Alternative

__all__ = ["MAX_ALTERNATIVES_MS", "ranked", "score_phrases", "spelled"]

MAX_ALTERNATIVES_MS: Final = 1700  # of audio with its edges: some 1.2 s of voice; more is no lone word
_POSITIONS: Final = MAX_ALTERNATIVES_MS // 20 + 15  # of the encoder: the audio and some silence after it
_LEAST: Final = 1e-3  # less likely ones tell nothing
_LEAST_UNWRITTEN: Final = 0.05  # the same where nothing was written
_MOST: Final = 64  # phrases that are scored, those with the likeliest first tokens
_FLOOR: Final = 1e-12


def score_phrases(
    whisper: ctranslate2.models.Whisper,
    tokenizer: Tokenizer,
    encoded: NDArray[np.float32],
    request: DecodeRequest,
    *,
    written: list[int],
) -> tuple[Alternative, ...]:
    """How likely the audio makes what is expected of it, and what was written (tokens).

    ``encoded``: the encoder's output for the request's audio, positions x width.
    """
    heard = np.ascontiguousarray(encoded[np.newaxis, :_POSITIONS])
    first = _first_token(whisper, heard, [*tokenizer.sot_sequence, tokenizer.no_timestamps])[: tokenizer.eot]
    first = np.exp(first - first.max())
    first /= first.sum()  # among tokens of text, as ``align`` has it
    spellings = {text: list(tokenizer.encode(text)) for text in map(spelled, request.expected)}
    likely = {text: first[tokens[0]] for text, tokens in spellings.items()}
    least = _LEAST if written else _LEAST_UNWRITTEN
    texts = [text for text in sorted(likely, key=lambda text: -likely[text])[:_MOST] if likely[text] >= least]
    tokens = [spellings[text] for text in texts]
    if written:
        texts.append(tokenizer.decode(written))
        tokens.append(written)
    if not tokens:
        return ()
    rows = ctranslate2.StorageView.from_array(np.repeat(heard, len(tokens), axis=0))
    frames = max(2, request.audio.size // HOP_SAMPLES)
    scored = whisper.align(rows, tokenizer.sot_sequence, tokens, [frames] * len(tokens))
    return ranked(texts, [each.text_token_probs for each in scored])


def spelled(phrase: str) -> str:
    """As a recogniser writes a phrase that is all that is said: "attendez" -> " Attendez."."""
    phrase = phrase.strip()
    return f" {phrase[:1].upper()}{phrase[1:]}{'' if phrase.endswith(('.', '?', '!')) else '.'}"


def ranked(texts: Iterable[str], probabilities: Iterable[Sequence[float]]) -> tuple[Alternative, ...]:
    """The likely ones, best first, from each text's token probabilities."""
    scored = {
        text.strip(): math.exp(sum(math.log(max(_FLOOR, each)) for each in tokens))
        for text, tokens in zip(texts, probabilities, strict=True)
    }
    found = [Alternative(text, round(min(1.0, score), 4)) for text, score in scored.items() if score >= _LEAST]
    return tuple(sorted(found, key=lambda each: -each.likelihood))


def _first_token(whisper: ctranslate2.models.Whisper, heard: NDArray[np.float32], prompt: list[int]) -> Any:
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
    step = found.logits[0][0].to(ctranslate2.DataType.float32).to_device(ctranslate2.Device.cpu)
    return np.asarray(step).ravel()
