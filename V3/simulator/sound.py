"""Sounds of the simulator: WAV files, tones, and the timeline a leg's audio is rendered from.

A leg carries 8 kHz, as telephony does: 16 kHz files are brought down to it first, and brought up again for a 16 kHz
stream. Whole sounds are resampled once (soxr) and cached. Samples are int16.
"""

from __future__ import annotations

import math
import re
import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import soxr

from V3.errors import SimulatorError

__all__ = ["LEG_RATE_HZ", "Segment", "Sound", "Timeline", "load_sound", "prompt_sound", "tone"]

LEG_RATE_HZ = 8000
TONE_PEAK = 10000
MAX_SOUND_BYTES = 64 << 20

Samples: TypeAlias = npt.NDArray[np.int16]

_TONE = re.compile(r"%\((\d+),(\d+),(\d+(?:\.\d+)?)")


class Sound:
    """Mono audio at the leg's 8 kHz; other rates on demand. ``endless`` is silence without end."""

    def __init__(self, samples: Samples, *, endless: bool = False) -> None:
        self._by_rate: dict[int, Samples] = {LEG_RATE_HZ: samples}
        self.duration_ms = math.inf if endless else 1000.0 * len(samples) / LEG_RATE_HZ

    def at(self, rate_hz: int) -> Samples:
        """All samples at ``rate_hz``."""
        if rate_hz not in self._by_rate:
            source = self._by_rate[LEG_RATE_HZ]
            self._by_rate[rate_hz] = _resampled(source, LEG_RATE_HZ, rate_hz)
        return self._by_rate[rate_hz]


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
    return Sound(_resampled(samples, layout[2], LEG_RATE_HZ))


@lru_cache(maxsize=64)
def tone(hz: float, duration_ms: float) -> Sound:
    count = int(duration_ms * LEG_RATE_HZ / 1000)
    wave_form = TONE_PEAK * np.sin(2 * np.pi * hz * np.arange(count) / LEG_RATE_HZ)
    return Sound(wave_form.astype(np.int16))


def prompt_sound(path: str) -> Sound | None:
    """What ``playback`` finds under ``path``: a WAV, ``tone_stream://``, ``silence_stream://``, ``file_string://``.

    None where FreeSWITCH would answer FILE NOT FOUND. Leading ``{parameters}`` and a trailing ``@@offset`` are taken.
    """
    if path.startswith("{"):
        path = path.partition("}")[2]
    scheme, found, rest = path.partition("://")
    if not found:
        return _file_prompt(path)
    if scheme == "silence_stream":
        length = rest.split(",", 1)[0]
        if length in ("-1", "0"):
            return Sound(np.zeros(0, np.int16), endless=True)
        return Sound(np.zeros(int(length) * LEG_RATE_HZ // 1000, np.int16)) if length.isdigit() else None
    if scheme == "tone_stream":
        match = _TONE.search(rest)
        return tone(float(match[3]), float(match[1])) if match else None
    if scheme == "file_string":
        parts = [_file_prompt(part) for part in rest.split("!")]
        known = [part.at(LEG_RATE_HZ) for part in parts if part is not None]
        return Sound(np.concatenate(known)) if known else None
    return None


def _file_prompt(path: str) -> Sound | None:
    name, _, offset = path.partition("@@")
    try:
        sound = load_sound(Path(name))
    except SimulatorError:
        return None
    if offset.isdigit() and int(offset):
        return Sound(sound.at(LEG_RATE_HZ)[int(offset) :])
    return sound


@dataclass(slots=True)
class Segment:
    """One sound on a timeline: heard from ``start_ms`` to ``end_ms``, beginning ``offset_ms`` into the sound."""

    sound: Sound
    start_ms: float
    offset_ms: float
    end_ms: float


class Timeline:
    """What one side of a call sounds like over time; segments may overlap and are summed."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []

    def add(self, sound: Sound, start_ms: float, *, offset_ms: float = 0.0) -> Segment:
        segment = Segment(sound, start_ms, offset_ms, start_ms + sound.duration_ms - offset_ms)
        self.segments.append(segment)
        return segment

    def cut(self, at_ms: float) -> None:
        """Nothing sounds from ``at_ms`` on."""
        for segment in self.segments:
            segment.end_ms = min(segment.end_ms, at_ms)

    def mix_into(self, out: npt.NDArray[np.int32], from_ms: float, rate_hz: int) -> None:
        """Add what sounds from ``from_ms`` on to ``out`` (its length at ``rate_hz`` gives the duration)."""
        to_ms = from_ms + 1000.0 * len(out) / rate_hz
        for segment in self.segments:
            if segment.end_ms <= from_ms or segment.start_ms >= to_ms or math.isinf(segment.sound.duration_ms):
                continue
            samples = segment.sound.at(rate_hz)
            first = round((from_ms - segment.start_ms + segment.offset_ms) * rate_hz / 1000)
            lowest = round(segment.offset_ms * rate_hz / 1000)
            highest = min(len(samples), lowest + round((segment.end_ms - segment.start_ms) * rate_hz / 1000))
            begin, end = max(first, lowest), min(first + len(out), highest)
            if begin < end:
                out[begin - first : end - first] += samples[begin:end]
