"""Of few words: interruption or not, by the likelihoods of all that they may have been."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.lone_words import interruption, is_backchannel
from V3.calls.words import Phrases, fold_words
from V3.config import BACKCHANNELS, STOP_WORDS
from V3.events import Alternative

STOPS, HUMS = Phrases(STOP_WORDS), Phrases(BACKCHANNELS)


def reason(written: str, /, *, tells: bool = True, sure: bool = False, **likelihoods: float) -> str:
    alternatives = [Alternative(name.replace("_", " "), value) for name, value in likelihoods.items()]
    return interruption(alternatives, fold_words(written), stop_words=STOPS, backchannels=HUMS, tells=tells, sure=sure)


def test_what_was_written_is_not_believed_against_the_audio() -> None:
    assert reason("Entenez.", Entenez=0.01, Arrêtez=0.3, Entendu=0.002) == "stop word: arretez"
    assert not reason("Arrêtez.", Arrêtez=0.2, Parfait=0.5)


def test_stop_words_are_weighed_together() -> None:
    assert reason("Entre.", Entendu=0.25, Arrêtez=0.15, Arrête=0.15) == "stop word: arretez"
    assert not reason("Entre.", Entendu=0.25, Arrêtez=0.15)


def test_words_of_neither_kind_count_in_part() -> None:
    assert reason("Pourquoi ?", Pourquoi=0.5) == "words that are no backchannel"
    assert not reason("On coupe.", On_coupe=0.2, Ok=0.1)
    assert not reason("Je", tells=False, Je=0.9)


def test_the_beginning_of_what_was_written_is_no_alternative() -> None:
    """Of "Oui." only "oui" was found in "Oui, merci": that there is more was not scored."""
    assert reason("Oui, merci.", Oui_merci=0.15, Oui=0.06) == "words that are no backchannel"


def test_likelihoods_that_are_all_next_to_nothing_tell_nothing() -> None:
    assert not reason("Un kilommande.", Une_seconde=0.003, Un_kilommande=0.001)
    assert reason("Est-ce que c'est Baptique ?", sure=True) == "words that are no backchannel"
    assert not reason("On coupe.", sure=True, On_coupe=0.01, Ok=0.1)


def test_where_nothing_was_written_most_likely_nothing_was_said() -> None:
    assert not reason("", Stop=0.05, Ah=0.01)
    assert reason("", Arrêtez=0.4, Parfait=0.01) == "stop word: arretez"
    assert not reason("")


@pytest.mark.parametrize("said", ["Oui.", "C'est", "Tout à", "Ah bon ?", "très bien sûr", ""])
def test_a_backchannel_or_the_beginning_of_one(said: str) -> None:
    assert is_backchannel(fold_words(said), HUMS)


@pytest.mark.parametrize("said", ["Non.", "C'est qui", "oui mais", "tout le monde"])
def test_no_backchannel(said: str) -> None:
    assert not is_backchannel(fold_words(said), HUMS)


phrases = st.sampled_from([*STOP_WORDS, *BACKCHANNELS, "pourquoi", "le docteur", ""])


@given(st.dictionaries(phrases, st.floats(0, 1), max_size=6), phrases, st.booleans())
def test_a_likelier_stop_word_never_makes_it_less_of_an_interruption(
    found: dict[str, float], written: str, tells: bool
) -> None:
    def at(stop: float) -> str:
        alternatives = [Alternative(text, value) for text, value in (found | {"stop": stop}).items()]
        return interruption(alternatives, fold_words(written), stop_words=STOPS, backchannels=HUMS, tells=tells)

    if at(0.2):
        assert at(0.9)
