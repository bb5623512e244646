"""A Whisper checkpoint of the user's to a CTranslate2 directory that this project, and faster-whisper, loads.

The new directory is written beside its place under another name, loaded once to prove it, and only then renamed: what
fails or is interrupted leaves nothing half-written. The weights are in memory once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from faster_whisper.tokenizer import Tokenizer as WhisperTokenizer
from tokenizers import Tokenizer

from V3.asr.checkpoints import Checkpoint, load_tokenizer, open_checkpoint
from V3.asr.model import Recognizer
from V3.asr.specification import (
    ENGLISH_ONLY_VOCABULARY,
    Quantization,
    WhisperShape,
    language_ids,
    late_heads,
    special_ids,
    specification,
    vocabulary,
    write_directory,
)
from V3.errors import ConfigError, ModelError, ModelSelfTestFailed

__all__ = ["Converted", "convert", "known_heads"]

# (layers, heads, mel bands) of OpenAI's sizes. v1 and v2 of large look alike; those in use come from v2.
_SIZES: Final = {
    (4, 6, 80): "tiny",
    (6, 8, 80): "base",
    (12, 12, 80): "small",
    (24, 16, 80): "medium",
    (32, 20, 80): "large-v2",
    (32, 20, 128): "large-v3",
}


@dataclass(frozen=True, slots=True)
class Converted:
    """A finished conversion; ``heard`` is what the model makes of the bundled words "Oui bonjour"."""

    directory: Path
    heard: str


def convert(
    source: Path,
    out: Path,
    *,
    quantization: str = "int8",
    tokenizer: Path | None = None,
    short_context: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Converted:
    """Convert a Hugging Face directory or an OpenAI .pt file (which needs ``tokenizer``, a tokenizer.json).

    ``short_context`` says that it was trained for windows shorter than 30 s, as FUTO's ACFT models are. ``force``
    replaces a model that is at ``out``. ``say`` is told each step. Raises ConfigError, ModelNotFound, ModelError, or
    OSError when ``out`` cannot be written.
    """
    if quantization not in get_args(Quantization):
        raise ConfigError(f"quantization is one of {', '.join(get_args(Quantization))}, not {quantization!r}")
    _check_place(source, out, force=force)
    say(f"reading {source}")
    checkpoint = open_checkpoint(source, tokenizer=tokenizer)
    with _beside(out) as folder:
        _write(checkpoint, folder, quantization, short_context=short_context, say=say)
        say("loading the result, and listening to the bundled words")
        heard = _tried(folder)
        _put_in_place(folder, out)
    return Converted(out, heard)


def known_heads(shape: WhisperShape) -> list[tuple[int, int]]:
    """The alignment heads that OpenAI measured, for a model of one of their shapes; else the decoder's later half.

    Fine-tuning keeps them. CTranslate2 brings the table.
    """
    size = _SIZES.get((shape.decoder_layers, shape.decoder_heads, shape.mel_bands))
    alike = (shape.encoder_layers, shape.width) == (shape.decoder_layers, 64 * shape.decoder_heads)
    if size is None or not alike or shape.vocabulary < ENGLISH_ONLY_VOCABULARY:
        return late_heads(shape)
    from ctranslate2.converters import transformers  # noqa: PLC0415 : it loads torch where that is installed

    name = f"openai/whisper-{size}" + (".en" if shape.vocabulary == ENGLISH_ONLY_VOCABULARY else "")
    table: dict[str, list[tuple[int, int]]] = getattr(transformers, "_WHISPER_ALIGNMENT_HEADS", {})
    return table.get(name) or late_heads(shape)


def _check_place(source: Path, out: Path, *, force: bool) -> None:
    """Refuse a place that is taken: what --force may remove is a model, or nothing at all."""
    if not out.exists() and not out.is_symlink():
        return
    if out.resolve() in (source.resolve(), *source.resolve().parents):
        raise ModelError(f"{out} holds the checkpoint itself: give another place for the converted model")
    if not force:
        raise ModelError(f"{out} exists: give another place, or --force to replace it")
    replaceable = out.is_dir() and not out.is_symlink() and ((out / "model.bin").is_file() or not any(out.iterdir()))
    if not replaceable:
        raise ModelError(f"{out} is no model's directory (it has no model.bin), so --force does not replace it")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A directory on the file system of ``out``, gone at the end unless it was renamed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        folder = Path(scratch) / "model"  # mkdir gives it the usual rights, which the private one around it lacks
        folder.mkdir()
        yield folder


def _put_in_place(folder: Path, out: Path) -> None:
    replaced = folder.parent / "replaced"
    if out.exists():
        out.rename(replaced)
    try:
        folder.rename(out)
    except OSError:
        if replaced.exists():
            replaced.rename(out)
        raise


def _write(
    checkpoint: Checkpoint, folder: Path, quantization: str, *, short_context: bool, say: Callable[[str], None]
) -> None:
    try:
        pieces = load_tokenizer(checkpoint.tokenizer)
        spec = specification(checkpoint.weights, checkpoint.shape)
        _configure(spec, checkpoint, pieces)
    except ModelError as exc:
        raise type(exc)(f"{checkpoint.source} cannot be converted: {exc}") from exc
    spec.validate()
    say(f"quantizing to {quantization}")
    spec.optimize(quantization=quantization)
    say("writing")
    write_directory(
        spec,
        folder,
        tokenizer=checkpoint.tokenizer,
        mel_bands=checkpoint.shape.mel_bands,
        audio_context="auto" if short_context else "full",
    )


def _configure(spec: Any, checkpoint: Checkpoint, pieces: Tokenizer) -> None:
    said, shape = checkpoint.generation, checkpoint.shape
    multilingual = said.is_multilingual
    if multilingual is None:
        multilingual = shape.vocabulary != ENGLISH_ONLY_VOCABULARY
    spec.register_vocabulary(vocabulary(pieces, shape.vocabulary, multilingual=multilingual))
    config = spec.config
    config.suppress_ids = _default(said.suppress_tokens, lambda: _unspoken(pieces))
    config.suppress_ids_begin = _default(said.begin_suppress_tokens, lambda: _blank(pieces))
    config.lang_ids = sorted(said.lang_to_id.values()) if said.lang_to_id else language_ids(pieces)
    config.alignment_heads = [list(pair) for pair in said.alignment_heads or known_heads(shape)]
    for number in (*config.suppress_ids, *config.suppress_ids_begin, *config.lang_ids):
        if not 0 <= number < shape.vocabulary:
            raise ModelError(f"its settings name token {number}; there are {shape.vocabulary}")
    for layer, head in config.alignment_heads:
        if not (0 <= layer < shape.decoder_layers and 0 <= head < shape.decoder_heads):
            raise ModelError(f"its settings name alignment head {(layer, head)}, which is not there")


def _default(said: list[int] | None, otherwise: Callable[[], list[int]]) -> list[int]:
    return otherwise() if said is None else said


def _unspoken(pieces: Tokenizer) -> list[int]:
    """What Whisper suppresses by default: brackets, notes and speaker marks, and the special tokens."""
    return sorted({*WhisperTokenizer(pieces, multilingual=False).non_speech_tokens, *special_ids(pieces)})


def _blank(pieces: Tokenizer) -> list[int]:
    """What no text may begin with: a lone space, or the end."""
    end = pieces.encode("<|endoftext|>", add_special_tokens=False).ids
    return [*pieces.encode(" ", add_special_tokens=False).ids[:1], *end]


def _tried(folder: Path) -> str:
    # 8 bits, whatever was written: float16 would be widened to float32 on a CPU, twice the size of the file
    try:
        return Recognizer.load(str(folder), device="cpu", compute_type="int8").self_test().text
    except ModelSelfTestFailed:  # told, not refused: it may have been trained for other sounds or languages
        return ""
