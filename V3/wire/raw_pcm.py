"""Audio that may be WAV or raw samples, in messages of any size, as float32 at 16 kHz. A core.

A message that begins with RIFF begins a WAV; its samples may go on in the next messages. Everything else is raw mono
PCM at 16 kHz, int16 or float32: as declared, or told apart by what the bytes would mean. int16 read as float32 is
mostly absurd (1e-38, 1e+30, NaN: at full scale a quarter of it looks like samples), and float32 samples lie between
1e-20 (what a filter leaves of silence) and 4. Bytes that prove nothing yet (silence) wait for more, up to a second.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from V3.audio.pcm import RATE_HZ, Audio, as_audio
from V3.errors import AudioError, WireError
from V3.wire.wav_stream import WavStream

__all__ = ["SampleFormat", "WavOrPcm"]

SampleFormat = Literal["int16", "float32"]

_PROOF: Final = 32  # values that are not 0, to tell by
_MAX_UNDECIDED_BYTES: Final = 4 * RATE_HZ
_SAMPLE_BYTES: Final[dict[SampleFormat, int]] = {"int16": 2, "float32": 4}


class WavOrPcm:
    """One client's binary messages to samples. Keeps what does not fill a sample for the next message."""

    def __init__(self) -> None:
        self._declared: SampleFormat | None = None
        self.clear()

    def clear(self) -> None:
        """Forget what was begun; what was declared holds."""
        self._wav: WavStream | None = None
        self._found: SampleFormat | None = None
        self._rest = b""

    def declare(self, form: SampleFormat) -> None:
        """From now on raw samples are of this format."""
        self._declared = form
        if self._wav is None and self._found not in (None, form):
            self._rest = b""
        self._found = form

    @property
    def undecided_s(self) -> float:
        """Of audio that waits to be told apart, as if it were int16."""
        return len(self._rest) / 2 / RATE_HZ if (self._declared or self._found) is None else 0.0

    def push(self, data: bytes) -> Audio:
        """The samples of a message and of what waited. Raises WireError; then the message is lost, and no more."""
        if self._wav is not None and not (data.startswith(b"RIFF") and data[8:12] == b"WAVE"):
            return self._push_wav(self._wav, data)
        start = self._rest + data if len(self._rest) < 4 else data
        if start.startswith(b"RIFF"):
            self._rest = b""
            return self._push_wav(WavStream(), start)
        if not self._rest and len(data) < 4 and b"RIFF".startswith(data):
            self._rest = data  # it may be a WAV whose first bytes came alone
            return _nothing()
        return self._push_raw(self._rest + data)

    def _push_wav(self, wav: WavStream, data: bytes) -> Audio:
        self._wav = None  # a WAV that breaks off is over
        audio = wav.push(data)
        self._wav = None if wav.done else wav
        return audio

    def _push_raw(self, data: bytes) -> Audio:
        form = self._declared or self._found or _told_apart(data)
        if form is None and len(data) <= _MAX_UNDECIDED_BYTES:
            self._rest = data
            return _nothing()
        self._rest = b""
        if form is None:
            if any(data):
                raise WireError(
                    'samples that are neither clearly int16 nor float32: send {"type":"config","format":..}'
                )
            return np.zeros(len(data) // 4, dtype=np.float32)  # a second of nothing: the next second may tell
        self._found = form
        whole = len(data) - len(data) % _SAMPLE_BYTES[form]
        self._rest = data[whole:]
        return _samples(data[:whole], form)


def _samples(data: bytes, form: SampleFormat) -> Audio:
    try:
        return as_audio(data) if form == "int16" else as_audio(np.frombuffer(data, "<f4").astype(np.float32))
    except AudioError as exc:
        raise WireError(f"{form}: {exc}") from exc


def _told_apart(data: bytes) -> SampleFormat | None:
    """What the bytes are, where they prove it."""
    bits = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    bits = bits[(bits & 0x7FFFFFFF) != 0]  # 0.0 and -0.0 prove nothing
    if bits.size < _PROOF:
        return None
    exponents = (bits >> 23) & 0xFF
    plausible = float(np.mean((exponents >= 60) & (exponents <= 128)))  # 1e-20 to 4
    if plausible >= 0.9:
        return "float32"
    return "int16" if plausible <= 0.6 else None


def _nothing() -> Audio:
    return np.zeros(0, dtype=np.float32)
