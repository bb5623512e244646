"""A call's recording as two sides."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from V3.calls.report import CallReport
from V3.errors import AudioError
from V3.picture.sides import find_recording, peaks, read_sides, wav_bytes


def write(path: Path, *, channels: int = 2, rate_hz: int = 8000, width: int = 2) -> Path:
    """A second: 1000 on the left, -500 on the right."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        both = np.tile(np.array([1000, -500][:channels], "<i2"), rate_hz)
        file.writeframes(both.tobytes() if width == 2 else bytes(rate_hz * channels))
    return path


def test_the_callee_is_left_and_the_robot_right(tmp_path: Path) -> None:
    sides = read_sides(write(tmp_path / "x.wav"), from_ms=20)
    assert (set(sides.callee), set(sides.robot)) == ({1000}, {-500})
    assert (sides.rate_hz, sides.from_ms, sides.until_ms) == (8000, 20, 1020)


@pytest.mark.parametrize("options", [{"channels": 1}, {"rate_hz": 44100}, {"width": 1}])
def test_another_layout_is_refused_by_name(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(AudioError, match="stereo, 16 bit is taken"):
        read_sides(write(tmp_path / "x.wav", **options), from_ms=0)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_file_of_a_call_in_progress_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"x\.wav: no recording that can be read"):
        read_sides(path, from_ms=0)


def test_one_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav")
    path.write_bytes(path.read_bytes()[:-4001])
    assert read_sides(path, from_ms=0).callee.size == 8000 - 1001


def test_a_copy_beside_the_report_comes_before_the_place_on_freeswitchs_machine(tmp_path: Path) -> None:
    there, beside = tmp_path / "there.wav", tmp_path / "c.wav"
    report = CallReport(call_id="c", number="1", started_at="now", recording=str(there))
    assert find_recording(report, tmp_path / "c.json") is None
    there.touch()
    assert find_recording(report, tmp_path / "c.json") == there
    beside.touch()
    assert find_recording(report, tmp_path / "c.json") == beside


def test_a_report_cannot_name_a_file_that_is_no_recording(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.touch()
    report = CallReport(call_id="c", number="1", started_at="now", recording=str(secret))
    assert find_recording(report, tmp_path / "c.json") is None


def test_peaks_keep_the_loudest_of_each_column() -> None:
    samples = np.zeros(1000, np.int16)
    samples[[10, 990]] = [-700, 900]
    low, high = peaks(samples, 10)
    assert (low[0], high[0], low[-1], high[-1]) == (-700, 0, 0, 900)
    assert [side.tolist() for side in peaks(np.zeros(0, np.int16), 10)] == [[0], [0]]


def test_what_is_played_is_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav_bytes(np.array([1, -2, 3], np.int16), 8000))
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 8000)
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [1, -2, 3]
