"""From a model's name to a loaded Whisper: where the files are, which device, which number format.

Every foreign error of this step becomes a ModelError with a remedy in its message; nothing is downloaded when
``local_files_only`` is set, and ``telephone-fr`` never needs a network.
"""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import ctranslate2
from faster_whisper import WhisperModel
from faster_whisper.utils import available_models, download_model

from V3.asr.heap import bound_arenas
from V3.errors import ConfigError, DeviceUnavailable, ModelError, ModelNotFound

__all__ = [
    "SHIPPED_MODEL",
    "ModelFiles",
    "find_model",
    "load_whisper",
    "resolve_compute_type",
    "resolve_cpu_threads",
    "resolve_device",
    "resolve_workers",
]

SHIPPED_MODEL: Final = "telephone-fr"

_log = logging.getLogger(__name__)
_MODELS_DIR = Path(__file__).resolve().parent.parent / "models"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NEEDED_FILES = ("model.bin", "config.json", "tokenizer.json")
_SMALL_MODEL_BYTES = 64_000_000
_REMEDY = f'name a model on this machine, or use "{SHIPPED_MODEL}", which needs no network'


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A CTranslate2 Whisper directory; ``audio_context`` says whether it was trained for windows under 30 s.

    ``languages`` and ``tasks`` are what it was trained for; empty where its voicebot.json does not say.
    ``rolling_prompt``: whether what was said before helps it to hear what follows.
    """

    name: str
    directory: Path
    audio_context: Literal["auto", "full"]
    languages: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    rolling_prompt: bool = True


def find_model(name: str, *, local_files_only: bool = False) -> ModelFiles:
    """The files of ``telephone-fr``, of a directory, or of a faster-whisper name (downloaded once, then cached).

    Raises ModelNotFound when there is no such model, when it cannot be downloaded, or when a file is missing.
    """
    directory = _directory(name, local_files_only=local_files_only)
    for needed in _NEEDED_FILES:
        if not (directory / needed).is_file():
            raise ModelNotFound(f"model {name!r}: {directory / needed} is missing")
    return ModelFiles(name, directory, **_told(directory))


def resolve_device(device: str) -> Literal["cpu", "cuda"]:
    """``auto`` takes a GPU when there is one. Raises DeviceUnavailable for cuda without a usable GPU."""
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device is auto, cpu or cuda, not {device!r}")
    if device == "cpu":
        return "cpu"
    if _cuda_devices() > 0:
        return "cuda"
    if device == "cuda":
        raise DeviceUnavailable(
            'no CUDA device can be used here: pass device="auto" (a GPU when there is one) or device="cpu"; '
            "on a machine with an NVIDIA GPU check that nvidia-smi works and install the extra: pip install 'V3[gpu]'"
        )
    return "cpu"


def resolve_compute_type(compute_type: str, device: str) -> str:
    """The number format for that device: a CPU has no float16, so int8 takes its place there (and the log says so)."""
    if device == "cpu" and compute_type in ("float16", "int8_float16", "bfloat16", "int8_bfloat16"):
        _log.info("compute_type %s is for GPUs: int8 is used on this CPU", compute_type)
        return "int8"
    return compute_type


def resolve_cpu_threads(cpu_threads: int, files: ModelFiles) -> int:
    """Threads of one decode on a CPU; 0 lets the model's size decide.

    A small model is fastest on one thread: telephone-fr on 2 cores decodes 6 s of audio in 12 ms with one thread and
    in 26 ms with two.
    """
    if cpu_threads > 0:
        return cpu_threads
    return 1 if (files.directory / "model.bin").stat().st_size < _SMALL_MODEL_BYTES else 4


def resolve_workers(workers: int, *, device: str, cpu_threads: int) -> int:
    """Decodes side by side; 0 lets the machine decide: all its cores on a CPU, one on a GPU (which wants batches)."""
    if workers > 0:
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device == "cuda" else max(1, min(8, cores // cpu_threads))


def load_whisper(files: ModelFiles, *, device: str, compute_type: str, cpu_threads: int, workers: int) -> WhisperModel:
    """Load it. Raises ModelError for files that are no Whisper model of a version that can be read."""
    bound_arenas()  # before there are threads that decode
    try:
        model = WhisperModel(
            str(files.directory),
            device=device,
            compute_type=compute_type,
            cpu_threads=cpu_threads,
            num_workers=workers,
            local_files_only=True,
        )
    except Exception as exc:  # tokenizers raises bare Exception: this is the one door for all of them
        raise ModelError(f"model {files.name!r} cannot be loaded from {files.directory}: {exc}") from exc
    _check_vocabulary(files, model)
    return model


def _directory(name: str, *, local_files_only: bool) -> Path:
    if name == SHIPPED_MODEL:
        return _MODELS_DIR / SHIPPED_MODEL
    if Path(name).is_dir():
        return Path(name)
    if name not in available_models() and not _HUB_ID.fullmatch(name):
        known = ", ".join(available_models())
        raise ModelNotFound(f"no model {name!r}: {_REMEDY}; a name of faster-whisper also works: {known}")
    try:
        return Path(download_model(name, local_files_only=local_files_only))
    except Exception as exc:  # whatever HTTP library the hub client uses: this is its one door
        raise ModelNotFound(f"model {name!r} is not on this machine and was not downloaded: {_REMEDY} ({exc})") from exc


def _told(directory: Path) -> dict[str, Any]:
    """What voicebot.json says of the model, as fields of ModelFiles; without one it is as Whisper was."""
    path = directory / "voicebot.json"
    if not path.is_file():
        return {"audio_context": "full"}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        context, languages, tasks = told["audio_context"], told.get("languages", []), told.get("tasks", [])
        rolling_prompt = told.get("rolling_prompt", True)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelError(f'{path} does not hold {{"audio_context": "auto" or "full"}}: {exc!r}') from exc
    if context not in ("auto", "full"):
        raise ModelError(f"{path}: audio_context is auto or full, not {context!r}")
    if not all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in (languages, tasks)):
        raise ModelError(f"{path}: languages and tasks are lists of names")
    if not isinstance(rolling_prompt, bool):
        raise ModelError(f"{path}: rolling_prompt is true or false, not {rolling_prompt!r}")
    return {
        "audio_context": context,
        "languages": tuple(languages),
        "tasks": tuple(tasks),
        "rolling_prompt": rolling_prompt,
    }


def _check_vocabulary(files: ModelFiles, model: WhisperModel) -> None:
    start = model.hf_tokenizer.token_to_id("<|startoftranscript|>")
    if start is None:
        raise ModelError(f"model {files.name!r}: its tokenizer.json is not one of Whisper's")
    path = files.directory / "vocabulary.json"
    if not path.is_file():  # older conversions have vocabulary.txt; CTranslate2 reads either
        return
    vocabulary: Any = json.loads(path.read_text(encoding="utf-8"))
    if len(vocabulary) <= start or vocabulary[start] != "<|startoftranscript|>":
        raise ModelError(f"model {files.name!r}: {path} and tokenizer.json number their tokens differently")


def _cuda_devices() -> int:
    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:  # a driver older than CTranslate2's CUDA raises instead of answering 0
        return 0
