"""Values read from what a callee said: telephone numbers, dates, times, amounts and the like. A core: no clock.

Words come as a recogniser writes them, between spaces: in letters or in figures, with or without accents and
punctuation. Hesitations are skipped, and what was taken back ("neuf heures, non pardon, dix heures") is gone. A
reading tells its value, the words it used, whether it may go on and what else it may mean: see
:class:`V3.calls.spoken_numbers.Reading`. Where a question asked for one kind, ask for that kind: :func:`read_all`
must guess whether "le premier" is a day or a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from V3.calls.spoken_dates import DateSpan, dates
from V3.calls.spoken_digits import digit_strings, phones, settled, takes_back
from V3.calls.spoken_numbers import HESITATIONS, Kind, Line, Reading, listen
from V3.calls.spoken_times import UNITS, TimeSpan, durations, times
from V3.calls.words import fold, fold_words

__all__ = [
    "DateSpan",
    "Kind",
    "Reading",
    "TimeSpan",
    "may_go_on",
    "read_all",
    "read_amounts",
    "read_dates",
    "read_digits",
    "read_durations",
    "read_numbers",
    "read_ordinals",
    "read_phones",
    "read_times",
]

T = TypeVar("T")

_ORDINAL = re.compile(r"\b(?P<place>\d{1,9}) ieme\b")
_CHOICE = re.compile(rf"\b(?:le|la|numero|option|choix) (?P<place>\d{{1,9}})\b(?! {UNITS}\b)")
_NUMBER = re.compile(r"\b(?P<whole>\d+)(?: virgule (?P<part>\d+))?\b(?! ieme\b)")
_AMOUNT = re.compile(
    r"\b(?:(?P<euros>\d{1,9})(?: virgule (?P<part>\d\d?))? (?:d )?euros?\b"
    r"(?: et (?P<cents>\d\d?) centimes?| (?P<left>\d\d?)\b(?! (?:heures?|h|euros?|jours?|mois|ans?|fois)\b)"
    r"(?: centimes?)?)?|(?P<only>\d{1,9}) centimes?)\b"
)

# A turn that ends in one of these goes on; not where one of _CLOSED ends it, nor in a word of _ACCENTED.
_OPEN = frozenset(
    {"le", "la", "les", "l", "de", "du", "des", "d", "au", "aux", "a", "en", "dans", "pour", "par", "sur", "chez"}
    | {"vers", "entre", "avec", "sans", "mon", "ma", "mes", "votre", "vos", "ce", "cet", "cette", "est", "c", "qu"}
    | {"que", "qui", "je", "j", "on", "et", "ou", "mais", "donc", "car", "parce", "comme", "moins", "virgule", "numero"}
)
_CLOSED = re.compile(r"\b(?:(?:bien|pas) sur|(?:suis|est|es|etes|sont|pas|par) (?:la|ou)|y en a)$")
_ACCENTED = frozenset({"là", "où", "sûr"})
_WAIT = re.compile(
    r"\b(?:attend(?:ez|s)|(?:un|1) instant|(?:une|deux|1|2) (?:petites? )?(?:secondes?|minutes?)|quittez pas|voyons"
    r"|je (?:regarde|cherche|verifie|vais voir)|laissez moi (?:voir|regarder|reflechir))$"
)
_SPELLED = frozenset({"numero", "telephone", "code", "dossier", "client", "contrat", "reference"})


def read_phones(words: Sequence[str]) -> tuple[Reading[str], ...]:
    """French telephone numbers, ten digits each ("0199001234"); begun ones as far as they were said."""
    return _kept(words, phones(settled(listen(words))))


def read_digits(words: Sequence[str]) -> tuple[Reading[str], ...]:
    """Strings of digits, such as client numbers; one at the very end is never complete: it may go on."""
    return digit_strings(settled(listen(words)))


def read_dates(words: Sequence[str], *, today: date) -> tuple[Reading[DateSpan], ...]:
    """Days, weeks and months; see :mod:`V3.calls.spoken_dates`."""
    return _kept(words, dates(_line(words), today=today))


def read_times(words: Sequence[str]) -> tuple[Reading[TimeSpan], ...]:
    """Times by the clock and parts of a day; see :mod:`V3.calls.spoken_times`."""
    return _kept(words, times(_line(words)))


def read_durations(words: Sequence[str]) -> tuple[Reading[timedelta], ...]:
    """Lengths of time; a month counts 30 days and a year 365."""
    return _kept(words, durations(_line(words)))


def read_amounts(words: Sequence[str]) -> tuple[Reading[Decimal], ...]:
    """Amounts in euros: "douze euros cinquante" is 12.50."""
    return _kept(words, _line(words).readings(Kind.AMOUNT, ((_AMOUNT, _amount),)))


def read_ordinals(words: Sequence[str]) -> tuple[Reading[int], ...]:
    """Places in an order ("le premier", "la deuxième") and choices by number ("le trois", "numéro quatre")."""
    return _kept(words, _line(words).readings(Kind.ORDINAL, ((_ORDINAL, _place), (_CHOICE, _place))))


def read_numbers(words: Sequence[str]) -> tuple[Reading[Decimal], ...]:
    """Numbers, whole or with a "virgule". "Un" and "une" are articles unless they come last."""
    found = _kept(words, _line(words).readings(Kind.NUMBER, ((_NUMBER, _number),)))
    return tuple(r for r in found if r.end == len(words) or fold(" ".join(words[r.start : r.end])) not in {"un", "une"})


def read_all(words: Sequence[str], *, today: date) -> tuple[Reading[object], ...]:
    """Every value, each word in one reading only: telephone numbers before dates, dates before times, and so on."""
    called = read_phones(words)
    by_priority: Iterable[Iterable[Reading[object]]] = (
        [reading for reading in called if len(reading.value) == 10],
        read_dates(words, today=today),
        read_times(words),
        read_durations(words),
        read_amounts(words),
        called,
        _kept(words, digit_strings(settled(listen(words)), groups_from=2)),
        read_ordinals(words),
        read_numbers(words),
    )
    kept: list[Reading[object]] = []
    for reading in (reading for readings in by_priority for reading in readings):
        if all(reading.end <= other.start or reading.start >= other.end for other in kept):
            kept.append(reading)
    return tuple(sorted(kept, key=lambda reading: reading.start))


def may_go_on(words: Sequence[str]) -> bool:
    """Whether somebody who falls silent after these words is likely to say more.

    True after a hesitation or a word that needs another ("le", "et", "c'est"), after "attendez", inside a telephone
    number, and after digits that are being spelled.
    """
    said = fold_words(" ".join(words))
    if not said:
        return False
    line = " ".join(said)
    if said[-1] in HESITATIONS or _WAIT.search(line):
        return True
    if said[-1] in _OPEN and not _CLOSED.search(line):
        return words[-1].strip(" ,.!?…").casefold() not in _ACCENTED
    return _is_spelling(words, said)


def _is_spelling(words: Sequence[str], said: Sequence[str]) -> bool:
    spoken = settled(listen(words))
    called = phones(spoken)
    if called and called[-1].end == len(words):
        return not called[-1].complete
    strings = digit_strings(spoken, groups_from=1 if not _SPELLED.isdisjoint(said) else 2)
    return bool(strings) and not strings[-1].complete


def _line(words: Sequence[str]) -> Line:
    return Line(settled(listen(words)))


def _kept(words: Sequence[str], readings: Sequence[Reading[T]]) -> tuple[Reading[T], ...]:
    """The readings without those that are taken back before the next one."""
    starts = [reading.start for reading in readings[1:]]
    stays = [not takes_back(words[r.end : start]) for r, start in zip(readings, starts, strict=False)]
    return tuple(reading for reading, stay in zip(readings, [*stays, True], strict=False) if stay)


def _amount(match: re.Match[str]) -> tuple[Decimal, ...]:
    cents = Decimal(match["only"] or match["cents"] or match["left"] or 0) / 100
    euros = Decimal(f"{match['euros'] or 0}.{match['part'] or 0}")
    return ((euros + cents).quantize(Decimal("0.01")),)


def _place(match: re.Match[str]) -> tuple[int, ...]:
    return (int(match["place"]),)


def _number(match: re.Match[str]) -> tuple[Decimal, ...]:
    return (Decimal(f"{match['whole']}.{match['part']}" if match["part"] else match["whole"]),)
