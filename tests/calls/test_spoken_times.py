"""Times of day and lengths of time."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from french_numbers import spell
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.spoken_numbers import Line, listen
from V3.calls.spoken_times import durations, times


def clock(text: str) -> list[str]:
    spans = [reading.value for reading in times(Line(listen(text.split())))]
    return [f"{s.first:%H:%M}" if s.first == s.last else f"{s.first:%H}-{s.last:%H}" for s in spans]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("neuf heures et demie", "09:30"),
        ("neuf heures et quart", "09:15"),
        ("neuf heures trois quarts", "09:45"),
        ("quinze heures moins le quart", "14:45"),
        ("dix heures moins vingt", "09:40"),
        ("minuit moins dix", "23:50"),
        ("midi", "12:00"),
        ("midi et demi", "12:30"),
        ("minuit", "00:00"),
        ("vingt-quatre heures", "00:00"),
        ("huit heures du soir", "20:00"),
        ("trois heures et demie de l'après-midi", "15:30"),
        ("huit heures du matin", "08:00"),
        ("onze heures pile", "11:00"),
        ("14h30", "14:30"),
        ("14 h 30", "14:30"),
        ("14:30", "14:30"),
        ("vers 9h", "09:00"),
        ("une heure dix", "01:10"),
        ("dix heures et cinq minutes", "10:05"),
        ("dix-sept heures trente", "17:30"),
        ("le matin", "08-12"),
        ("dans l'après-midi", "13-18"),
        ("en fin d'après-midi", "16-19"),
        ("en début de matinée", "08-10"),
        ("ce soir", "18-21"),
        ("entre midi et deux", "12-14"),
        ("à dix heures deux fois", "10:00"),
        ("à dix heures douze jours", "10:00"),
    ],
)
def test_ways_to_say_a_time(text: str, said: str) -> None:
    assert clock(text) == [said]


@pytest.mark.parametrize(
    "text", ["dans deux heures", "pendant une heure", "il y a trois heures", "25 heures", "bonsoir", "99 h", ""]
)
def test_what_is_no_time(text: str) -> None:
    assert clock(text) == []


def test_several_times_come_in_order() -> None:
    assert clock("entre neuf heures et dix heures trente ou le soir") == ["09:00", "10:30", "18-21"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("trois heures", [time(15)]),
        ("onze heures moins le quart", [time(22, 45)]),
        ("trois heures du matin", []),
        ("trois heures de l'après-midi", []),
        ("08h30", []),
        ("treize heures", []),
        ("midi", []),
        ("le matin", []),
    ],
)
def test_an_hour_may_be_twelve_later(text: str, other: list[time]) -> None:
    (reading,) = times(Line(listen(text.split())))
    assert [span.first for span in reading.alternatives] == other


@given(st.times())
def test_every_time_of_the_clock_is_read_back(moment: time) -> None:
    minutes = "" if not moment.minute else spell(moment.minute)
    hour = "zéro" if not moment.hour else spell(moment.hour)
    hour = hour[:-2] + "une" if hour.endswith("un") else hour
    said = f"{moment:%H:%M}"
    assert clock(f"{hour} heures {minutes}") == [said]
    assert clock(f"{moment.hour}h{moment:%M}") == [said]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("une demi-heure", 30),
        ("une petite demi heure", 30),
        ("trois quarts d'heure", 45),
        ("un quart d'heure", 15),
        ("une bonne heure", 60),
        ("une heure et demie", 90),
        ("deux heures et quart", 135),
        ("une heure trois quarts", 105),
        ("1h20", 80),
        ("une heure et dix minutes", 70),
        ("dix minutes", 10),
        ("90 secondes", 1.5),
        ("deux jours", 2 * 1440),
        ("un jour et demi", 1.5 * 1440),
        ("une semaine", 7 * 1440),
        ("trois mois", 90 * 1440),
        ("un an", 365 * 1440),
        ("deux années", 730 * 1440),
        ("une journée", 1440),
    ],
)
def test_lengths_of_time(text: str, minutes: float) -> None:
    assert [r.value for r in durations(Line(listen(f"euh pendant {text}".split())))] == [timedelta(minutes=minutes)]


@pytest.mark.parametrize("text", ["les jours", "99999 ans", "midi", "deux"])
def test_what_is_no_length(text: str) -> None:
    assert durations(Line(listen(text.split()))) == ()
