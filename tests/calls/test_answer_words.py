"""Phrases and cues in what was said: as written, cut at the end, and by their sound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.answer_words import MAX_PIECE, MAX_RUN, MIN_PIECE, Cues, Finding, KeywordClass, Spoken, cue_features
from V3.calls.words import Phrases, fold_words

GROUP = KeywordClass(
    "voicemail", 2.0, Phrases(["messagerie", "messagerie vocale", "après le bip", "n'est plus attribué", "allô"])
)
WORDS = st.lists(
    st.sampled_from(fold_words("vous etes bien sur la messagerie de bonjour c est apres le bip rit message 06 et")),
    max_size=8,
)


def hits(text: str, group: KeywordClass = GROUP) -> list[str]:
    words = fold_words(text)
    return group.hits(words, Spoken(words))


# ---- phrases


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("bonjour", []),
        ("la Messagerie de", ["messagerie"]),
        ("la messagerie vocale de", ["messagerie vocale"]),  # not the shorter one inside it
        ("messagerie vocale, messagerie", ["messagerie vocale", "messagerie"]),
        ("parlez après le bip, sur la messagerie", ["apres le bip", "messagerie"]),
        ("après le", []),
        ("le bip après", []),
    ],
)
def test_phrases_are_found_as_written(text: str, found: list[str]) -> None:
    assert hits(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("la message rit de", ["~messagerie"]),
        ("la message rit vocale de", ["~messagerie vocale", "~messagerie"]),
        ("les messageries", ["~messagerie"]),
        ("après les bip", ["~apres le bip"]),
        ("n'est plus attribuer", ["~n est plus attribue"]),
        ("n'est plus attribuée", ["~n est plus attribue"]),
        ("à l'eau", []),  # the sound of "allô" is too short: it is in too many words
    ],
)
def test_what_was_misspelt_is_found_by_its_sound(text: str, found: list[str]) -> None:
    assert hits(text) == found


def test_sounds_are_not_asked_where_a_phrase_is_as_written() -> None:
    assert hits("la message rit après le bip") == ["apres le bip"]


def test_of_the_phrases_found_by_sound_two_are_told() -> None:
    group = KeywordClass("many", 1.0, Phrases(["répondeur", "répondeur de", "répondeur de Paul"]))
    assert hits("répondeurs de paule", group) == ["~repondeur de paul", "~repondeur de"]


@pytest.mark.parametrize("text", ["remessagerie", "messageriers vous", "mess âge rire", "unmessage rit"])
def test_a_sound_begins_and_ends_where_words_do(text: str) -> None:
    assert hits(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ce numéro n'est plus attrib", ["n est plus attribue"]),
        ("ce numéro n'est plus att", []),  # too little of it
        ("n'est plus attrib bonjour", []),  # not at the end
        ("ce numéro n'est plus", []),
        ("la messag", []),  # a single word is not guessed
    ],
)
def test_the_last_word_of_a_phrase_may_be_cut(text: str, found: list[str]) -> None:
    assert hits(text) == found


@given(WORDS, st.sampled_from(sorted(GROUP.phrases)), WORDS)
def test_a_phrase_between_any_words_is_found(before: list[str], phrase: str, after: list[str]) -> None:
    found = hits(" ".join([*before, phrase, *after]))
    assert any(phrase in hit for hit in found)
    assert not any(hit.startswith("~") for hit in found)


def test_classes_that_say_the_same_are_equal_and_carry_no_kind_unless_told() -> None:
    assert KeywordClass("a", 1.0, GROUP.phrases) == KeywordClass("a", 1.0, GROUP.phrases)
    assert KeywordClass("a", 1.0, GROUP.phrases).kind == ""


# ---- sounds


@given(WORDS.filter(bool), st.data())
def test_a_run_of_the_words_is_among_their_sounds(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    sound = "".join(Spoken(words[start:end]).keys)
    assert Spoken(words).has(sound) or not sound


def test_numbers_all_sound_alike_and_silent_words_are_none() -> None:
    assert Spoken(fold_words("06 12 et 3")).keys == ["0", "0", "0"]
    assert Spoken([]).keys == []
    assert not Spoken([]).has("alo")


# ---- cues


def test_the_cues_of_a_text_are_its_runs_and_pieces_of_its_sound() -> None:
    found = cue_features(Spoken(["allo", "oui"]))
    assert {cue for cue in found if cue.startswith("=")} == {"=alo", "=Ui", "=^ alo", "=alo Ui", "=^ alo Ui"}
    pieces = {cue for cue in found if cue.startswith("~")}
    sounds = "^alo Ui"
    assert pieces == {f"~{sounds[at : at + n]}" for n in range(3, 7) for at in range(len(sounds) - n + 1)}
    assert cue_features(Spoken([])) == {}
    assert {cue: list(found[cue]) for cue in ("=Ui", "=^ alo", "=alo Ui", "~^alo", "~o Ui", "~ Ui")} == {
        "=Ui": [1],
        "=^ alo": [0],
        "=alo Ui": [0, 1],
        "~^alo": [0],
        "~o Ui": [0, 1],
        "~ Ui": [0, 1],
    }


@given(WORDS)
def test_no_cue_is_longer_than_they_may_be(words: list[str]) -> None:
    for cue in cue_features(Spoken(words)):
        if cue.startswith("="):
            assert 1 <= len(cue[1:].split(" ")) <= MAX_RUN
        else:
            assert MIN_PIECE <= len(cue) - 1 <= MAX_PIECE


def test_the_beginning_of_an_answer_is_told_from_its_middle() -> None:
    assert "=^ bOjUr" in cue_features(Spoken(["bonjour", "oui"]))
    assert "=^ bOjUr" not in cue_features(Spoken(["oui", "bonjour"]))


def test_cues_add_up_once_each_and_every_word_says_its_share() -> None:
    weights = {
        "=alo": -1.0,
        "=Ui": -0.5,
        "=^ alo": 0.25,
        "~alo": 0.125,
        "~^al": -0.0625,
        "=alo Ui": 0.0312,
        "=non": 9.0,
    }
    finding = Cues(weights).finding(Spoken(fold_words("allô oui allô")))
    assert finding is not None
    assert finding.source == "words"
    assert finding.weight == pytest.approx(sum(weights.values()) - 9.0)
    # what two words share is parted; the second "allo" adds nothing: each cue counts once, where it is first
    assert finding.what == "allo -0.67, oui -0.48, allo +0.00"
    assert len(Cues(weights)) == 7


@pytest.mark.parametrize("text", ["", "non"])
def test_without_a_cue_there_is_no_finding(text: str) -> None:
    assert Cues({"=alo": 1.0}).finding(Spoken(fold_words(text))) is None


@pytest.mark.parametrize(
    ("weight", "shown"), [(2.0, "+2"), (-0.45, "-0.45"), (3.8251, "+3.83"), (0.0, "+0"), (-10.0, "-10")]
)
def test_a_finding_shows_its_weight(weight: float, shown: str) -> None:
    assert str(Finding("m", "machine, noise", weight)) == f"m: machine, noise ({shown})"
