"""Folding of words and finding of phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.words import Phrases, fold, fold_words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ça n'est pas, Œuvre !", "ca n est pas oeuvre"),
        ("ALLÔ ?", "allo"),
        ("Allo\u0302", "allo"),  # the accent as a character of its own
        ("laissez-moi un message", "laissez moi un message"),
        ("l’été", "l ete"),  # a typographic apostrophe
        ("06 12", "06 12"),
        ("ﬁn", "fin"),
        ("« Oui… »", "oui"),
        ("  ", ""),
        ("♪", ""),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=60))
def test_folded_text_stays_as_it_is(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert once.split() == fold_words(text)


FRENCH = st.text("aeéèêçœ'- AZÉ?,.", max_size=30)


@given(FRENCH)
def test_accents_case_and_punctuation_do_not_matter(text: str) -> None:
    assert fold(text.upper()) == fold(text)
    assert fold(f"…{text} !") == fold(text)


PHRASES = Phrases(["oui", "oui oui", "c'est ça", "ça marche", "tout à fait", "!"])


def test_phrases_are_counted_once_and_what_holds_no_word_is_none() -> None:
    assert len(PHRASES) == 5
    assert len(Phrases(["Oui", "oui !", "ouï"])) == 1
    assert set(PHRASES) == {"oui", "oui oui", "c est ca", "ca marche", "tout a fait"}


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("oui", ("oui", 0)),
        ("ah oui oui", ("oui oui", 1)),
        ("mais c'est ça", ("c est ca", 1)),
        ("ouistiti", ("", -1)),  # whole words only
        ("tout à", ("", -1)),
        ("", ("", -1)),
    ],
)
def test_the_longest_phrase_and_its_place(text: str, longest: tuple[str, int]) -> None:
    assert PHRASES.longest(fold_words(text)) == longest


def test_all_finds_no_phrase_inside_a_longer_one_and_none_across_it() -> None:
    assert PHRASES.all(fold_words("oui oui mais oui")) == ["oui oui", "oui"]
    assert Phrases(["a b", "c d", "x y"]).all(["x", "a", "b", "y"]) == ["a b"]


def test_kept_tells_the_words_of_no_phrase() -> None:
    words = fold_words("ah oui c'est ça bonjour oui oui")
    assert [words[i] for i in PHRASES.kept(words)] == ["ah", "bonjour"]
    assert PHRASES.kept([]) == []


@pytest.mark.parametrize(
    ("text", "begun"), [("tout", 1), ("mais tout à", 2), ("tout à fait", 0), ("c'est", 2), ("bonjour", 0), ("", 0)]
)
def test_begun_tells_how_many_last_words_may_become_a_phrase(text: str, begun: int) -> None:
    assert PHRASES.begun(fold_words(text)) == begun


def test_no_phrases_find_nothing() -> None:
    none = Phrases([])
    assert (len(none), none.all(["oui"]), none.longest(["oui"]), none.begun(["oui"])) == (0, [], ("", -1), 0)
    assert none.kept(["oui"]) == [0]


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.lists(st.text("abc ", max_size=7), max_size=5))
def test_kept_and_all_share_out_the_words(words: list[str], given_phrases: list[str]) -> None:
    phrases = Phrases(given_phrases)
    in_phrases = sum(len(found.split()) for found in phrases.all(words))
    assert in_phrases + len(phrases.kept(words)) == len(words)
