"""Labelled calls and labelled texts as files: the format of ``calls_fr`` and of ``answers_fr_*.tsv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from V3.audio.pcm import Audio
from V3.calls.answer import AnswerLabel
from V3.errors import AudioError, ConfigError
from V3.system.services.audio_files import read_audio

__all__ = ["LabelledCall", "LabelledText", "read_calls", "read_texts"]


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """One answered call: the callee's side at 16 kHz from the answer on, and who it was."""

    name: str
    audio: Audio
    label: AnswerLabel
    text: str = ""
    kind: str = ""
    beep_start_s: float | None = None


@dataclass(frozen=True, slots=True)
class LabelledText:
    """What a recogniser wrote of the first seconds, and who it was."""

    label: AnswerLabel
    kind: str
    text: str


def read_calls(folder: Path) -> list[LabelledCall]:
    """The calls of a folder with ``labels.tsv`` (file, label; text, kind and beep_start_s where known).

    Raises ConfigError naming the file and line for what cannot be read.
    """
    table = folder / "labels.tsv"
    if not table.exists():
        raise ConfigError(f"{folder} has no labels.tsv (columns file and label; text, kind, beep_start_s if known)")
    rows = csv.DictReader(_lines(table), delimiter="\t")
    return [_call(folder, row, f"{table}, line {number}") for number, row in enumerate(rows, start=2)]


def read_texts(path: Path) -> list[LabelledText]:
    """Lines ``label<TAB>text`` or ``label<TAB>kind<TAB>text``; ``#`` begins a comment, a header is left out.

    Raises ConfigError naming the file and line for what cannot be read.
    """
    found = []
    for number, line in enumerate(_lines(path), start=1):
        if not line or line.startswith(("#", "label\t")):
            continue
        label, *rest = line.split("\t")
        kind, text = (rest[0], rest[1]) if len(rest) > 1 else ("", rest[0] if rest else "")
        found.append(LabelledText(_label(label, f"{path}, line {number}"), kind, text))
    return found


def _lines(path: Path) -> list[str]:
    try:
        return [line.rstrip("\r") for line in path.read_text(encoding="utf-8").split("\n")]
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc


def _call(folder: Path, row: Mapping[str, str | None], where: str) -> LabelledCall:
    name, beep = row.get("file") or "", row.get("beep_start_s") or ""
    if not name or not (folder / name).exists():
        raise ConfigError(f"{where}: no such file: {name!r}")
    try:
        audio = np.asarray(read_audio(folder / name), dtype=np.float32)
        beep_start_s = float(beep) if beep else None
    except (AudioError, ValueError) as exc:
        raise ConfigError(f"{where}: {exc}") from exc
    label = _label(row.get("label"), where)
    return LabelledCall(name, audio, label, row.get("text") or "", row.get("kind") or "", beep_start_s)


def _label(value: str | None, where: str) -> AnswerLabel:
    try:
        return AnswerLabel(str(value))
    except ValueError:
        raise ConfigError(f"{where}: label {value!r}; {', '.join(AnswerLabel)} are taken") from None
