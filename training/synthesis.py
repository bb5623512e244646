"""The corpus spoken: 8 kHz shards with word times, by the French espeak-ng voices but the held-out ones.

A shard is two files: ``NNNN.npy`` (int16 samples, one utterance after the other, opened as a memory map) and
``NNNN.jsonl`` (text, category, voice, where it lies, and each word's samples). Shards are written whole or not at
all, so an interrupted run goes on with the ones that are missing; every utterance's voice and prosody come from the
seed and its number, so the result does not depend on how many processes worked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from training.corpus import Utterance
from training.espeak import Prosody, engine

__all__ = [
    "HELD_OUT_VARIANTS",
    "RATE_HZ",
    "SHARD_UTTERANCES",
    "VARIANTS",
    "Clip",
    "Shards",
    "prosody",
    "speak",
    "synthesize",
]

RATE_HZ: Final = 8000
SHARD_UTTERANCES: Final = 1000
LANGUAGES: Final = ("fr", "fr", "fr", "fr-be", "fr-ch")
HELD_OUT_VARIANTS: Final = ("Alicia", "caleb", "f5", "john", "Lee", "m8", "Marco", "steph2")
"""Voices of the evaluation sets: never trained on."""
VARIANTS: Final = (
    "Alex",
    "Andrea",
    "Andy",
    "Annie",
    "AnxiousAndy",
    "Denis",
    "Diogo",
    "Gene",
    "Gene2",
    "Henrique",
    "Hugo",
    "Jacky",
    "Mario",
    "Michael",
    "Mike",
    "Mr",
    "serious",
    "Nguyen",
    "RicishayMax",
    "RicishayMax2",
    "RicishayMax3",
    "Storm",
    "Tweaky",
    "adam",
    "anika",
    "announcer",
    "antonio",
    "aunty",
    "belinda",
    "benjamin",
    "boris",
    "david",
    "ed",
    "edward",
    "edward2",
    "f1",
    "f2",
    "f3",
    "f4",
    "grandma",
    "grandpa",
    "gustave",
    "iven",
    "iven2",
    "iven3",
    "iven4",
    "kaukovalta",
    "klatt",
    "klatt2",
    "klatt3",
    "klatt4",
    "klatt5",
    "klatt6",
    "linda",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "marcelo",
    "max",
    "michel",
    "miguel",
    "norbert",
    "pablo",
    "paul",
    "pedro",
    "quincy",
    "rob",
    "robert",
    "sandro",
    "shelby",
    "steph",
    "steph3",
    "travis",
    "victor",
    "zac",
    "croak",
    "whisper",
    "whisperf",
)
_RARE: Final = {"croak", "whisper", "whisperf", "grandma", "grandpa", "AnxiousAndy", "Tweaky", "Storm"}


@dataclass(frozen=True, slots=True)
class Clip:
    """A spoken utterance: float32 samples at 8 kHz and its words with start and end in samples."""

    text: str
    category: str
    voice: str
    samples: NDArray[np.float32]
    words: tuple[tuple[str, int, int], ...]


def prosody(seed: int, number: int, *, held_out: bool) -> Prosody:
    """The voice and manner of utterance ``number``."""
    rng = Random(f"voice-{seed}-{number}-{held_out}")  # noqa: S311
    variants = HELD_OUT_VARIANTS if held_out else VARIANTS
    variant = rng.choice(variants)
    while variant in _RARE and rng.random() < 0.7:
        variant = rng.choice(variants)
    plain = not held_out and rng.random() < 0.06
    language = rng.choice(LANGUAGES)
    return Prosody(
        voice=language if plain else f"{language}+{variant}",
        rate_wpm=int(min(240, max(120, rng.gauss(172, 25)))),
        pitch=int(min(95, max(8, rng.gauss(50, 16)))),
        pitch_range=int(min(95, max(15, rng.gauss(50, 15)))),
    )


def speak(text: str, manner: Prosody) -> tuple[NDArray[np.int16], list[tuple[str, int, int]]]:
    """8 kHz samples of the text without the silence at both ends, and its words' samples.

    Raises ValueError for a voice or text that espeak-ng cannot speak, and EspeakMissing.
    """
    speech = engine().say(text, manner)
    first, last = speech.words[0].start_sample, speech.words[-1].end_sample
    wave = soxr.resample(speech.samples[first:last].astype(np.float32), speech.rate_hz, RATE_HZ, quality="HQ")
    scale = RATE_HZ / speech.rate_hz
    words = [
        (word.text, round((word.start_sample - first) * scale), round((word.end_sample - first) * scale))
        for word in speech.words
    ]
    return np.clip(wave, -32768, 32767).astype(np.int16), words


def _write_shard(folder: Path, shard: int, utterances: Sequence[Utterance], seed: int, *, held_out: bool) -> float:
    blocks: list[NDArray[np.int16]] = []
    offset = 0
    index = folder / f"{shard:04d}.jsonl.part"
    with index.open("w", encoding="utf-8") as out:
        for number, utterance in enumerate(utterances, start=shard * SHARD_UTTERANCES):
            manner = prosody(seed, number, held_out=held_out)
            try:
                samples, words = speak(utterance.text, manner)
            except ValueError:  # a text of punctuation only
                continue
            entry = {"text": utterance.text, "category": utterance.category, "voice": manner.voice, "offset": offset,
                     "length": len(samples), "words": words}  # fmt: skip
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            blocks.append(samples)
            offset += len(samples)
    part = folder / f"{shard:04d}.part.npy"
    np.save(part, np.concatenate(blocks))
    part.rename(folder / f"{shard:04d}.npy")
    index.rename(folder / f"{shard:04d}.jsonl")
    return offset / RATE_HZ


def synthesize(
    folder: Path, utterances: Sequence[Utterance], *, seed: int, held_out: bool = False, processes: int = 1
) -> Iterator[tuple[int, float]]:
    """Speak what is not spoken yet; yields each finished shard's number and seconds of speech."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-len(utterances) // SHARD_UTTERANCES))
    missing = [shard for shard in shards if not (folder / f"{shard:04d}.jsonl").exists()]
    parts = [utterances[shard * SHARD_UTTERANCES : (shard + 1) * SHARD_UTTERANCES] for shard in missing]
    if processes <= 1:
        for shard, part in zip(missing, parts, strict=True):
            yield shard, _write_shard(folder, shard, part, seed, held_out=held_out)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        work = [
            pool.submit(_write_shard, folder, shard, part, seed, held_out=held_out)
            for shard, part in zip(missing, parts, strict=True)
        ]
        for shard, done in zip(missing, work, strict=True):
            yield shard, done.result()


