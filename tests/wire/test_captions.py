"""The captions dialect: what is answered to which message, in both modes."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import numpy as np
import pytest
from audio_samples import silence, speech
from hypothesis import given
from hypothesis import strategies as st

from V3.audio.pcm import Audio, resample, to_l16
from V3.errors import WireError
from V3.events import Final, Partial, Word
from V3.wire.captions import Captions
from V3.wire.dialect import Action, Clear, Configure, Decode, Feed, Say

NOW_S = 1_700_000_000.0


def captions() -> Captions:
    return Captions(model="telephone-fr")


def live() -> Captions:
    dialect = captions()
    dialect.text('{"type":"config","mode":"live"}', now_s=NOW_S)
    return dialect


def said(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(action.text) for action in actions if isinstance(action, Say)]


def wav(audio: Audio, *, rate_hz: int = 16_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(resample(audio, from_hz=16_000, to_hz=rate_hz), channels)
    with wave.open(file, "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(2)
        recording.setframerate(rate_hz)
        recording.writeframes(to_l16(samples))
    return file.getvalue()


def tone(seconds: float, *, gain: float = 0.3) -> Audio:
    return (gain * np.sin(np.arange(round(16_000 * seconds)) / 5)).astype(np.float32)


# ---- classic


def test_the_first_message_says_who_is_there() -> None:
    (hello,) = said(captions().opened(now_s=NOW_S))
    assert hello == {
        "type": "connected",
        "message": "connected to the voicebot's captions",
        "model": "telephone-fr",
        "timestamp": "2023-11-14T22:13:20.000+00:00",
    }


@pytest.mark.parametrize("second", [to_l16(tone(1)), tone(1).tobytes()], ids=["int16", "float32"])
def test_every_second_of_samples_is_answered_once(second: bytes) -> None:
    dialect = captions()
    for _ in range(3):
        assert said(dialect.binary(second, now_s=NOW_S)) == [{"type": "buffering", "buffered": 1.0, "needed": 2.0}]
        (decode,) = dialect.binary(second, now_s=NOW_S)
        assert isinstance(decode, Decode)
        np.testing.assert_allclose(decode.audio, np.tile(tone(1), 2), atol=1e-4)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (16_000, 2), (22_050, 1), (44_100, 2), (48_000, 1)])
def test_a_wav_of_any_rate_is_heard_whole(rate_hz: int, channels: int) -> None:
    (decode,) = captions().binary(wav(tone(3.3), rate_hz=rate_hz, channels=channels), now_s=NOW_S)
    assert isinstance(decode, Decode)
    assert decode.audio.size == pytest.approx(3.3 * 16_000, abs=2)
    assert np.max(np.abs(decode.audio[1000:40_000] - tone(3.3)[1000:40_000])) < 0.05


@given(st.lists(st.integers(1, 9000), max_size=12), st.sampled_from(["wav", "int16", "float32"]))
def test_pieces_of_any_size_give_the_same_samples(cuts: list[int], kind: str) -> None:
    audio = tone(2.4)
    data = {"wav": wav(audio), "int16": to_l16(audio), "float32": audio.tobytes()}[kind]
    dialect, heard, start = captions(), [], 0
    for size in [*cuts, len(data)]:
        heard += dialect.binary(data[start : start + size], now_s=NOW_S)
        start += size
    heard += dialect.tick(now_s=NOW_S + 2.5)
    samples = np.concatenate([action.audio for action in heard if isinstance(action, Decode)])
    assert audio.size - samples.size < 8000  # what is shorter than half a second is skipped
    np.testing.assert_allclose(samples, audio[: samples.size], atol=1e-4)
    assert [answer["type"] for answer in said(heard)] == ["buffering"] * len(said(heard))


def test_what_is_left_is_heard_when_no_more_comes_unless_it_is_too_short() -> None:
    dialect = captions()
    dialect.binary(wav(tone(1.2)), now_s=NOW_S)
    assert dialect.due_s == NOW_S + 2
    assert dialect.tick(now_s=NOW_S + 1.9) == []
    (decode,) = dialect.tick(now_s=NOW_S + 2)
    assert isinstance(decode, Decode)
    assert decode.audio.size == 1.2 * 16_000
    dialect.binary(to_l16(tone(0.4)), now_s=NOW_S + 3)
    assert dialect.tick(now_s=NOW_S + 5) == []
    assert dialect.due_s is None
    (answer,) = said(dialect.binary(to_l16(tone(1)), now_s=NOW_S + 6))
    assert answer["buffered"] == 1.0  # the skipped 0.4 s are gone


def test_a_transcription_says_how_long_it_took() -> None:
    dialect = captions()
    (first,) = said(dialect.decoded(tone(2), "Oui bonjour.", took_s=0.1, now_s=NOW_S))
    assert first == {
        "type": "transcription",
        "text": "Oui bonjour.",
        "duration": 2.0,
        "processing_time": 0.1,
        "rtf": 0.05,
        "start": 0.0,
        "end": 2.0,
        "timestamp": "2023-11-14T22:13:20.000+00:00",
    }
    (second,) = said(dialect.decoded(tone(2), "", took_s=0.1, now_s=NOW_S))
    assert (second["text"], second["start"]) == ("", 2.0)  # an answer all the same


def test_silence_is_answered_too_and_then_samples_are_told_apart() -> None:
    dialect = captions()
    assert said(dialect.binary(bytes(32_000), now_s=NOW_S))[0]["type"] == "buffering"
    dialect.binary(bytes(64_000), now_s=NOW_S)
    answers = dialect.binary(speech("au_travail").tobytes(), now_s=NOW_S)
    (decode,) = answers
    assert isinstance(decode, Decode)
    np.testing.assert_array_equal(decode.audio[-speech("au_travail").size :], speech("au_travail"))


@pytest.mark.parametrize("dbfs", [-3, -20, -40, -60])
@pytest.mark.parametrize("name", ["au_travail", "pas_joignable", "peut_etre"])
def test_int16_and_float32_are_never_taken_for_each_other(name: str, dbfs: int) -> None:
    audio = speech(name)
    audio = (audio / np.max(np.abs(audio)) * 10 ** (dbfs / 20)).astype(np.float32)
    for data in (to_l16(audio), audio.tobytes()):
        for size in (640, 1001, len(data)):
            dialect = captions()
            actions: list[Action] = []
            for start in range(0, len(data), size):
                actions += dialect.binary(data[start : start + size], now_s=NOW_S)
            actions += dialect.tick(now_s=NOW_S + 3)
            heard = np.concatenate([action.audio for action in actions if isinstance(action, Decode)])
            assert audio.size - heard.size < 8000
            np.testing.assert_allclose(heard, audio[: heard.size], atol=1 / 32768)


def test_what_was_declared_is_not_guessed_at() -> None:
    dialect = captions()
    dialect.text('{"type":"config","format":"float32"}', now_s=NOW_S)
    (decode,) = dialect.binary(silence(2).tobytes(), now_s=NOW_S)
    assert isinstance(decode, Decode)
    assert decode.audio.size == 32_000


# ---- live


def test_live_mode_feeds_frames_and_tells_partials_and_finals() -> None:
    dialect = captions()
    assert dialect.text('{"type":"config","mode":"live","language":"EN","task":"translate"}', now_s=NOW_S) == [
        Configure(language="en", task="translate", partials=True),
        Clear(),
    ]
    (feed,) = dialect.binary(to_l16(tone(1.01)), now_s=NOW_S)
    assert isinstance(feed, Feed)
    assert feed.audio.size == 16_000
    words = (Word("Oui", 100, 300),)
    (partial,) = dialect.event(
        Partial(call_id="x", at_ms=800, text="Oui", words=words, start_ms=100), now_s=NOW_S + 0.25
    )
    assert isinstance(partial, Say)
    assert partial.partial
    told = json.loads(partial.text)
    assert (told["partial"], told["text"], told["duration"], told["processing_time"]) == (True, "Oui", 0.7, 0.25)
    (final,) = dialect.event(
        Final(call_id="x", at_ms=1000, text="Oui.", words=words, start_ms=100, end_ms=900), now_s=NOW_S + 1
    )
    assert isinstance(final, Say)
    assert not final.partial
    assert (json.loads(final.text)["start"], json.loads(final.text)["end"]) == (0.1, 0.9)
    assert "partial" not in json.loads(final.text)


def test_what_was_buffered_is_not_lost_when_live_mode_begins() -> None:
    dialect = captions()
    dialect.binary(to_l16(tone(1)), now_s=NOW_S)
    *_, feed = dialect.text('{"type":"config","mode":"live"}', now_s=NOW_S)
    assert isinstance(feed, Feed)
    assert feed.audio.size == 16_000


def test_silence_ends_what_was_said_when_no_more_comes() -> None:
    dialect = live()
    dialect.binary(to_l16(tone(1)), now_s=NOW_S)
    assert dialect.due_s == NOW_S + 1
    (feed,) = dialect.tick(now_s=NOW_S + 1)
    assert isinstance(feed, Feed)
    assert not feed.audio.any()
    assert feed.audio.size >= 0.6 * 16_000
    assert dialect.due_s is None


def test_an_empty_final_is_told_only_where_a_partial_was_shown() -> None:
    dialect = live()
    empty = Final(call_id="x", at_ms=900, text="", words=(), start_ms=0, end_ms=500)
    assert dialect.event(empty, now_s=NOW_S) == []
    dialect.event(Partial(call_id="x", at_ms=800, text="Oui", words=(), start_ms=0), now_s=NOW_S)
    assert [answer["text"] for answer in said(dialect.event(empty, now_s=NOW_S))] == [""]


# ---- texts


def test_ping_and_clear() -> None:
    dialect = captions()
    assert said(dialect.text('{"type":"ping"}', now_s=NOW_S))[0]["type"] == "pong"
    dialect.binary(to_l16(tone(1)), now_s=NOW_S)
    assert dialect.text('{"type":"clear_buffer"}', now_s=NOW_S) == [Clear()]
    assert dialect.due_s is None
    assert said(dialect.binary(to_l16(tone(1)), now_s=NOW_S))[0]["buffered"] == 1.0


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("", "not JSON"),
        ("[]", "JSON object"),
        ("{}", "type is config, clear_buffer or ping"),
        ('{"type":"config","mode":"fast"}', "mode is classic or live"),
        ('{"type":"config","task":"summarise"}', "task is transcribe or translate"),
        ('{"type":"config","language":7}', "language is a code"),
        ('{"type":"config","format":"mp3"}', "format is int16 or float32"),
        ('{"type":"config","chunk_duration":NaN}', "chunk_duration is 0.5 to 28"),
        ('{"type":"config","chunk_duration":true}', "chunk_duration is 0.5 to 28"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "30001 characters"),
    ],
)
def test_texts_that_are_refused_change_nothing(message: str, named: str) -> None:
    dialect = captions()
    with pytest.raises(WireError, match=named):
        dialect.text(message, now_s=NOW_S)
    assert said(dialect.binary(to_l16(tone(1)), now_s=NOW_S)) == [{"type": "buffering", "buffered": 1.0, "needed": 2.0}]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"RIFF\x00\x00\x00\x00AVI LIST    ", "no WAVE"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "without a format"),
        (wav(tone(1))[:20] + b"\x55" + wav(tone(1))[21:], "format 85"),
        (np.full(9000, np.nan, np.float32).tobytes(), "float32: audio holds NaN"),
    ],
)
def test_broken_audio_is_named_and_the_next_message_is_heard(data: bytes, named: str) -> None:
    dialect = captions()
    dialect.text('{"type":"config","format":"float32"}', now_s=NOW_S)
    with pytest.raises(WireError, match=named):
        dialect.binary(data, now_s=NOW_S)
    (decode,) = dialect.binary(wav(tone(2)), now_s=NOW_S)
    assert isinstance(decode, Decode)
