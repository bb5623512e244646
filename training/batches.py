"""Windows gathered to batches of like length: 16 kHz audio, decoder ids, which of them are learned, CTC letters.

Windows come in pools; a pool is sorted by length and parted so that every batch holds about as many mel frames. A pool
and its order depend on the seed and the pool's number only. Most batches are padded as the recogniser pads (0.3 s, then
up to whole seconds), some by more, a few to Whisper's 30 s, so that stock faster-whisper works too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from training.features import FRAME_SAMPLES
from training.synthesis import Shards
from training.tokens import Tokens, letters
from training.windows import Window, WindowMaker, WindowSettings, targets

__all__ = ["Batch", "BatchSettings", "BatchSource"]

_FULL_FRAMES: Final = 3000
_IGNORED: Final = -100


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How much a batch holds and how it is padded."""

    frames: int = 16_000
    pool_windows: int = 512
    extra: float = 0.25
    full: float = 0.01
    full_windows: int = 6


@dataclass(frozen=True, slots=True)
class Batch:
    """(rows, samples) at 16 kHz; (rows, n) ids, and what each position should give next (-100: not learned)."""

    audio: NDArray[np.float32]
    ids: NDArray[np.int64]
    wanted: NDArray[np.int64]
    ctc: NDArray[np.int64]
    ctc_lengths: NDArray[np.int64]
    positions: NDArray[np.int64]
    """Encoder positions that hold the window itself, for CTC."""


def _frames(window: Window) -> int:
    """The frames the recogniser would give this window."""
    spoken = -(-len(window.samples) * 2 // FRAME_SAMPLES)
    return min(_FULL_FRAMES, -(-(spoken + 30) // 100) * 100)


def _collate(windows: Sequence[Window], frames: int, tokens: Tokens) -> Batch:
    audio = np.zeros((len(windows), frames * FRAME_SAMPLES), dtype=np.float32)
    rows = [targets(window, tokens) for window in windows]
    spelled = [letters(window.text) for window in windows]
    longest, most = max(len(ids) for ids, _ in rows), max(1, *(len(each) for each in spelled))
    ids = np.full((len(windows), longest - 1), tokens.eot, dtype=np.int64)
    wanted = np.full((len(windows), longest - 1), _IGNORED, dtype=np.int64)
    ctc = np.zeros((len(windows), most), dtype=np.int64)
    positions = np.zeros(len(windows), dtype=np.int64)
    for row, (window, (sequence, given)) in enumerate(zip(windows, rows, strict=True)):
        wave = soxr.resample(window.samples, 8000, 16000, quality="HQ")[: audio.shape[1]]
        audio[row, : len(wave)] = wave
        ids[row, : len(sequence) - 1] = sequence[:-1]
        wanted[row, given - 1 : len(sequence) - 1] = sequence[given:]
        at = sequence.index(tokens.sot)
        wanted[row, at] = tokens.french if window.segments else tokens.no_speech
        ctc[row, : len(spelled[row])] = spelled[row]
        positions[row] = min(frames // 2, len(wave) // 320 + 8)
    lengths = np.array([len(each) for each in spelled], dtype=np.int64)
    return Batch(audio, ids, wanted, ctc, lengths, positions)


class BatchSource:
    """Makes pools of batches; picklable work, so that other processes can make them ahead."""

    def __init__(
        self, clips: Path, tokenizer: Path, *, seed: int, settings: BatchSettings | None = None,
        windows: WindowSettings | None = None,
    ) -> None:  # fmt: skip
        self._tokens = Tokens(tokenizer)
        self._maker = WindowMaker(Shards(clips), seed=seed, settings=windows)
        self._seed = seed
        self._settings = settings or BatchSettings()

    def pool(self, number: int) -> list[Batch]:
        """All batches of one pool, in the order to train on them."""
        settings = self._settings
        rng = np.random.default_rng([self._seed, 11, number])
        first = number * settings.pool_windows
        windows = sorted((self._maker.make(first + index) for index in range(settings.pool_windows)), key=_frames)
        batches = []
        while windows:
            if rng.random() < settings.full:
                taken, frames = windows[-settings.full_windows :], _FULL_FRAMES
                del windows[-settings.full_windows :]
            else:
                taken, frames = self._take(windows, rng)
            batches.append(_collate(taken, frames, self._tokens))
        return [batches[index] for index in rng.permutation(len(batches))]

    def _take(self, windows: list[Window], rng: np.random.Generator) -> tuple[list[Window], int]:
        count = max(1, self._settings.frames // _frames(windows[-1]))
        taken = windows[-count:]
        del windows[-count:]
        frames = _frames(taken[-1])
        if rng.random() < self._settings.extra:
            frames = min(_FULL_FRAMES, frames + 2 * int(rng.integers(0, 100)))
        return taken, frames

    def pools(self, first: int, *, processes: int) -> Iterator[tuple[int, list[Batch]]]:
        """Pools from number ``first`` on, without end; made in this process when ``processes`` is 0."""
        if processes == 0:
            number = first
            while True:
                yield number, self.pool(number)
                number += 1
        with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_set_source, initargs=(self,)) as workers:
            ahead: list[Future[list[Batch]]] = []
            number = first
            while True:
                while len(ahead) < processes + 1:
                    ahead.append(workers.submit(_pool_in_worker, number + len(ahead)))
                yield number, ahead.pop(0).result()
                number += 1


_sources: list[BatchSource] = []  # a worker process's own


def _set_source(source: BatchSource) -> None:
    _sources[:] = [source]


def _pool_in_worker(number: int) -> list[Batch]:
    return _sources[0].pool(number)
