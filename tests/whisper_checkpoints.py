"""Whisper checkpoints as users have them, made of the shipped model's own weights or of random ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from V3.asr.loading import SHIPPED_MODEL, find_model

__all__ = ["SHIPPED", "TOKENIZER", "random_weights", "rewritten", "to_openai", "trained_weights", "write_checkpoint"]

Tensors = dict[str, Any]

SHIPPED = find_model(SHIPPED_MODEL).directory
TOKENIZER = SHIPPED / "tokenizer.json"

_TRAINED = Path(__file__).resolve().parents[1] / "training" / "weights" / "telephone-fr.npz"
_OUTER = {"c1": "encoder.conv1", "c2": "encoder.conv2", "eln": "encoder.layer_norm", "dln": "decoder.layer_norm",
          "emb": "decoder.embed_tokens"}  # fmt: skip
_INNER = {"att": "self_attn", "xatt": "encoder_attn", "n1": "self_attn_layer_norm", "n2": "encoder_attn_layer_norm",
          "n3": "final_layer_norm", "f1": "fc1", "f2": "fc2",
          "q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}  # fmt: skip
_OPENAI = (
    (r"\.layers\.", ".blocks."), (r"self_attn_layer_norm", "attn_ln"), (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"final_layer_norm", "mlp_ln"), (r"self_attn", "attn"), (r"encoder_attn", "cross_attn"),
    (r"q_proj", "query"), (r"k_proj", "key"), (r"v_proj", "value"), (r"out_proj", "out"), (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"), (r"embed_positions.weight", "positional_embedding"), (r"embed_tokens", "token_embedding"),
    (r"^encoder.layer_norm", "encoder.ln_post"), (r"^decoder.layer_norm", "decoder.ln"),
)  # fmt: skip


def trained_weights() -> Tensors:
    """The shipped model's weights, float32, by Hugging Face's names."""
    tensors = {"model.encoder.embed_positions.weight": _sinusoid(1500, 192)}
    for name, array in np.load(_TRAINED).items():
        if not name.startswith("ctc"):
            tensors[f"model.{_hugging_face(name)}"] = array.astype(np.float32)
    return tensors


def random_weights(*, bands: int = 80, vocabulary: int = 2809, width: int = 64, layers: int = 2) -> Tensors:
    """A Whisper of heads of 64 units that says nothing sensible."""
    rng = np.random.default_rng(7)
    tensors = {
        "model.encoder.embed_positions.weight": _sinusoid(1500, width),
        "model.decoder.embed_positions.weight": rng.normal(size=(448, width), scale=0.02),
        "model.decoder.embed_tokens.weight": rng.normal(size=(vocabulary, width), scale=0.02),
    }
    shapes = {"conv1": (width, bands, 3), "conv2": (width, width, 3)}
    tensors |= {f"model.encoder.{name}.weight": rng.normal(size=shape, scale=0.05) for name, shape in shapes.items()}
    tensors |= {f"model.encoder.{name}.bias": rng.normal(size=width, scale=0.05) for name in shapes}
    for side in ("encoder", "decoder"):
        tensors |= _norm(f"model.{side}.layer_norm", width)
        for number in range(layers):
            tensors |= _layer(f"model.{side}.layers.{number}", width, rng, cross=side == "decoder")
    return {name: array.astype(np.float32) for name, array in tensors.items()}


def write_checkpoint(
    folder: Path, tensors: Tensors, *, config: dict[str, Any] | None = None, generation: dict[str, Any] | None = None
) -> Path:
    """Hugging Face's directory; ``config`` and ``generation`` change what is said in the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape
    layers = {side: sum(f"{side}.layers" in name and name.endswith("fc1.bias") for name in tensors)
              for side in ("encoder", "decoder")}  # fmt: skip
    said = {
        "model_type": "whisper", "d_model": width, "vocab_size": vocabulary,
        "num_mel_bins": tensors["model.encoder.conv1.weight"].shape[1],
        "encoder_layers": layers["encoder"], "decoder_layers": layers["decoder"],
        "encoder_attention_heads": width // 64, "decoder_attention_heads": width // 64,
        "max_source_positions": 1500, "max_target_positions": 448,
        "activation_function": "gelu", "scale_embedding": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(said | (config or {})))
    (folder / "generation_config.json").write_text(json.dumps(_generation() | (generation or {})))
    save_file(tensors, folder / "model.safetensors")
    shutil.copy(TOKENIZER, folder)
    return folder


def rewritten(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; ``...`` takes one out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def to_openai(tensors: Tensors) -> dict[str, Any]:
    """What OpenAI's .pt of the same weights holds, with arrays where it has tensors."""
    state = {}
    for name, array in tensors.items():
        theirs = name.removeprefix("model.")
        for pattern, replacement in _OPENAI:
            theirs = re.sub(pattern, replacement, theirs)
        state[theirs] = array
    vocabulary, width = tensors["model.decoder.embed_tokens.weight"].shape
    layers = {side: sum(f"{side}.layers" in name and name.endswith("fc1.bias") for name in tensors)
              for side in ("encoder", "decoder")}  # fmt: skip
    dims = {
        "n_mels": tensors["model.encoder.conv1.weight"].shape[1], "n_vocab": vocabulary,
        "n_audio_ctx": 1500, "n_audio_state": width, "n_audio_head": width // 64, "n_audio_layer": layers["encoder"],
        "n_text_ctx": 448, "n_text_state": width, "n_text_head": width // 64, "n_text_layer": layers["decoder"],
    }  # fmt: skip
    return {"dims": dims, "model_state_dict": state}


def _generation() -> dict[str, Any]:
    """What the shipped model's config.json says, by Hugging Face's names."""
    said = json.loads((SHIPPED / "config.json").read_text())
    return {
        "suppress_tokens": said["suppress_ids"],
        "begin_suppress_tokens": said["suppress_ids_begin"],
        "lang_to_id": {f"<|{number}|>": number for number in said["lang_ids"]},
        "is_multilingual": True,
    }


def _hugging_face(name: str) -> str:
    if name == "dpos":
        return "decoder.embed_positions.weight"
    stem, _, kind = name.rpartition(".")
    if stem in _OUTER:
        return f"{_OUTER[stem]}.{kind}"
    side, number, *parts = stem.split(".")
    return ".".join([f"{side}oder", "layers", number, *(_INNER[part] for part in parts), kind])


def _layer(name: str, width: int, rng: np.random.Generator, *, cross: bool) -> Tensors:
    attentions = ["self_attn", "encoder_attn"] if cross else ["self_attn"]
    tensors = _norm(f"{name}.final_layer_norm", width)
    sizes = {"fc1": (4 * width, width), "fc2": (width, 4 * width)}
    for attention in attentions:
        tensors |= _norm(f"{name}.{attention}_layer_norm", width)
        sizes |= {f"{attention}.{part}_proj": (width, width) for part in ("q", "k", "v", "out")}
    for part, shape in sizes.items():
        tensors[f"{name}.{part}.weight"] = rng.normal(size=shape, scale=0.05)
        if not part.endswith("k_proj"):
            tensors[f"{name}.{part}.bias"] = rng.normal(size=shape[0], scale=0.05)
    return tensors


def _norm(name: str, width: int) -> Tensors:
    return {f"{name}.weight": np.ones(width), f"{name}.bias": np.zeros(width)}


def _sinusoid(length: int, width: int) -> Any:
    rates = np.exp(-np.log(10000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
