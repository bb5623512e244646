"""Telephone numbers and other strings of digits."""

from __future__ import annotations

import re

import pytest
from french_numbers import spell, spell_pairs
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.spoken_digits import digit_strings, phones, settled, takes_back
from V3.calls.spoken_numbers import Reading, listen

BEGIN = "zéro un quatre-vingt-dix-neuf zéro zéro"  # 01 99 00, the numbers that belong to nobody
PHONES = st.from_regex(r"0[1-9][0-9]{8}", fullmatch=True)


def only(text: str) -> Reading[str]:
    (reading,) = phones(listen(text.split()))
    return reading


def called(text: str) -> list[str]:
    return [reading.value for reading in phones(listen(text.split())) if reading.complete]


def begun(text: str) -> list[str]:
    return [reading.value for reading in phones(listen(text.split())) if not reading.complete]


@given(PHONES)
def test_every_number_said_in_pairs_is_read_back(number: str) -> None:
    said = spell_pairs(number)
    reading = only(f"alors euh c'est le {said} merci")
    assert (reading.start, reading.end) == (4, 4 + len(said.split()))
    # 60 10 sounds like 70: then it is one of several readings, and not called complete
    doubtful = re.search(r"(soixante|quatre-vingts) (dix|onze|\w+ze)\b", said) is not None
    assert number in ((reading.value, *reading.alternatives) if doubtful else (reading.value,))
    assert reading.complete == (not doubtful)


def test_of_several_readings_none_is_called_complete() -> None:
    reading = only(spell_pairs("0160107000"))
    assert not reading.complete
    assert "0160107000" in (reading.value, *reading.alternatives)


@given(PHONES)
def test_without_hyphens_every_number_said_in_pairs_is_among_what_is_read(number: str) -> None:
    reading = only(spell_pairs(number).replace("-", " "))
    assert number in (reading.value, *reading.alternatives)  # "vingt quatre vingt" is 24 20 and 20 80


@given(PHONES, st.lists(st.integers(1, 3), min_size=10, max_size=10))
def test_a_number_said_in_groups_of_any_size_is_among_what_is_read(number: str, sizes: list[int]) -> None:
    groups, at = [number[:1]], 1
    for size in sizes:
        groups += [number[at : at + size]] if number[at : at + size] else []
        at += size
    # "zéro douze" for 012; a comma where it is said after a pause
    said = ", ".join(" ".join(spell_zeros(group)) for group in groups)
    found = phones(listen(said.split()))
    assert len(found) == 1
    assert number in (found[0].value, *found[0].alternatives)


def spell_zeros(group: str) -> list[str]:
    rest = group.lstrip("0")
    return ["zéro"] * (len(group) - len(rest)) + ([spell(int(rest))] if rest else [])


@given(PHONES, st.sampled_from([" ", ".", "-", "", ","]))
def test_numbers_in_figures_are_read_back(number: str, separator: str) -> None:
    pairs = [number[at : at + 2] for at in range(0, 10, 2)]
    assert called(separator.join(pairs)) == [number]
    assert called(f"+33 {number[1]} {separator.join(pairs[1:])}") == [number]
    assert called(f"0033{number[1:]}") == [number]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"{BEGIN} douze trente-quatre", "0199001234"),
        ("zéro un neuf neuf zéro zéro un deux trois quatre", "0199001234"),
        ("zéro un, neuf cent quatre-vingt-dix, zéro douze, trente-quatre", "0199001234"),
        (f"{BEGIN} douze et trente-quatre", "0199001234"),
        (f"{BEGIN} euh douze puis trente-quatre", "0199001234"),
        (f"{BEGIN} soixante, dix soixante-quatre", "0199006010" + "64"),
        ("plus trente-trois un quatre-vingt-dix-neuf zéro zéro douze trente-quatre", "0199001234"),
        ("plus trois trois un nonante-neuf zéro zéro douze trente-quatre", "0199001234"),
        ("zéro zéro trente-trois un quatre-vingt-dix-neuf zéro zéro douze trente-quatre", "0199001234"),
        ("+33 (0)1 99 00 12 34", "0199001234"),
        ("33 1 99 00 12 34", "0199001234"),
        ("01 99 001234", "0199001234"),
    ],
)
def test_other_ways_to_say_a_number(text: str, number: str) -> None:
    assert called(text) == ([number] if len(number) == 10 else [])


