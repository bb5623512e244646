"""Numbers in words, and every way to cut them."""

from __future__ import annotations

import unicodedata

import pytest
from french_numbers import spell
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.spoken_numbers import CUT, Kind, Line, cuts, listen, natural


def whole(text: str) -> str:
    """The digits of a text that is one number and nothing else."""
    words = listen(text.split()).words
    number = natural(words, 0)
    assert number is not None
    assert number.end == len(words), text
    return number.digits


def bare(text: str) -> str:
    """As a poor recogniser writes: no accents, no hyphens."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("-", " ")


def test_every_number_below_ten_thousand_is_read_back() -> None:
    for number in range(10_000):
        assert whole(spell(number)) == str(number)
        assert whole(bare(spell(number))) == str(number)


@given(st.integers(0, 999_999_999), st.booleans())
def test_numbers_below_a_thousand_million_are_read_back(number: int, swiss: bool) -> None:
    assert whole(spell(number, swiss=swiss)) == str(number)
    assert whole(bare(spell(number, swiss=swiss)).upper()) == str(number)


@given(st.integers(0, 999_999_999))
def test_figures_are_read_back_with_and_without_groups(number: int) -> None:
    assert whole(str(number)) == str(number)
    for separator in (" ", ".", "\u202f"):
        assert whole(f"{number:,}".replace(",", separator)) == str(number)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("octante-deux", "82"),
        ("douze cents", "1200"),
        ("mille neuf cent quatre-vingt", "1980"),
        ("dix-neuf cent quatre-vingt", "1980"),
        ("2 mille", "2000"),
        ("3 millions deux cent mille", "3200000"),
        ("cinq mille, trois cents", "5300"),
        ("soixante et onze", "71"),
        ("vingt un", "21"),
        ("quatre euh vingt", "80"),
        ("06", "06"),  # its zero is kept
        ("0199001234", "0199001234"),
        ("1234567890123", "1234567890123"),  # too long for a number, and still one word
    ],
)
def test_other_ways_to_write_a_number(text: str, digits: str) -> None:
    assert whole(text) == digits


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("soixante dix", ["70", "60"]),
        ("soixante, dix", ["60"]),  # the comma cuts
        ("quatre vingt dix sept", ["97", "90", "80", "4"]),
        ("deux cent trois", ["203", "200", "2"]),
        ("dix sept", ["17", "10"]),
        ("vingt et", ["20"]),
        ("zéro", ["0"]),
        ("zéro six", ["0"]),
        ("million", []),
        ("bonjour", []),
        ("", []),
    ],
)
def test_every_way_to_cut_comes_longest_first(text: str, ways: list[str]) -> None:
    assert [number.digits for number in cuts(listen(text.split()).words, 0)] == ways


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("14h30", "14 h 30"),
        ("14:30", "14 h 30"),
        ("12/03", "12 barre 03"),
        ("12,50 €", "12 virgule 50 euros"),
        ("+33 6", "plus 33 6"),
        ("1er 2e 3ème", "1 ieme 2 ieme 3 ieme"),
        ("Premier, deuxième.", f"1 ieme {CUT} deux ieme {CUT}"),
        ("quatrièmes neuvième cinquième", "quatre ieme neuf ieme cinq ieme"),
        ("vingt et unième", "vingt et un ieme"),
        ("euh, oui", "oui"),
        ("cinéma système troisième", "cinema systeme trois ieme"),
    ],
)
def test_symbols_and_ordinals_become_words(text: str, heard: str) -> None:
    assert " ".join(listen(text.split()).words) == heard


def test_every_word_keeps_the_index_of_the_one_handed_in() -> None:
    spoken = listen(["Euh,", "le", "14h30", "quatre-vingts"])
    assert list(zip(spoken.words, spoken.owners, strict=True)) == [
        ("le", 1), ("14", 2), ("h", 2), ("30", 2), ("quatre", 3), ("vingts", 3),
    ]  # fmt: skip
    assert spoken.reading(Kind.NUMBER, 80, span=(4, 6)).start == 3
    assert spoken.reading(Kind.NUMBER, 80, span=(4, 6)).end == 4


def test_a_line_has_its_numbers_in_figures() -> None:
    assert Line(listen(["Quinze", "heures,", "moins", "le", "quart"])).text == "15 heures moins le quart"


@given(st.text(max_size=40), st.integers(0, 5))
def test_any_text_is_cut_into_what_is_there(text: str, at: int) -> None:
    words = listen(text.split()).words
    for number in cuts(words, at):
        assert at < number.end <= len(words)
        assert number.digits.isdecimal()
