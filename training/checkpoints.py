"""A Whisper checkpoint that a user has (Hugging Face's layout: config.json, model.safetensors, tokenizer.json).

It is read into this recipe's names, so that ``train --init DIR`` fine-tunes it for short windows and telephone lines
(the windows are as long as the speech, not 30 s: the idea of FUTO's ACFT, here by plain fine-tuning). What a real
checkpoint becomes by it was not measured here; the tests show the mechanics on a small random one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from safetensors.numpy import load_file

from training.model import Shape

__all__ = ["read_checkpoint", "read_shape"]

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


def read_shape(folder: Path) -> Shape:
    """The shape that config.json names. Raises ValueError for heads that differ between encoder and decoder."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["encoder_attention_heads"] != config["decoder_attention_heads"]:
        raise ValueError("a checkpoint with different numbers of heads in encoder and decoder cannot be read")
    return Shape(
        width=config["d_model"],
        heads=config["encoder_attention_heads"],
        encoder_layers=config["encoder_layers"],
        decoder_layers=config["decoder_layers"],
        mel_bands=config["num_mel_bins"],
        vocabulary=config["vocab_size"],
        audio_positions=config["max_source_positions"],
        text_positions=config["max_target_positions"],
    )


def _our_name(name: str) -> str | None:
    """The name here of a tensor there; ``None`` for what is not taken over (fixed positions, the tied output)."""
    name = name.removeprefix("model.")
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


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Its tensors under this recipe's names. Raises FileNotFoundError when model.safetensors is missing."""
    path = folder / "model.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: save the checkpoint with save_pretrained(safe_serialization=True)")
    found = {_our_name(name): tensor for name, tensor in load_file(str(path)).items()}
    return {name: tensor for name, tensor in found.items() if name is not None}
