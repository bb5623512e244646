"""A Whisper checkpoint that a user has (Hugging Face's layout: config.json, model.safetensors, tokenizer.json).

It is read into this recipe's names, so that ``train --init DIR`` fine-tunes it for short windows and telephone lines
(the windows are as long as the speech, not 30 s: the idea of FUTO's ACFT, here by plain fine-tuning). What a real
checkpoint becomes by it was not measured here; the tests show the mechanics on a small random one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from training.model import Shape
from V3.asr.checkpoints import open_checkpoint

__all__ = ["read_checkpoint", "read_shape", "their_name"]

_LAYER: Final = {
    "self_attn.q_proj": "att.q", "self_attn.k_proj": "att.k", "self_attn.v_proj": "att.v",
    "self_attn.out_proj": "att.o",
    "encoder_attn.q_proj": "xatt.q", "encoder_attn.k_proj": "xatt.k", "encoder_attn.v_proj": "xatt.v",
    "encoder_attn.out_proj": "xatt.o", "self_attn_layer_norm": "n1", "encoder_attn_layer_norm": "n2",
    "final_layer_norm": "n3", "fc1": "f1", "fc2": "f2",
}  # fmt: skip
_OUTER: Final = {
    "encoder.conv1": "c1", "encoder.conv2": "c2", "encoder.layer_norm": "eln", "decoder.layer_norm": "dln",
    "decoder.embed_tokens": "emb",
}  # fmt: skip


_TO_THEIRS: Final = {ours: theirs for table in (_LAYER, _OUTER) for theirs, ours in table.items()}


def read_shape(folder: Path) -> Shape:
    """The shape that config.json names. Raises ValueError for heads that differ between encoder and decoder."""
    shape = open_checkpoint(folder).shape
    if shape.encoder_heads != shape.decoder_heads:
        raise ValueError("a checkpoint with different numbers of heads in encoder and decoder cannot be read")
    return Shape(
        width=shape.width,
        heads=shape.encoder_heads,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        mel_bands=shape.mel_bands,
        vocabulary=shape.vocabulary,
        audio_positions=shape.audio_positions,
        text_positions=shape.text_positions,
    )


def _our_name(name: str) -> str | None:
    """The name here of a tensor there; ``None`` for what is not taken over (fixed positions, the tied output)."""
    if name == "decoder.embed_positions.weight":
        return "dpos"
    stem, _, kind = name.rpartition(".")
    if stem in _OUTER:
        return f"{_OUTER[stem]}.{kind}"
    side, _, rest = stem.partition(".layers.")
    number, _, part = rest.partition(".")
    if side in ("encoder", "decoder") and part in _LAYER:
        return f"{side[:3]}.{number}.{_LAYER[part]}.{kind}"
    return None


def their_name(name: str) -> str:
    """The name there of a tensor here; one that they do not have (the CTC helper's) stays as it is."""
    if name == "dpos":
        return "decoder.embed_positions.weight"
    stem, _, kind = name.rpartition(".")
    side, _, rest = stem.partition(".")
    number, _, part = rest.partition(".")
    if side in ("enc", "dec") and part in _TO_THEIRS:
        return f"{side}oder.layers.{number}.{_TO_THEIRS[part]}.{kind}"
    return f"{_TO_THEIRS.get(stem, stem)}.{kind}"


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Its tensors under this recipe's names. Raises V3's ModelError or ModelNotFound for what is missing or damaged."""
    weights = open_checkpoint(folder).weights
    names = {name: _our_name(name) for name in weights}
    return {ours: weights[theirs] for theirs, ours in names.items() if ours is not None}
