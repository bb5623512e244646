"""Weights to a CTranslate2 directory that faster-whisper loads: int8 for the CPU and for shipping, float16 for GPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.checkpoints import their_name
from training.model import Shape, sinusoid
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

__all__ = ["Quantization", "all_heads", "export", "shape_of"]


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
    return late_heads(_whisper(shape))


def export(
    weights: Mapping[str, Any], tokenizer: Path, folder: Path, *, quantization: Quantization = "int8",
    alignment_heads: Sequence[tuple[int, int]] = (), heads: int = 0,
) -> Path:  # fmt: skip
    """Write model.bin, config.json, vocabulary.json, tokenizer.json, preprocessor_config.json and voicebot.json.

    ``alignment_heads`` are (layer, head); without them the later half of the decoder's. Overwrites what is there.
    """
    shape = shape_of(weights, heads=heads)
    pieces = Tokenizer.from_file(str(tokenizer))
    tensors = {their_name(name): array for name, array in weights.items()}
    tensors["encoder.embed_positions.weight"] = sinusoid(shape.audio_positions, shape.width).numpy()
    spec = specification(tensors, _whisper(shape))
    spec.register_vocabulary(vocabulary(pieces, shape.vocabulary, multilingual=True))
    spec.config.suppress_ids = special_ids(pieces)
    spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [list(pair) for pair in alignment_heads or all_heads(shape)]
    spec.config.lang_ids = language_ids(pieces)
    spec.validate()
    spec.optimize(quantization=quantization)
    write_directory(
        spec, folder, tokenizer=tokenizer, mel_bands=shape.mel_bands, audio_context="auto",
        languages=("fr",), tasks=("transcribe",),  # what the corpus holds
        rolling_prompt=False,  # measured: with 200 characters of what was said before it hears a fifth less
    )  # fmt: skip
    return folder


def _whisper(shape: Shape) -> WhisperShape:
    return WhisperShape(
        width=shape.width,
        encoder_layers=shape.encoder_layers,
        encoder_heads=shape.heads,
        decoder_layers=shape.decoder_layers,
        decoder_heads=shape.heads,
        mel_bands=shape.mel_bands,
        vocabulary=shape.vocabulary,
        audio_positions=shape.audio_positions,
        text_positions=shape.text_positions,
    )
