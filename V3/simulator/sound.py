"""Sounds of the simulator: WAV files, tones, and the timeline a leg's audio is rendered from.

A leg carries 8 kHz, as telephony does: 16 kHz files are brought down to it first, and brought up again for a 16 kHz
stream. Whole sounds are resampled and filtered once (soxr) and cached. Samples are int16.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import soxr

from V3.errors import SimulatorError

__all__ = ["LEG_RATE_HZ", "Segment", "Sound", "Timeline", "gain_of", "load_sound", "tone"]

LEG_RATE_HZ = 8000
TONE_PEAK = 10000
MAX_SOUND_BYTES = 64 << 20

Samples: TypeAlias = npt.NDArray[np.int16]

_HANDSET_HZ: Final = (300.0, 3000.0)  # what comes back from an earpiece to its microphone
_ONSET_BLOCK: Final = LEG_RATE_HZ // 200
_ONSET_DB: Final = 30.0
_HANDSET_TAPS: Final = 129  # odd: the filter is symmetric and delays by whole samples, which are taken back


class Sound:
    """Mono audio at the leg's 8 kHz; other rates on demand. ``endless`` is silence without end.

    ``file_hz`` and ``file_samples`` are those of the file it was read from: an offset of ``playback`` counts them.
    """

    def __init__(
        self, samples: Samples, *, endless: bool = False, file_hz: int = LEG_RATE_HZ, file_samples: int | None = None
    ) -> None:
        self._by_rate: dict[int, Samples] = {LEG_RATE_HZ: samples}
        self._echo: Sound | None = None
        self.duration_ms = math.inf if endless else 1000.0 * len(samples) / LEG_RATE_HZ
        self.file_hz = file_hz
        self.file_samples = len(samples) if file_samples is None else file_samples

    def at(self, rate_hz: int) -> Samples:
        """All samples at ``rate_hz``."""
        if rate_hz not in self._by_rate:
            source = self._by_rate[LEG_RATE_HZ]
            self._by_rate[rate_hz] = _resampled(source, LEG_RATE_HZ, rate_hz)
        return self._by_rate[rate_hz]

    @cached_property
    def onset_ms(self) -> float:
        """Where it is first to be heard: the first 5 ms that are at most 30 dB below its loudest; 0 for silence."""
        samples = self._by_rate[LEG_RATE_HZ].astype(np.float32)
        blocks = samples[: len(samples) // _ONSET_BLOCK * _ONSET_BLOCK].reshape(-1, _ONSET_BLOCK)
        power = np.square(blocks).mean(axis=1)
        loud = np.flatnonzero(power >= power.max(initial=0.0) * 10 ** (-_ONSET_DB / 10))
        return float(loud[0]) * 1000 * _ONSET_BLOCK / LEG_RATE_HZ if power.any() else 0.0

    def through_handset(self) -> Sound:
        """The same in the band that a handset's microphone hears of its own earpiece."""
        if self._echo is None:
            source = self._by_rate[LEG_RATE_HZ]
            heard = np.convolve(source.astype(np.float32), _handset(), mode="same") if len(source) else source
            self._echo = Sound(np.clip(heard[: len(source)], -32768, 32767).astype(np.int16))
        return self._echo


@lru_cache(maxsize=1)
def _handset() -> npt.NDArray[np.float32]:
    """A band pass as a windowed sinc."""
    at = np.arange(_HANDSET_TAPS) - _HANDSET_TAPS // 2
    low, high = (2 * hz / LEG_RATE_HZ for hz in _HANDSET_HZ)
    taps = (high * np.sinc(high * at) - low * np.sinc(low * at)) * np.hamming(_HANDSET_TAPS)
    return cast("npt.NDArray[np.float32]", taps.astype(np.float32))


def gain_of(level_db: float) -> float:
    """What a level in dB multiplies samples by."""
    return float(10.0 ** (level_db / 20.0))


