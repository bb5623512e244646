"""A Whisper checkpoint on disk: Hugging Face's directory or OpenAI's .pt file, as shape, settings and tensors.

Tensors are read one at a time, when they are asked for, under Hugging Face's names without ``model.``. Whatever is
missing, damaged or of another layout is a ModelError (ModelNotFound for a file that is not there) naming the file and
what is accepted. ``safetensors`` and ``torch`` are needed only here, and only for their own kind of file.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from tokenizers import Tokenizer

from V3.asr.specification import WhisperShape
from V3.errors import ModelError, ModelNotFound

__all__ = ["Checkpoint", "Generation", "load_tokenizer", "open_checkpoint"]

_EXTRA: Final = "pip install 'V3[convert]'"
_OLDEST_SAFETENSORS: Final = (0, 4, 5)  # the first that hands bfloat16 to numpy
_STORED: Final = ("F16", "BF16", "F32")
_WHERE_TOKENIZERS_ARE: Final = "the tokenizer.json of the Hugging Face model it was trained from"
_OPENAI_OUTER: Final = {
    "encoder.positional_embedding": "encoder.embed_positions.weight",
    "decoder.positional_embedding": "decoder.embed_positions.weight",
    "decoder.token_embedding.weight": "decoder.embed_tokens.weight",
    "encoder.ln_post.weight": "encoder.layer_norm.weight", "encoder.ln_post.bias": "encoder.layer_norm.bias",
    "decoder.ln.weight": "decoder.layer_norm.weight", "decoder.ln.bias": "decoder.layer_norm.bias",
}  # fmt: skip
_OPENAI_LAYER: Final = {
    "attn.query": "self_attn.q_proj", "attn.key": "self_attn.k_proj", "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj", "attn_ln": "self_attn_layer_norm",
    "cross_attn.query": "encoder_attn.q_proj", "cross_attn.key": "encoder_attn.k_proj",
    "cross_attn.value": "encoder_attn.v_proj", "cross_attn.out": "encoder_attn.out_proj",
    "cross_attn_ln": "encoder_attn_layer_norm", "mlp.0": "fc1", "mlp.2": "fc2", "mlp_ln": "final_layer_norm",
}  # fmt: skip


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Generation(_Read):
    """What a checkpoint says of decoding; ``None`` where it says nothing."""

    suppress_tokens: list[int] | None = None
    begin_suppress_tokens: list[int] | None = None
    alignment_heads: list[tuple[int, int]] | None = None
    lang_to_id: dict[str, int] | None = None
    is_multilingual: bool | None = None


class _Config(_Read):
    """config.json. The literals are what CTranslate2 and this project can run."""

    model_type: Literal["whisper"]
    d_model: PositiveInt
    encoder_layers: PositiveInt
    encoder_attention_heads: PositiveInt
    decoder_layers: PositiveInt
    decoder_attention_heads: PositiveInt
    num_mel_bins: Literal[80, 128]
    vocab_size: PositiveInt
    max_source_positions: Literal[1500]
    max_target_positions: Literal[448]
    activation_function: Literal["gelu"] = "gelu"
    scale_embedding: Literal[False] = False
    tie_word_embeddings: bool = True

    def shape(self) -> WhisperShape:
        return WhisperShape(
            width=self.d_model,
            encoder_layers=self.encoder_layers,
            encoder_heads=self.encoder_attention_heads,
            decoder_layers=self.decoder_layers,
            decoder_heads=self.decoder_attention_heads,
            mel_bands=self.num_mel_bins,
            vocabulary=self.vocab_size,
        )


class _Dims(_Read):
    """OpenAI's ``dims``."""

    n_mels: Literal[80, 128]
    n_vocab: PositiveInt
    n_audio_ctx: Literal[1500]
    n_audio_state: PositiveInt
    n_audio_head: PositiveInt
    n_audio_layer: PositiveInt
    n_text_ctx: Literal[448]
    n_text_state: PositiveInt
    n_text_head: PositiveInt
    n_text_layer: PositiveInt

    def shape(self) -> WhisperShape:
        return WhisperShape(
            width=self.n_audio_state,
            encoder_layers=self.n_audio_layer,
            encoder_heads=self.n_audio_head,
            decoder_layers=self.n_text_layer,
            decoder_heads=self.n_text_head,
            mel_bands=self.n_mels,
            vocabulary=self.n_vocab,
        )


