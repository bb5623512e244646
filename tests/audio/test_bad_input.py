"""What as_frame and as_audio promise of input that nobody should send: refused by name, or taken as it is."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.audio.pcm import FRAME_SAMPLES, Audio, as_audio, as_frame
from V3.errors import AudioError

FRAME_BYTES = 2 * FRAME_SAMPLES


def quiet(frames: int = 1) -> Audio:
    return np.full(frames * FRAME_SAMPLES, 0.25, dtype=np.float32)


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (quiet().astype(">f4"), ">f4"),
        (quiet().astype(np.float16), "float16"),
        (quiet().astype(np.complex64), "complex64"),
        (quiet().astype(object), "object"),
        (np.zeros(FRAME_SAMPLES, dtype=np.uint8), "uint8"),
        (np.zeros(FRAME_SAMPLES, dtype=np.bool_), "bool"),
        (np.zeros(FRAME_SAMPLES, dtype=np.int32), "int32"),
        (quiet().reshape(FRAME_SAMPLES, 1), r"\(320, 1\)"),
        (quiet().reshape(1, 1, FRAME_SAMPLES), r"\(1, 1, 320\)"),
        (np.array(0.25, dtype=np.float32), r"shape \(\)"),
        (np.float32(0.25), "float32"),
        (array.array("h", [0] * FRAME_SAMPLES), "array"),
        ("\0" * FRAME_BYTES, "str"),
        (0, "int"),
        (tuple(quiet()), "tuple"),
    ],
)
def test_other_types_and_shapes_are_refused_by_name(frame: Any, named: str) -> None:
    for take in (as_frame, as_audio):
        with pytest.raises(AudioError, match=named):
            take(frame)


@given(
    frames=st.integers(1, 100),
    place=st.floats(0, 1, exclude_max=True),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_one_value_that_is_no_number_is_found_wherever_it_is(frames: int, place: float, value: float) -> None:
    audio = quiet(frames)
    audio[int(place * audio.size)] = value
    with pytest.raises(AudioError, match="NaN or infinity"):
        as_frame(audio)


@given(st.integers(0, 4 * FRAME_BYTES))
def test_bytes_are_taken_in_whole_frames_only(count: int) -> None:
    data = b"\x01" * count
    if count and count % FRAME_BYTES == 0:
        assert as_frame(data).size == count // 2
    else:
        with pytest.raises(AudioError, match=f"{count} bytes" if count % 2 else f"{count // 2} were given"):
            as_frame(data)


@given(st.integers(0, 4 * FRAME_SAMPLES))
def test_samples_are_taken_in_whole_frames_only(count: int) -> None:
    audio = np.zeros(count, dtype=np.float32)
    if count and count % FRAME_SAMPLES == 0:
        assert as_frame(audio) is audio
    else:
        with pytest.raises(AudioError, match=f"{count} were given"):
            as_frame(audio)


def test_twice_full_scale_is_the_last_that_is_taken() -> None:
    limit = np.float32(2.0)
    for sign in (1, -1):
        assert as_frame(sign * np.full(FRAME_SAMPLES, limit)).size == FRAME_SAMPLES
        with pytest.raises(AudioError, match="magnitude 2"):
            as_frame(sign * np.full(FRAME_SAMPLES, np.nextafter(limit, np.float32(3))))


def test_int16_values_passed_as_floats_are_refused_even_when_they_are_faint() -> None:
    with pytest.raises(AudioError, match="magnitude 3"):
        as_frame(np.array([3, -2, 1, 0] * 80, dtype=np.int16).astype(np.float32))


def test_views_into_larger_arrays_are_taken_as_they_are() -> None:
    ramp = np.linspace(-1, 1, 4 * FRAME_SAMPLES, dtype=np.float32)
    ramp.setflags(write=False)
    # every other sample (one side of interleaved stereo), backwards, read-only: values matter, not memory
    for view in (ramp[::2], ramp[::-1], ramp[1 : 1 + FRAME_SAMPLES]):
        assert as_frame(view).tolist() == view.tolist()


def test_ten_minutes_in_one_frame_are_taken() -> None:
    assert as_frame(quiet(30_000)).size == 9_600_000


def test_what_was_refused_has_not_been_changed() -> None:
    audio = quiet()
    audio[7] = np.inf
    before = audio.tobytes()
    with pytest.raises(AudioError):
        as_frame(audio)
    assert audio.tobytes() == before


def test_nothing_at_all_is_audio_but_no_frame() -> None:
    for nothing in (b"", bytearray(), np.zeros(0, dtype=np.float32)):
        assert as_audio(nothing).size == 0
        with pytest.raises(AudioError, match="0 were given"):
            as_frame(nothing)
