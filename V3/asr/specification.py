"""Whisper's weights as CTranslate2's specification, and the directory of files that faster-whisper loads.

Tensors go by Hugging Face's names without their leading ``model.``; whoever has others renames them first. Matrices
keep the precision they come in until they are quantized, one at a time: a large model is then in memory once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from V3.errors import ModelError

__all__ = [
    "ENGLISH_ONLY_VOCABULARY",
    "Quantization",
    "WhisperShape",
    "language_ids",
    "late_heads",
    "special_ids",
    "specification",
    "vocabulary",
    "write_directory",
]

Quantization = Literal["int8", "int8_float16", "float16", "float32"]

ENGLISH_ONLY_VOCABULARY: Final = 51864  # OpenAI's .en models; all their others have more tokens
_BYTE_ZERO: Final = "Ā"  # how a byte-level BPE writes byte 0, which no text holds
_TIMESTAMPS: Final = 1501  # 0.00 to 30.00 s in steps of 20 ms
_SPECIAL: Final = (
    "startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech", "nocaptions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WhisperShape:
    """The size of a Whisper; positions are encoder positions (two mel frames each) and text tokens."""

    width: int
    encoder_layers: int
    encoder_heads: int
    decoder_layers: int
    decoder_heads: int
    mel_bands: int
    vocabulary: int
    audio_positions: int = 1500
    text_positions: int = 448


def specification(weights: Mapping[str, Any], shape: WhisperShape) -> Any:
    """A filled ``ctranslate2.specs.WhisperSpec``; ``proj_out.weight``, where there is one, is the output layer.

    Raises ModelError for a tensor that is missing or has another shape.
    """
    spec = ctranslate2.specs.WhisperSpec(
        shape.encoder_layers, shape.encoder_heads, shape.decoder_layers, shape.decoder_heads
    )
    fill = _Filler(weights, shape.width)
    fill.conv(spec.encoder.conv1, "encoder.conv1", shape.mel_bands)
    fill.conv(spec.encoder.conv2, "encoder.conv2", shape.width)
    fill.positions(spec.encoder, "encoder", shape.audio_positions)
    for number, layer in enumerate(spec.encoder.layer):
        fill.layer(layer, f"encoder.layers.{number}", cross=False)
    fill.norm(spec.encoder.layer_norm, "encoder.layer_norm")
    spec.decoder.embeddings.weight = fill.copied("decoder.embed_tokens.weight", shape.vocabulary, shape.width)
    fill.positions(spec.decoder, "decoder", shape.text_positions)
    for number, layer in enumerate(spec.decoder.layer):
        fill.layer(layer, f"decoder.layers.{number}", cross=True)
    fill.norm(spec.decoder.layer_norm, "decoder.layer_norm")
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    if "proj_out.weight" in weights:
        spec.decoder.projection.weight = fill.copied("proj_out.weight", shape.vocabulary, shape.width)
    return spec


def vocabulary(tokenizer: Tokenizer, size: int, *, multilingual: bool) -> list[str]:
    """The model's pieces by id. The empty string marks a multilingual model for CTranslate2; byte 0 gives its place.

    Timestamps that the tokenizer leaves out are added. Raises ModelError for a tokenizer of another model.
    """
    ids = tokenizer.get_vocab(with_added_tokens=True)
    pieces = sorted(ids, key=ids.__getitem__)
    if sorted(ids.values()) != list(range(len(pieces))) or not {"<|startoftranscript|>", "<|endoftext|>"} <= ids.keys():
        raise ModelError("the tokenizer is not one of Whisper's: special tokens are missing, or ids are")
    if size - len(pieces) == _TIMESTAMPS and "<|0.00|>" not in ids:
        pieces += [f"<|{index * 0.02:.2f}|>" for index in range(_TIMESTAMPS)]
    if len(pieces) != size:
        raise ModelError(
            f"the tokenizer has {len(pieces)} tokens and the model {size}: take the tokenizer.json of this very model"
        )
    if multilingual and "" not in ids:
        return ["" if piece == _BYTE_ZERO else piece for piece in pieces]
    return pieces


def language_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids of the languages, which stand between the start token and the tasks. Raises ModelError without them."""
    before, after = tokenizer.token_to_id("<|startoftranscript|>"), tokenizer.token_to_id("<|translate|>")
    if before is None or after is None:
        raise ModelError("the tokenizer lacks Whisper's special tokens")
    return list(range(before + 1, after))


