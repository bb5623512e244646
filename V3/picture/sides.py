"""Both sides of a recorded call, out of the stereo WAV that FreeSWITCH wrote: the callee left, our prompts right."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from V3.calls.report import CallReport
from V3.errors import AudioError

__all__ = ["Samples", "Sides", "find_recording", "peaks", "read_sides", "wav_bytes"]

Samples: TypeAlias = npt.NDArray[np.int16]
MAX_FILE_BYTES = 500_000_000  # over two hours of stereo at 16 kHz


@dataclass(frozen=True, slots=True)
class Sides:
    """``from_ms`` is the moment of the first sample, in ms after the answer."""

    callee: Samples
    robot: Samples
    rate_hz: int
    from_ms: int

    @property
    def until_ms(self) -> int:
        return self.from_ms + self.callee.size * 1000 // self.rate_hz


def find_recording(report: CallReport, beside: Path) -> Path | None:
    """The call's WAV: beside its report (copied from FreeSWITCH's machine), or where FreeSWITCH wrote it."""
    copied = beside.parent / f"{beside.stem}.wav"
    for path in (copied, Path(report.recording)) if report.recording else (copied,):
        if path.suffix == ".wav" and path.is_file():
            return path
    return None


def read_sides(path: Path, *, from_ms: int) -> Sides:
    """Read a stereo WAV of 16 bit. Raises AudioError naming the file for anything else."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AudioError(f"{path}: over {MAX_FILE_BYTES} bytes")
        with wave.open(str(path), "rb") as file:
            layout, rate_hz = (file.getnchannels(), file.getsampwidth()), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as exc:
        raise AudioError(f"{path}: no recording that can be read ({exc}); one of a call in progress cannot") from exc
    if layout != (2, 2) or rate_hz not in (8000, 16000):
        raise AudioError(
            f"{path}: {layout[0]} channels of {8 * layout[1]} bit at {rate_hz} Hz; stereo, 16 bit is taken"
        )
    both = np.frombuffer(data[: len(data) // 4 * 4], dtype="<i2").reshape(-1, 2)
    return Sides(both[:, 0].astype(np.int16), both[:, 1].astype(np.int16), rate_hz, from_ms)


def peaks(samples: Samples, columns: int) -> tuple[Samples, Samples]:
    """The lowest and highest sample of each of so many columns, for drawing."""
    columns = max(1, min(columns, samples.size))
    starts = np.linspace(0, samples.size, columns, endpoint=False).astype(np.intp)
    if not samples.size:
        return np.zeros(1, np.int16), np.zeros(1, np.int16)
    return np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def wav_bytes(samples: Samples, rate_hz: int) -> bytes:
    """A mono WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()
