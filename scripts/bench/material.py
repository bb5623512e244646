"""Calls to be heard: recordings joined with pauses, and what is said in them, word by word with its time.

``index.jsonl`` of a data directory has one object per line: ``file``, ``text`` and ``words``, each with ``word``,
``start_s`` and ``end_s``. The text is the reference. The times come from a synthesiser's events, which now and then
repeat a clause in one entry: a word whose own entry is not found has no time, and counts for errors only. The index of
``scripts/dialogues``, whose words are ``[word, start_ms, end_ms]``, is read too: its sounds are heard where no others
are given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.bench.align import matched
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio
from V3.calls.words import fold_words
from V3.errors import ConfigError
from V3.system.services.audio_files import read_audio

__all__ = ["DATA", "Call", "Recording", "RefWord", "join_calls", "load_recordings", "read_index", "reference"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_SPEECH: Final = _ROOT.parent / "shared" / "data" / "speech_fr"
DATA: Final = _SPEECH if _SPEECH.is_dir() else _ROOT / "scripts" / "dialogues"
"""Recordings that are heard where no folder is given."""
_ROW: Final = '{"file": ..., "text": ..., "words": [{"word": ..., "start_s": ..., "end_s": ...}]}'
_PAUSE_S: Final = (0.5, 3.0)
_LAST_PAUSE_S: Final = 1.5  # so that the last utterance ends by its silence, as all others do
_LINE_NOISE_DBFS: Final = -66.0  # a line is never digitally silent; fainter than any voice detector's floor


@dataclass(frozen=True, slots=True)
class RefWord:
    """A word that is said, as the synthesiser counts words ("dix-sept" is one), folded; times from the beginning.

    ``timed`` is False where the times are only bounds.
    """

    tokens: tuple[str, ...]
    start_s: float
    end_s: float
    timed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One utterance: 16 kHz samples and its words."""

    audio: Audio
    words: tuple[RefWord, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """16 kHz samples in whole frames of 20 ms; words and utterances (start and end in seconds) in order."""

    audio: Audio
    words: tuple[RefWord, ...]
    utterances: tuple[tuple[float, float], ...]

    @property
    def duration_s(self) -> float:
        return self.audio.size / RATE_HZ


def load_recordings(directory: Path) -> list[Recording]:
    """All recordings of an index. Raises ConfigError without one that can be read, AudioError for a bad recording."""
    recordings = [_recording(directory, row) for row in read_index(directory)]
    if not recordings:
        raise ConfigError(f"{directory / 'index.jsonl'} names no recording")
    return recordings


def read_index(directory: Path) -> list[dict[str, Any]]:
    """The rows of an index in which something is said. Raises ConfigError where it cannot be read."""
    index = directory / "index.jsonl"
    try:
        rows = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [
            {**row, "file": str(row["file"]), "words": list(map(_entry, row["words"]))} for row in rows if row["text"]
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as exc:
        raise ConfigError(f"{index} must hold lines of {_ROW}: {exc!r}") from exc


def reference(text: str, entries: Sequence[dict[str, Any]], duration_s: float) -> tuple[RefWord, ...]:
    """The words of ``text`` with the times of their entries where those are sound."""
    said = fold_words(text)
    sound = [_timed(entry) for entry in entries if _is_one_word(entry)]
    flat = [(number, token) for number, word in enumerate(sound) for token in word.tokens]
    place = {flat_at: said_at for said_at, flat_at in matched(said, [token for _, token in flat])}
    found: dict[int, RefWord] = {}
    for number, word in enumerate(sound):
        spots = [place.get(flat_at) for flat_at, (owner, _) in enumerate(flat) if owner == number]
        first = spots[0]
        if first is not None and spots == list(range(first, first + len(spots))):
            found[first] = word
    return _in_order(said, found, duration_s)


def join_calls(recordings: Sequence[Recording], *, total_s: float, call_s: float, seed: int) -> list[Call]:
    """Calls of about ``call_s`` until ``total_s`` is full; order and pauses (0.5 to 3 s) come from the seed."""
    rng = np.random.default_rng(seed)
    endless = _shuffled(recordings, rng)
    calls: list[Call] = []
    left_s = total_s
    while left_s > 0.5 or not calls:
        calls.append(_join(endless, rng, min(call_s, left_s)))
        left_s -= calls[-1].duration_s
    return calls


def _recording(directory: Path, row: dict[str, Any]) -> Recording:
    audio = read_audio(directory / row["file"])
    return Recording(audio, reference(row["text"], row["words"], audio.size / RATE_HZ))


def _entry(word: dict[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(word, list):
        word = {"word": word[0], "start_s": word[1] / 1000, "end_s": word[2] / 1000}
    return {"word": str(word["word"]), "start_s": float(word["start_s"]), "end_s": float(word["end_s"])}


def _is_one_word(entry: dict[str, Any]) -> bool:
    """One word (or a compound) that lasts; "allô ?" is one, a repeated clause is not."""
    parts = [part for part in entry["word"].split() if fold_words(part)]
    return len(parts) == 1 and entry["end_s"] > entry["start_s"]


def _timed(entry: dict[str, Any]) -> RefWord:
    return RefWord(tuple(fold_words(entry["word"])), entry["start_s"], entry["end_s"])


def _in_order(said: Sequence[str], found: dict[int, RefWord], duration_s: float) -> tuple[RefWord, ...]:
    words: list[RefWord] = []
    at = 0
    while at < len(said):
        word = found.get(at)
        if word is None:
            begin_s = words[-1].end_s if words and words[-1].timed else words[-1].start_s if words else 0.0
            end_s = next((found[later].start_s for later in sorted(found) if later > at), duration_s)
            word = RefWord((said[at],), begin_s, max(begin_s, end_s), timed=False)
        words.append(word)
        at += len(word.tokens)
    return tuple(words)


def _shuffled(recordings: Sequence[Recording], rng: np.random.Generator) -> Iterator[Recording]:
    while True:
        for number in rng.permutation(len(recordings)):
            yield recordings[int(number)]


def _join(recordings: Iterator[Recording], rng: np.random.Generator, least_s: float) -> Call:
    end_s = rng.uniform(*_PAUSE_S)
    spoken: list[tuple[float, Recording]] = []
    while not spoken or end_s < least_s:
        recording = next(recordings)
        spoken.append((end_s, recording))
        end_s += recording.audio.size / RATE_HZ
        end_s += rng.uniform(*_PAUSE_S) if end_s < least_s else _LAST_PAUSE_S
    words = [
        replace(word, start_s=word.start_s + at_s, end_s=word.end_s + at_s)
        for at_s, recording in spoken
        for word in recording.words
    ]
    utterances = tuple((at_s, at_s + recording.audio.size / RATE_HZ) for at_s, recording in spoken)
    return Call(_on_a_line(spoken, end_s, rng), tuple(words), utterances)


def _on_a_line(spoken: Sequence[tuple[float, Recording]], end_s: float, rng: np.random.Generator) -> Audio:
    frames = math.ceil(end_s * RATE_HZ / FRAME_SAMPLES)
    line = rng.standard_normal(frames * FRAME_SAMPLES, dtype=np.float32)
    line *= np.float32(10 ** (_LINE_NOISE_DBFS / 20))
    for at_s, recording in spoken:
        start = round(at_s * RATE_HZ)
        line[start : start + recording.audio.size] += recording.audio
    return line
