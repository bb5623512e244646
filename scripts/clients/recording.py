"""WebM with Opus as a browser's MediaRecorder writes it, a piece at a time."""

from __future__ import annotations

from typing import Any, Final

import av
import numpy as np

from V3.audio.pcm import RATE_HZ, Audio, Resampler

__all__ = ["WebmRecorder"]

_OPUS_HZ: Final = 48_000


class WebmRecorder:
    """Samples at 16 kHz in, what a recorder has of them so far out: a head first, then clusters of a quarter second."""

    def __init__(self) -> None:
        self._pipe = _Pipe()
        pipe: Any = self._pipe
        options = {"live": "1", "cluster_time_limit": "250"}  # live: sizes unknown and no index
        self._container = av.open(pipe, "w", format="webm", options=options)
        self._stream = self._container.add_stream("libopus", rate=_OPUS_HZ, layout="mono")
        self._up = Resampler(RATE_HZ, _OPUS_HZ)
        self._converter = av.AudioResampler(format=self._stream.format, layout="mono", rate=_OPUS_HZ)
        self._written = 0  # samples

    def push(self, audio: Audio) -> bytes:
        """The bytes that this audio completes; may be none."""
        self._encode(self._up.push(audio))
        return self._pipe.take()

    def finish(self) -> bytes:
        """The rest; nothing can follow."""
        self._encode(self._up.push(np.zeros(0, dtype=np.float32), last=True))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._pipe.take()

    def _encode(self, samples: Audio) -> None:
        if not samples.size:
            return
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _OPUS_HZ, self._written
        self._written += samples.size
        for part in self._converter.resample(frame):
            self._container.mux(self._stream.encode(part))


class _Pipe:
    """What cannot be sought in: a muxer writes to it as to a network."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._data)
        self._data.clear()
        return taken
