"""A file's sound in pieces of some seconds at 16 kHz, never all of it at once.

Plain WAV is read here; anything else is decoded by FFmpeg in a process of its own (file_decoder.py), which gets the
open file and no name, can open nothing else and has bounds of memory and time: a file that crashes or floods it is an
AudioError, and calls in progress do not notice.
"""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from V3.audio.pcm import RATE_HZ, Audio
from V3.errors import AudioError, WireError
from V3.system.services.file_decoder import RECORD
from V3.wire.wav_stream import WavStream

__all__ = ["file_audio", "pieces_of"]

_DECODER: Final = Path(__file__).with_name("file_decoder.py")
_PIECE_TIMEOUT_S: Final = 30.0
_READ_BYTES: Final = 1 << 20
_MAX_RECORD_BYTES: Final = 8 << 20
_DIED: Final = "no audio that can be read (it stopped its decoder: damaged, or unpacking to more than is taken)"


async def file_audio(file: IO[bytes], *, max_s: float) -> AsyncGenerator[Audio, None]:
    """The pieces, mono. Raises AudioError for what is no audio, is longer, or takes 30 s for one piece."""
    pieces = _Pieces(file, max_s=max_s)
    try:
        while (piece := await asyncio.to_thread(pieces.next)) is not None:
            yield piece
    finally:
        pieces.close()  # a thread that waits for the decoder sees it end


def pieces_of(file: IO[bytes], *, max_s: float) -> Iterator[Audio]:
    """The same, without an event loop."""
    pieces = _Pieces(file, max_s=max_s)
    try:
        while (piece := pieces.next()) is not None:
            yield piece
    finally:
        pieces.close()


class _Pieces:
    """Plain WAV where it is that, the decoder's pieces otherwise."""

    def __init__(self, file: IO[bytes], *, max_s: float) -> None:
        self._file = file
        self._max_s = max_s
        self._left = int(max_s * RATE_HZ)
        self._wav: WavStream | None = None
        self._decoder: _Decoder | None = None
        self._begun = False
        self._closed = False

    def next(self) -> Audio | None:
        """None at the end."""
        if not self._begun:
            self._begin()
        piece = self._decoder.next() if self._decoder is not None else self._next_of_wav()
        if piece is not None:
            self._left -= piece.size
            if self._left < 0:
                raise AudioError(f"longer than {self._max_s:g} s")
        return piece

    def close(self) -> None:
        """No more of it; may be called while a thread waits in :meth:`next`."""
        self._closed = True
        if self._decoder is not None:
            self._decoder.close()

    def _begin(self) -> None:
        self._begun = True
        self._file.seek(0)
        head = self._file.read(12)
        self._file.seek(0)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            self._wav = WavStream()
        else:
            self._decode()

    def _decode(self) -> _Decoder:
        decoder = self._decoder = _Decoder(self._file, self._max_s)
        if self._closed:  # meanwhile
            decoder.close()
            raise AudioError(_DIED)
        return decoder

    def _next_of_wav(self) -> Audio | None:
        assert self._wav is not None
        while not self._wav.done:
            data = self._file.read(_READ_BYTES)
            try:
                piece = self._wav.push(data) if data else self._wav.end()
            except WireError as exc:
                if self._wav.began:
                    raise AudioError(str(exc)) from exc
                return self._decode().next()  # ADPCM, GSM, ...: FFmpeg may know it
            if piece.size:
                return piece
        return None


class _Decoder:
    """The process that decodes, and what comes of it."""

    def __init__(self, file: IO[bytes], max_s: float) -> None:
        self._reading = threading.Lock()
        with _handed_over(file) as given:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-P", str(_DECODER), f"{max_s:g}"],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )

    def next(self) -> Audio | None:
        with self._reading:
            kind, size = RECORD.unpack(self._read(RECORD.size))
            if size > _MAX_RECORD_BYTES:
                raise AudioError(_DIED)
            data = self._read(size)
        match kind:
            case b"a":
                return np.frombuffer(data, "<f4").astype(np.float32)
            case b"z":
                return None
        raise AudioError(data.decode("utf-8", "replace")[:300])

    def close(self) -> None:
        self._process.kill()  # where it has ended already this does nothing
        self._process.wait()
        assert self._process.stdout is not None
        with self._reading:  # who waits for it has seen its end
            self._process.stdout.close()

    def _read(self, size: int) -> bytes:
        assert self._process.stdout is not None
        read = bytearray()
        while len(read) < size:
            ready, _, _ = select.select([self._process.stdout], [], [], _PIECE_TIMEOUT_S)
            if not ready:
                raise AudioError(f"a piece of the file was not decoded within {_PIECE_TIMEOUT_S:g} s")
            data = os.read(self._process.stdout.fileno(), size - len(read))
            if not data:
                raise AudioError(_DIED)
            read += data
        return bytes(read)


def _handed_over(file: IO[bytes]) -> IO[bytes]:
    """A file that a process can be given, at its beginning; what is in memory stays in memory."""
    file.seek(0)
    try:
        inside: Any = getattr(file, "_file", file)  # a SpooledTemporaryFile that has not been written out has no number
        given: IO[bytes] = os.fdopen(os.dup(inside.fileno()), "rb")
    except (OSError, AttributeError):
        given = _in_memory()
        while data := file.read(_READ_BYTES):
            given.write(data)
        given.flush()
    os.lseek(given.fileno(), 0, os.SEEK_SET)
    return given


def _in_memory() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("voicebot"), "w+b")
    return tempfile.TemporaryFile()


def _environment() -> dict[str, str]:
    """What the decoder needs of ours: not the secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBOT_")}
    return kept | {"OPENBLAS_NUM_THREADS": "1"}
