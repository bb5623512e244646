"""How much silence ends an utterance, by its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.turns import SHORT_ANSWER_WORDS, TurnRules, turn_silence
from V3.config import TurnSettings

RULES = TurnRules()
silence_ms = turn_silence(RULES)


@pytest.mark.parametrize(
    "said", ["Oui.", "Non merci.", "Oui, bonjour.", "C'est moi.", "D'accord.", "Ça ne m'intéresse pas.", "Allô ?"]
)
def test_a_complete_short_answer_is_over_soon(said: str) -> None:
    expected = RULES.short_ms if len(said.replace("'", " ").split()) <= SHORT_ANSWER_WORDS else RULES.usual_ms
    assert silence_ms(said.split()) == expected


@pytest.mark.parametrize("said", ["C'est qui ?", "De la part de qui ?", "Vous appelez de ?", "C'est à vous de ?"])
def test_a_question_needs_no_other_word(said: str) -> None:
    assert silence_ms(said.split()) < RULES.long_ms


@pytest.mark.parametrize("said", ["Je suis en voiture là tout de suite.", "Mon mari n'est pas à la maison ce soir."])
def test_a_longer_one_has_the_usual_silence(said: str) -> None:
    assert silence_ms(said.split()) == RULES.usual_ms


@pytest.mark.parametrize(
    "said",
    [
        "Attendez.",
        "Euh",
        "Oui, euh...",
        "Alors c'est le",
        "Mon numéro c'est",
        "Le zéro six douze",
        "zéro un vingt-trois",
    ],
)
def test_who_is_likely_to_go_on_is_given_time(said: str) -> None:
    assert silence_ms(said.split()) == RULES.long_ms


def test_a_whole_telephone_number_is_not_waited_on_for_more_digits() -> None:
    half, whole = "zéro six douze trente-quatre", "zéro six douze trente-quatre cinquante-six soixante-dix-huit"
    assert silence_ms(half.split()) == RULES.long_ms
    assert silence_ms(whole.split()) < RULES.long_ms


def test_a_number_may_be_followed_by_what_it_counts() -> None:
    assert silence_ms(["J'en", "ai", "deux", "cent", "cinquante"]) == RULES.number_ms


@pytest.mark.parametrize("said", ["Vendredi", "plutôt mardi.", "À dix-sept heures"])
def test_half_of_when_it_is_may_be_followed_by_the_rest(said: str) -> None:
    assert silence_ms(said.split()) == RULES.number_ms
    assert silence_ms([*said.split()[:-1], "vendredi ?"]) == RULES.short_ms


def test_the_silences_are_the_settings() -> None:
    rules = TurnRules(short_ms=1, usual_ms=2, number_ms=3, long_ms=4)
    of = turn_silence(rules)
    assert (of(["oui"]), of(["je", "ne", "suis", "pas", "encore", "certain"]), of(["attendez"])) == (1, 2, 4)
    settings = TurnSettings()
    assert (settings.short_ms, settings.usual_ms, settings.long_ms) == (RULES.short_ms, RULES.usual_ms, RULES.long_ms)


def test_no_words_have_the_usual_silence() -> None:
    assert silence_ms([]) == silence_ms(["…"]) == RULES.usual_ms


@given(st.lists(st.text(max_size=12), max_size=12))
def test_whatever_is_written_the_silence_is_one_of_them(words: list[str]) -> None:
    assert silence_ms(words) in (RULES.short_ms, RULES.usual_ms, RULES.number_ms, RULES.long_ms)
