"""Times of day and lengths of time, read from words. A core.

A part of the day is a span ("le matin" is 8 to 12), a time by the clock one moment. An hour from 1 to 11 without "du
matin" or "du soir" may be twelve hours later, and says so. After "dans", "pendant" and the like an hour is a length
and no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta

from V3.calls.spoken_numbers import Kind, Line, Reading

__all__ = ["UNITS", "TimeSpan", "durations", "times"]


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Times of day from ``first`` to ``last``, which are the same for a time by the clock."""

    first: time
    last: time


# A number followed by one of these is of what follows, not of what comes before it: "dix heures deux fois".
UNITS = r"(?:heures?|h|euros?|centimes?|jours?|semaines?|mois|ans?|fois|virgule|barre)"
_MORE = r"(?: et (?P<more>quart|demie?)| (?P<three>3) quarts)\b"
_MINUTES = rf"(?: (?:et )?(?P<minutes>[0-5]?\d)\b(?! {UNITS}\b)(?: minutes?| mn)?)"
_SIZE = r"(?:petite? |bonne? |grosse? )?"
_SHARES = {"quart": 0.25, "demi": 0.5, "demie": 0.5, "3": 0.75}

_CLOCK = re.compile(
    r"\b(?P<lasting>(?:dans|pendant|durant|depuis|d ici|il y a|toutes les) )?(?<!apres )"
    r"(?:(?P<hour>\d\d?) (?:heures?|h)|(?P<named>midi|minuit))\b"
    rf"(?:{_MORE}| moins (?:le )?(?P<less>quart|\d\d?)\b|{_MINUTES})?(?: (?:pile|precises?)\b)?"
    r"(?: (?:du|de l|de la|ce|cet|dans la|dans l) (?P<part>matin|apres midi|aprem|soir|nuit)\b)?"
)
_PARTS = {
    "debut de matinee": (8, 10), "fin de matinee": (10, 12), "matin": (8, 12), "matinee": (8, 12),
    "entre midi et 2": (12, 14), "debut d apres midi": (13, 15), "fin d apres midi": (16, 19),
    "apres midi": (13, 18), "aprem": (13, 18), "fin de journee": (17, 19), "soir": (18, 21), "soiree": (18, 21),
}  # fmt: skip
_LUNCH = re.compile(r"\bentre midi et 2\b(?! heures)")  # before _CLOCK, which would take its midi
_PART = re.compile(rf"\b(?:{'|'.join(sorted(_PARTS, key=len, reverse=True))})\b")

_LENGTH = re.compile(
    rf"\b(?P<count>\d{{1,4}}) {_SIZE}(?:(?P<hour>heures?|h)\b(?:{_MORE}|{_MINUTES})?"
    r"|(?P<unit>quarts? d heure|demi heures?|minutes?|min|mn|secondes?|jours?|journees?|semaines?"
    r"|mois|ans?|annees?)\b(?: et (?P<half>demie?)\b)?)"
)
_SECONDS = {
    "quart": 900, "demi": 1800, "min": 60, "mn": 60, "sec": 1, "jour": 86_400, "sem": 604_800, "mois": 2_592_000,
    "an": 31_536_000,
}  # fmt: skip


def times(line: Line) -> tuple[Reading[TimeSpan], ...]:
    """Every time of day in what was said, in order."""
    return line.readings(Kind.TIME, ((_LUNCH, _part_of_day), (_CLOCK, _clock), (_PART, _part_of_day)))


def durations(line: Line) -> tuple[Reading[timedelta], ...]:
    """Every length of time, in order; a month counts 30 days and a year 365."""
    return line.readings(Kind.DURATION, ((_LENGTH, _length),))


def _clock(match: re.Match[str]) -> tuple[TimeSpan, ...]:
    hour = {"midi": 12, "minuit": 0}[match["named"]] if match["named"] else int(match["hour"])
    if match["lasting"] or hour > 24:
        return ()
    part = match["part"] or ""
    if part in {"apres midi", "aprem", "soir"} and hour < 12:
        hour += 12
    minutes = hour * 60 + _minutes(match)
    said = _moment(minutes)
    # "08 h" is written by who counts to 24
    either = match["hour"] and 1 <= hour < 12 and not part and not match["hour"].startswith("0")
    return (said, _moment(minutes + 12 * 60)) if either else (said,)


def _minutes(match: re.Match[str]) -> int:
    if less := match["less"]:
        return -15 if less == "quart" else -int(less)
    return int(60 * _share(match)) + int(match["minutes"] or 0)


def _share(match: re.Match[str]) -> float:
    return _SHARES.get(match["more"] or match["three"] or "", 0)


def _moment(minutes: int) -> TimeSpan:
    moment = time(minutes // 60 % 24, minutes % 60)
    return TimeSpan(moment, moment)


def _part_of_day(match: re.Match[str]) -> tuple[TimeSpan, ...]:
    first, last = _PARTS[match[0]]
    return (TimeSpan(time(first), time(last)),)


def _length(match: re.Match[str]) -> tuple[timedelta, ...]:
    count = int(match["count"])
    if match["hour"]:
        return (timedelta(hours=count + _share(match), minutes=int(match["minutes"] or 0)),)
    seconds = next(seconds for unit, seconds in _SECONDS.items() if match["unit"].startswith(unit))
    return (timedelta(seconds=(count + (0.5 if match["half"] else 0)) * seconds),)