_Model = TypeVar("_Model", bound=_Read)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened checkpoint; ``weights`` reads a tensor each time it is asked for one.

    ``tokenizer`` is where its tokenizer.json belongs; it may not be there.
    """

    source: Path
    shape: WhisperShape
    generation: Generation
    tokenizer: Path
    weights: Mapping[str, Any]


def open_checkpoint(source: Path, *, tokenizer: Path | None = None) -> Checkpoint:
    """Open a Hugging Face directory or an OpenAI .pt file. ``tokenizer`` is a tokenizer.json to take instead.

    Raises ModelNotFound for what is not there, ModelError for what is no such checkpoint.
    """
    if not source.exists():
        raise ModelNotFound(f"{source} is missing: a Hugging Face directory or an OpenAI .pt file is wanted")
    if tokenizer is not None and not tokenizer.is_file():
        raise ModelNotFound(f"{tokenizer} is missing: a tokenizer.json is wanted")
    if source.is_dir():
        return _open_directory(source, tokenizer)
    if source.suffix == ".pt":
        return _open_pt(source, tokenizer)
    raise ModelError(
        f"{source} cannot be converted: give an OpenAI .pt file, or the whole directory of a Hugging Face checkpoint "
        "(config.json, model.safetensors, tokenizer.json)"
    )


def load_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json. Raises ModelNotFound or ModelError."""
    if not path.is_file():
        raise ModelNotFound(f"{path} is missing: pass --tokenizer FILE, {_WHERE_TOKENIZERS_ARE}")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as exc:  # tokenizers raises bare Exception
        raise ModelError(f"{path} is no tokenizer.json: {exc}") from exc


def _open_directory(folder: Path, tokenizer: Path | None) -> Checkpoint:
    if (folder / "model.bin").is_file():
        raise ModelError(f"{folder} is a CTranslate2 model already: use it as it is, with --model {folder}")
    if (folder / "adapter_config.json").is_file():
        raise ModelError(f"{folder} is an adapter (LoRA): merge it into its base model first (peft: merge_and_unload)")
    config_file = folder / "config.json"
    config = _checked(_Config, _json(config_file), config_file)
    weights = _Safetensors(_safetensors_files(folder), tied=config.tie_word_embeddings)
    return Checkpoint(folder, config.shape(), _generation(folder), tokenizer or folder / "tokenizer.json", weights)


def _generation(folder: Path) -> Generation:
    """generation_config.json; what it leaves out, older checkpoints have in config.json."""
    older_file, newer_file = folder / "config.json", folder / "generation_config.json"
    older = _checked(Generation, _json(older_file), older_file)
    if not newer_file.is_file():
        return older
    newer = _checked(Generation, _json(newer_file), newer_file)
    return older.model_copy(update=newer.model_dump(exclude_none=True))


def _safetensors_files(folder: Path) -> list[Path]:
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        raise ModelNotFound(
            f"{single} is missing, and so is {index.name}: other formats (pytorch_model.bin) are not read; save the "
            "checkpoint with save_pretrained(folder, safe_serialization=True)"
        )
    shards = _json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"{index} has no weight_map from tensors to files")
    files = [folder / str(name) for name in sorted(set(shards.values()))]
    for file in files:
        if not file.is_file():
            raise ModelNotFound(f"{file} is missing: {index.name} names it")
    return files


