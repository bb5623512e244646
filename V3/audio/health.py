"""What is wrong with a call's incoming audio, found while it streams. A core: samples in, findings out.

Audio is judged in blocks of half a second. A kind of finding comes at most once in a stream, and only after several
blocks said the same, so that no short event makes one. What concerns speech is judged in blocks that are at least half
speech by the caller's voice activity; its speed (see :mod:`V3.audio.speech_speed` for how, and how often it is right)
in the first 12 s of them, the rest for as long as the stream lasts. Memory is constant: 40 kB.

Not found: speech so faint that voice activity (from -55 dBFS on) does not hear it at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np

from V3.audio.pcm import SAMPLES_PER_MS, SILENCE_DBFS, Audio, rms_dbfs
from V3.audio.speech_speed import BLOCK_SAMPLES, SpeechSpeed

__all__ = ["AudioHealth", "Finding", "FindingKind"]

_BLOCK_S: Final = 0.5

_FULL_SCALE: Final = 0.97  # mu-law ends at 0.980, A-law at 0.984
_CLIPPED_SHARE: Final = 0.005  # 99 of 100 blocks of speech that just reaches full scale stay below 0.002
_CLIPPED_BLOCKS, _CLIPPED_OF = 4, 6  # speech 6 dB too loud passes the share in 3 blocks of 5, 3 dB in 1 of 6

_OFFSET: Final = 0.01  # -40 dBFS; from -38 on, voice activity takes every frame for loud
_OFFSET_BLOCKS: Final = 8
_OFFSET_OF_RMS: Final = 0.7  # in one of them, a pause: clipped speech has a mean of its own, up to 0.1 of its RMS

_QUIET_DBFS: Final = -46.0  # of speech at -44 dBFS voice activity finds 73 % of what it finds at -20, at -48 60 %
_QUIET_BLOCKS: Final = 12

_GARBLED_SHARE: Final = 0.02  # at full scale: no speed to be told; L16 in the wrong byte order has 0.03
_SPEED_BLOCKS: Final = 24
_SPEED_AGREED: Final = 3


class FindingKind(StrEnum):
    CLIPPING = "clipping"
    DC_OFFSET = "dc_offset"
    TOO_QUIET = "too_quiet"
    WRONG_RATE = "wrong_rate"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the audio: sure at ``at_ms`` of audio heard; what was found, what it means, what to do.

    ``measured`` are the values behind it, units in their names.
    """

    kind: FindingKind
    at_ms: int
    message: str
    measured: Mapping[str, float]


class AudioHealth:
    """The health of one stream of 16 kHz audio. :meth:`push` every chunk; what it returns is new."""

    def __init__(self) -> None:
        self._block = np.zeros(BLOCK_SAMPLES, dtype=np.float32)
        self._filled = 0
        self._spoken = 0
        self._blocks = 0
        self._watches: list[_Watch] = [_Clipping(), _Offset(), _Quiet(), _Speed()]

    def push(self, audio: Audio, *, speaking: bool) -> list[Finding]:
        """Take float32 samples of any number, and whether voice activity says that somebody speaks in them.

        ``speaking`` is ``VoiceActivity.speaking`` after the same chunk.
        """
        found: list[Finding] = []
        start = 0
        while start < audio.size:
            taken = min(audio.size - start, BLOCK_SAMPLES - self._filled)
            self._block[self._filled : self._filled + taken] = audio[start : start + taken]
            self._filled += taken
            self._spoken += taken if speaking else 0
            start += taken
            if self._filled == BLOCK_SAMPLES:
                found += self._judge()
        return found

    def _judge(self) -> list[Finding]:
        self._blocks += 1
        at_ms = self._blocks * BLOCK_SAMPLES // SAMPLES_PER_MS
        speech = 2 * self._spoken >= BLOCK_SAMPLES
        self._filled = self._spoken = 0
        found = []
        for watch in [watch for watch in self._watches if speech or not watch.of_speech]:
            finding = watch.hear(self._block, at_ms)
            if finding is not None:
                found.append(finding)
            if finding is not None or watch.done:
                self._watches.remove(watch)
        return found


class _Watch(Protocol):
    """One kind of finding. Not asked again after its finding, nor once ``done``."""

    of_speech: bool
    done: bool

    def hear(self, block: Audio, at_ms: int) -> Finding | None: ...


