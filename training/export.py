"""Weights to a CTranslate2 directory that faster-whisper loads: int8 for the CPU and for shipping, float16 for GPUs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from training.model import Shape, sinusoid

__all__ = ["Quantization", "all_heads", "export", "shape_of"]

Quantization = Literal["int8", "float16", "float32"]
_BYTE_ZERO: Final = "Ā"  # how a byte-level BPE writes byte 0, which no text holds
_SUPPRESSED: Final = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech")


def shape_of(weights: Mapping[str, Any], *, heads: int = 0) -> Shape:
    """The shape of a weights file. Heads leave no trace in it: without them, 64 units each as in all of Whisper."""
    width = int(weights["emb.weight"].shape[1])
    layers = {
        side: 1 + max(int(name.split(".")[1]) for name in weights if name.startswith(f"{side}."))
        for side in ("enc", "dec")
    }
    return Shape(
        width=width,
        heads=heads or max(1, width // 64),
        encoder_layers=layers["enc"],
        decoder_layers=layers["dec"],
        mel_bands=int(weights["c1.weight"].shape[1]),
        vocabulary=int(weights["emb.weight"].shape[0]),
        text_positions=int(weights["dpos"].shape[0]),
    )


def all_heads(shape: Shape) -> list[tuple[int, int]]:
    """Every head of the later half of the decoder: Whisper's default where nothing was measured."""
    layers = range(shape.decoder_layers // 2, shape.decoder_layers)
    return [(layer, head) for layer in layers for head in range(shape.heads)]


class _Filler:
    """Writes arrays of a weights file into CTranslate2's specification."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self._weights = {name: np.asarray(weights[name], dtype=np.float32) for name in weights}

    def array(self, name: str) -> Any:
        return self._weights[name]

    def linear(self, spec: Any, *names: str) -> None:
        """One matrix of several, one above the other; a missing bias is zero."""
        parts = [self._weights[f"{name}.weight"] for name in names]
        biases = [
            self._weights.get(f"{name}.bias", np.zeros(len(part), np.float32))
            for name, part in zip(names, parts, strict=True)
        ]
        spec.weight, spec.bias = np.concatenate(parts), np.concatenate(biases)

    def norm(self, spec: Any, name: str) -> None:
        spec.gamma, spec.beta = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def conv(self, spec: Any, name: str) -> None:
        spec.weight, spec.bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]

    def layer(self, spec: Any, name: str, *, cross: bool) -> None:
        self.norm(spec.self_attention.layer_norm, f"{name}.n1")
        self.linear(spec.self_attention.linear[0], f"{name}.att.q", f"{name}.att.k", f"{name}.att.v")
        self.linear(spec.self_attention.linear[1], f"{name}.att.o")
        if cross:
            self.norm(spec.attention.layer_norm, f"{name}.n2")
            self.linear(spec.attention.linear[0], f"{name}.xatt.q")
            self.linear(spec.attention.linear[1], f"{name}.xatt.k", f"{name}.xatt.v")
            self.linear(spec.attention.linear[2], f"{name}.xatt.o")
        self.norm(spec.ffn.layer_norm, f"{name}.n3")
        self.linear(spec.ffn.linear_0, f"{name}.f1")
        self.linear(spec.ffn.linear_1, f"{name}.f2")


def _specification(weights: Mapping[str, Any], shape: Shape) -> Any:
    spec = ctranslate2.specs.WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    fill = _Filler(weights)
    fill.conv(spec.encoder.conv1, "c1")
    fill.conv(spec.encoder.conv2, "c2")
    spec.encoder.position_encodings.encodings = sinusoid(shape.audio_positions, shape.width).numpy()
    for number, layer in enumerate(spec.encoder.layer):
        fill.layer(layer, f"enc.{number}", cross=False)
    fill.norm(spec.encoder.layer_norm, "eln")
    spec.decoder.embeddings.weight = fill.array("emb.weight")
    spec.decoder.position_encodings.encodings = fill.array("dpos")
    for number, layer in enumerate(spec.decoder.layer):
        fill.layer(layer, f"dec.{number}", cross=True)
    fill.norm(spec.decoder.layer_norm, "dln")
    spec.decoder.projection.weight = fill.array("emb.weight")
    return spec


def _vocabulary(tokenizer: Tokenizer) -> list[str]:
    """Pieces by id. The empty string marks a multilingual model for CTranslate2; byte 0 gives its place."""
    pieces = [tokenizer.id_to_token(number) or "" for number in range(tokenizer.get_vocab_size())]
    if "" in pieces:
        return pieces
    return ["" if piece == _BYTE_ZERO else piece for piece in pieces]


def _languages(tokenizer: Tokenizer) -> list[int]:
    """Ids of the languages, which stand between the start token and the tasks. Raises ValueError without them."""
    before, after = tokenizer.token_to_id("<|startoftranscript|>"), tokenizer.token_to_id("<|translate|>")
    if before is None or after is None:
        raise ValueError("the tokenizer lacks Whisper's special tokens")
    return list(range(before + 1, after))


def export(
    weights: Mapping[str, Any], tokenizer: Path, folder: Path, *, quantization: Quantization = "int8",
    alignment_heads: Sequence[tuple[int, int]] = (), heads: int = 0,
) -> Path:  # fmt: skip
    """Write model.bin, config.json, vocabulary.json, tokenizer.json, preprocessor_config.json and voicebot.json.

    ``alignment_heads`` are (layer, head); without them the later half of the decoder's. Overwrites what is there.
    """
    shape = shape_of(weights, heads=heads)
    pieces = Tokenizer.from_file(str(tokenizer))
    spec = _specification(weights, shape)
    spec.register_vocabulary(_vocabulary(pieces))
    suppressed = [pieces.token_to_id(f"<|{name}|>") for name in _SUPPRESSED]
    spec.config.suppress_ids = [number for number in suppressed if number is not None]
    spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [list(pair) for pair in alignment_heads or all_heads(shape)]
    spec.config.lang_ids = _languages(pieces)
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    if tokenizer.resolve() != (folder / "tokenizer.json").resolve():
        shutil.copyfile(tokenizer, folder / "tokenizer.json")
    features = {
        "feature_size": shape.mel_bands,
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(features))
    (folder / "voicebot.json").write_text('{"audio_context": "auto"}\n')
    return folder