def test_of_two_ways_to_cut_the_one_that_fits_is_taken_and_not_believed_at_once() -> None:
    # naturally 01 70 12 34, eight digits: the speaker may be in the middle of it
    reading = only("zéro un soixante dix douze trente-quatre")
    assert (reading.value, reading.complete, reading.alternatives) == ("0160101234", False, ())
    reading = only(f"{BEGIN} douze")
    assert (reading.value, reading.complete) == ("0180190012", False)
    reading = only("zéro un soixante dix douze quatre vingt treize")
    assert not reading.complete
    assert {reading.value, *reading.alternatives} == {"0160101293", "0170128013"}


def test_two_numbers_one_after_the_other() -> None:
    assert called("01 99 00 12 34 ou le 01 99 00 12 35") == ["0199001234", "0199001235"]
    assert called("01 99 00 12 34 01 99 00 12 35") == ["0199001234", "0199001235"]
    assert called("zéro un quatre-vingt-dix, zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre") == [
        "0199001234"  # begun, and begun again
    ]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("zéro six douze", "0612"),
        ("zéro quatre vingt", "0420"),
        ("c'est le zéro un", "01"),
        ("zéro un vingt-deux zéro zéro douze", "01220012"),
        ("zéro six douze trente je vous le redis", "061230"),
        ("plus trente-trois six", "+336"),
        ("+33", "+33"),
    ],
)
def test_a_number_that_was_begun_is_told_as_far_as_it_goes(text: str, digits: str) -> None:
    assert begun(text) == [digits]
    assert called(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "zéro",
        "à 06 h 30",
        "le 06/12",
        "douze trente-quatre",
        "j'ai deux enfants",
        "01 99 00 12 34 5",  # a digit too many
        "00 99 00 12 34",
        "plus tard",
        "plus deux",
        "plus",
        "",
    ],
)
def test_what_is_no_telephone_number(text: str) -> None:
    assert phones(listen(text.split())) == ()


def test_a_number_after_other_numbers_is_found() -> None:
    assert called("il est dix heures et mon numéro 0199001234") == ["0199001234"]
    assert called("j'en veux douze, zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre") == ["0199001234"]


def strings(text: str) -> list[tuple[str, int, int, bool]]:
    return [(r.value, r.start, r.end, r.complete) for r in digit_strings(listen(text.split()))]


def test_digits_in_a_row_are_one_string() -> None:
    assert strings("client quatre cinq, douze trois cent") == [("4512300", 1, 6, False)]
    assert strings("c'est le 12 34 5 merci") == [("12345", 2, 5, True)]
    assert strings("deux et trois") == [("2", 0, 1, True), ("3", 2, 3, False)]
    assert strings("007.") == [("007", 0, 1, False)]
    assert strings("bonjour") == []
    assert [r.value for r in digit_strings(listen(["12", "puis", "oui", "4", "5"]), groups_from=2)] == ["45"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("quatre cinq non pardon six sept", "467"),
        ("quatre cinq, non, six sept", "467"),
        ("zéro six douze non treize", "0613"),
        ("zéro six zéro cinq non zéro sept", "0607"),  # "zéro cinq" is said as one
        ("douze excusez-moi treize", "13"),
        ("un deux non trois je veux dire quatre", "14"),
        ("01 99 non pardon 01 99 00 12 34", "0199001234"),  # said anew: only that makes a number
        (f"{BEGIN} douze non pardon treize trente-quatre", "0199001334"),
        ("douze pardon", "12"),
        ("non douze", "12"),
    ],
)
def test_digits_that_were_taken_back_are_gone(text: str, left: str) -> None:
    assert "".join(reading.value for reading in digit_strings(settled(listen(text.split())))) == left


def test_what_takes_a_value_back() -> None:
    assert takes_back(["non", "pardon,", "à"])
    assert takes_back(["euh", "ah", "non", "plutôt"])
    assert not takes_back(["ou", "alors"])
    assert not takes_back([])
    assert not takes_back(["non", "je", "vous", "disais", "que", "c'est", "pour", "mon", "fils", "le"])  # too far


SAID = ["zéro", "un", "deux", "quatre", "vingt", "dix", "sept", "soixante", "cent", "mille", "et", "non", "pardon", "0"]
SAID += ["06", "33", "plus", "euh,", "12"]


@given(st.lists(st.sampled_from(SAID), max_size=20))
def test_any_row_of_numbers_is_read_within_its_words(words: list[str]) -> None:
    spoken = settled(listen(words))
    for reading in (*phones(spoken), *digit_strings(spoken)):
        assert 0 <= reading.start < reading.end <= len(words)
        assert reading.value.removeprefix("+").isdecimal()
