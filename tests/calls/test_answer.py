"""Who answered, by the shipped phrases: what is really heard in the first 2.3 s, and timing."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_cases import HUMAN, MACHINE, NOBODY
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.answer import AnswerDecider, AnswerLabel, KeywordClass, Timing
from V3.calls.words import Phrases
from V3.errors import ConfigError
from V3.system.services.amd_service import AMDService

AMD = AMDService()
WAITS = Timing(window_ms=2300, speech_ms=700, lead_ms=300, tail_ms=900)
GOES_ON = Timing(window_ms=2300, speech_ms=1200, lead_ms=900, tail_ms=40)
LONG = Timing(window_ms=2300, speech_ms=2000, lead_ms=200, tail_ms=40)
SILENT = Timing(window_ms=2300, speech_ms=0, lead_ms=2300, tail_ms=2300)


def spoken(texts: tuple[str, ...]) -> list[object]:
    return [pytest.param(text, id=text or "(nothing)") for text in texts]


@pytest.mark.parametrize("text", spoken(MACHINE))
def test_recordings_are_machines(text: str) -> None:
    for timing in (None, GOES_ON, LONG):
        verdict = AMD.detect(text, timing=timing)
        assert str(verdict.label) == "MACHINE", verdict


@pytest.mark.parametrize("text", spoken(HUMAN))
def test_people_are_people_however_long_they_speak(text: str) -> None:
    for timing in (None, WAITS, GOES_ON, LONG):
        verdict = AMD.detect(text, timing=timing)
        assert str(verdict.label) == "HUMAN", verdict


@pytest.mark.parametrize("text", spoken(NOBODY))
def test_silence_and_what_recognisers_make_of_it_is_nobody(text: str) -> None:
    for timing in (None, SILENT):
        verdict = AMD.detect(text, timing=timing)
        assert str(verdict.label) == "NO_ANSWER"
        assert verdict.reason == "nothing was said"


@pytest.mark.parametrize("text", ["Allô ?", "Le numéro que vous demandez"])
def test_words_without_a_voice_are_not_believed(text: str) -> None:
    assert AMD.detect(text, timing=SILENT).label is AnswerLabel.NO_ANSWER


@pytest.mark.parametrize(
    ("timing", "label"),
    [
        (Timing(window_ms=2300, speech_ms=119, lead_ms=1000, tail_ms=1181), "NO_ANSWER"),
        (Timing(window_ms=2300, speech_ms=500, lead_ms=300, tail_ms=1500), "HUMAN"),
        (Timing(window_ms=2300, speech_ms=1100, lead_ms=300, tail_ms=900), "HUMAN"),
        (Timing(window_ms=2300, speech_ms=300, lead_ms=1980, tail_ms=20), "HUMAN"),
        (Timing(window_ms=2300, speech_ms=1000, lead_ms=1200, tail_ms=100), "MACHINE"),
        (Timing(window_ms=2300, speech_ms=2100, lead_ms=180, tail_ms=20), "MACHINE"),
    ],
)
def test_without_words_timing_decides_alone(timing: Timing, label: str) -> None:
    verdict = AMD.detect("", timing=timing)
    assert str(verdict.label) == label
    if label == "MACHINE":
        assert verdict.reason.startswith("timing:")


def test_timing_beside_words_tips_the_balance_and_no_more() -> None:
    doubtful = "Bonjour, vous êtes chez"  # a hint, not enough alone
    assert AMD.detect(doubtful).label is AnswerLabel.HUMAN
    assert AMD.detect(doubtful, timing=WAITS).label is AnswerLabel.HUMAN
    assert AMD.detect(doubtful, timing=LONG).label is AnswerLabel.MACHINE
    assert AMD.detect("Le chat dort sur le canapé", timing=LONG).label is AnswerLabel.HUMAN


@pytest.mark.parametrize("text", [*MACHINE, *HUMAN, *NOBODY])
def test_every_verdict_says_why(text: str) -> None:
    verdict = AMD.detect(text, timing=LONG if text in MACHINE else None)
    assert verdict.reason
    assert 0.5 <= verdict.confidence <= 1
    assert verdict.text == text
    if verdict.label is AnswerLabel.MACHINE:
        assert any(finding.startswith(verdict.reason) for finding in verdict.evidence)
        assert any("(+" in finding for finding in verdict.evidence)


def test_the_evidence_names_class_phrases_and_weight_and_the_reason_is_the_heaviest() -> None:
    verdict = AMD.detect("Allô, vous êtes bien sur le répondeur de Kevin", timing=LONG)
    assert verdict.reason == "voicemail: vous etes bien sur le, repondeur"
    assert verdict.evidence == (
        "voicemail: vous etes bien sur le, repondeur (+4)",
        "hint: vous etes bien (+0.7)",
        "opener: allo (-3.5)",
        "timing: spoke 2000 ms and goes on (+0.9)",
    )


def decider(**settings: float) -> AnswerDecider:
    return AnswerDecider(
        machine=[
            KeywordClass("m", 2.0, Phrases(["machine", "big machine"])),
            KeywordClass("n", 0.5, Phrases(["noise"])),
        ],
        human=[KeywordClass("h", 1.5, Phrases(["human"]))],
        hallucinations=["subtitles by nobody"],
        **settings,
    )


def test_a_class_speaks_once_and_classes_add_up() -> None:
    verdict = decider().decide("machine, big machine, noise! human")
    assert verdict.evidence == ("m: big machine, machine (+2)", "n: noise (+0.5)", "h: human (-1.5)")
    assert verdict.label is AnswerLabel.MACHINE  # exactly the threshold is a machine
    assert decider(machine_from=1.1).decide("machine big machine noise human").label is AnswerLabel.HUMAN


def test_confidence_grows_with_the_distance_from_the_threshold() -> None:
    texts = ["human", "", "noise", "noise machine human", "machine", "machine noise"]
    by_text = {text: decider().decide(text or "words").confidence for text in texts}
    assert by_text["human"] > by_text[""] > by_text["noise"] > by_text["noise machine human"] == 0.5
    assert by_text["machine noise"] > by_text["machine"] > 0.5


def test_a_hallucination_counts_as_nothing_only_where_nothing_else_was_said() -> None:
    assert decider().decide("Subtitles by nobody. Subtitles by nobody.").label is AnswerLabel.NO_ANSWER
    assert decider().decide("Subtitles by nobody, machine").label is AnswerLabel.MACHINE


@given(st.text(max_size=200), st.none() | st.builds(Timing, *[st.integers(0, 3000)] * 4))
def test_any_text_gets_a_verdict(text: str, timing: Timing | None) -> None:
    verdict = AMD.detect(text, timing=timing)
    assert str(verdict.label) in {"HUMAN", "MACHINE", "NO_ANSWER"}
    assert verdict.reason
    assert 0.5 <= verdict.confidence <= 1


def test_the_service_counts_its_phrases() -> None:
    counts = AMD.keyword_counts
    assert counts[AnswerLabel.MACHINE] >= 86
    assert counts[AnswerLabel.HUMAN] >= 14


def test_another_file_of_phrases_and_one_that_is_wrong(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("machine: {a: {weight: 1, phrases: [zut]}}\nhuman: {b: {weight: 1, phrases: [hop]}}\n")
    assert AMDService(own).detect("Zut !").label is AnswerLabel.MACHINE
    own.write_text("machine: {}\n")
    with pytest.raises(ConfigError, match="human"):
        AMDService(own)
