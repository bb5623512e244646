"""Telephone numbers made unreadable where they are not needed: ``0199001202`` becomes ``01 99 ** ** 02``. A core.

A number is what looks like one: French pairs with any separator, ``+`` and digits, or 7 to 15 digits in a row (after
``%2B`` too, as in a URL). Call ids, dates, addresses and sizes with a unit stay as they are.
"""

from __future__ import annotations

import re

__all__ = ["mask_number", "mask_numbers"]

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_FOUND = re.compile(
    rf"(?P<uuid>{_UUID})"
    r"|(?<![0-9A-Za-z.])(?P<number>"
    r"(?:\+|%2B|00)\d{1,3}[ .-]?(?:\(0\))?(?:[ .-]?\d){6,13}"  # +33 1 99 00 12 02
    r"|0\d(?:[ .-]?\d\d){4}"  # 01 99 00 12 02, 01.99.00.12.02, 0199001202
    r"|\d{7,15}"
    r")(?![0-9A-Za-z]|\.\d| ?(?:bytes|samples|ms|Hz)\b)"
)
_SHOWN_HEAD, _SHOWN_TAIL = 4, 2
_COUNTRY = re.compile(r"(?:\+|%2B|00)(33|1|7|[2-9]\d{1,2})")
_LEAST_HIDDEN = 2


def mask_numbers(text: str) -> str:
    """``text`` with every number in it masked."""
    return _FOUND.sub(lambda found: found[0] if found["uuid"] else mask_number(found["number"]), text)


def mask_number(number: str) -> str:
    """One number masked; a short code (up to 6 digits) is nobody's and stays."""
    digits = re.sub(r"%2B|\(0\)|\D", "", number)
    if len(digits) < 7:
        return number
    if len(digits) == 10 and digits.startswith("0"):
        return f"{digits[:2]} {digits[2:4]} ** ** {digits[-2:]}"
    if (country := _COUNTRY.match(number)) is not None and digits.startswith("33") and len(digits) == 11:
        return f"+{country[1]} {digits[2]} {digits[3:5]} ** ** {digits[-2:]}"
    sign = "+" if number.startswith(("+", "%2B")) else ""
    head = min(_SHOWN_HEAD, len(digits) - _SHOWN_TAIL - _LEAST_HIDDEN)
    hidden = "*" * (len(digits) - head - _SHOWN_TAIL)
    return f"{sign}{digits[:head]}{hidden}{digits[-_SHOWN_TAIL:]}"
