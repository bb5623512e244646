"""OpenAI's API: what is asked, and the answers in every format."""

from __future__ import annotations

import re

import pytest

from V3.errors import WireError
from V3.events import Final, Word
from V3.wire.openai_api import Asked, asked, error_body, json_body, srt, text_body, verbose_body, vtt


def said(text: str, *, start_ms: int, each_ms: int = 400) -> Final:
    words = tuple(
        Word(w, start_ms + i * each_ms, start_ms + (i + 1) * each_ms, 0.5) for i, w in enumerate(text.split())
    )
    return Final(call_id="x", at_ms=0, text=text, words=words, start_ms=start_ms, end_ms=words[-1].end_ms)


SPOKEN = [said("Oui bonjour.", start_ms=500), said("C'est <b>moi</b> & lui.", start_ms=3_661_250)]


def test_what_is_asked() -> None:
    assert asked({}) == Asked(model="")
    wanted = asked(
        {
            "model": ["whisper-1"],
            "language": ["FR"],
            "prompt": ["Bonjour."],
            "response_format": ["verbose_json"],
            "timestamp_granularities[]": ["word"],
            "temperature": ["0.2"],
        }
    )
    assert wanted == Asked("whisper-1", "fr", "Bonjour.", "verbose_json", words=True, segments=False)
    both = {"response_format": ["verbose_json"], "timestamp_granularities[]": ["word", "segment"]}
    assert asked(both).segments
    assert asked(both).words


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"response_format": ["xml"]}, "json, text, srt, vtt, verbose_json"),
        ({"language": ["français"]}, "language is a code"),
        ({"timestamp_granularities[]": ["letter"]}, "word and segment"),
        ({"timestamp_granularities[]": ["word"]}, "needs response_format=verbose_json"),
        ({"prompt": ["x" * 5000]}, "5000 characters"),
        ({"stream": ["true"]}, "stream=true is not taken"),
    ],
)
def test_what_is_refused(fields: dict[str, list[str]], named: str) -> None:
    with pytest.raises(WireError, match=re.escape(named)):
        asked(fields)


def test_text_and_json() -> None:
    assert text_body(SPOKEN) == "Oui bonjour. C'est <b>moi</b> & lui."
    assert json_body(SPOKEN) == {"text": text_body(SPOKEN)}
    assert json_body([]) == {"text": ""}


def test_verbose_json_has_segments_and_words_in_seconds() -> None:
    body = verbose_body(SPOKEN, Asked("m", words=True), language="fr", duration_s=3670.0004)
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "fr", 3670.0)
    assert body["words"][0] == {"word": "Oui", "start": 0.5, "end": 0.9}
    first, second = body["segments"]
    assert (first["id"], first["start"], first["end"], first["text"]) == (0, 0.5, 1.3, "Oui bonjour.")
    assert first["avg_logprob"] == pytest.approx(-0.6931, abs=1e-3)
    assert second["id"] == 1
    assert "words" not in verbose_body(SPOKEN, Asked("m"), language="fr", duration_s=1)


def test_subtitles() -> None:
    assert srt(SPOKEN[:1]) == "1\n00:00:00,500 --> 00:00:01,300\nOui bonjour.\n"
    assert "01:01:01,250 -->" in srt(SPOKEN)
    captions = vtt(SPOKEN)
    assert captions.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.300\nOui bonjour.\n")
    assert "C'est &lt;b&gt;moi&lt;/b&gt; &amp; lui." in captions  # no markup comes out of a transcript
    assert vtt([]) == "WEBVTT\n"


def test_long_utterances_are_several_cues() -> None:
    long = said(" ".join(f"mot{n}" for n in range(100)), start_ms=0)
    blocks = srt([long]).strip().split("\n\n")
    assert len(blocks) > 5
    assert " ".join(block.splitlines()[2] for block in blocks) == long.text
    for block in blocks:
        assert len(block.splitlines()[2]) <= 84


def test_errors_have_openais_shape() -> None:
    assert error_body("no", param="file") == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "file", "code": None}
    }
