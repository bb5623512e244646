"""WAV that arrives in pieces of any size, as mono float32 at 16 kHz. A core.

Taken: PCM of 8, 16, 24 and 32 bits, float of 32 and 64, mu-law and A-law, plain or WAVE_FORMAT_EXTENSIBLE, 1 to 8
channels (mixed), 4 to 192 kHz. A length of 0 or 0xFFFFFFFF (a recorder that could not go back) means: until told
otherwise. Anything else is a WireError that names itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from V3.audio.pcm import RATE_HZ, Audio, Resampler, from_alaw, from_l16, from_mulaw
from V3.errors import WireError

__all__ = ["WavStream"]

MAX_HEADER_BYTES: Final = 65_536
MAX_CHANNELS: Final = 8
_ENDLESS: Final = (0, 0xFFFFFFFF)
_EXTENSIBLE: Final = 0xFFFE
_SANE: Final = 4.0  # a float sample beyond it is no audio


def _unsigned8(data: bytes) -> Audio:
    return np.asarray((np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0, dtype=np.float32)


def _signed24(data: bytes) -> Audio:
    octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
    padded = np.zeros((octets.shape[0], 4), np.uint8)
    padded[:, 1:] = octets
    return _signed32(padded.tobytes())


def _signed32(data: bytes) -> Audio:
    return np.asarray(np.frombuffer(data, "<i4") / 2147483648.0, dtype=np.float32)


def _float32(data: bytes) -> Audio:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _float64(data: bytes) -> Audio:
    values = np.frombuffer(data, "<f8")
    return np.asarray(np.clip(values, -1e6, 1e6), dtype=np.float32)  # beyond float32 would be a warning, not audio


_READERS: Final[dict[tuple[int, int], Callable[[bytes], Audio]]] = {
    (1, 8): _unsigned8,
    (1, 16): from_l16,
    (1, 24): _signed24,
    (1, 32): _signed32,
    (3, 32): _float32,
    (3, 64): _float64,
    (6, 8): from_alaw,
    (7, 8): from_mulaw,
}


@dataclass(frozen=True, slots=True)
class _Format:
    channels: int
    rate_hz: int
    block_bytes: int
    read: Callable[[bytes], Audio]


class WavStream:
    """One WAV file. ``push`` its bytes; ``done`` once all that its header announces was taken."""

    def __init__(self) -> None:
        self._head = b""
        self._format: _Format | None = None
        self._left: int | None = None  # bytes of samples still announced; None: no end is known
        self._rest = b""
        self._resampler: Resampler | None = None
        self.done = False

    @property
    def began(self) -> bool:
        """Whether its header was read, and is of a format that is taken."""
        return self._format is not None

    def push(self, data: bytes) -> Audio:
        """The samples that are now there. Bytes after the announced ones (tags) are left out. Raises WireError."""
        if self.done:
            return _nothing()
        if self._format is None:
            data = self._header(data)
            if self._format is None:
                return _nothing()
        return self._samples(data, self._format)

    def end(self) -> Audio:
        """No more bytes: the samples held back."""
        self.done = True
        return self._resampler.push(_nothing(), last=True) if self._resampler is not None else _nothing()

    def _samples(self, data: bytes, form: _Format) -> Audio:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        data = self._rest + data
        whole = len(data) - len(data) % form.block_bytes
        self._rest = data[whole:]
        samples = form.read(data[:whole])
        if samples.size and not bool(np.all(np.abs(samples) <= _SANE)):  # NaN is not below it either
            raise WireError("a WAV whose samples are NaN, infinite or far beyond [-1, 1]")
        mono = samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float32) if form.channels > 1 else samples
        assert self._resampler is not None
        heard = self._resampler.push(mono)
        return np.concatenate([heard, self.end()]) if self._left == 0 else heard

    def _header(self, data: bytes) -> bytes:
        """Look for the format and the beginning of the samples; what follows it."""
        self._head += data
        position = 12
        if len(self._head) >= 12 and (self._head[:4] != b"RIFF" or self._head[8:12] != b"WAVE"):
            raise WireError("RIFF that is no WAVE")
        form = b""
        while len(self._head) >= position + 8:
            name, size = struct.unpack_from("<4sI", self._head, position)
            if name == b"data":
                return self._begin(form, size, self._head[position + 8 :])
            if len(self._head) < position + 8 + size and len(self._head) < MAX_HEADER_BYTES:
                return b""
            form = self._head[position + 8 : position + 8 + size] if name == b"fmt " else form
            position += 8 + size + size % 2
            if position > MAX_HEADER_BYTES:
                break
        if len(self._head) >= MAX_HEADER_BYTES or position > MAX_HEADER_BYTES:
            raise WireError(f"a WAV without samples in its first {MAX_HEADER_BYTES} bytes")
        return b""

    def _begin(self, form: bytes, size: int, rest: bytes) -> bytes:
        if len(form) < 16:
            raise WireError("a WAV without a format before its samples")
        tag, channels, rate_hz, _, block, bits = struct.unpack_from("<HHIIHH", form)
        if tag == _EXTENSIBLE and len(form) >= 26:
            (tag,) = struct.unpack_from("<H", form, 24)
        read = _READERS.get((tag, bits))
        if read is None or not 1 <= channels <= MAX_CHANNELS or block != channels * bits // 8:
            raise WireError(f"a WAV of format {tag}, {bits} bits, {channels} channels is not taken")
        if not 4000 <= rate_hz <= 192_000:
            raise WireError(f"a WAV of {rate_hz} Hz; 4000 to 192000 are taken")
        self._format = _Format(channels, rate_hz, block, read)
        self._left = None if size in _ENDLESS else size - size % block
        self._resampler = Resampler(rate_hz, RATE_HZ)
        self._head = b""
        return rest


def _nothing() -> Audio:
    return np.zeros(0, dtype=np.float32)
