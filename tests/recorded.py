"""Audio as a browser's recorder sends it: WebM with Opus, Ogg with Opus, fragmented MP4 with AAC."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from V3.audio.pcm import Audio, resample

__all__ = ["CONTAINERS", "pieces", "recorded"]

CONTAINERS = {
    # live: sizes unknown and no index, as MediaRecorder writes it
    "webm": ("webm", "libopus", {"live": "1", "cluster_time_limit": "1000"}),
    "ogg": ("ogg", "libopus", {"page_duration": "200000"}),
    "mp4": ("mp4", "aac", {"movflags": "empty_moov+default_base_moof+frag_every_frame", "min_frag_duration": "300000"}),
}


class _Pipe:
    """What cannot be sought in: a muxer then writes as it would to a network."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def recorded(audio: Audio, container: str) -> bytes:
    """All of a recording at 48 kHz."""
    return _recorded(audio.tobytes(), container)


@functools.cache
def _recorded(samples: bytes, container: str) -> bytes:
    form, codec, options = CONTAINERS[container]
    audio = resample(np.frombuffer(samples, np.float32), from_hz=16_000, to_hz=48_000)
    pipe: Any = _Pipe()
    with av.open(pipe, "w", format=form, options=options) as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=48_000)
        frame = av.AudioFrame.from_ndarray(audio.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return bytes(pipe.data)


def pieces(data: bytes, count: int) -> Iterator[bytes]:
    """The bytes in so many messages, as even as can be."""
    size = -(-len(data) // count)
    return (data[start : start + size] for start in range(0, len(data), size))
