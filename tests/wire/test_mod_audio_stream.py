"""mod_audio_stream's dialect: paths, samples in any chunks, texts; and that only WireError escapes."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.audio.pcm import FRAME_SAMPLES, Audio, to_l16
from V3.errors import WireError
from V3.wire.mod_audio_stream import CallAudio, CallPath, ModAudioStream, call_url, parse_path

UUID = "6f1b0f8c-2a43-4a8f-9d3e-0c4c1f7a9b11"


def heard(dialect: ModAudioStream, data: bytes, cuts: list[int]) -> list[CallAudio]:
    """The dialect's answers to ``data`` sent in messages that end at ``cuts``."""
    ends = [*sorted(cut for cut in cuts if cut < len(data)), len(data)]
    starts = [0, *ends]
    answers = [dialect.binary(data[start:end]) for start, end in zip(starts, ends, strict=False)]
    return [answer for answer in answers if answer is not None]


def joined(parts: list[Audio]) -> Audio:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def tone(samples: int, *, hz: float, rate_hz: int) -> Audio:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz), dtype=np.float32)


# ---- paths


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (f"/call/{UUID}", CallPath(UUID)),
        (f"/call/{UUID}?rate=8000", CallPath(UUID, rate_hz=8000)),
        (f"/call/{UUID}?rate=16000&channels=2&token=a%20b%26c", CallPath(UUID, 16000, 2, "a b&c")),
        (f"/call/{UUID}?other=1#part", CallPath(UUID)),
        ("/call/A.b_c-1", CallPath("A.b_c-1")),
        (f"/call/{'x' * 128}", CallPath("x" * 128)),
    ],
)
def test_what_a_path_says(target: str, path: CallPath) -> None:
    assert parse_path(target) == path


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/call",
        "/call/",
        f"/call/{UUID}/",
        f"/call/{UUID}/robot",
        f"/calls/{UUID}",
        f"/x/call/{UUID}",
        f"http://h/call/{UUID}",
        "/call/..",
        "/call/-x",
        "/call/a b",
        "/call/a%2Fb",
        "/call/é",
        f"/call/{'x' * 129}",
        "//[",  # a URL parser would raise an error of its own
        "//h/call/x",
    ],
)
def test_other_paths_are_refused(target: str) -> None:
    with pytest.raises(WireError, match="/call/<uuid> is taken") as caught:
        parse_path(target)
    assert caught.value.close_code == 1008


@pytest.mark.parametrize(
    "query", ["rate=44100", "rate=x", "channels=3", "channels=0", "rate", "&".join("abcdefghi"), "rate=1e4"]
)
def test_other_queries_are_refused(query: str) -> None:
    with pytest.raises(WireError, match="taken"):
        parse_path(f"/call/x?{query}")


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(parse_path("/call/x?token=s3cret"))
    with pytest.raises(WireError) as caught:
        parse_path("/call/x?s3cret")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text(max_size=30), st.sampled_from([8000, 16000]))
def test_the_url_for_freeswitch_says_what_is_read_back(token: str, rate_hz: int) -> None:
    url = call_url("ws://127.0.0.1:8766/", UUID, rate_hz=rate_hz, token=token)
    parts = urlsplit(url)
    assert url.isascii()
    assert " " not in url
    assert parse_path(f"{parts.path}?{parts.query}") == CallPath(UUID, rate_hz, 1, token)


# ---- samples

