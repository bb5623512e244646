"""A file's sound in pieces of some seconds at 16 kHz, decoded in worker threads: whatever PyAV opens, never all of it.

Only the file itself is read: FFmpeg is given bytes, not a name, so a playlist in it opens nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Final

import av
import av.error
import numpy as np

from V3.audio.pcm import RATE_HZ, Audio
from V3.errors import AudioError

__all__ = ["file_audio"]

_PIECE_SAMPLES: Final = 5 * RATE_HZ
_PIECE_TIMEOUT_S: Final = 30.0
_NOT_AUDIO: Final = {"hls", "dash", "concat", "image2", "tty", "applehttp", "sdp", "rtsp"}


async def file_audio(file: IO[bytes]) -> AsyncIterator[Audio]:
    """The pieces, mono. Raises AudioError for what is no audio, or takes longer than 30 s for one piece."""
    pieces = _pieces(file)
    try:
        while True:
            try:
                async with asyncio.timeout(_PIECE_TIMEOUT_S):
                    piece = await asyncio.to_thread(next, pieces, None)
            except TimeoutError as exc:
                raise AudioError(f"a piece of the file was not decoded within {_PIECE_TIMEOUT_S:g} s") from exc
            if piece is None:
                return
            yield piece
    except (av.error.FFmpegError, ValueError, IndexError) as exc:
        if isinstance(exc, AudioError):
            raise
        raise AudioError(f"no audio that can be read ({exc})") from exc


def _pieces(file: IO[bytes]) -> Iterator[Audio]:
    kept: list[Audio] = []
    size = 0
    for samples in _samples(file):
        kept.append(samples)
        size += samples.size
        if size >= _PIECE_SAMPLES:
            yield np.concatenate(kept)
            kept, size = [], 0
    if size:
        yield np.concatenate(kept)


def _samples(file: IO[bytes]) -> Iterator[Audio]:
    options: Any = {"protocol_whitelist": "pipe"}
    with av.open(file, "r", options=options, metadata_errors="ignore") as container:
        if not container.streams.audio or set(container.format.name.split(",")) & _NOT_AUDIO:
            raise AudioError("a file without sound")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # a damaged packet of a file that goes on
            for frame in frames:
                for converted in resampler.resample(frame):
                    yield np.asarray(converted.to_ndarray()[0], dtype=np.float32)
        for converted in resampler.resample(None):
            yield np.asarray(converted.to_ndarray()[0], dtype=np.float32)
