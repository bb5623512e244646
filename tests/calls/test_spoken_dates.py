"""Dates as they are said, on a Tuesday: 10 March 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from french_numbers import spell
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.spoken_dates import DateSpan, dates
from V3.calls.spoken_numbers import Line, Reading, listen

TODAY = date(2026, 3, 10)
MONTHS = ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre"]
MONTHS += ["décembre"]
WEEKDAYS = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]


def read(text: str, *, today: date = TODAY) -> tuple[Reading[DateSpan], ...]:
    return dates(Line(listen(text.split())), today=today)


def days(text: str, *, today: date = TODAY) -> list[str]:
    spans = [reading.value for reading in read(text, today=today)]
    return [f"{s.first}" if s.first == s.last else f"{s.first} {s.last}" for s in spans]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("aujourd'hui", "2026-03-10"),
        ("demain", "2026-03-11"),
        ("après-demain", "2026-03-12"),
        ("apres demain", "2026-03-12"),
        ("hier", "2026-03-09"),
        ("avant-hier", "2026-03-08"),
        ("plutôt ce soir", "2026-03-10"),
        ("cet après-midi", "2026-03-10"),
        ("lundi", "2026-03-16"),
        ("mardi", "2026-03-17"),  # said on a Tuesday
        ("ce jeudi", "2026-03-12"),
        ("lundi prochain", "2026-03-16"),
        ("lundi en huit", "2026-03-23"),
        ("mardi de la semaine prochaine", "2026-03-17"),
        ("vendredi la semaine prochaine", "2026-03-20"),
        ("le premier mars", "2027-03-01"),  # this year's has gone
        ("le dix mars", "2026-03-10"),
        ("le 1er avril", "2026-04-01"),
        ("le douze mars 2027", "2027-03-12"),
        ("né le trois juin mille neuf cent quatre-vingt", "1980-06-03"),
        ("le trois juin deux mille vingt-sept", "2027-06-03"),
        ("mardi 12 mai", "2026-05-12"),
        ("le vingt-neuf février", "2028-02-29"),
        ("mardi 12", "2026-05-12"),  # the next 12th that is a Tuesday
        ("mardi le dix-sept", "2026-03-17"),
        ("le douze", "2026-03-12"),
        ("le 9", "2026-04-09"),
        ("le vingt et un", "2026-03-21"),
        ("le premier", "2026-04-01"),
        ("le trente et un", "2026-03-31"),
        ("le 12/04", "2026-04-12"),
        ("12/03/1980", "1980-03-12"),
        ("12/03/80", "1980-03-12"),
        ("12/03/27", "2027-03-12"),
        ("dans trois jours", "2026-03-13"),
        ("d'ici deux semaines", "2026-03-24"),
        ("dans un mois", "2026-04-10"),
        ("dans onze mois", "2027-02-10"),
        ("dans deux ans", "2028-03-10"),
        ("la semaine prochaine", "2026-03-16 2026-03-22"),
        ("cette semaine", "2026-03-09 2026-03-15"),
        ("en fin de semaine", "2026-03-12 2026-03-13"),
        ("en début de semaine prochaine", "2026-03-16 2026-03-17"),
        ("au milieu de la semaine prochaine", "2026-03-18"),
        ("ce week-end", "2026-03-14 2026-03-15"),
        ("le weekend prochain", "2026-03-21 2026-03-22"),
        ("en mars", "2026-03-01 2026-03-31"),
        ("en février", "2027-02-01 2027-02-28"),
        ("début avril", "2026-04-01 2026-04-10"),
        ("mi-avril", "2026-04-11 2026-04-20"),
        ("à la fin du mois", "2026-03-21 2026-03-31"),
        ("le mois prochain", "2026-04-01 2026-04-30"),
    ],
)
def test_ways_to_say_a_date(text: str, day: str) -> None:
    assert days(text) == [day]


@pytest.mark.parametrize(
    "text",
    [
        "le 31 février",
        "le trente-deux mai",
        "mardi 45",
        "le 45",
        "le 12 heures",
        "le 12 34 56",
        "le deuxième",
        "une semaine",
        "deux mois",
        "dans deux heures",
        "mais mardis",
        "32/13",
        "bonjour",
        "",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert days(text) == []


def test_what_else_a_date_may_mean() -> None:
    def others(text: str) -> list[str]:
        (reading,) = read(text)
        return [str(span.first) for span in reading.alternatives]

    assert others("jeudi prochain") == ["2026-03-19"]  # not this week's, for some
    assert others("lundi prochain") == []
    assert days("dans quinze jours") == ["2026-03-24"]
    assert others("dans quinze jours") == ["2026-03-25"]
    assert days("dans huit jours") == ["2026-03-17"]
    assert others("dans huit jours") == ["2026-03-18"]
    assert others("dans huit semaines") == []
    assert others("le week-end prochain") == ["2026-03-14"]


def test_the_end_of_a_month_is_not_passed() -> None:
    assert days("dans un mois", today=date(2026, 1, 31)) == ["2026-02-28"]
    assert days("le mois prochain", today=date(2026, 12, 31)) == ["2027-01-01 2027-01-31"]
    assert days("le 31", today=date(2026, 4, 1)) == ["2026-05-31"]


def test_several_dates_come_in_order_with_their_words() -> None:
    readings = read("soit demain soit euh le douze avril")
    assert [(str(r.value.first), r.start, r.end) for r in readings] == [("2026-03-11", 1, 2), ("2026-04-12", 4, 7)]


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 364))
def test_every_day_ahead_is_read_back(today: date, ahead: int) -> None:
    day = today + timedelta(days=ahead)
    name = "premier" if day.day == 1 else spell(day.day)
    said = f"{WEEKDAYS[day.weekday()]} {name} {MONTHS[day.month - 1]}"
    for text in (said, f"le {day.day} {MONTHS[day.month - 1]}", f"le {said} {day.year}", f"{day:%d/%m/%Y}"):
        assert days(text, today=today) == [str(day)]


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.sampled_from(WEEKDAYS))
def test_a_weekday_is_one_of_the_next_seven_days(today: date, name: str) -> None:
    (day,) = (date.fromisoformat(text) for text in days(name, today=today))
    assert 1 <= (day - today).days <= 7
    assert WEEKDAYS[day.weekday()] == name
