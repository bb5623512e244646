"""Who answered, by the shipped weights on what is really heard in the first 2.3 s, and by weights of our own."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import pytest
from answer_cases import HUMAN, MACHINE, NOBODY
from hypothesis import given
from hypothesis import strategies as st

from V3.audio.tones import Tone, ToneKind
from V3.calls.answer import (
    KEPT_TEXTS,
    MAX_WORD_LOG_ODDS,
    TIMING_FEATURES,
    AnswerDecider,
    AnswerKind,
    AnswerLabel,
    Timing,
    timing_features,
)
from V3.calls.answer_words import Cues, KeywordClass
from V3.calls.words import Phrases
from V3.config import load_keywords
from V3.errors import ConfigError
from V3.system.services.amd_service import AMDService

AMD = AMDService()
WAITS = Timing(window_ms=2300, speech_ms=700, lead_ms=300, tail_ms=900)
GOES_ON = Timing(window_ms=2300, speech_ms=1200, lead_ms=900, tail_ms=40)
LONG = Timing(window_ms=2300, speech_ms=2000, lead_ms=200, tail_ms=40)
SILENT = Timing(window_ms=2300, speech_ms=0, lead_ms=2300, tail_ms=2300)
ALL = [
    (label, text) for label, texts in (("MACHINE", MACHINE), ("HUMAN", HUMAN), ("NO_ANSWER", NOBODY)) for text in texts
]


def verdict_is(text: str, label: str, timing: Timing | None = None) -> bool:
    return str(AMD.detect(text, timing=timing).label) == label


def weight_of(finding: str) -> float:
    found = re.fullmatch(r"\w+: .+ \(([+-][\d.]+)\)", finding)
    assert found, finding
    return float(found[1])


# ---- the shipped weights on what is said


def test_words_alone_tell_nearly_always_and_hardly_lose_a_person() -> None:
    wrong = [(label, text) for label, text in ALL if not verdict_is(text, label)]
    assert len(wrong) <= 0.02 * len(ALL), wrong
    assert sum(verdict_is(text, "MACHINE") for text in HUMAN) <= 3, wrong


def test_nobody_who_says_something_and_waits_is_lost() -> None:
    assert [text for text in HUMAN if verdict_is(text, "MACHINE", WAITS)] == []


@pytest.mark.parametrize("timing", [GOES_ON, LONG], ids=["goes on", "long"])
def test_recordings_that_go_on_are_machines(timing: Timing) -> None:
    wrong = [text for text in MACHINE if not verdict_is(text, "MACHINE", timing)]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("text", [pytest.param(text, id=text or "(nothing)") for text in NOBODY])
def test_silence_and_what_recognisers_make_of_it_is_nobody(text: str) -> None:
    for timing in (None, SILENT):
        verdict = AMD.detect(text, timing=timing)
        assert (str(verdict.label), str(verdict.kind)) == ("NO_ANSWER", "silence")
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
        (Timing(window_ms=2300, speech_ms=1700, lead_ms=580, tail_ms=20), "MACHINE"),
        (Timing(window_ms=2300, speech_ms=2100, lead_ms=180, tail_ms=20), "MACHINE"),
    ],
)
@pytest.mark.parametrize("text", ["", "Sous-titrage Société Radio-Canada"])
def test_without_words_timing_decides_alone(text: str, timing: Timing, label: str) -> None:
    verdict = AMD.detect(text, timing=timing)
    assert str(verdict.label) == label
    assert {finding.split(":")[0] for finding in verdict.evidence} <= {"timing"}
    if label == "MACHINE":
        assert verdict.reason.startswith("timing: spoke ")


@pytest.mark.parametrize(("label", "text"), ALL)
def test_every_verdict_says_why_and_its_evidence_adds_up(label: str, text: str) -> None:
    for timing in (None, WAITS, LONG):
        verdict = AMD.detect(text, timing=timing)
        assert verdict.reason
        assert verdict.text == text
        if verdict.label is AnswerLabel.NO_ANSWER:
            continue
        weights = [weight_of(finding) for finding in verdict.evidence]
        spoken = [w for w, finding in zip(weights, verdict.evidence, strict=True) if not finding.startswith("timing:")]
        bounded = max(-MAX_WORD_LOG_ODDS, min(MAX_WORD_LOG_ODDS, sum(spoken)))
        over = AMD.decider.bias + bounded + sum(weights) - sum(spoken) - AMD.decider.machine_from
        assert verdict.confidence == pytest.approx(1 / (1 + math.exp(-abs(over))), abs=0.01)
        if abs(over) > 0.02:  # weights are shown rounded
            assert (verdict.label is AnswerLabel.MACHINE) == (over > 0)
        sign = "(+" if verdict.label is AnswerLabel.MACHINE else "(-"
        telling = [finding for finding in verdict.evidence if sign in finding]
        assert any(finding.startswith(verdict.reason) for finding in telling) or not telling


@pytest.mark.parametrize("side", ["machine", "human"])
def test_each_phrase_of_the_file_can_be_traced_to_its_class(side: str) -> None:
    for name, group in getattr(load_keywords(), side).items():
        for phrase in group.phrases:
            evidence = AMD.detect(f"alors {phrase}").evidence
            assert any(finding.startswith(f"{name}: ") and "~" not in finding for finding in evidence), phrase


def test_a_phrase_that_the_recogniser_misspelt_is_found_by_its_sound() -> None:
    verdict = AMD.detect("vous êtes bien sûr la message rit vocale de")
    assert any(finding.startswith("voicemail: ") for finding in verdict.evidence)
    alone = AMD.detect("la message rit vocale").evidence
    assert any(finding.startswith("voicemail: ~messagerie vocale") for finding in alone)
    assert (verdict.label, verdict.kind) == (AnswerLabel.MACHINE, AnswerKind.VOICEMAIL)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Vous êtes bien sur la messagerie de", "voicemail"),
        ("Le numéro que vous avez composé n'est pas attribué", "carrier"),
        ("La personne que vous appelez utilise un filtrage d'appels", "call_screening"),
        ("la messagerie vocale est pleine", "mailbox_full"),
        ("Pour le secrétariat, tapez un", "ivr"),
        ("Allô ?", "person"),
        ("Dupont Assurances, Marie bonjour, que puis-je faire pour vous ?", "business"),
    ],
)
def test_what_answered_is_told_more_finely(text: str, kind: str) -> None:
    assert str(AMD.detect(text).kind) == kind


def test_the_service_counts_its_phrases() -> None:
    counts = AMD.keyword_counts
    assert counts[AnswerLabel.MACHINE] >= 86
    assert counts[AnswerLabel.HUMAN] >= 14


@given(st.text(max_size=200), st.none() | st.builds(Timing, *[st.integers(0, 3000)] * 7))
def test_any_text_gets_a_verdict(text: str, timing: Timing | None) -> None:
    verdict = AMD.detect(text, timing=timing)
    assert str(verdict.label) in {"HUMAN", "MACHINE", "NO_ANSWER"}
    assert verdict.kind in set(AnswerKind)
    assert verdict.reason
    assert 0.5 <= verdict.confidence <= 1


# ---- weights of our own: exact sums


OURS = AnswerDecider(
    machine=[
        KeywordClass("m", 2.0, Phrases(["machine", "big machine"]), "voicemail"),
        KeywordClass("n", 0.5, Phrases(["noise"])),
        KeywordClass("menu", 1.0, Phrases(["press one"]), "ivr"),
    ],
    human=[
        KeywordClass("h", 1.5, Phrases(["human"]), "business"),
        KeywordClass("g", 0.25, Phrases(["hello"])),
    ],
    hallucinations=Phrases(["subtitles by nobody"]),
    hallucination_marks=Phrases(["caption"]),
)


def ours(**changes: object) -> AnswerDecider:
    return dataclasses.replace(OURS, **changes)  # type: ignore[arg-type]


def chance(log_odds: float) -> float:
    return round(1 / (1 + math.exp(-log_odds)), 3)


def test_a_class_speaks_once_and_classes_add_up() -> None:
    said = "machine, big machine, noise! human"
    verdict = ours(machine_from=1.0).decide(said)
    assert verdict.evidence == ("m: big machine, machine (+2)", "n: noise (+0.5)", "h: human (-1.5)")
    assert verdict.label is AnswerLabel.MACHINE  # exactly the threshold is a machine
    assert ours(machine_from=1.01).decide(said).label is AnswerLabel.HUMAN
    assert ours(machine_from=1.0, bias=-0.01).decide(said).label is AnswerLabel.HUMAN


def test_the_reason_is_the_heaviest_finding_of_the_winning_side() -> None:
    assert OURS.decide("noise machine human").reason == "m: machine"
    assert OURS.decide("human hello noise").reason == "h: human"
    assert OURS.decide("whatever").reason == "no sign of a machine"


def test_words_that_say_nothing_are_a_machine_only_by_bias() -> None:
    assert ours(machine_from=0.5).decide("whatever").label is AnswerLabel.HUMAN
    assert ours(machine_from=0.5, bias=0.5).decide("whatever").label is AnswerLabel.MACHINE


@pytest.mark.parametrize(
    ("said", "over"),
    [("machine noise", 2.5), ("machine", 2.0), ("noise machine human", 1.0), ("noise", 0.5), ("human", -1.5)],
)
def test_confidence_is_the_logistic_of_the_distance_from_the_threshold(said: str, over: float) -> None:
    assert OURS.decide(said).confidence == chance(abs(over))
    assert ours(machine_from=0.5).decide(said).confidence == chance(abs(over - 0.5))


def test_no_pile_of_words_is_surer_than_the_bound_and_timing_comes_on_top() -> None:
    sure = ours(machine=[KeywordClass(name, 5.0, Phrases([name])) for name in ("one", "two", "three")], bias=-1.0)
    assert sure.decide("one two three").confidence == chance(MAX_WORD_LOG_ODDS - 1.0)
    timed = dataclasses.replace(sure, timing={"goes_on": 1.5})
    assert timed.decide("one two three", timing=LONG).confidence == chance(MAX_WORD_LOG_ODDS + 0.5)
    assert timed.words_total("one two three", LONG) == MAX_WORD_LOG_ODDS - 1.0


def test_cues_are_one_finding_beside_the_classes() -> None:
    cued = ours(cues=Cues({"=noiz": 9.0, "=maƒin": 0.5, "~^maƒ": 0.25, "=^ maƒin": -0.125}))
    verdict = cued.decide("machine")
    assert verdict.evidence == ("m: machine (+2)", "words: machine +0.62 (+0.625)")
    assert verdict.confidence == chance(2.625)


def test_timing_tips_the_balance_and_is_shown_with_its_features() -> None:
    timed = ours(timing={"waits": -2.0, "goes_on": 1.0, "goes_on_unheard": 0.5}, machine_from=0.5, bias=-0.5)
    assert timed.decide("noise").label is AnswerLabel.HUMAN
    verdict = timed.decide("noise", timing=LONG)
    assert verdict.label is AnswerLabel.MACHINE
    assert verdict.evidence == ("n: noise (+0.5)", "timing: spoke 2000 ms and goes on [goes_on +1.00] (+1)")
    verdict = timed.decide("machine noise", timing=WAITS)
    assert verdict.label is AnswerLabel.HUMAN
    assert verdict.reason == "timing: spoke 700 ms, then waits 900 ms [waits -2.00]"
    assert "goes_on_unheard +0.50" in timed.decide("", timing=LONG).reason


def test_features_without_a_weight_say_nothing() -> None:
    assert ours(timing={}).decide("noise", timing=LONG).evidence == ("n: noise (+0.5)",)
    assert ours(timing={"goes_on": 0.0}).decide("noise", timing=LONG).evidence == ("n: noise (+0.5)",)


def test_the_kind_is_that_of_the_heaviest_class_of_the_winning_side() -> None:
    assert OURS.decide("press one machine").kind is AnswerKind.VOICEMAIL
    assert OURS.decide("press one").kind is AnswerKind.IVR
    assert OURS.decide("press one machine human", timing=None).kind is AnswerKind.VOICEMAIL
    assert OURS.decide("noise").kind is AnswerKind.UNKNOWN
    assert OURS.decide("human press one").kind is AnswerKind.BUSINESS
    assert OURS.decide("hello hello").kind is AnswerKind.PERSON


def test_a_steady_sound_without_a_voice_is_music_and_nobody() -> None:
    music = Timing(window_ms=2000, speech_ms=0, lead_ms=2000, tail_ms=2000, sound_ms=1500)
    verdict = OURS.decide("", timing=music)
    assert (verdict.label, verdict.kind) == (AnswerLabel.NO_ANSWER, AnswerKind.MUSIC)
    assert "1500 of 2000 ms" in verdict.reason
    quieter = dataclasses.replace(music, sound_ms=1499)
    assert OURS.decide("", timing=quieter).kind is AnswerKind.SILENCE
    voiced = dataclasses.replace(music, speech_ms=1900, tail_ms=0)
    assert ours(bias=1.0).decide("", timing=voiced).kind is AnswerKind.MUSIC  # taken for a voice, and no word in it
    assert ours(bias=1.0).decide("la la", timing=voiced).kind is AnswerKind.UNKNOWN


def test_a_window_of_no_length_is_silence() -> None:
    assert OURS.decide("", timing=Timing(0, 0, 0, 0)).kind is AnswerKind.SILENCE


# ---- what is kept


def test_what_was_made_of_a_text_is_kept_and_bounded_and_no_other_deciders() -> None:
    fresh = ours()
    for _ in range(2):
        assert [fresh.decide(f"machine {number}").evidence for number in range(KEPT_TEXTS + 5)] == [
            ("m: machine (+2)",)
        ] * (KEPT_TEXTS + 5)
    assert len(fresh._texts) <= KEPT_TEXTS
    lighter = dataclasses.replace(fresh, machine=[KeywordClass("m", 1.0, Phrases(["machine"]))])
    assert lighter.decide("machine 1").evidence == ("m: machine (+1)",)


def test_a_text_said_in_silence_is_believed_once_there_is_a_voice() -> None:
    assert OURS.decide("machine", timing=SILENT).label is AnswerLabel.NO_ANSWER
    assert OURS.decide("machine", timing=WAITS).label is AnswerLabel.MACHINE
    assert OURS.decide("machine", timing=SILENT).label is AnswerLabel.NO_ANSWER


# ---- tones


def tone(kind: ToneKind, *hz: float, start_ms: int = 800) -> Tone:
    return Tone(kind, start_ms + 600, start_ms, start_ms + 400, hz or (1000.0,), 0.9)


@pytest.mark.parametrize(
    ("kind", "label", "finer"),
    [
        (ToneKind.BEEP, "MACHINE", "voicemail"),
        (ToneKind.SPECIAL_INFORMATION, "MACHINE", "carrier"),
        (ToneKind.FAX_CALLING, "MACHINE", "fax"),
        (ToneKind.FAX_ANSWER, "MACHINE", "fax"),
        (ToneKind.BUSY, "NO_ANSWER", "carrier"),
        (ToneKind.CONGESTION, "NO_ANSWER", "carrier"),
        (ToneKind.DIAL_TONE, "NO_ANSWER", "carrier"),
    ],
)
def test_a_tone_that_only_equipment_makes_decides_whatever_was_said(kind: ToneKind, label: str, finer: str) -> None:
    for text, timing in (("", None), ("human", WAITS), ("", SILENT)):
        verdict = OURS.decide(text, timing=timing, tones=[tone(kind, 950.0, 1400.4)])
        assert (str(verdict.label), str(verdict.kind)) == (label, finer)
        assert verdict.reason == f"tone: {kind} of 950+1400 Hz at 800 ms"
        assert verdict.confidence == 0.97
        assert verdict.evidence[0] == verdict.reason
        assert ("h: human (-1.5)" in verdict.evidence) == (text == "human")


def test_ringback_says_only_that_nobody_is_there_yet() -> None:
    ringing = tone(ToneKind.RINGBACK, 440.0)
    assert OURS.decide("human", tones=[ringing]) == OURS.decide("human")
    assert OURS.decide("human", tones=[ringing, tone(ToneKind.BEEP)]).reason.startswith("tone: beep")


def test_every_kind_of_tone_is_tested_here() -> None:
    assert [kind for kind in ToneKind if OURS.decide("human", tones=[tone(kind)]).label is AnswerLabel.HUMAN] == [
        ToneKind.RINGBACK
    ]


def test_of_several_tones_the_first_that_says_something_decides() -> None:
    assert OURS.decide("", tones=[tone(ToneKind.BUSY), tone(ToneKind.BEEP)]).reason.startswith("tone: busy")


# ---- what counts as said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Subtitles by nobody. Subtitles by nobody.", []),
        ("Subtitles by nobody, machine", ["subtitles", "by", "nobody", "machine"]),
        ("machine, caption 501", []),  # where a mark is, nothing was said
        ("[Musique] machine (rires) *bip* ♪ la la ♪", ["machine"]),
        ("[Musique]", []),
        ("♪ ♪", []),
        ("machine 你好", ["machine"]),
        ("продолжение machine 你好", []),  # mostly in other scripts
        ("Pfff", []),
        ("pchhh machine", ["pchhh", "machine"]),
        ("Été à Noël, l'œuvre", ["ete", "a", "noel", "l", "oeuvre"]),
    ],
)
def test_what_recognisers_write_on_noise_does_not_count(text: str, said: list[str]) -> None:
    assert OURS.said(text) == said
    assert (OURS.decide(text).label is AnswerLabel.NO_ANSWER) == (said == [])


def test_a_greeting_does_not_speak_as_a_person_does() -> None:
    assert OURS.speaks_as_person("human")
    assert not OURS.speaks_as_person("hello hello")  # its class weighs less than 1
    assert not OURS.speaks_as_person("machine")
    assert not OURS.speaks_as_person("human caption")


# ---- timing


@pytest.mark.parametrize(
    ("timing", "has_words", "features"),
    [
        (Timing(2300, 119, 0, 2000), True, {}),
        (Timing(2300, 500, 300, 840), True, {"waits": 1.0}),
        (Timing(2300, 500, 300, 540), True, {"waits": 0.5}),
        (Timing(2300, 1500, 0, 840), True, {"waits": 0.5}),
        (Timing(2300, 500, 300, 540), False, {"waits": 0.5, "waits_unheard": 0.5}),
        (Timing(2300, 500, 300, 240), True, {}),
        (Timing(3000, 2000, 0, 1000), True, {}),  # that long is no little
        (Timing(2300, 1200, 0, 239), True, {"goes_on": 0.5}),
        (Timing(2300, 1200, 0, 0), False, {"goes_on": 0.5, "goes_on_unheard": 0.5}),
        (Timing(2300, 1700, 0, 0), True, {"goes_on": 1.0}),
        (Timing(2300, 700, 0, 0), True, {}),
        (Timing(3000, 1500, 0, 240, first_ms=2250), True, {"long_first": 0.5}),
        (Timing(4000, 3000, 0, 1000, first_ms=4000), True, {"long_first": 1.0, "spoke_on": 0.5}),
    ],
)
def test_what_timing_says(timing: Timing, has_words: bool, features: dict[str, float]) -> None:
    assert timing_features(timing, has_words=has_words) == features


@given(st.builds(Timing, *[st.integers(0, 10_000)] * 7), st.booleans())
def test_each_timing_feature_has_a_name_and_is_a_share(timing: Timing, has_words: bool) -> None:
    features = timing_features(timing, has_words=has_words)
    assert set(features) <= set(TIMING_FEATURES)
    assert all(0 < value <= 1 for value in features.values())
    assert not ("waits" in features and "goes_on" in features)


def test_every_timing_feature_has_a_shipped_weight() -> None:
    assert set(AMD.decider.timing) == set(TIMING_FEATURES)


# ---- files


OWN = "machine: {a: {weight: 1, phrases: [zut]}}\nhuman: {b: {weight: 1, phrases: [hop]}}\n"


def test_another_file_of_phrases(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    assert AMDService(own).detect("Zut !").label is AnswerLabel.MACHINE
    assert AMDService(own).detect("Hop !").label is AnswerLabel.HUMAN


def test_its_cues_are_read_from_beside_it(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN + "cues: own.tsv\nbias: -1\n")
    (tmp_path / "own.tsv").write_text("# learned\n=flut\t2.5\n\n~^fl\t-0.5\n")
    verdict = AMDService(own).detect("Flûte")
    assert verdict.evidence == ("words: flute +2.00 (+2)",)
    assert (verdict.label, verdict.confidence) == (AnswerLabel.MACHINE, chance(1.0))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("machine: {}\n", ["own.yaml", "human"]),
        (OWN + "timing: {wiats: 1}\n", ["own.yaml", "timing.wiats", *TIMING_FEATURES]),
        (OWN.replace("weight: 1, phrases: [zut]", "weight: 1, kind: voicemial, phrases: [zut]"),
         ["own.yaml", "a.kind", "'voicemial'", "voicemail", "call_screening"]),
        (OWN.replace("weight: 1, phrases: [hop]", "weight: 1, kind: human, phrases: [hop]"),
         ["own.yaml", "b.kind", "'human'", "person"]),
        (OWN + "bias: .nan\n", ["own.yaml", "bias"]),
        (OWN + "machine_from: .inf\n", ["own.yaml", "machine_from"]),
        (OWN + "timing: {waits: .nan}\n", ["own.yaml", "timing.waits"]),
        (OWN + "cues: nonesuch.tsv\n", ["nonesuch.tsv", "cannot be read"]),
    ],
)  # fmt: skip
def test_a_wrong_file_names_its_fault(tmp_path: Path, text: str, named: list[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(ConfigError) as caught:
        AMDService(own)
    assert all(name in str(caught.value) for name in named), str(caught.value)


@pytest.mark.parametrize("line", ["=alo", "=alo\t", "=alo\tmuch", "=alo\t1\t2", "=alo 1", "=alo\tnan", "=alo\tinf"])
def test_a_broken_line_of_cues_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN + "cues: own.tsv\n")
    (tmp_path / "own.tsv").write_text(f"# learned\n=a\t1\n{line}\n=b\t1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"own\.tsv, line 3: a cue, a tab and its weight are taken"):
        AMDService(own)
