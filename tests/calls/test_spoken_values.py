"""Values as a scenario asks for them, and whether a turn may go on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from french_numbers import spell, spell_pairs
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.spoken_values import (
    Kind,
    may_go_on,
    read_all,
    read_amounts,
    read_dates,
    read_digits,
    read_durations,
    read_numbers,
    read_ordinals,
    read_phones,
    read_times,
)

TODAY = date(2026, 3, 10)
NUMBER = "zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre"


@pytest.mark.parametrize(
    ("text", "euros"),
    [
        ("douze euros cinquante", "12.50"),
        ("douze euros et cinq centimes", "12.05"),
        ("douze euros cinq", "12.05"),
        ("12,50 €", "12.50"),
        ("12,5 euros", "12.50"),
        ("12€50", "12.50"),
        ("douze virgule cinq euros", "12.50"),
        ("mille deux cents euros", "1200.00"),
        ("12 000 €", "12000.00"),
        ("1.200,50 €", "1200.50"),
        ("un million d'euros", "1000000.00"),
        ("quatre-vingts centimes", "0.80"),
        ("vingt euros trois fois", "20.00"),
        ("vingt euros et deux cafés", "20.00"),
    ],
)
def test_amounts(text: str, euros: str) -> None:
    assert [str(reading.value) for reading in read_amounts(text.split())] == [euros]


@given(st.integers(0, 999_999), st.integers(1, 99))
def test_every_amount_is_read_back(euros: int, cents: int) -> None:
    value = Decimal(f"{euros}.{cents:02}")
    assert [r.value for r in read_amounts(f"{spell(euros)} euros {spell(cents)}".split())] == [value]
    assert [r.value for r in read_amounts(f"{value} €".replace(".", ",").split())] == [value]


def test_no_amounts() -> None:
    assert read_amounts(["douze", "personnes,", "des", "euros"]) == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("le premier", 1),
        ("la première option", 1),
        ("plutôt le deuxième", 2),
        ("le vingt et unième", 21),
        ("le vingt et un", 21),
        ("le 3e", 3),
        ("la 2ème", 2),
        ("numéro quatre", 4),
        ("le deux s'il vous plaît", 2),
        ("le premier non pardon le deuxième", 2),
    ],
)
def test_ordinals(text: str, place: int) -> None:
    assert [reading.value for reading in read_ordinals(text.split())] == [place]


def test_no_ordinals() -> None:
    assert read_ordinals(["les", "deux,", "le", "12", "heures"]) == ()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("j'ai quarante-deux ans", ["42"]),
        ("trois virgule cinq", ["3.5"]),
        ("3,25", ["3.25"]),
        ("deux enfants et un chien", ["2"]),
        ("j'en veux un", ["1"]),
        ("un", ["1"]),
        ("un 1 une", ["1", "1"]),
        ("la deuxième", []),
        ("douze non treize", ["13"]),
        ("douze, non pardon, j'en ai treize", ["13"]),
        ("zéro", ["0"]),
        ("neuf cent quatre-vingt-dix-neuf millions", ["999000000"]),
    ],
)
def test_numbers(text: str, values: list[str]) -> None:
    assert [str(reading.value) for reading in read_numbers(text.split())] == values


def test_what_was_taken_back_is_gone_whatever_it_was() -> None:
    def last(text: str) -> list[object]:
        words = text.split()
        found = (*read_times(words), *read_durations(words), *read_dates(words, today=TODAY), *read_phones(words))
        return [(reading.start, reading.end) for reading in found]

    assert last("à midi non pardon à minuit") == [(5, 6)]
    assert last("deux jours, enfin non, trois jours") == [(4, 6)]
    assert last("mardi euh non mercredi") == [(3, 4)]
    assert last("le douze non treize mai") == [(0, 5)]
    assert last(f"{NUMBER} non pardon c'est le zéro six douze") == [(11, 14)]
    assert last("mardi ou mercredi") == [(0, 1), (2, 3)]


def test_digits_of_a_client_number() -> None:
    (reading,) = read_digits(["le", "quatre", "cinq", "euh", "douze"])
    assert (reading.kind, reading.value, reading.start, reading.complete) == (Kind.DIGITS, "4512", 1, False)


def test_everything_at_once_uses_each_word_once() -> None:
    words = (
        f"rappelez-moi mardi 17 à quatorze heures au {NUMBER} pour cinquante euros dans deux heures,"
        " dossier quatre cinq, la troisième fois j'en avais sept et zéro six douze"
    ).split()
    found = [(reading.kind, reading.value) for reading in read_all(words, today=TODAY)]
    assert [kind for kind, _ in found] == [
        Kind.DATE, Kind.TIME, Kind.PHONE, Kind.AMOUNT, Kind.DURATION, Kind.DIGITS, Kind.ORDINAL, Kind.NUMBER,
        Kind.PHONE,
    ]  # fmt: skip
    assert [value for kind, value in found if kind in {Kind.PHONE, Kind.DIGITS}] == ["0199001234", "45", "0612"]


SAID = f"{NUMBER} mardi le 12 euros h midi, moins non pardon et 06 / la semaine € demi".split()


@given(st.lists(st.sampled_from(SAID), max_size=20))
def test_whatever_is_said_readings_do_not_overlap(words: list[str]) -> None:
    ends = [0, *(reading.end for reading in read_all(words, today=TODAY))]
    starts = [*(reading.start for reading in read_all(words, today=TODAY)), len(words)]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    assert may_go_on([*words, "euh"])


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    for reading in read_all(text.split(), today=TODAY):
        assert reading.start < reading.end
    assert may_go_on(text.split()) in {True, False}


@pytest.mark.parametrize(
    "text",
    [
        "euh", "oui euh...", "le", "oui et", "c'est", "je peux vous rappeler sur", "mon numéro c'est", "mardi à",
        "quatorze heures moins", "le vingt et", "oui mais", "attendez", "attendez, deux secondes", "ne quittez pas",
        "un instant", "laissez-moi regarder", "mon numéro c'est zéro six douze", "zéro six", "06 12 34", "+33",
        "quatre cinq six", "client numéro quarante-deux", "douze virgule",
        "zéro un soixante dix quatre vingt dix",  # 01 70 90, or 01 60 10 80 10 and done
    ],
)  # fmt: skip
def test_turns_that_may_go_on(text: str) -> None:
    assert may_go_on(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "", "oui", "non merci", "bien sûr", "bien sur", "je suis là", "je suis la", "il n'est pas là", "vous êtes où ?",
        NUMBER, "01 99 00 12 34", f"c'est le {NUMBER} voilà", "quarante-deux", "vingt et un", "mardi prochain",
        "à quatorze heures", "quatre cinq six c'est tout", "il y en a", "deux secondes plus tard",
    ],
)  # fmt: skip
def test_turns_that_are_over(text: str) -> None:
    assert not may_go_on(text.split())


@given(st.from_regex(r"0[1-9][0-9]{8}", fullmatch=True), st.integers(1, 4))
def test_a_number_goes_on_until_its_last_pair(number: str, pairs: int) -> None:
    assert may_go_on(f"mon numéro c'est le {spell_pairs(number[: 2 * pairs])}".split())
    assert not may_go_on([number])
