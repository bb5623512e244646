"""The value that a step asks for, as the text a report holds."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.said_values import ValueKind, read_value
from V3.calls.words import fold_words

MONDAY = date(2026, 10, 12)
PARTS = "zéro un deux vingt cent mille heures euros le mardi mai et 06 12 h plus"


def read(kind: str, said: str, *, today: date | None = MONDAY) -> str:
    return read_value(ValueKind(kind), said.split(), today=today)


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("phone", "zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre", "0199001234"),
        ("phone", "C'est le 01 99 00 12 34.", "0199001234"),
        ("date", "mardi prochain", "2026-10-13"),
        ("date", "demain matin", "2026-10-13"),
        ("date", "le vingt-quatre novembre", "2026-11-24"),
        ("date", "la semaine prochaine", "2026-10-19/2026-10-25"),
        ("date", "plutôt en novembre", "2026-11-01/2026-11-30"),
        ("time", "à quatorze heures trente", "14:30"),
        ("time", "dans la matinée", "08:00/12:00"),
        ("number", "quarante-deux", "42"),
        ("number", "trois virgule cinq", "3.5"),
        ("amount", "douze euros cinquante", "12.50"),
        ("amount", "cent euros", "100.00"),
        ("digits", "mon code c'est 4567 voilà", "4567"),
        ("digits", "quatre cinq six sept", "4567"),  # it may go on, but the turn is over
        ("digits", "zéro zéro sept", "007"),
    ],
)
def test_what_was_said_whole_is_read(kind: str, said: str, value: str) -> None:
    assert read(kind, said) == value


@pytest.mark.parametrize("kind", [str(kind) for kind in ValueKind])
@pytest.mark.parametrize("said", ["", "euh", "je ne sais pas", "?", "oui oui bien sûr"])
def test_nothing_of_the_kind_is_nothing(kind: str, said: str) -> None:
    assert read(kind, said) == ""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("phone", "zéro un quatre-vingt-dix-neuf"),  # a number begun is no number
        ("phone", "quarante-deux"),
        ("date", "quatorze heures"),
        ("date", "le 30 février"),
        ("time", "mardi"),
        ("amount", "quarante-deux"),
    ],
)
def test_half_a_value_or_one_of_another_kind_is_nothing(kind: str, said: str) -> None:
    assert read(kind, said) == ""


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("time", "neuf heures, non pardon, dix heures", "10:00"),
        ("date", "mardi, enfin non, mercredi", "2026-10-14"),
        ("number", "trois ou plutôt quatre", "4"),
        ("time", "dix heures ou onze heures", "11:00"),
        ("phone", "01 99 00 12 34 ou 01 99 00 12 35", "0199001235"),
        ("number", "trois puis quatre", "4"),
    ],
)
def test_of_several_the_last_counts(kind: str, said: str, value: str) -> None:
    assert read(kind, said) == value


def test_dates_need_to_know_what_day_it_is() -> None:
    assert read("date", "demain", today=None) == ""
    assert read("time", "quatorze heures", today=None) == "14:00"
    assert read("date", "demain", today=date(2026, 12, 31)) == "2027-01-01"


@pytest.mark.parametrize("kind", list(ValueKind))
@given(words=st.lists(st.sampled_from(fold_words(PARTS)), max_size=9))
def test_any_words_give_one_line_of_text(kind: ValueKind, words: list[str]) -> None:
    value = read_value(kind, words, today=MONDAY)
    assert not any(char.isspace() for char in value)
    if kind is ValueKind.PHONE:
        assert value == "" or (len(value) == 10 and value.isdigit())
