"""WAV in pieces: every format that is taken, and what is not."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.audio.pcm import to_alaw, to_l16, to_mulaw
from V3.errors import WireError
from V3.wire.wav_stream import WavStream

TONE = (0.5 * np.sin(np.arange(1600) / 7)).astype(np.float32)


def wav(data: bytes, *, tag: int = 1, bits: int = 16, channels: int = 1, size: int | None = None) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, 16_000, 16_000 * block, block, bits)
    return (
        b"RIFF\xff\xff\xff\xffWAVE"
        + struct.pack("<4sI", b"fmt ", len(form))
        + form
        + struct.pack("<4sI", b"LIST", 3)
        + b"abc\0"
        + struct.pack("<4sI", b"data", len(data) if size is None else size)
        + data
    )


def l24(audio: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    return b"".join(int(v * 8388607).to_bytes(3, "little", signed=True) for v in audio.tolist())


@pytest.mark.parametrize(
    ("data", "tag", "bits", "error"),
    [
        (((TONE * 127) + 128).astype(np.uint8).tobytes(), 1, 8, 0.02),
        (to_l16(TONE), 1, 16, 1e-4),
        (l24(TONE), 1, 24, 1e-4),
        ((TONE * 2147483000.0).astype("<i4").tobytes(), 1, 32, 1e-4),
        (TONE.tobytes(), 3, 32, 0.0),
        (TONE.astype("<f8").tobytes(), 3, 64, 0.0),
        (to_alaw(TONE), 6, 8, 0.03),
        (to_mulaw(TONE), 7, 8, 0.03),
    ],
)
def test_every_format_is_read(data: bytes, tag: int, bits: int, error: float) -> None:
    stream = WavStream()
    heard = stream.push(wav(data, tag=tag, bits=bits))
    assert stream.done
    np.testing.assert_allclose(heard, TONE, atol=error + 1e-7)


def test_tags_after_the_samples_are_left_out_and_an_unknown_length_goes_on() -> None:
    stream = WavStream()
    assert stream.push(wav(to_l16(TONE)) + b"LIST\x04\x00\x00\x00abcd").size == TONE.size
    assert stream.push(to_l16(TONE)).size == 0
    endless = WavStream()
    heard = [endless.push(wav(to_l16(TONE), size=0xFFFFFFFF)), endless.push(to_l16(TONE))]
    assert not endless.done
    assert sum(part.size for part in heard) == 2 * TONE.size


@given(st.binary(max_size=400), st.integers(1, 50))
def test_only_wire_errors_escape(rest: bytes, size: int) -> None:
    data = wav(to_l16(TONE))[: 30 + len(rest) % 60] + rest
    stream = WavStream()
    for start in range(0, len(data), size):
        try:
            heard = stream.push(data[start : start + size])
        except WireError:
            return
        assert np.isfinite(heard).all()


def test_a_header_that_never_ends_is_given_up() -> None:
    stream = WavStream()
    endless = b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f"
    assert stream.push(endless + bytes(60_000)).size == 0
    with pytest.raises(WireError, match="without samples in its first"):
        stream.push(bytes(10_000))