SAMPLES = np.random.default_rng(3).integers(-32768, 32767, size=4 * FRAME_SAMPLES + 100, dtype=np.int16)
CUTS = st.lists(st.integers(0, SAMPLES.nbytes // 4).map(lambda quarter: 4 * quarter), max_size=12)


@given(CUTS)
def test_any_chunking_gives_the_same_samples(cuts: list[int]) -> None:
    answers = heard(ModAudioStream(CallPath("c")), SAMPLES.tobytes(), cuts)
    whole = SAMPLES[: 4 * FRAME_SAMPLES].astype(np.float32) / 32768
    assert np.array_equal(joined([answer.callee for answer in answers]), whole)
    assert all(answer.callee.size % FRAME_SAMPLES == 0 and answer.robot is None for answer in answers)


@given(CUTS)
def test_any_chunking_of_8_khz_gives_the_same_samples(cuts: list[int]) -> None:
    path = CallPath("c", rate_hz=8000)
    one = joined([a.callee for a in heard(ModAudioStream(path), SAMPLES.tobytes(), [])])
    many = joined([a.callee for a in heard(ModAudioStream(path), SAMPLES.tobytes(), cuts)])
    size = min(one.size, many.size)  # the resampler may hold back a frame more of small pieces
    assert size >= one.size - FRAME_SAMPLES
    assert np.allclose(one[:size], many[:size], atol=1e-4)


@given(CUTS)
def test_any_chunking_of_stereo_gives_both_sides_on_one_clock(cuts: list[int]) -> None:
    pairs = SAMPLES.reshape(-1, 2)[: 2 * FRAME_SAMPLES].astype(np.float32) / 32768
    answers = heard(ModAudioStream(CallPath("c", channels=2)), SAMPLES.tobytes(), cuts)
    robots = [answer.robot for answer in answers if answer.robot is not None]
    assert [robot.size for robot in robots] == [answer.callee.size for answer in answers]
    assert np.array_equal(joined([answer.callee for answer in answers]), pairs[:, 0])
    assert np.array_equal(joined(robots), pairs[:, 1])


def test_8_khz_becomes_16_khz_of_the_same_sound() -> None:
    dialect = ModAudioStream(CallPath("c", rate_hz=8000))
    data = to_l16(tone(8000, hz=440, rate_hz=8000))
    audio = joined([a.callee for a in heard(dialect, data, list(range(0, len(data), 320)))])
    assert 14_000 < audio.size <= 16_000  # the resampler keeps under 0.1 s that later samples decide
    middle = audio[2000:12_000]
    strongest_hz = np.argmax(np.abs(np.fft.rfft(middle))) * 16_000 / middle.size
    assert strongest_hz == pytest.approx(440, abs=2)
    assert np.max(np.abs(middle)) == pytest.approx(0.5, abs=0.01)


def test_8_khz_stereo_keeps_the_sides_apart() -> None:
    dialect = ModAudioStream(CallPath("c", rate_hz=8000, channels=2))
    loud, mute = tone(8000, hz=440, rate_hz=8000), np.zeros(8000, dtype=np.float32)
    answers = heard(dialect, to_l16(np.stack([loud, mute], axis=1).reshape(-1)), [])
    assert np.max(np.abs(joined([a.callee for a in answers]))) > 0.4
    assert all(a.robot is not None and not np.any(a.robot) for a in answers)


def test_less_than_a_frame_waits_for_the_rest() -> None:
    dialect = ModAudioStream(CallPath("c"))
    assert dialect.binary(b"") is None
    assert dialect.binary(b"\1\0" * 319) is None
    answer = dialect.binary(b"\1\0" * 2)
    assert answer is not None
    assert answer.callee.size == 320


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (1, 641), (2, 2), (2, 1282), (2, 3)])
def test_half_a_sample_is_refused_and_the_stream_is_as_before(channels: int, size: int) -> None:
    dialect = ModAudioStream(CallPath("c", channels=channels))
    with pytest.raises(WireError, match=f"{size} bytes"):
        dialect.binary(b"\7" * size)
    answer = dialect.binary(bytes(640 * channels))
    assert answer is not None
    assert not np.any(answer.callee)


# ---- texts


def test_metadata_is_taken_whenever_it_comes_and_added_to() -> None:
    dialect = ModAudioStream(CallPath("c"))
    dialect.binary(bytes(640))
    dialect.text('{"call":"x","lang":"fr"}')
    dialect.text('{"lang":"de"}')
    assert dialect.metadata == {"call": "x", "lang": "de"}


@pytest.mark.parametrize("text", ["", "hello", "[1]", "3", '"x"', "null", '{"a":', "[" * 50_000, "{'a': 1}"])
def test_text_that_is_no_json_object_is_refused_and_nothing_is_taken(text: str) -> None:
    dialect = ModAudioStream(CallPath("c"))
    with pytest.raises(WireError, match="JSON") as caught:
        dialect.text(text)
    assert len(str(caught.value)) < 200
    assert dialect.metadata == {}


def test_metadata_is_bounded() -> None:
    dialect = ModAudioStream(CallPath("c"))
    dialect.text(json.dumps({str(n): n for n in range(64)}))
    with pytest.raises(WireError, match="64 keys"):
        dialect.text('{"one more": 1}')
    dialect.text('{"0": "changed"}')
    assert len(dialect.metadata) == 64


# ---- whatever comes


@given(st.text(max_size=80) | st.text("/call?&=#%[]:@.-a1", max_size=40))
def test_only_wire_errors_escape_from_a_path(target: str) -> None:
    for text in (target, f"/call/x?{target}", f"/call/{target}"):
        with contextlib.suppress(WireError):
            assert parse_path(text).call_id


@given(
    st.sampled_from([8000, 16000]),
    st.integers(1, 2),
    st.lists(st.binary(max_size=2000) | st.text(max_size=50), max_size=12),
)
def test_only_wire_errors_escape_from_messages(rate_hz: int, channels: int, messages: list[bytes | str]) -> None:
    dialect = ModAudioStream(CallPath("c", rate_hz, channels))
    for message in messages:
        with contextlib.suppress(WireError):
            if isinstance(message, str):
                dialect.text(message)
            elif (audio := dialect.binary(message)) is not None:
                assert audio.callee.size % FRAME_SAMPLES == 0
                assert np.all(np.abs(audio.callee) < 2)
