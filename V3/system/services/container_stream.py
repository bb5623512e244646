"""A recorder's stream to samples, in a thread of its own: WebM/Opus, Ogg/Opus and fragmented MP4/AAC by PyAV.

One demuxer lives as long as the stream's head holds; it reads from a pipe that :class:`ContainerSplitter` fills, so
sound comes out as soon as its block, page or fragment is whole. What cannot be decoded is told by name, and the stream
goes on. Both ways are bounded: ``feed`` waits while eight messages wait for the thread, and the thread while eight
pieces of sound wait for the loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import av
import av.error
import numpy as np

from V3.audio.pcm import RATE_HZ, Audio
from V3.errors import AudioError, StreamError
from V3.wire.containers import ContainerSplitter, Gap, Head, Media, Part

__all__ = ["ContainerStream", "Heard"]

log = logging.getLogger(__name__)

Heard = Callable[[Audio | AudioError], Awaitable[None]]
"""Takes samples at 16 kHz, or what could not be decoded. Called on the loop, one at a time."""

_WAITING: Final = 8
_HAND_OVER_TIMEOUT_S: Final = 60.0
_FEED_TIMEOUT_S: Final = 60.0
_END_TIMEOUT_S: Final = 5.0
_CODECS: Final = ("opus", "libopus", "vorbis", "aac", "flac", "pcm_f32le", "pcm_s16le")  # what recorders send
_OPEN_OPTIONS: Final = {
    "probesize": "32",  # the head says all: sound must not wait for a guess
    "analyzeduration": "0",
    "codec_whitelist": ",".join(_CODECS),
    "protocol_whitelist": "none",  # it reads from us and opens nothing
}


class ContainerStream:
    """One connection's container. Lives on the running loop; ``close`` it."""

    def __init__(self, heard: Heard, *, name: str) -> None:
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._messages: queue.Queue[bytes] = queue.Queue()  # bounded by the places
        self._places = asyncio.Semaphore(_WAITING)
        self._ended = self._loop.create_future()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"container {name}", daemon=True)
        self._thread.start()

    async def feed(self, data: bytes) -> None:
        """The next bytes, any number of them. Raises StreamError when the thread has taken none for a minute."""
        try:
            async with asyncio.timeout(_FEED_TIMEOUT_S):
                await self._places.acquire()
        except TimeoutError as exc:
            raise StreamError(f"the container was not decoded within {_FEED_TIMEOUT_S:g} s") from exc
        self._messages.put_nowait(data)

    async def close(self) -> None:
        """No more bytes: what was fed is decoded to its end."""
        self._messages.put_nowait(b"")
        await self._wait(self._ended)

    async def abort(self) -> None:
        """Drop what is under way."""
        self._closed.set()
        self._messages.put_nowait(b"")
        await self._wait(self._ended)

    async def _wait(self, ended: asyncio.Future[None]) -> None:
        with contextlib.suppress(TimeoutError):  # it is a daemon: it ends with the process at the latest
            async with asyncio.timeout(_END_TIMEOUT_S):
                await asyncio.shield(ended)

    # ---- in the thread

    def _work(self) -> None:
        parts = _Parts(self._next_message)
        try:
            while (part := parts.take()) is not None:
                if isinstance(part, Gap):
                    self._hand_over(AudioError(part.message))
                elif isinstance(part, Head):
                    self._decode(_Pipe(part, parts))
        except (_Over, concurrent.futures.CancelledError, TimeoutError):
            log.debug("%s: ended before its stream", self._thread.name)
        except Exception:
            log.exception("%s failed", self._thread.name)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._tell_ended)

    def _tell_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _next_message(self) -> bytes:
        data = b"" if self._closed.is_set() else self._messages.get()  # close and abort put something here: this ends
        if self._closed.is_set():
            return b""  # no error: FFmpeg would read again after one
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._places.release)
        return data

    def _decode(self, pipe: _Pipe) -> None:
        """One head and its units, to the next gap or head."""
        try:
            with av.open(pipe, "r", format=pipe.format, options=_OPEN_OPTIONS, buffer_size=4096) as container:
                for samples in self._samples(container):
                    self._hand_over(samples)
        except (av.error.FFmpegError, AudioError, ValueError) as exc:
            self._hand_over(AudioError(f"{pipe.format}: cannot be decoded ({exc})"))
        pipe.drain()

    def _samples(self, container: Any) -> Iterator[Audio]:
        if not container.streams.audio:
            raise AudioError("a stream without sound")
        codec = container.streams.audio[0].codec_context.codec.name
        if codec not in _CODECS:
            raise AudioError(f"sound as {codec} is not taken: {', '.join(_CODECS)} are")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.error.FFmpegError as exc:
                self._hand_over(AudioError(f"a packet cannot be decoded ({exc})"))
                continue
            for frame in frames:
                for converted in resampler.resample(frame):
                    yield _array(converted)
        for converted in resampler.resample(None):
            yield _array(converted)

    def _hand_over(self, heard: Audio | AudioError) -> None:
        if self._closed.is_set():
            raise _Over
        if isinstance(heard, AudioError) or heard.size:
            done = asyncio.run_coroutine_threadsafe(_called(self._heard, heard), self._loop)
            done.result(_HAND_OVER_TIMEOUT_S)


class _Over(Exception):
    """The stream was aborted."""


class _Parts:
    """What the splitter gives, one by one, waiting for messages."""

    def __init__(self, next_message: Callable[[], bytes]) -> None:
        self._next_message = next_message
        self._splitter = ContainerSplitter()
        self._parts: deque[Part] = deque()
        self._over = False

    def take(self) -> Part | None:
        """None at the end of the stream."""
        while not self._parts and not self._over:
            data = self._next_message()
            self._over = not data
            self._parts.extend(self._splitter.push(data))
        return self._parts.popleft() if self._parts else None

    def put_back(self, part: Part) -> None:
        self._parts.appendleft(part)


class _Pipe:
    """What PyAV reads from: a head and the units after it; ends where the next head or gap begins."""

    def __init__(self, head: Head, parts: _Parts) -> None:
        self.format = head.format
        self._parts = parts
        self._data = head.data
        self._ended = False

    def read(self, size: int) -> bytes:
        if not self._data and not self._ended:
            part = self._parts.take()
            if isinstance(part, Media):
                self._data = part.data
            else:
                self._ended = True
                if part is not None:
                    self._parts.put_back(part)
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def drain(self) -> None:
        """Skip what a demuxer that gave up has left of its units."""
        while not self._ended:
            self._data = b""
            self.read(1)


async def _called(heard: Heard, what: Audio | AudioError) -> None:
    await heard(what)


def _array(frame: Any) -> Audio:
    return np.asarray(frame.to_ndarray()[0], dtype=np.float32)