def _resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    if from_hz == to_hz or not len(samples):
        return samples
    return cast("Samples", soxr.resample(samples, from_hz, to_hz, quality="HQ").astype(np.int16))


def load_sound(path: Path) -> Sound:
    """A WAV file of 8 or 16 kHz, mono, 16 bit. Raises SimulatorError naming the file for anything else."""
    try:
        status = path.stat()
    except OSError as error:
        raise SimulatorError(f"{path}: no such sound file") from error
    if status.st_size > MAX_SOUND_BYTES:
        raise SimulatorError(f"{path}: {status.st_size} bytes, up to {MAX_SOUND_BYTES} are taken")
    return _loaded(str(path), status.st_mtime_ns)


@lru_cache(maxsize=256)
def _loaded(path: str, _mtime_ns: int) -> Sound:
    try:
        with wave.open(path, "rb") as file:
            layout = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise SimulatorError(f"{path}: not a WAV file ({error})") from error
    if layout not in ((1, 2, 8000), (1, 2, 16000)):
        found = f"{layout[0]} channels of {8 * layout[1]} bit at {layout[2]} Hz"
        raise SimulatorError(f"{path}: {found}; mono, 16 bit at 8000 or 16000 Hz is taken")
    samples = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)
    leg = _resampled(samples, layout[2], LEG_RATE_HZ)
    return Sound(leg, file_hz=layout[2], file_samples=len(samples))


@lru_cache(maxsize=64)
def tone(hz: float, duration_ms: float) -> Sound:
    count = int(duration_ms * LEG_RATE_HZ / 1000)
    wave_form = TONE_PEAK * np.sin(2 * np.pi * hz * np.arange(count) / LEG_RATE_HZ)
    return Sound(wave_form.astype(np.int16))


@dataclass(slots=True)
class Segment:
    """One sound on a timeline: heard from ``start_ms`` to ``end_ms``, beginning ``offset_ms`` into the sound."""

    sound: Sound
    start_ms: float
    offset_ms: float
    end_ms: float
    gain: float = 1.0


class Timeline:
    """What one side of a call sounds like over time; segments may overlap and are summed."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []

    def add(self, sound: Sound, start_ms: float, *, offset_ms: float = 0.0, gain: float = 1.0) -> Segment:
        segment = Segment(sound, start_ms, offset_ms, start_ms + sound.duration_ms - offset_ms, gain)
        self.segments.append(segment)
        return segment

    def cut(self, at_ms: float) -> None:
        """Nothing sounds from ``at_ms`` on."""
        for segment in self.segments:
            segment.end_ms = min(segment.end_ms, at_ms)

    def mix_into(
        self,
        out: npt.NDArray[np.int32],
        from_ms: float,
        rate_hz: int,
        *,
        gain: float = 1.0,
        heard: Callable[[Sound], Sound] = lambda sound: sound,
    ) -> None:
        """Add what sounds from ``from_ms`` on to ``out`` (its length at ``rate_hz`` gives the duration).

        ``gain`` multiplies all of it; ``heard`` is what becomes of each sound on its way.
        """
        to_ms = from_ms + 1000.0 * len(out) / rate_hz
        for segment in self.segments:
            if segment.end_ms <= from_ms or segment.start_ms >= to_ms or math.isinf(segment.sound.duration_ms):
                continue
            samples = heard(segment.sound).at(rate_hz)
            first = round((from_ms - segment.start_ms + segment.offset_ms) * rate_hz / 1000)
            lowest = round(segment.offset_ms * rate_hz / 1000)
            highest = min(len(samples), lowest + round((segment.end_ms - segment.start_ms) * rate_hz / 1000))
            begin, end = max(first, lowest), min(first + len(out), highest)
            if begin < end:
                out[begin - first : end - first] += _amplified(samples[begin:end], gain * segment.gain)


def _amplified(samples: Samples, gain: float) -> npt.NDArray[np.int32] | Samples:
    return samples if gain == 1.0 else np.rint(samples * gain).astype(np.int32)
