"""Decodes one audio file in a process of its own: FFmpeg has to do with bytes that a stranger chose.

Started by :mod:`V3.system.services.file_audio` as a script; the file is its standard input, the samples (float32, mono,
16 kHz) go to its standard output in records: a kind, a length, and so many bytes. What a hostile file could do here is
little: only formats and decoders for sound are opened, no protocol is (a playlist in the file opens nothing), and the
process can open no file, write none, and take no more than half a gigabyte. A crash ends this process and no call.

Only PyAV and the standard library: it has to start quickly.
"""

from __future__ import annotations

import io
import os
import resource
import struct
import sys
import wave
from collections.abc import Iterator
from typing import IO, Any, Final

import av
import av.error

__all__ = ["CODECS", "FORMATS", "RECORD", "main"]

FORMATS: Final = (
    "wav",
    "w64",
    "aiff",
    "au",
    "caf",
    "flac",
    "mp3",
    "aac",
    "amr",
    "ogg",
    "matroska",
    "webm",
    "mov",
    "mp4",
)
CODECS: Final = (
    *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
    *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_g722", "g722", "adpcm_g726", "g726", "gsm", "gsm_ms"),
    *("opus", "vorbis", "flac", "alac", "mp3", "mp3float", "aac", "aac_fixed", "amrnb", "amrwb"),
    *("libopus", "libopencore_amrnb", "libopencore_amrwb"),
)
RECORD: Final = struct.Struct("<cI")
"""Kind (``a`` samples, ``e`` what is wrong, ``z`` the end) and length."""

_RATE_HZ: Final = 16_000
_PIECE_BYTES: Final = 5 * _RATE_HZ * 4
_MEMORY_BYTES: Final = 512 << 20
_CPU_S: Final = 900
_OPTIONS: Final[Any] = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(CODECS),
    "protocol_whitelist": "none",
}


class _Unfit(Exception):
    """The file is no audio that is taken; the text is for its sender."""


def main(max_s: float) -> None:
    """Decode standard input to records on standard output."""
    for _ in _samples(_nothing()):  # PyAV imports some of itself only when it opens a file, and then it must not
        pass
    _give_up_rights()
    try:
        with open(0, "rb", buffering=0, closefd=False) as file:
            _send_samples(file, max_s)
    except _Unfit as exc:
        _send(b"e", str(exc).encode())
    except (av.error.FFmpegError, ValueError, IndexError) as exc:
        _send(b"e", f"no audio that can be read ({_reason(exc)})".encode())
    except MemoryError:
        _send(b"e", b"no audio that can be read (it unpacks to more than is taken)")
    else:
        _send(b"z", b"")


def _give_up_rights() -> None:
    """From here on nothing can be opened or written but the two pipes that are open, and memory is bounded."""
    with open("/proc/self/statm", "rb") if os.path.exists("/proc/self/statm") else open(os.devnull, "rb") as pages:
        used_bytes = int((pages.read().split() or [b"0"])[0]) * resource.getpagesize()
    if used_bytes:  # Linux; elsewhere this limit does not hold
        _limit(resource.RLIMIT_AS, used_bytes + _MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, _CPU_S)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 3)


def _limit(which: int, value: int) -> None:
    _, most = resource.getrlimit(which)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(which, (value, value))


def _nothing() -> IO[bytes]:
    """A WAV of a tenth of a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setparams((1, 2, 8000, 0, "NONE", ""))
        recording.writeframes(bytes(1600))
    file.seek(0)
    return file


def _send_samples(file: IO[bytes], max_s: float) -> None:
    waiting = bytearray()
    left = int(max_s * _RATE_HZ) * 4
    for samples in _samples(file):
        waiting += samples
        left -= len(samples)
        if len(waiting) >= _PIECE_BYTES:
            _send(b"a", bytes(waiting))
            waiting.clear()
        if left < 0:
            raise _Unfit(f"longer than {max_s:g} s")
    if waiting:
        _send(b"a", bytes(waiting))


def _samples(file: IO[bytes]) -> Iterator[bytes]:
    with _opened(file) as container:
        if not container.streams.audio:
            raise _Unfit("a file without sound")
        stream = container.streams.audio[0]
        if stream.codec_context.codec.name not in CODECS:
            raise _Unfit(f"sound as {stream.codec_context.codec.name} is not taken")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE_HZ)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # a damaged packet of a file that goes on
            for frame in frames:
                yield from map(_bytes, resampler.resample(frame))
        yield from map(_bytes, resampler.resample(None))


def _opened(file: Any) -> Any:
    try:
        return av.open(file, "r", options=_OPTIONS, metadata_errors="ignore")
    except av.error.FFmpegError as exc:
        taken = ", ".join(FORMATS)
        raise _Unfit(f"no audio that can be read ({_reason(exc)}; {taken} are taken)") from exc


def _bytes(frame: Any) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * 4]


def _reason(error: Exception) -> str:
    """FFmpeg's own words, without the name it gives what has none."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _send(kind: bytes, data: bytes) -> None:
    record = memoryview(RECORD.pack(kind, len(data)) + data)
    while record:
        record = record[os.write(1, record) :]


if __name__ == "__main__":
    main(float(sys.argv[1]))
