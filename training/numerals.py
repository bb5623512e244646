"""French numbers, telephone numbers, dates, times and prices in words, as people say them."""

from __future__ import annotations

from random import Random
from typing import Final

__all__ = ["MONTHS", "WEEKDAYS", "cardinal", "clock", "date", "phone", "postcode", "price", "year"]

WEEKDAYS: Final = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_UNITS: Final = (
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "dix-sept",
    "dix-huit",
    "dix-neuf",
)
_TENS: Final = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}


def _below_hundred(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    if number < 70:
        tens, unit = number // 10 * 10, number % 10
        if unit == 0:
            return _TENS[tens]
        return f"{_TENS[tens]} et un" if unit == 1 else f"{_TENS[tens]}-{_UNITS[unit]}"
    if number < 80:
        return "soixante et onze" if number == 71 else f"soixante-{_UNITS[number - 60]}"
    return "quatre-vingts" if number == 80 else f"quatre-vingt-{_UNITS[number - 80]}"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if hundreds == 0:
        return _below_hundred(rest)
    if rest == 0:
        return "cent" if hundreds == 1 else f"{_UNITS[hundreds]} cents"
    head = "cent" if hundreds == 1 else f"{_UNITS[hundreds]} cent"
    return f"{head} {_below_hundred(rest)}"


def cardinal(number: int) -> str:
    """0 to 999,999 in words. Raises ValueError outside."""
    if not 0 <= number < 1_000_000:
        raise ValueError(f"{number} is outside 0..999999")
    thousands, rest = divmod(number, 1000)
    if thousands == 0:
        return _below_thousand(rest)
    stem = _below_thousand(thousands)
    if stem.endswith(("vingts", "cents")):
        stem = stem[:-1]
    head = "mille" if thousands == 1 else f"{stem} mille"
    return head if rest == 0 else f"{head} {_below_thousand(rest)}"


def _pair(number: int) -> str:
    return f"zéro {_UNITS[number]}" if number < 10 else _below_hundred(number)


def phone(rng: Random) -> str:
    """A French number by pairs: "zéro six vingt-huit soixante-neuf vingt-sept quatre-vingt-seize"."""
    head = rng.choice((1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8, 9))
    return " ".join([f"zéro {_UNITS[head]}", *(_pair(rng.randrange(100)) for _ in range(4))])


def year(rng: Random) -> str:
    """A year as it is said: "mille neuf cent quatre-vingt-deux", "deux mille vingt-six"."""
    return cardinal(rng.choice((rng.randint(1930, 1999), rng.randint(2000, 2030))))


def date(rng: Random, *, with_year: bool) -> str:
    """A day and a month, such as "premier mars" or "douze avril deux mille vingt-six"."""
    day = rng.randint(1, 31)
    said = f"{'premier' if day == 1 else cardinal(day)} {rng.choice(MONTHS)}"
    return f"{said} {year(rng)}" if with_year else said


def clock(rng: Random) -> str:
    """A time of day: "midi et demi", "dix-huit heures trente"."""
    hour = rng.randint(0, 23)
    if hour in (0, 12):
        said = "minuit" if hour == 0 else "midi"
        return said + rng.choice(("", "", " et demi", " et quart", " moins le quart"))
    hours = "une heure" if hour == 1 else "vingt et une heures" if hour == 21 else f"{cardinal(hour)} heures"
    if hour > 12:
        return hours + rng.choice(
            ("", "", "", " quinze", " trente", " quarante-cinq", f" {_below_hundred(rng.randint(2, 59))}")
        )
    return hours + rng.choice(("", "", "", " et demie", " et quart", " moins le quart", " dix", " vingt", " trente"))


def price(rng: Random) -> str:
    """A price in euros, round or with cents."""
    whole = rng.choice((rng.randint(2, 99), rng.randint(100, 999), rng.randint(1, 200) * 50, rng.randint(1, 90) * 1000))
    cents = rng.choice((0, 0, 0, 50, 90, 99, rng.randint(1, 99)))
    return f"{cardinal(whole)} euros" + (f" {_below_hundred(cents)}" if cents else "")


def postcode(rng: Random) -> str:
    """Five digits as they are said: "trente-huit mille", "zéro six cent vingt"."""
    department, rest = rng.randint(1, 95), rng.choice((0, 0, 100, 200, 300, 400, 500, 600, rng.randint(1, 99) * 10))
    if department < 10:
        return f"zéro {_UNITS[department]} {_below_thousand(rest)}" if rest else f"zéro {_UNITS[department]} mille"
    return cardinal(department * 1000 + rest)
