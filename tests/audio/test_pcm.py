"""Samples in and out: scale, companding, rates, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.audio import pcm
from V3.audio.pcm import Audio
from V3.errors import AudioError


def tone(hz: float, *, rate_hz: int = 16_000, seconds: float = 1.0, level: float = 0.5) -> Audio:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


@given(st.binary(max_size=200).filter(lambda data: len(data) % 2 == 0))
def test_l16_survives_the_round_trip_exactly(data: bytes) -> None:
    assert pcm.to_l16(pcm.from_l16(data)) == data


def test_l16_is_little_endian_and_scaled_by_32768() -> None:
    assert pcm.from_l16(b"\x00\x40\x00\x80").tolist() == [0.5, -1.0]


def test_to_l16_clips_and_rounds() -> None:
    audio = np.array([2.0, -2.0, 1.4 / 32768, 1.6 / 32768], dtype=np.float32)
    assert np.frombuffer(pcm.to_l16(audio), "<i2").tolist() == [32767, -32768, 1, 2]


def test_half_a_sample_is_refused_with_its_length() -> None:
    with pytest.raises(AudioError, match="3 bytes"):
        pcm.from_l16(b"abc")


# what G.711 encoders give at segment edges; from the tables of ITU-T G.711 (linear, mu-law, A-law)
G711 = [
    (0, 0xFF, 0xD5),
    (-4, 0x7E, 0x55),
    (8, 0xFE, 0xD5),
    (100, 0xF2, 0xD3),
    (-100, 0x72, 0x53),
    (1000, 0xCE, 0xFA),
    (-1000, 0x4E, 0x7A),
    (10_000, 0x9C, 0xB6),
    (-10_000, 0x1C, 0x36),
    (32_767, 0x80, 0xAA),
    (-32_768, 0x00, 0x2A),
]


@pytest.mark.parametrize(("linear", "mulaw", "alaw"), G711)
def test_g711_encoding(linear: int, mulaw: int, alaw: int) -> None:
    audio = np.array([linear / 32768], dtype=np.float32)
    assert (pcm.to_mulaw(audio)[0], pcm.to_alaw(audio)[0]) == (mulaw, alaw)


def test_every_octet_survives_decoding_and_encoding() -> None:
    octets = bytes(range(256))
    assert pcm.to_alaw(pcm.from_alaw(octets)) == octets
    again = pcm.to_mulaw(pcm.from_mulaw(octets))
    assert [a for a, b in zip(octets, again, strict=True) if a != b] == [0x7F]  # minus zero becomes zero


@given(st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=50))
def test_companding_keeps_the_sign_and_is_within_a_sixteenth(samples: list[int]) -> None:
    audio = np.array(samples, dtype=np.float32) / np.float32(32768)
    for coded in (pcm.from_mulaw(pcm.to_mulaw(audio)), pcm.from_alaw(pcm.to_alaw(audio))):
        assert np.all(np.abs(coded - audio) <= np.abs(audio) / 16 + 16 / 32768)


def test_resampling_keeps_the_tone_and_its_length() -> None:
    up = pcm.resample(tone(440, rate_hz=8000), from_hz=8000, to_hz=16_000)
    assert up.dtype == np.float32
    assert up.size == 16_000
    assert np.max(np.abs(up[2000:-2000] - tone(440)[2000:-2000])) < 0.01


def test_equal_rates_give_the_same_samples() -> None:
    audio = tone(300)
    assert pcm.resample(audio, from_hz=16_000, to_hz=16_000) is audio
    assert np.array_equal(pcm.Resampler(8000, 8000).push(audio), audio)


def test_a_stream_resampled_in_pieces_is_the_whole_resampled() -> None:
    audio = tone(500, rate_hz=8000)
    stream = pcm.Resampler(8000, 16_000)
    pieces = [stream.push(audio[start : start + 160], last=start + 160 >= audio.size) for start in range(0, 8000, 160)]
    joined = np.concatenate(pieces)
    assert abs(joined.size - 16_000) <= 1
    assert np.max(np.abs(joined[1000:-1000] - tone(500)[1000 : joined.size - 1000])) < 0.01


@given(cuts=st.lists(st.integers(0, 700), max_size=12))
def test_a_telephones_rate_is_doubled_alike_however_it_comes(cuts: list[int]) -> None:
    audio = tone(440, rate_hz=8000)[:4000]
    stream, at, pieces = pcm.Resampler(8000, 16_000), 0, []
    for cut in cuts:
        pieces.append(stream.push(audio[at : at + cut]))
        at = min(at + cut, audio.size)
        assert sum(piece.size for piece in pieces) >= 2 * at - 24  # 1.5 ms behind
    pieces.append(stream.push(audio[at:], last=True))
    whole = pcm.Resampler(8000, 16_000).push(audio, last=True)
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-6)
    assert whole.size == 2 * audio.size


def test_a_telephones_band_passes_and_its_mirror_image_does_not() -> None:
    for hz in (300, 1000, 3400):
        doubled = pcm.Resampler(8000, 16_000).push(tone(hz, rate_hz=8000), last=True)[800:-800]
        spectrum = np.abs(np.fft.rfft(doubled * np.hanning(doubled.size)))
        bin_hz = 16_000 / doubled.size
        wanted, image = spectrum[round(hz / bin_hz)], spectrum[round((8000 - hz) / bin_hz)]
        assert 20 * np.log10(image / wanted) < -40
        assert pcm.rms_dbfs(doubled) == pytest.approx(pcm.rms_dbfs(tone(hz, rate_hz=8000)), abs=0.2)


@pytest.mark.parametrize("rate", [0, -8000])
def test_rates_that_are_none_are_refused(rate: int) -> None:
    with pytest.raises(AudioError, match=str(rate)):
        pcm.Resampler(rate, 16_000)


def test_levels() -> None:
    assert pcm.rms_dbfs(np.zeros(320, dtype=np.float32)) == pcm.SILENCE_DBFS
    assert pcm.rms_dbfs(np.zeros(0, dtype=np.float32)) == pcm.SILENCE_DBFS
    assert pcm.rms_dbfs(tone(1000, level=1.0)) == pytest.approx(-3.01, abs=0.02)
    assert pcm.peak(np.array([0.1, -0.7], dtype=np.float32)) == pytest.approx(0.7)
    assert pcm.peak(np.zeros(0, dtype=np.float32)) == 0.0


def test_deinterleaving() -> None:
    left, right = pcm.deinterleave(np.arange(6, dtype=np.float32), 2)
    assert (left.tolist(), right.tolist()) == ([0, 2, 4], [1, 3, 5])
    with pytest.raises(AudioError, match="5 samples"):
        pcm.deinterleave(np.arange(5, dtype=np.float32), 2)


def test_the_quietest_spot_is_found() -> None:
    audio = tone(200, seconds=1.0)
    audio[8000:8960] *= 0.01
    assert 8000 <= pcm.quietest_sample(audio, block_ms=60) < 8960
    with pytest.raises(AudioError, match="100 samples"):
        pcm.quietest_sample(audio[:100], block_ms=60)


@pytest.mark.parametrize("frames", [1, 2, 50])
def test_frames_are_taken_as_floats_and_as_l16_in_any_buffer(frames: int) -> None:
    audio = tone(400)[: 320 * frames]
    data = pcm.to_l16(audio)
    assert pcm.as_frame(audio) is audio
    for buffer in (data, bytearray(data), memoryview(data)):
        assert np.max(np.abs(pcm.as_frame(buffer) - audio)) <= 1 / 32768


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (np.zeros(0, dtype=np.float32), "0 were given"),
        (np.zeros(321, dtype=np.float32), "321 were given"),
        (b"\x00" * 642, "321 were given"),
        (b"\x00" * 641, "641 bytes"),
        (b"", "0 were given"),
        (np.zeros(320, dtype=np.float64), "float64"),
        (np.zeros(320, dtype=np.int16), "int16"),
        (np.zeros((2, 160), dtype=np.float32), r"\(2, 160\)"),
        ([0.0] * 320, "list"),
        (None, "NoneType"),
        (np.full(320, np.nan, dtype=np.float32), "NaN"),
        (np.full(320, -np.inf, dtype=np.float32), "NaN or infinity"),
        (np.full(320, 1234.0, dtype=np.float32), "1234"),
    ],
)
def test_what_is_no_frame_is_refused_and_named(frame: Any, named: str) -> None:
    with pytest.raises(AudioError, match=named):
        pcm.as_frame(frame)


def test_one_nan_among_good_samples_is_found() -> None:
    audio = tone(400)[:320].copy()
    audio[200] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        pcm.as_frame(audio)


def test_a_resampler_may_overshoot_full_scale_a_little() -> None:
    assert pcm.as_frame(np.full(320, 1.1, dtype=np.float32)).size == 320


def test_audio_of_any_length_is_taken_where_it_is_no_frame() -> None:
    assert pcm.as_audio(b"\x00\x40").tolist() == [0.5]
    assert pcm.as_audio(b"").size == 0
