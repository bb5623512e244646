"""Dialect C, PCM with voice detection: L16 in chunks of 10, 20 or 30 ms in, one plain text per utterance back. A core.

webrtcvad judges the chunks at the client's own rate. An utterance begins 300 ms before its first voiced chunk and ends
after 600 ms without one; it is then heard at once. A text from us is always a transcript: what is wrong is told by
the close reason.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import Final

import numpy as np
import webrtcvad

from V3.audio.pcm import PCM_SCALE, RATE_HZ, Audio, from_l16, quietest_sample, resample, rms_dbfs, to_l16
from V3.errors import ConfigError, WireError
from V3.wire.dialect import TAIL_AFTER_S, Action, Decode, Dialect, Say, json_object

__all__ = ["PcmVad", "checked_rate"]

RATES_HZ: Final = (8000, 16_000, 32_000, 48_000)
_CHUNKS_MS: Final = (10, 20, 30)
_PREROLL_MS: Final = 300
_END_MS: Final = 600
_START_MS: Final = 60  # of voice within 90 ms
_START_SPAN_MS: Final = 90
_MAX_S: Final = 28  # of one decode: a longer utterance is cut at its quietest spot
_CUT_SEARCH_S: Final = 3
_FLOOR_DBFS: Final = -55.0  # webrtcvad calls hiss speech; no speech is fainter
_PRIMING_MS: Final = 500


def checked_rate(value: object) -> int:
    """A sampling rate that webrtcvad knows. Raises WireError naming those."""
    text = str(value)[:20]
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) not in RATES_HZ:
        raise WireError(f"sample_rate is 8000, 16000, 32000 or 48000, not {text!r}", close_code=1008)
    return int(text)


class PcmVad(Dialect):
    """One client; ``rate_hz`` is what its query said. Raises ConfigError for an aggressiveness beyond 0 to 3."""

    name = "vad"

    def __init__(self, *, rate_hz: int = 16_000, aggressiveness: int = 2) -> None:
        if aggressiveness not in range(4):
            raise ConfigError(f"aggressiveness is 0 to 3, not {aggressiveness}")
        self._mode = aggressiveness
        self._due_s: float | None = None
        self._begin(rate_hz)

    def text(self, message: str, *, now_s: float) -> list[Action]:
        """``{"sample_rate": 8000}``, before audio or in between."""
        data = json_object(message)
        if "sample_rate" not in data:
            raise WireError('text is {"sample_rate": 8000, 16000, 32000 or 48000}; audio is binary')
        rate_hz = checked_rate(data["sample_rate"])
        ended = self._end()
        self._begin(rate_hz)
        return ended

    def binary(self, data: bytes, *, now_s: float) -> list[Action]:
        """A chunk. One shorter than 30 ms of another length is a recording's last: silence fills it up."""
        if len(data) % 2:
            raise WireError(f"{len(data)} bytes: whole samples of 16 bits are taken")
        self._due_s = now_s + TAIL_AFTER_S
        per_ms = 2 * self._rate_hz // 1000
        size = next((ms * per_ms for ms in _CHUNKS_MS if len(data) <= ms * per_ms), None)
        if size is None:
            raise WireError(f"{len(data)} bytes: chunks of 10, 20 or 30 ms at {self._rate_hz} Hz are taken")
        return self._judge(data.ljust(size, b"\0"), size // per_ms) if data else []

    def decoded(self, audio: Audio, text: str, *, took_s: float, now_s: float) -> list[Action]:
        return [Say(text)] if text else []

    @property
    def due_s(self) -> float | None:
        return self._due_s if self._speaking else None

    def tick(self, *, now_s: float) -> list[Action]:
        if self._due_s is None or now_s < self._due_s:
            return []
        return self._end()

    def _begin(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._vad = _primed(self._mode, rate_hz)
        self._forget()

    def _forget(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._chunks_ms = 0
        self._recent: deque[tuple[int, bool]] = deque()
        self._speaking = False
        self._silent_ms = 0
        self._due_s = None

    def _judge(self, chunk: bytes, ms: int) -> list[Action]:
        voiced = bool(self._vad.is_speech(chunk, self._rate_hz)) and rms_dbfs(from_l16(chunk)) > _FLOOR_DBFS
        self._chunks.append(chunk)
        self._chunks_ms += ms
        if not self._speaking:
            self._listen(ms, voiced=voiced)
            return []
        self._silent_ms = 0 if voiced else self._silent_ms + ms
        if self._silent_ms >= _END_MS:
            return self._end()
        return self._cut() if self._chunks_ms >= _MAX_S * 1000 else []

    def _listen(self, ms: int, *, voiced: bool) -> None:
        """Nobody speaks: begin an utterance, or let go of what lies before one."""
        self._recent.append((ms, voiced))
        while sum(each for each, _ in self._recent) > _START_SPAN_MS:
            self._recent.popleft()
        if voiced and sum(each for each, heard in self._recent if heard) >= _START_MS:
            self._speaking, self._silent_ms = True, 0
            return
        while self._chunks_ms > _PREROLL_MS + _START_SPAN_MS:
            self._chunks_ms -= len(self._chunks.popleft()) * 1000 // (2 * self._rate_hz)

    def _end(self) -> list[Action]:
        spoken = self._audio() if self._speaking else None
        self._forget()
        return [Decode(spoken)] if spoken is not None else []

    def _cut(self) -> list[Action]:
        audio = self._audio()
        at = audio.size - _CUT_SEARCH_S * RATE_HZ
        at += quietest_sample(audio[at:], block_ms=60)
        rest = to_l16(resample(audio[at:], from_hz=RATE_HZ, to_hz=self._rate_hz))
        self._chunks = deque([rest])
        self._chunks_ms = len(rest) * 1000 // (2 * self._rate_hz)
        return [Decode(audio[:at])]

    def _audio(self) -> Audio:
        return resample(from_l16(b"".join(self._chunks)), from_hz=self._rate_hz, to_hz=RATE_HZ)


def _primed(mode: int, rate_hz: int) -> webrtcvad.Vad:
    """A detector that has heard half a second of hiss: a fresh one calls the first 100 ms of any line speech."""
    detector = webrtcvad.Vad(mode)
    hiss, size = _hiss(rate_hz), 2 * rate_hz // 100
    for start in range(0, len(hiss), size):
        detector.is_speech(hiss[start : start + size], rate_hz)
    return detector


@functools.cache
def _hiss(rate_hz: int) -> bytes:
    """White noise at -61 dBFS, the same every time."""
    noise = np.random.default_rng(0).normal(scale=30 / PCM_SCALE, size=_PRIMING_MS * rate_hz // 1000)
    return to_l16(noise.astype(np.float32))
