"""Recordings on disk as 16 kHz mono samples: WAV with the standard library, anything else with PyAV (FFmpeg)."""

from __future__ import annotations

import wave
from pathlib import Path

import av.error
import numpy as np
from faster_whisper import decode_audio

from V3.audio.pcm import RATE_HZ, Audio, deinterleave, from_l16, resample
from V3.errors import AudioError

__all__ = ["read_audio"]


def read_audio(path: str | Path) -> Audio:
    """The whole file, its channels mixed. Raises AudioError for a file that is missing, empty or no audio."""
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    try:
        with wave.open(str(path), "rb") as recording:
            if recording.getsampwidth() == 2:
                return _read_l16(recording)
    except (wave.Error, EOFError):
        pass  # not WAV, or a WAV of another format (mu-law, float): FFmpeg knows them
    return _read_any(path)


def _read_l16(recording: wave.Wave_read) -> Audio:
    channels = recording.getnchannels()
    data = recording.readframes(recording.getnframes())
    samples = from_l16(data[: len(data) // (2 * channels) * (2 * channels)])  # a cut recording may end inside a sample
    mono: Audio = np.asarray(sum(deinterleave(samples, channels)) / np.float32(channels), dtype=np.float32)
    return resample(mono, from_hz=recording.getframerate(), to_hz=RATE_HZ)


def _read_any(path: Path) -> Audio:
    try:
        samples = decode_audio(str(path), sampling_rate=RATE_HZ)
    except (av.error.FFmpegError, IndexError, OSError, ValueError) as exc:
        raise AudioError(f"{path}: no audio that can be read ({exc})") from exc
    return np.asarray(samples, dtype=np.float32)
