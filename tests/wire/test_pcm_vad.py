"""The dialect of PCM with voice detection: chunks in, one piece of audio per utterance out."""

from __future__ import annotations

import numpy as np
import pytest
from audio_samples import noise, silence, speech

from V3.audio.pcm import Audio, resample, to_l16
from V3.errors import ConfigError, WireError
from V3.wire.dialect import Decode, Say
from V3.wire.pcm_vad import PcmVad, checked_rate

NOW_S = 1_700_000_000.0


def utterances(dialect: PcmVad, audio: Audio, *, rate_hz: int = 16_000, ms: int = 20) -> list[Audio]:
    data = to_l16(resample(audio, from_hz=16_000, to_hz=rate_hz))
    size = 2 * rate_hz * ms // 1000
    heard = []
    for start in range(0, len(data), size):
        heard += dialect.binary(data[start : start + size], now_s=NOW_S)
    assert all(isinstance(action, Decode) for action in heard)
    return [action.audio for action in heard if isinstance(action, Decode)]


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 32_000, 48_000])
@pytest.mark.parametrize("ms", [10, 20, 30])
def test_each_utterance_comes_whole_when_silence_follows(rate_hz: int, ms: int) -> None:
    said = [speech("oui_bonjour"), speech("au_travail")]
    audio = np.concatenate([silence(0.5), said[0], silence(1), said[1], silence(1)])
    heard = utterances(PcmVad(rate_hz=rate_hz), audio, rate_hz=rate_hz, ms=ms)
    assert len(heard) == 2
    for piece, spoken in zip(heard, said, strict=True):
        assert 0 < piece.size - spoken.size < 1.2 * 16_000  # the pre-roll, and the silence that ended it
        loudest = int(np.argmax(np.correlate(piece, spoken[4000:8000], "valid")))
        assert loudest + spoken.size - 4000 <= piece.size  # all of it is there


def test_nothing_is_heard_in_silence_and_hiss() -> None:
    assert utterances(PcmVad(), np.concatenate([silence(3), noise(5, dbfs=-60)])) == []


def test_an_utterance_that_a_client_breaks_off_is_heard_when_no_more_comes() -> None:
    dialect = PcmVad()
    assert utterances(dialect, speech("oui_bonjour")) == []
    assert dialect.due_s == NOW_S + 1
    assert dialect.tick(now_s=NOW_S + 0.9) == []
    (decode,) = dialect.tick(now_s=NOW_S + 1)
    assert isinstance(decode, Decode)
    assert dialect.due_s is None
    assert dialect.tick(now_s=NOW_S + 9) == []


def test_a_long_utterance_is_cut_where_it_is_quietest_and_nothing_is_lost() -> None:
    spoken = np.tile(speech("au_travail"), 20)
    heard = utterances(PcmVad(), np.concatenate([spoken, silence(1)]))
    assert len(heard) == 2
    assert max(piece.size for piece in heard) <= 28.1 * 16_000
    assert sum(piece.size for piece in heard) == pytest.approx(spoken.size + 0.6 * 16_000, abs=8000)


def test_the_rate_may_come_as_the_first_text() -> None:
    dialect = PcmVad()
    assert dialect.text('{"sample_rate":8000}', now_s=NOW_S) == []
    audio = np.concatenate([silence(0.4), speech("oui_bonjour"), silence(1)])
    assert len(utterances(dialect, audio, rate_hz=8000)) == 1


def test_the_answer_is_plain_text_and_there_is_none_for_noise() -> None:
    dialect = PcmVad()
    assert dialect.decoded(silence(1), "Oui bonjour.", took_s=0.1, now_s=NOW_S) == [Say("Oui bonjour.")]
    assert dialect.decoded(silence(1), "", took_s=0.1, now_s=NOW_S) == []
    assert dialect.failed("anything", now_s=NOW_S) == []  # a text would be taken for a transcript


@pytest.mark.parametrize("size", [1, 641, 961])
def test_half_a_sample_is_refused(size: int) -> None:
    with pytest.raises(WireError, match=f"{size} bytes"):
        PcmVad().binary(bytes(size), now_s=NOW_S)


@pytest.mark.parametrize(("rate_hz", "size"), [(16_000, 962), (8000, 960), (48_000, 2882)])
def test_longer_chunks_are_refused(rate_hz: int, size: int) -> None:
    with pytest.raises(WireError, match="chunks of 10, 20 or 30 ms"):
        PcmVad(rate_hz=rate_hz).binary(bytes(size), now_s=NOW_S)


@pytest.mark.parametrize("size", [0, 2, 318, 500, 700])
def test_a_recording_may_end_in_a_shorter_chunk(size: int) -> None:
    assert PcmVad().binary(bytes(size), now_s=NOW_S) == []


@pytest.mark.parametrize("message", ["", "x", "{}", "[1]", '{"sample_rate":11025}', '{"sample_rate":true}'])
def test_texts_that_are_refused(message: str) -> None:
    with pytest.raises(WireError):
        PcmVad().text(message, now_s=NOW_S)


def test_rates_and_aggressiveness() -> None:
    assert checked_rate("48000") == 48_000
    with pytest.raises(WireError, match="8000, 16000, 32000 or 48000"):
        checked_rate("²")
    with pytest.raises(ConfigError, match="0 to 3"):
        PcmVad(aggressiveness=4)
