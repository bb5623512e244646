"""The last stretch of a stream's audio, addressed by sample number since the stream began.

Memory follows what is kept.
"""

from __future__ import annotations

import numpy as np

from V3.audio.pcm import Audio

__all__ = ["AudioTape"]

_SMALLEST_SAMPLES = 16_000


class AudioTape:
    """Audio from :attr:`start` (kept) to :attr:`end` (heard), in samples."""

    def __init__(self) -> None:
        self._data: Audio = np.empty(_SMALLEST_SAMPLES, dtype=np.float32)
        self._used = 0
        self.start = 0

    @property
    def end(self) -> int:
        return self.start + self._used

    @property
    def capacity_bytes(self) -> int:
        return self._data.nbytes

    def append(self, audio: Audio) -> None:
        if self._used + audio.size > self._data.size:
            self._resize(2 * (self._used + audio.size))
        self._data[self._used : self._used + audio.size] = audio
        self._used += audio.size

    def cut(self, start: int, end: int) -> Audio:
        """A copy of the samples from ``start`` to ``end``, as far as they are kept."""
        return self._data[max(0, start - self.start) : max(0, end - self.start)][: self._used].copy()

    def drop_before(self, sample: int) -> None:
        """Forget what came before ``sample``. Cheap to call often: data moves only when half of it is stale."""
        stale = min(sample - self.start, self._used)
        if stale < _SMALLEST_SAMPLES // 2:
            return
        self._used -= stale
        self._data[: self._used] = self._data[stale : stale + self._used].copy()
        self.start += stale
        if self._data.size > 4 * max(self._used, _SMALLEST_SAMPLES):
            self._resize(2 * max(self._used, _SMALLEST_SAMPLES // 2))

    def _resize(self, samples: int) -> None:
        data = np.empty(max(samples, _SMALLEST_SAMPLES), dtype=np.float32)
        data[: self._used] = self._data[: self._used]
        self._data = data
