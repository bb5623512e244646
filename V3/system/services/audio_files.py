"""Recordings on disk as 16 kHz mono samples: WAV with the standard library, anything else as file_audio.py does it.

What a header claims is not believed: of samples there are as many as the file has bytes for.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from V3.audio.pcm import RATE_HZ, Audio, deinterleave, from_l16, resample
from V3.errors import AudioError
from V3.system.services.file_audio import pieces_of

__all__ = ["read_audio"]

MAX_CHANNELS = 8
MAX_FILE_S = 4 * 3600.0  # of samples in memory: 920 MB


def read_audio(path: str | Path) -> Audio:
    """The whole file, its channels mixed. Raises AudioError for a file that is missing, empty or no audio."""
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    try:
        with wave.open(str(path), "rb") as recording:
            plain = recording.getsampwidth() == 2 and recording.getnchannels() <= MAX_CHANNELS
            if plain and 4000 <= recording.getframerate() <= 192_000:
                return _read_l16(recording, path.stat().st_size)
    except (wave.Error, EOFError):
        pass  # not WAV, or a WAV of another format (mu-law, float): FFmpeg knows them
    return _read_any(path)


def _read_l16(recording: wave.Wave_read, size_bytes: int) -> Audio:
    channels = recording.getnchannels()
    data = recording.readframes(min(recording.getnframes(), size_bytes // (2 * channels) + 1))
    samples = from_l16(data[: len(data) // (2 * channels) * (2 * channels)])  # a cut recording may end inside a sample
    mono: Audio = np.asarray(sum(deinterleave(samples, channels)) / np.float32(channels), dtype=np.float32)
    return resample(mono, from_hz=recording.getframerate(), to_hz=RATE_HZ)


def _read_any(path: Path) -> Audio:
    try:
        with path.open("rb") as file:
            pieces = list(pieces_of(file, max_s=MAX_FILE_S))
    except (AudioError, OSError) as exc:
        raise AudioError(f"{path}: {exc}") from exc
    if not pieces:
        raise AudioError(f"{path}: no sound in it")
    return np.concatenate(pieces)
