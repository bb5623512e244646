"""What ``playback`` plays, and how far it got: the sound behind a path, an offset, one run between START and STOP.

``path@@SAMPLES`` as measured on FreeSWITCH 1.10.12: it is taken apart at the path's first ``@``, if another follows,
and PLAYBACK events name the path without it. The offset counts samples of the file. Beyond the file's end, or below
0, it lands on the last sample (libsndfile's seek fails, and the module goes to one before the end); at the end
nothing is left. The position told at the stop is the offset, in the file's samples, and what was played, in the
channel's: for a file of 16 kHz the two do not add up.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from V3.errors import SimulatorError
from V3.simulator.clock import FRAME_MS
from V3.simulator.sound import LEG_RATE_HZ, Sound, load_sound, tone

__all__ = ["PlayRun", "prompt_sound", "seek", "split_offset"]

_TONE = re.compile(r"%\((\d+),(\d+),(\d+(?:\.\d+)?)")
_INTEGER = re.compile(r"\s*(-?\d+)")


@dataclass(slots=True)
class PlayRun:
    """One playback between START and STOP. ``offset_samples`` is where in the file it began, in the file's samples."""

    path: str
    sound: Sound
    started_ms: float
    resumed_ms: float
    offset_samples: int = 0
    played_ms: float = 0.0  # before the last resumption
    broken: bool = False

    @property
    def begin_ms(self) -> float:
        """Where in the file it began."""
        return 1000.0 * self.offset_samples / self.sound.file_hz

    @property
    def length_ms(self) -> float:
        """From there to the file's end."""
        return max(0.0, self.sound.duration_ms - self.begin_ms)

    @property
    def end_ms(self) -> float:
        """When it will be over: whole frames are sent, the last one filled up with silence."""
        left_ms = self.length_ms - self.played_ms
        whole_ms = left_ms if math.isinf(left_ms) else math.ceil(round(left_ms / FRAME_MS, 6)) * FRAME_MS
        return self.resumed_ms + whole_ms

    def heard_ms(self, now_ms: float) -> float:
        """How much of it was played."""
        return min(self.length_ms, self.played_ms + max(0.0, now_ms - self.resumed_ms))


def split_offset(argument: str) -> tuple[str, int]:
    """The path and the offset in ``path@@samples``; 0 where there is none that counts."""
    at = argument.find("@")
    if at < 0 or not argument.startswith("@@", at):
        return argument, 0
    number = _INTEGER.match(argument, at + 2)
    samples = int(number[1]) if number else 0
    return argument[:at], samples if samples >= 0 else 1 << 32  # it is unsigned: below 0 lies beyond every end


def prompt_sound(path: str) -> Sound | None:
    """What ``playback`` finds under ``path``: a WAV, ``tone_stream://``, ``silence_stream://``, ``file_string://``.

    None where FreeSWITCH would answer FILE NOT FOUND. Leading ``{parameters}`` are taken.
    """
    if path.startswith("{"):
        path = path.partition("}")[2]
    scheme, found, rest = path.partition("://")
    if not found:
        return _file(path)
    if scheme == "silence_stream":
        length = rest.split(",", 1)[0]
        if length in ("-1", "0"):
            return Sound(np.zeros(0, np.int16), endless=True)
        return Sound(np.zeros(int(length) * LEG_RATE_HZ // 1000, np.int16)) if length.isdigit() else None
    if scheme == "tone_stream":
        match = _TONE.search(rest)
        return tone(float(match[3]), float(match[1])) if match else None
    if scheme == "file_string":
        parts = [_file(part) for part in rest.split("!")]
        known = [part.at(LEG_RATE_HZ) for part in parts if part is not None]
        return Sound(np.concatenate(known)) if known else None
    return None


def seek(path: str, sound: Sound, samples: int) -> int:
    """Where a playback asked to begin ``samples`` into the file begins; streams cannot seek."""
    if not samples or path.startswith(("tone_stream://", "silence_stream://")):
        return 0
    return samples if samples <= sound.file_samples else max(0, sound.file_samples - 1)


def _file(path: str) -> Sound | None:
    try:
        return load_sound(Path(path))
    except SimulatorError:
        return None
