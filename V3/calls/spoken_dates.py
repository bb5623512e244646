"""Dates read from words: a table of ways to say one, and the arithmetic from today. A core: ``today`` is an argument.

A date is a span of days, for "la semaine prochaine" is one too; most begin and end on the same day. Without a year it
is the next such day, today included; a weekday alone is never today. "Dans quinze jours" is two weeks, "dans huit
jours" one, as everybody means them; what the words count is told as the alternative. A day that cannot be (le 31
février) is no date.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from V3.calls.spoken_numbers import Kind, Line, Reading

__all__ = ["DateSpan", "dates"]


@dataclass(frozen=True, slots=True)
class DateSpan:
    """Days from ``first`` to ``last``, both included."""

    first: date
    last: date


_Match = re.Match[str]
_Days = tuple[DateSpan, ...]  # likeliest first; none where there is no such day

WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre", "novembre",
    "decembre",
)  # fmt: skip
_NEAR = {"aujourd hui": 0, "demain": 1, "apres demain": 2, "hier": -1, "avant hier": -2}
_MEANT = {8: 7, 15: 14}  # huit jours, quinze jours

_WEEKDAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_DAY = r"(?P<day>1(?= ieme)|\d\d?(?! ieme))(?: ieme)?"
_PART = r"(?:(?P<part>debut|milieu|mi|fin) (?:de |du )?(?:la |cette )?)?"
_NEXT_WEEK = r"(?:prochaine|suivante|d apres)"
# "le 12 heures" and "le 12 34 56" name no day of the month
_DAY_ENDS = r"(?! (?:\d+|h|heures?|euros?|virgule|barre|centimes?|minutes?|jours?|semaines?|mois|ans?|fois|ieme)\b)"


def dates(line: Line, *, today: date) -> tuple[Reading[DateSpan], ...]:
    """Every date in what was said, in order."""
    return line.readings(Kind.DATE, [(pattern, partial(read, today=today)) for pattern, read in _WAYS])


def _day_of_month(match: _Match, *, today: date) -> _Days:
    """Le 12 mars, mardi 12 mars 2030, 12/03."""
    named = match["month"]
    month = _MONTHS.index(named) + 1 if named in _MONTHS else int(named)
    written = match["year"]
    years = (_year(written, today),) if written else range(today.year, today.year + 9)  # 29 February
    days = (_date(year, month, int(match["day"])) for year in years)
    return _one(next((day for day in days if day and (written or day >= today)), None))


def _day_alone(match: _Match, *, today: date) -> _Days:
    """Le 12, mardi 12: the next 12th, where a weekday is named the next that falls on it."""
    named = match["weekday"]
    weekday = WEEKDAYS.index(named) if named else None
    months = ((today.year + (today.month - 1 + ahead) // 12, (today.month - 1 + ahead) % 12 + 1) for ahead in range(25))
    days = (_date(year, month, int(match["day"])) for year, month in months)
    fits = (day for day in days if day and day >= today and (weekday is None or day.weekday() == weekday))
    return _one(next(fits, None))


def _weekday(match: _Match, *, today: date) -> _Days:
    """Lundi, lundi prochain, lundi en huit, lundi de la semaine prochaine."""
    weekday, how = WEEKDAYS.index(match["weekday"]), match["how"] or ""
    if "semaine" in how:
        return _one(_monday(today) + timedelta(days=7 + weekday))
    day = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    later = day + timedelta(days=7)
    if how.startswith("en "):
        return _one(later)
    # said on a Monday, "jeudi prochain" is for some the one of next week
    this_week = day < _monday(today) + timedelta(days=7)
    return _one(day) + (_one(later) if how == "prochain" and this_week else ())


def _near(match: _Match, *, today: date) -> _Days:
    return _one(today + timedelta(days=_NEAR.get(match[0], 0)))  # the rest is ce matin, ce soir


def _ahead(match: _Match, *, today: date) -> _Days:
    """Dans trois jours, dans deux semaines, dans un mois."""
    count, unit = int(match["count"]), match["unit"]
    if unit.startswith(("jour", "semaine")):
        days = count * (7 if unit.startswith("semaine") else 1)
        meant = _MEANT.get(count, days) if unit.startswith("jour") else days
        literal, day = today + timedelta(days=days), today + timedelta(days=meant)
        return _one(day) + (_one(literal) if meant != days else ())
    months = today.month - 1 + count * (1 if unit == "mois" else 12)
    year, month = today.year + months // 12, months % 12 + 1
    return _one(date(year, month, min(today.day, calendar.monthrange(year, month)[1])))


def _week(match: _Match, *, today: date) -> _Days:
    """Cette semaine, la semaine prochaine, en fin de semaine."""
    monday = _monday(today) + timedelta(days=7 if match["how"] else 0)
    first, last = {"debut": (0, 1), "milieu": (2, 2), "mi": (2, 2), "fin": (3, 4)}.get(match["part"] or "", (0, 6))
    return (DateSpan(monday + timedelta(days=first), monday + timedelta(days=last)),)


def _week_end(match: _Match, *, today: date) -> _Days:
    """Ce week-end; "le week-end prochain" is for most the one after."""
    saturday = _monday(today) + timedelta(days=5)
    this, following = (DateSpan(day, day + timedelta(days=1)) for day in (saturday, saturday + timedelta(days=7)))
    return (following, this) if match["how"] else (this,)


def _month(match: _Match, *, today: date) -> _Days:
    """En mars, fin mars."""
    month = _MONTHS.index(match["month"]) + 1
    return (_days_of(today.year + (month < today.month), month, match["part"]),)


def _this_month(match: _Match, *, today: date) -> _Days:
    """Le mois prochain, fin du mois."""
    months = today.year * 12 + today.month - 1 + (match["how"] == "prochain")
    return (_days_of(months // 12, months % 12 + 1, match["part"]),)


_WAYS: tuple[tuple[re.Pattern[str], Callable[..., _Days]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), read)
    for pattern, read in (
        (rf"(?:{_WEEKDAY} )?(?:le )?{_DAY} (?:de )?{_MONTH}(?: (?P<year>\d{{4}}))?", _day_of_month),
        (rf"(?:{_WEEKDAY} )?(?:le )?{_DAY} barre (?P<month>\d\d?)(?: barre (?P<year>\d{{4}}|\d\d))?", _day_of_month),
        (rf"(?:{_WEEKDAY} (?:le )?|le ){_DAY}\b{_DAY_ENDS}", _day_alone),
        (rf"(?:ce )?{_WEEKDAY}(?: (?P<how>prochain|en 8|(?:de )?la semaine {_NEXT_WEEK}))?", _weekday),
        (r"aujourd hui|(?:apres )?demain|(?:avant )?hier|cet?(?= (?:matin|midi|apres midi|aprem|soir)\b)", _near),
        (r"(?:dans|d ici) (?P<count>\d{1,3}) (?P<unit>jours?|semaines?|mois|ans?)", _ahead),
        (rf"(?=cette|debut|milieu|mi|fin|(?:la )?semaine {_NEXT_WEEK})"
         rf"{_PART}(?:la |cette )?semaine(?: (?P<how>{_NEXT_WEEK}))?", _week),
        (r"(?:ce|le) week ?end(?: (?P<how>prochain))?", _week_end),
        (rf"(?<!\d ){_PART}{_MONTH}", _month),
        (rf"(?=debut|milieu|mi|fin|(?:le |ce )?mois (?:prochain|ci))"
         rf"{_PART}(?:le |ce )?mois(?: (?P<how>prochain|ci))?", _this_month),
    )
)  # fmt: skip


def _days_of(year: int, month: int, part: str | None) -> DateSpan:
    end = calendar.monthrange(year, month)[1]
    first, last = {"debut": (1, 10), "milieu": (11, 20), "mi": (11, 20), "fin": (21, end)}.get(part or "", (1, end))
    return DateSpan(date(year, month, first), date(year, month, last))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _one(day: date | None) -> _Days:
    return (DateSpan(day, day),) if day else ()


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _year(written: str, today: date) -> int:
    """Of two digits, the year that is at most 20 ahead: 80 is 1980."""
    if len(written) == 4:
        return int(written)
    century = today.year - today.year % 100
    return century + int(written) - (100 if int(written) > today.year % 100 + 20 else 0)