class _Safetensors(Mapping[str, Any]):
    """The tensors of one or several files, as float16 or float32."""

    def __init__(self, files: Sequence[Path], *, tied: bool) -> None:
        self._stored: dict[str, tuple[Any, str, Path]] = {}
        for file in files:
            opened = _opened(file)
            for name in opened.keys():  # noqa: SIM118 : it is no mapping
                self._stored[name.removeprefix("model.")] = (opened, name, file)
        if tied:  # a copy of the embedding, or what it was before it was tied
            self._stored.pop("proj_out.weight", None)

    def __getitem__(self, name: str) -> Any:
        opened, stored, file = self._stored[name]
        kind = opened.get_slice(stored).get_dtype()
        if kind not in _STORED:
            raise ModelError(f"{file}: tensor {stored} is stored as {kind}; {', '.join(_STORED)} are accepted")
        if kind != "BF16":
            return opened.get_tensor(stored)
        try:
            import ml_dtypes  # noqa: F401, PLC0415 : it teaches numpy bfloat16; the others do without
        except ImportError as exc:
            raise ModelError(f"{file}: tensor {stored} is bfloat16, which needs ml_dtypes: {_EXTRA}") from exc
        return opened.get_tensor(stored).astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _opened(file: Path) -> Any:
    try:
        import safetensors  # noqa: PLC0415 : an optional extra
    except ImportError as exc:
        raise ModelError(f"{file}: reading it needs safetensors: {_EXTRA}") from exc
    version = tuple(int(part) for part in re.findall(r"\d+", safetensors.__version__)[:3])
    if version < _OLDEST_SAFETENSORS:
        wanted = ".".join(map(str, _OLDEST_SAFETENSORS))
        raise ModelError(f"safetensors {safetensors.__version__} is too old, {wanted} or newer is needed: {_EXTRA}")
    try:
        return safetensors.safe_open(str(file), framework="np")
    except (safetensors.SafetensorError, OSError) as exc:
        raise ModelError(f"{file} is no whole safetensors file (cut off, or a Git LFS pointer?): {exc}") from exc


def _open_pt(file: Path, tokenizer: Path | None) -> Checkpoint:
    if tokenizer is None:
        raise ModelError(f"{file} has no tokenizer in it: pass --tokenizer FILE, {_WHERE_TOKENIZERS_ARE}")
    loaded = _torch_loaded(file)
    if not isinstance(loaded, dict) or not {"dims", "model_state_dict"} <= loaded.keys():
        found = ", ".join(map(str, loaded)) if isinstance(loaded, dict) else type(loaded).__name__
        raise ModelError(f"{file} is not OpenAI's layout: dims and model_state_dict are wanted, it holds {found}")
    dims = _checked(_Dims, loaded["dims"], file)
    if dims.n_audio_state != dims.n_text_state:
        raise ModelError(f"{file}: n_audio_state and n_text_state are equal in every Whisper, not here")
    return Checkpoint(file, dims.shape(), Generation(), tokenizer, _Torch(loaded["model_state_dict"]))


def _torch_loaded(file: Path) -> Any:
    try:
        import torch  # noqa: PLC0415 : large, and only for .pt files
    except ImportError as exc:
        raise ModelError(f"{file}: reading a .pt file needs torch: pip install torch") from exc
    try:
        # mapped, the file's pages are the only copy; files from before torch 1.6 are no zip and cannot be
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as exc:  # zip, pickle and torch raise a dozen kinds: this is the one door for all of them
        raise ModelError(f"{file} is no PyTorch file of weights alone, or is damaged: {exc}") from exc


class _Torch(Mapping[str, Any]):
    """The tensors of a state dict, as float16 or float32."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = {_openai_name(name): tensor for name, tensor in state.items()}

    def __getitem__(self, name: str) -> Any:
        tensor = self._state[name]
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


def _openai_name(name: str) -> str:
    """Hugging Face's name of OpenAI's; an unknown one stays as it is."""
    found = re.fullmatch(r"(encoder|decoder)\.blocks\.(\d+)\.(.+)\.(weight|bias)", name)
    if found is None:
        return _OPENAI_OUTER.get(name, name)
    side, number, part, kind = found.groups()
    return f"{side}.layers.{number}.{_OPENAI_LAYER.get(part, part)}.{kind}"


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelNotFound(f"{path} is missing: a Hugging Face checkpoint has it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:  # also text that is no UTF-8
        raise ModelError(f"{path} is no JSON: {exc}") from exc
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no JSON object")
    return content


def _checked(model: type[_Model], content: Any, file: Path) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'content'}: {e['msg']}" for e in exc.errors())
        raise ModelError(f"{file} is not of a Whisper that can be converted: {faults}") from exc
