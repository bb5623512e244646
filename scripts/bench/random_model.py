"""A Whisper of a given shape with random weights: what it costs is right, what it says is noise.

So that cost can be measured on any device without downloads. The tokenizer is the shipped one, filled up to Whisper's
number of tokens; :class:`FixedPace` makes every decode write as many tokens as French speech of that length needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from tokenizers import Tokenizer

from V3.asr.loading import SHIPPED_MODEL, find_model
from V3.asr.model import Recognizer
from V3.asr.specification import (
    Quantization,
    WhisperShape,
    language_ids,
    late_heads,
    special_ids,
    specification,
    vocabulary,
    write_directory,
)
from V3.asr.transcript import DecodeRequest, Transcript

__all__ = ["SHAPES", "FixedPace", "write_random_model"]

_TEXT_TOKENS: Final = 50_257
_VOCABULARY: Final = 51_866
_TOKENS_PER_S: Final = 5.0  # French, with Whisper's vocabulary


def _shape(width: int, encoder_layers: int, decoder_layers: int, *, mel_bands: int = 80) -> WhisperShape:
    heads = width // 64
    return WhisperShape(width, encoder_layers, heads, decoder_layers, heads, mel_bands, _VOCABULARY)


SHAPES: Final = {
    "tiny": _shape(384, 4, 4),
    "base": _shape(512, 6, 6),
    "small": _shape(768, 12, 12),
    "medium": _shape(1024, 24, 24),
    "large-v3": _shape(1280, 32, 32, mel_bands=128),
    "large-v3-turbo": _shape(1280, 32, 4, mel_bands=128),
}


def write_random_model(
    folder: Path, shape: WhisperShape, *, quantization: Quantization, audio_context: Literal["auto", "full"]
) -> Path:
    """A CTranslate2 directory of this shape; ``audio_context`` is "auto" (short windows) or "full"."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer_file = folder / "tokenizer.json"
    tokenizer_file.write_text(json.dumps(_filled_up(find_model(SHIPPED_MODEL).directory / "tokenizer.json")))
    pieces = Tokenizer.from_file(str(tokenizer_file))
    spec = specification(_Random(shape), shape)
    spec.register_vocabulary(vocabulary(pieces, shape.vocabulary, multilingual=True))
    spec.config.suppress_ids, spec.config.suppress_ids_begin = special_ids(pieces), []
    spec.config.alignment_heads = [list(pair) for pair in late_heads(shape)][:6]
    spec.config.lang_ids = language_ids(pieces)
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    write_directory(spec, folder, tokenizer=tokenizer_file, mel_bands=shape.mel_bands, audio_context=audio_context)
    return folder


def _filled_up(shipped: Path) -> dict[str, Any]:
    """The shipped tokenizer with words that mean nothing up to Whisper's number, and its special tokens after them."""
    tokenizer: dict[str, Any] = json.loads(shipped.read_text(encoding="utf-8"))
    pieces: dict[str, int] = tokenizer["model"]["vocab"]
    special = [token for token in tokenizer["added_tokens"] if token["id"] >= min(_special_ids(tokenizer))]
    pieces = {piece: number for piece, number in pieces.items() if number < special[0]["id"]}
    pieces |= {f"Ġmot{number}": number for number in range(len(pieces), _TEXT_TOKENS)}
    tokenizer["model"]["vocab"] = pieces
    special = special[: _VOCABULARY - _TEXT_TOKENS]
    tokenizer["added_tokens"] = [token | {"id": _TEXT_TOKENS + index} for index, token in enumerate(special)]
    return tokenizer


def _special_ids(tokenizer: Mapping[str, Any]) -> Iterator[int]:
    return (token["id"] for token in tokenizer["added_tokens"] if token["content"].startswith("<|"))


class _Random(Mapping[str, Any]):
    """Tensors of a shape by their names, made when they are asked for."""

    def __init__(self, shape: WhisperShape) -> None:
        self._rng = np.random.default_rng(0)
        self._sizes = _tensor_sizes(shape)

    def __getitem__(self, name: str) -> Any:
        size = self._sizes[name]
        if name.endswith("norm.weight"):
            return np.ones(size, dtype=np.float32)
        return self._rng.standard_normal(size, dtype=np.float32) * np.float32(0.02)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)


def _tensor_sizes(shape: WhisperShape) -> dict[str, tuple[int, ...]]:
    width = shape.width
    sizes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (width, shape.mel_bands, 3),
        "encoder.conv1.bias": (width,),
        "encoder.conv2.weight": (width, width, 3),
        "encoder.conv2.bias": (width,),
        "encoder.embed_positions.weight": (shape.audio_positions, width),
        "decoder.embed_positions.weight": (shape.text_positions, width),
        "decoder.embed_tokens.weight": (shape.vocabulary, width),
    }
    for side, layers in (("encoder", shape.encoder_layers), ("decoder", shape.decoder_layers)):
        sizes |= {f"{side}.layer_norm.{kind}": (width,) for kind in ("weight", "bias")}
        for number in range(layers):
            sizes |= _layer_sizes(f"{side}.layers.{number}", width, cross=side == "decoder")
    return sizes


def _layer_sizes(name: str, width: int, *, cross: bool) -> dict[str, tuple[int, ...]]:
    sizes: dict[str, tuple[int, ...]] = {}
    for attention in ("self_attn", "encoder_attn") if cross else ("self_attn",):
        sizes |= {f"{name}.{attention}.{part}_proj.weight": (width, width) for part in ("q", "k", "v", "out")}
        sizes |= {f"{name}.{attention}.{part}_proj.bias": (width,) for part in ("q", "v", "out")}
        sizes |= {f"{name}.{attention}_layer_norm.{kind}": (width,) for kind in ("weight", "bias")}
    sizes |= {f"{name}.fc1.weight": (4 * width, width), f"{name}.fc1.bias": (4 * width,)}
    sizes |= {f"{name}.fc2.weight": (width, 4 * width), f"{name}.fc2.bias": (width,)}
    return sizes | {f"{name}.final_layer_norm.{kind}": (width,) for kind in ("weight", "bias")}


class FixedPace(Recognizer):
    """Writes five tokens for each second of audio, whatever the weights say, and decodes nothing twice."""

    def _max_length(self, requests: Sequence[DecodeRequest], bucket: Any) -> int:
        seconds = max(request.duration_ms for request in requests) / 1000
        self._suppressed = [-1, self._tokenizer("fr").eot]
        return 2 * (int(bucket.prompt_tokens) + max(1, round(seconds * _TOKENS_PER_S)))

    def _looks_wrong(self, request: DecodeRequest, transcript: Transcript) -> bool:  # noqa: ARG002
        return False

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        """As :meth:`Recognizer.decode`; without reasons for what is missing from noise."""
        return [replace(transcript, suppressed=()) for transcript in super().decode(requests)]
