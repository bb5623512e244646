"""What few words may have been: scored on the audio beside what was written."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from audio_samples import silence, speech

from V3.asr.alternatives import MAX_ALTERNATIVES_MS, ranked, spelled
from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeKind, DecodeRequest
from V3.config import BargeInSettings
from V3.events import Alternative

EXPECTED = BargeInSettings().phrases


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(device="cpu")


@pytest.mark.parametrize(
    ("phrase", "written"),
    [("attendez", " Attendez."), ("c'est ça", " C'est ça."), ("Ah bon ?", " Ah bon ?"), ("", " .")],
)
def test_a_phrase_is_spelled_as_a_recogniser_writes_it(phrase: str, written: str) -> None:
    assert spelled(phrase) == written


def test_the_likeliest_comes_first_and_the_unlikely_are_left_out() -> None:
    found = ranked({" Oui.": 0.45, " Ouais.": 0.72, " Stop.": 9e-5})
    assert [(each.text, each.likelihood) for each in found] == [("Ouais.", 0.72), ("Oui.", 0.45)]
    assert not ranked({" Oui.": 0.0})


def short(name: str) -> DecodeRequest:
    audio = speech(name)[: 16 * MAX_ALTERNATIVES_MS]
    return DecodeRequest("c", DecodeKind.FINAL, audio, expected=(*EXPECTED, "allô qui"))


def test_the_recogniser_weighs_what_was_expected_of_short_audio(recognizer: Recognizer) -> None:
    (heard,) = recognizer.decode([short("allo_qui")])
    assert heard.alternatives
    assert all(0.0 < each.likelihood <= 1.0 for each in heard.alternatives)
    likelihoods = [each.likelihood for each in heard.alternatives]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert heard.text in [each.text for each in heard.alternatives]
    # what its own words' confidences say, up to how tokens make words
    own = next(each.likelihood for each in heard.alternatives if each.text == heard.text)
    assert own <= math.prod(word.confidence for word in heard.words) + 0.1


def test_rows_of_a_batch_are_weighed_each_by_its_own_audio(recognizer: Recognizer) -> None:
    requests = [short("allo_qui"), short("oui_bonjour")]
    together = recognizer.decode(requests)
    for request, heard in zip(requests, together, strict=True):
        (alone,) = recognizer.decode([request])
        assert [each.text for each in heard.alternatives][:3] == [each.text for each in alone.alternatives][:3]
        assert heard.text == alone.text


def test_long_audio_and_audio_of_which_nothing_was_expected_are_not_weighed(recognizer: Recognizer) -> None:
    long = np.concatenate([speech("allo_qui"), silence(2.0)])
    requests = [
        DecodeRequest("c", DecodeKind.FINAL, long, expected=EXPECTED),
        DecodeRequest("c", DecodeKind.FINAL, speech("allo_qui")[: 16 * MAX_ALTERNATIVES_MS]),
    ]
    assert [each.alternatives for each in recognizer.decode(requests)] == [(), ()]


def test_a_model_of_long_windows_on_a_cpu_leaves_it(recognizer: Recognizer) -> None:
    """Fifty phrases through a large decoder would cost seconds: there words are what they were written as."""
    full = Recognizer.load(device="cpu", audio_context="full")
    assert not full.decode([short("allo_qui")])[0].alternatives


def test_many_phrases_are_bounded_and_odd_ones_do_no_harm(recognizer: Recognizer) -> None:
    many = tuple(f"attendez {number}" for number in range(500))
    request = replace(short("allo_qui"), expected=("", "...", "<|endoftext|>", *many))
    (heard,) = recognizer.decode([request])
    assert heard.text in [each.text for each in heard.alternatives]


def test_a_model_that_cannot_be_asked_says_so_once_and_goes_on(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> tuple[Alternative, ...]:
        raise AttributeError("logits")

    asked = Recognizer.load(device="cpu")
    monkeypatch.setattr("V3.asr.model.score_phrases", broken)
    plain = recognizer.decode([replace(short("allo_qui"), expected=())])[0].text
    assert [asked.decode([short("allo_qui")])[0].text for _ in range(2)] == [plain, plain]
    assert [record.message for record in caplog.records if "few words" in record.message] == [
        "few words are not weighed any more, this model cannot: AttributeError('logits')"
    ]