class Shards:
    """The clips of a folder, by number. Samples stay on disk until they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: list[tuple[int, str]] = []
        for path in sorted(folder.glob("[0-9]*.jsonl")):
            with path.open(encoding="utf-8") as lines:
                self._entries.extend((int(path.stem), line) for line in lines)
        if not self._entries:
            raise FileNotFoundError(f"no shards in {folder}: run the synthesis step first")
        self._maps: dict[int, NDArray[np.int16]] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"_folder": self._folder, "_entries": self._entries, "_maps": {}}  # a process opens its own maps

    def __len__(self) -> int:
        return len(self._entries)

    def categories(self) -> list[str]:
        """The category of each clip, by number."""
        return [str(json.loads(line)["category"]) for _, line in self._entries]

    def __getitem__(self, number: int) -> Clip:
        shard, line = self._entries[number]
        entry = json.loads(line)
        if shard not in self._maps:
            self._maps[shard] = np.load(self._folder / f"{shard:04d}.npy", mmap_mode="r")
        raw = self._maps[shard][entry["offset"] : entry["offset"] + entry["length"]]
        words = tuple((str(text), int(start), int(end)) for text, start, end in entry["words"])
        return Clip(entry["text"], entry["category"], entry["voice"], raw.astype(np.float32) / np.float32(32768), words)
