"""The value that a step of a scenario asks for, read from the callee's words. A core.

:mod:`V3.calls.spoken_values` reads; here a value that was said whole becomes the text that a report holds: a telephone
number's ten digits, a date as 2026-11-24 (or two, with "/": a week, a month), a time as 14:30, a number, an amount in
euros with two decimals, or the digits that were spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from V3.calls.spoken_numbers import Reading
from V3.calls.spoken_values import (
    DateSpan,
    TimeSpan,
    read_amounts,
    read_dates,
    read_digits,
    read_numbers,
    read_phones,
    read_times,
)

__all__ = ["ValueKind", "read_value"]


class ValueKind(StrEnum):
    """What is asked for."""

    PHONE = "phone"
    DATE = "date"
    TIME = "time"
    NUMBER = "number"
    AMOUNT = "amount"
    DIGITS = "digits"


_READERS: dict[ValueKind, Callable[[Sequence[str]], Sequence[Reading[Any]]]] = {
    ValueKind.PHONE: read_phones,
    ValueKind.TIME: read_times,
    ValueKind.NUMBER: read_numbers,
    ValueKind.AMOUNT: read_amounts,
    ValueKind.DIGITS: read_digits,
}


def read_value(kind: ValueKind, words: Sequence[str], *, today: date | None = None) -> str:
    """The last value of this kind that was said whole, as text; empty where there is none.

    Dates need ``today``. A string of digits that ends what was heard counts: the turn is over.
    """
    if kind is ValueKind.DATE:
        found: Sequence[Reading[Any]] = read_dates(words, today=today) if today is not None else ()
    else:
        found = _READERS[kind](words)
    whole = [reading for reading in found if reading.complete or kind is ValueKind.DIGITS]
    return _text(whole[-1].value) if whole else ""


def _text(value: object) -> str:
    if isinstance(value, DateSpan):
        first, last = value.first.isoformat(), value.last.isoformat()
        return first if first == last else f"{first}/{last}"
    if isinstance(value, TimeSpan):
        begin, end = value.first.strftime("%H:%M"), value.last.strftime("%H:%M")
        return begin if begin == end else f"{begin}/{end}"
    return str(value)
