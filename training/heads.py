"""Alignment heads chosen by measurement: the cross-attention heads whose peaks tell best when a word was said.

Each head alone is measured through the product's own path (CTranslate2's align, V3's word times) on clips with known
times; then heads are added, best first, for as long as the error goes down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from training.evaluate import decode, word_errors_ms
from training.export import export, shape_of
from training.recordings import Recording
from training.synthesis import RATE_HZ, Shards
from V3.asr.model import Recognizer

__all__ = ["choose_heads", "timed_recordings"]

_WORST_MS: Final = 500.0  # a lost word counts so much, however far it went
_LEAD_S: Final = 0.25


def timed_recordings(shards: Path, count: int, *, first: int = 0) -> list[Recording]:
    """Clips of at least three words with their times, after a quarter second of silence."""
    clips = Shards(shards)
    found: list[Recording] = []
    for number in range(first, len(clips)):
        clip = clips[number]
        if len(clip.words) < 3:
            continue
        lead = int(_LEAD_S * RATE_HZ)
        audio = soxr.resample(np.pad(clip.samples * 0.7, (lead, lead)), RATE_HZ, 16000).astype(np.float32)
        words = tuple((text, start / RATE_HZ + _LEAD_S, end / RATE_HZ + _LEAD_S) for text, start, end in clip.words)
        found.append(Recording(str(number), audio, clip.text, clip.category, words))
        if len(found) == count:
            break
    return found


def _error_ms(model: Path, recordings: Sequence[Recording], threads: int) -> float:
    """The mean of starts' and ends' errors, each at most half a second."""
    recognizer = Recognizer.load(str(model), device="cpu", cpu_threads=threads, audio_context="auto")
    heard = decode(recognizer, [recording.samples for recording in recordings], word_times=True)
    errors = np.array(list(word_errors_ms(recordings, heard)))
    return float(np.minimum(errors, _WORST_MS).mean()) if errors.size else _WORST_MS


def choose_heads(
    weights: Mapping[str, Any], tokenizer: Path, scratch: Path, recordings: Sequence[Recording], *, threads: int = 1,
    say: Callable[[str], None] = print,
) -> list[tuple[int, int]]:  # fmt: skip
    """(layer, head) pairs, best first. ``scratch`` is overwritten with the model."""
    shape = shape_of(weights)
    export(weights, tokenizer, scratch)

    def measure(heads: Sequence[tuple[int, int]]) -> float:
        config = json.loads((scratch / "config.json").read_text())
        config["alignment_heads"] = [list(pair) for pair in heads]
        (scratch / "config.json").write_text(json.dumps(config))
        return _error_ms(scratch, recordings, threads)

    alone = {
        (layer, head): measure([(layer, head)]) for layer in range(shape.decoder_layers) for head in range(shape.heads)
    }
    ranked = sorted(alone, key=lambda pair: alone[pair])
    for pair in ranked:
        say(f"head {pair}: {alone[pair]:.0f} ms")
    chosen, best_ms = [ranked[0]], alone[ranked[0]]
    for pair in ranked[1:]:
        error_ms = measure([*chosen, pair])
        if error_ms < best_ms:
            chosen, best_ms = [*chosen, pair], error_ms
    say(f"chosen: {chosen}, {best_ms:.0f} ms")
    return chosen
