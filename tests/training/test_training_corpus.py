"""The corpus: the same for the same seed, French that agrees, shapes held out."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from random import Random

from training.corpus import CATEGORIES, draw, generate, is_held_out
from training.lexicon import lexicon
from training.morphology import conjugate_first_group, contract, feminine, plural
from training.numerals import cardinal


def test_one_seed_gives_one_corpus() -> None:
    first, second = list(generate(200, seed=3)), list(generate(200, seed=3))
    assert first == second
    assert first != list(generate(200, seed=4))


def test_held_out_shapes_are_in_no_training_text() -> None:
    taught = {utterance.shape for utterance in generate(3000, seed=1)}
    kept = {utterance.shape for utterance in generate(300, seed=1, held_out=True) if utterance.held_out}
    assert len(kept) > 50
    assert not taught & kept
    assert all(is_held_out(shape) for shape in kept)


def test_every_category_is_drawn_and_no_slot_stays_open() -> None:
    utterances = list(generate(3000, seed=2))
    assert {utterance.category for utterance in utterances} == set(CATEGORIES)
    assert not [utterance.text for utterance in utterances if set(utterance.text) & set("{}()|_\u00a0")]
    assert all(utterance.text[0].isupper() and utterance.text[-1] in ".?!" for utterance in utterances)


def test_the_corpus_is_as_varied_as_it_says() -> None:
    assert len({utterance.shape for utterance in generate(10_000, seed=1)}) > 2000
    assert len(lexicon().vocabulary()) > 10_000


def test_words_the_robot_must_know_are_drawn() -> None:
    rng = Random(1)
    said = {draw(rng, category=category).text for category in ("stop", "backchannel", "yesno") for _ in range(400)}
    assert {"Attendez.", "Stop.", "Arrêtez.", "Mmh.", "Mmh oui.", "D'accord.", "Oui.", "Non."} <= said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "zéro"), (71, "soixante et onze"), (80, "quatre-vingts"), (99, "quatre-vingt-dix-neuf"), (200, "deux cents"),
     (80_000, "quatre-vingt mille"), (1981, "mille neuf cent quatre-vingt-un"), (21, "vingt et un")],
)  # fmt: skip
def test_numbers_are_said_as_the_french_say_them(number: int, said: str) -> None:
    assert cardinal(number) == said


def test_numbers_outside_the_range_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        cardinal(1_000_000)


def test_verbs_change_their_stems() -> None:
    assert conjugate_first_group("manger").present[3] == "mangeons"
    assert conjugate_first_group("commencer").imparfait[0] == "commençais"
    assert conjugate_first_group("appeler").present[0] == "appelle"
    assert conjugate_first_group("acheter").futur[0] == "achèterai"
    assert conjugate_first_group("préférer").present[2] == "préfère"
    assert conjugate_first_group("préférer").futur[2] == "préférera"
    assert conjugate_first_group("envoyer").futur[0] == "enverrai"
    assert conjugate_first_group("payer").present[4] == "payez"


def test_endings_and_elision() -> None:
    assert (plural("animal"), plural("bateau"), plural("prix")) == ("animaux", "bateaux", "prix")
    assert (feminine("heureux"), feminine("premier"), feminine("vieux")) == ("heureuse", "première", "vieille")
    assert contract("le hôtel de le garage, le huit, je ai que il") == "l'hôtel du garage, le huit, j'ai qu'il"