def special_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids of the tokens that steer the decoder and are never text."""
    found = (tokenizer.token_to_id(f"<|{name}|>") for name in _SPECIAL)
    return sorted(number for number in found if number is not None)


def late_heads(shape: WhisperShape) -> list[tuple[int, int]]:
    """(layer, head) of every head in the later half of the decoder: Whisper's default where nothing was measured."""
    layers = range(shape.decoder_layers // 2, shape.decoder_layers)
    return [(layer, head) for layer in layers for head in range(shape.decoder_heads)]


def write_directory(
    spec: Any,
    folder: Path,
    *,
    tokenizer: Path,
    mel_bands: int,
    audio_context: Literal["auto", "full"],
    languages: Sequence[str] = (),
    tasks: Sequence[str] = (),
    rolling_prompt: bool = True,
) -> None:
    """Write model.bin, config.json, vocabulary.json, tokenizer.json, preprocessor_config.json and voicebot.json.

    ``spec`` is validated and optimized. ``languages`` and ``tasks`` are what the model was trained for, where that is
    less than Whisper's, and ``rolling_prompt`` says whether text that came before helps it. Files of these
    names are overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    if tokenizer.resolve() != (folder / "tokenizer.json").resolve():
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
    features = {"feature_size": mel_bands, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")
    told: dict[str, Any] = {"audio_context": audio_context}
    told |= {"languages": list(languages)} if languages else {}
    told |= {"tasks": list(tasks)} if tasks else {}
    told |= {} if rolling_prompt else {"rolling_prompt": False}
    (folder / "voicebot.json").write_text(json.dumps(told) + "\n", encoding="utf-8")


class _Filler:
    """Writes tensors, their shapes checked, into a specification.

    CTranslate2 quantizes in place: what it gets is always a copy.
    """

    def __init__(self, weights: Mapping[str, Any], width: int) -> None:
        self._weights = weights
        self._width = width

    def copied(self, name: str, *shape: int | None, dtype: Any = None) -> Any:
        """A tensor as its own array. ``None`` in the shape stands for any size."""
        if name not in self._weights:
            raise ModelError(f"tensor {name} is missing")
        array = np.array(self._weights[name], dtype=dtype)
        fits = [size in (None, found) for size, found in zip(shape, array.shape, strict=False)]
        if array.ndim != len(shape) or not all(fits):
            wanted = tuple("any" if size is None else size for size in shape)
            raise ModelError(f"tensor {name} has the shape {array.shape}, where {wanted} belongs")
        return array

    def vector(self, name: str, size: int) -> Any:
        """What is never quantized to 8 bits is float32 until the end."""
        return self.copied(name, size, dtype=np.float32)

    def linear(self, spec: Any, *names: str, rows: int | None = None, columns: int | None = None) -> int:
        """One matrix of several, one above the other; returns its rows. Keys have no bias: theirs is zero."""
        parts = [self.copied(f"{name}.weight", rows, columns) for name in names]
        biases = [
            np.zeros(len(part), np.float32)
            if name.endswith(".k_proj") and f"{name}.bias" not in self._weights
            else self.vector(f"{name}.bias", len(part))
            for name, part in zip(names, parts, strict=True)
        ]
        spec.weight = np.concatenate(parts) if len(parts) > 1 else parts[0]
        spec.bias = np.concatenate(biases)
        return len(spec.bias)

    def norm(self, spec: Any, name: str) -> None:
        spec.gamma, spec.beta = (self.vector(f"{name}.{kind}", self._width) for kind in ("weight", "bias"))

    def conv(self, spec: Any, name: str, channels: int) -> None:
        spec.weight = self.copied(f"{name}.weight", self._width, channels, 3)
        spec.bias = self.vector(f"{name}.bias", self._width)

    def positions(self, spec: Any, side: str, count: int) -> None:
        name = f"{side}.embed_positions.weight"
        spec.position_encodings.encodings = self.copied(name, count, self._width, dtype=np.float32)

    def attention(self, spec: Any, name: str, groups: Sequence[str]) -> None:
        """One matrix for each group of letters: q, k, v and the output o."""
        letters = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}
        for linear, group in zip(spec.linear, groups, strict=True):
            names = [f"{name}.{letters[letter]}" for letter in group]
            self.linear(linear, *names, rows=self._width, columns=self._width)

    def layer(self, spec: Any, name: str, *, cross: bool) -> None:
        self.norm(spec.self_attention.layer_norm, f"{name}.self_attn_layer_norm")
        self.attention(spec.self_attention, f"{name}.self_attn", ("qkv", "o"))
        if cross:
            self.norm(spec.attention.layer_norm, f"{name}.encoder_attn_layer_norm")
            self.attention(spec.attention, f"{name}.encoder_attn", ("q", "kv", "o"))
        self.norm(spec.ffn.layer_norm, f"{name}.final_layer_norm")
        inner = self.linear(spec.ffn.linear_0, f"{name}.fc1", columns=self._width)
        self.linear(spec.ffn.linear_1, f"{name}.fc2", rows=self._width, columns=inner)
