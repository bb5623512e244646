"""Labelled calls and labelled texts as files: the format of ``calls_fr`` and of ``answers_fr_*.tsv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from V3.audio.pcm import Audio
from V3.calls.answer import AnswerLabel
from V3.errors import ConfigError
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
    found = []
    with table.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), start=2):
            where = f"{table}, line {number}"
            if not row.get("file") or not (folder / row["file"]).exists():
                raise ConfigError(f"{where}: no such file: {row.get('file')!r}")
            beep = row.get("beep_start_s") or ""
            found.append(
                LabelledCall(
                    row["file"],
                    np.asarray(read_audio(folder / row["file"]), dtype=np.float32),
                    _label(row.get("label"), where),
                    row.get("text") or "",
                    row.get("kind") or "",
                    float(beep) if beep else None,
                )
            )
    return found


def read_texts(path: Path) -> list[LabelledText]:
    """Lines ``label<TAB>text`` or ``label<TAB>kind<TAB>text``; ``#`` begins a comment, a header is left out."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line or line.startswith(("#", "label\t")):
            continue
        label, *rest = line.split("\t")
        kind, text = (rest[0], rest[1]) if len(rest) > 1 else ("", rest[0] if rest else "")
        found.append(LabelledText(_label(label, f"{path}, line {number}"), kind, text))
    return found


def _label(value: str | None, where: str) -> AnswerLabel:
    try:
        return AnswerLabel(str(value))
    except ValueError:
        raise ConfigError(f"{where}: label {value!r}; {', '.join(AnswerLabel)} are taken") from None