class _Clipping:
    of_speech = True
    done = False

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=_CLIPPED_OF)

    def hear(self, block: Audio, at_ms: int) -> Finding | None:
        self._shares.append(_clipped_share(block))
        if sum(share >= _CLIPPED_SHARE for share in self._shares) < _CLIPPED_BLOCKS:
            return None
        share = sum(self._shares) / len(self._shares)
        message = (
            f"speech is clipped: {share:.1%} of its samples are at full scale. The sender's gain is too high, or it "
            "sends another encoding as L16: lower the gain, or send signed 16-bit little-endian samples"
        )
        return _finding(FindingKind.CLIPPING, at_ms, message, clipped_share=share)


class _Offset:
    of_speech = False
    done = False

    def __init__(self) -> None:
        self._means: deque[float] = deque(maxlen=_OFFSET_BLOCKS)
        self._of_rms: deque[float] = deque(maxlen=_OFFSET_BLOCKS)

    def hear(self, block: Audio, at_ms: int) -> Finding | None:
        mean = float(block.mean())
        self._means.append(mean)
        self._of_rms.append(abs(mean) / 10 ** (rms_dbfs(block) / 20))
        one_sided = max(min(self._means), -max(self._means)) >= _OFFSET
        if len(self._means) < _OFFSET_BLOCKS or not one_sided or max(self._of_rms) < _OFFSET_OF_RMS:
            return None
        mean = sum(self._means) / len(self._means)
        message = (
            f"the samples' mean is {mean:+.3f} instead of 0, so that silence sounds loud. A sound card adds it, or the "
            "samples are unsigned: remove it at the sender with a high-pass filter, or send signed samples"
        )
        return _finding(FindingKind.DC_OFFSET, at_ms, message, mean=mean)


class _Quiet:
    of_speech = True
    done = False

    def __init__(self) -> None:
        self._blocks = 0
        self._loudest_dbfs = SILENCE_DBFS

    def hear(self, block: Audio, at_ms: int) -> Finding | None:
        self._blocks += 1
        self._loudest_dbfs = max(self._loudest_dbfs, rms_dbfs(block - block.mean()))
        self.done = self._loudest_dbfs >= _QUIET_DBFS
        if self.done or self._blocks < _QUIET_BLOCKS:
            return None
        message = (
            f"speech was never louder than {self._loudest_dbfs:.0f} dBFS in {self._blocks * _BLOCK_S:.0f} s, and part "
            "of it goes unheard. The line or the microphone is too faint: raise the sender's gain by 20 dB"
        )
        return _finding(FindingKind.TOO_QUIET, at_ms, message, loudest_dbfs=self._loudest_dbfs)


class _Speed:
    of_speech = True
    done = False

    def __init__(self) -> None:
        self._speed = SpeechSpeed()
        self._blocks = 0
        self._factor = 1.0
        self._agreed = 0

    def hear(self, block: Audio, at_ms: int) -> Finding | None:
        if _clipped_share(block) > _GARBLED_SHARE:
            return None
        self._blocks += 1
        self._speed.push(block)
        self.done = self._speed.settled or self._blocks >= _SPEED_BLOCKS
        factor = self._speed.factor()
        self._agreed = self._agreed + 1 if factor == self._factor else 1
        self._factor = factor
        if factor == 1.0 or self._agreed < _SPEED_AGREED:
            return None
        return self._too_fast(at_ms) if factor > 1.0 else self._too_slow(at_ms)

    def _too_fast(self, at_ms: int) -> Finding:
        pitch_hz, high_db = self._speed.pitch_hz, self._speed.above_db(4500)
        message = (
            f"speech runs at twice its speed (pitch {pitch_hz:.0f} Hz): it is probably 8 kHz samples declared as "
            "16 kHz. Declare rate=8000, or start uuid_audio_stream with 16k"
        )
        return _finding(FindingKind.WRONG_RATE, at_ms, message, factor=2.0, pitch_hz=pitch_hz, above_4500_hz_db=high_db)

    def _too_slow(self, at_ms: int) -> Finding:
        high_db = self._speed.above_db(2250)
        message = (
            f"speech runs at half its speed (above 2250 Hz there is {high_db:.0f} dB): it is probably 16 kHz samples "
            "declared as 8 kHz. Declare rate=16000, or start uuid_audio_stream with 8k"
        )
        return _finding(FindingKind.WRONG_RATE, at_ms, message, factor=0.5, above_2250_hz_db=high_db)


def _clipped_share(block: Audio) -> float:
    return np.count_nonzero(np.abs(block) >= _FULL_SCALE) / block.size


def _finding(kind: FindingKind, at_ms: int, message: str, **measured: float) -> Finding:
    return Finding(kind, at_ms, message, MappingProxyType(measured))
