"""The models on this machine: the shipped one, CTranslate2 Whisper directories, and the Hugging Face cache's.

Only JSON, file sizes and the headers of model.bin are read: no model is loaded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from huggingface_hub import scan_cache_dir
from huggingface_hub.errors import CacheNotFound

from V3.asr.loading import SHIPPED_MODEL, find_model
from V3.asr.model_bin import ModelBin, read_model_bin
from V3.errors import ModelError, ModelNotFound

__all__ = ["MODELS_FOLDER", "ShelvedModel", "describe", "list_models"]

MODELS_FOLDER: Final = Path("models")
_NEEDED: Final = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES: Final = ("vocabulary.json", "vocabulary.txt")  # either is read; the .txt is of older conversions


@dataclass(frozen=True, slots=True)
class ShelvedModel:
    """A model on disk; ``None`` where the files do not tell, ``faults`` empty where it can be loaded.

    ``name`` is what ``--model`` takes; ``languages`` counts them (1: English only); ``audio_context`` is ``auto`` for
    a model of short windows and ``full`` for one that always hears 30 s.
    """

    name: str
    directory: Path
    size_bytes: int
    parameters: int | None
    mel_bands: int | None
    languages: int | None
    quantization: str | None
    audio_context: str | None
    faults: tuple[str, ...]


def list_models(folders: Sequence[Path] = (), *, hub_cache: Path | None = None) -> list[ShelvedModel]:
    """The shipped model, then those in ``folders`` and below.

    Without folders: in ``models`` of the current directory if that is there, and in the Hugging Face cache
    (``hub_cache``; by default where downloads go). Raises ModelNotFound for a folder that is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ModelNotFound(f"{folder} is no directory")
    found = [(SHIPPED_MODEL, find_model(SHIPPED_MODEL).directory)]
    for folder in folders or [MODELS_FOLDER]:
        found += [(str(directory), directory) for directory in _below(folder)]
    if not folders:
        found += _cached(hub_cache)
    once = {directory.resolve(): (name, directory) for name, directory in reversed(found)}
    return [describe(directory, name=name) for name, directory in reversed(once.values())]


def describe(directory: Path, *, name: str = "") -> ShelvedModel:
    """What the files of one CTranslate2 directory tell."""
    faults = _missing(directory)
    header: ModelBin | None = None
    languages = context = None
    try:
        if (directory / "model.bin").is_file():
            header = read_model_bin(directory / "model.bin")
        languages = _languages(directory)
        if not faults:
            context = find_model(str(directory)).audio_context
    except (ModelError, OSError) as exc:
        faults.append(str(exc))
    return ShelvedModel(
        name=name or str(directory),
        directory=directory,
        size_bytes=sum(file.stat().st_size for file in directory.iterdir() if file.is_file()),
        parameters=header.parameters if header else None,
        mel_bands=header.mel_bands if header else None,
        languages=languages,
        quantization=header.quantization if header else None,
        audio_context=context,
        faults=tuple(faults),
    )


def _missing(directory: Path) -> list[str]:
    missing = [f"{name} is missing" for name in _NEEDED if not (directory / name).is_file()]
    if not any((directory / name).is_file() for name in _VOCABULARIES):
        missing.append(f"{_VOCABULARIES[0]} is missing")
    return missing


def _languages(directory: Path) -> int | None:
    """How many. The empty piece in the vocabulary is what CTranslate2 knows a multilingual model by."""
    languages = _json(directory / "config.json")
    pieces = _json(directory / "vocabulary.json")
    if isinstance(pieces, list) and isinstance(languages, dict):
        return (len(languages.get("lang_ids") or ()) or None) if "" in pieces else 1
    return None


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ModelError(f"{path.name} is no JSON: {exc}") from exc


def _below(folder: Path) -> Iterator[Path]:
    """Model directories in a folder and below, in order; hidden folders and links to folders are left out."""
    for directory, below, _ in os.walk(folder):
        if _is_model(Path(directory)):
            below.clear()
            yield Path(directory)
        below[:] = sorted(name for name in below if not name.startswith("."))


def _is_model(directory: Path) -> bool:
    """A Whisper of CTranslate2's, even with files missing: its config.json is like no other's."""
    try:
        config = _json(directory / "config.json")
    except (ModelError, OSError):
        config = None
    if isinstance(config, dict):
        return "suppress_ids" in config
    try:
        read_model_bin(directory / "model.bin")
    except (ModelError, OSError):
        return False
    return True


def _cached(hub_cache: Path | None) -> list[tuple[str, Path]]:
    """What of the Hugging Face cache loads by its name: the revision that ``main`` points to."""
    try:
        cache = scan_cache_dir(hub_cache)
    except CacheNotFound:
        return []
    return sorted(
        (repo.repo_id, revision.snapshot_path)
        for repo in cache.repos
        for revision in repo.revisions
        if repo.repo_type == "model" and "main" in revision.refs and _is_model(revision.snapshot_path)
    )
