"""Strings of digits read from words: telephone numbers, client numbers, and what was corrected in them. A core.

A French number is said in pairs, digit by digit or in groups of any size, and "soixante dix" may be 70 or 60 10: of
all ways to cut the words into numbers, the one with the fewest groups that makes ten digits is taken. The cut that is
most natural being too short and another one fitting is no proof that the caller is done: such a reading is not
complete, and its rivals are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from V3.calls.spoken_numbers import CUT, Kind, Number, Reading, Spoken, cuts, listen, natural

__all__ = ["digit_strings", "phones", "settled", "takes_back"]

_JOINTS = frozenset({CUT, "virgule", "puis", "ensuite"})  # "06, 12" is no decimal here
_PHONE_JOINTS = _JOINTS | {"et"}  # "... cinquante-six et soixante-dix-huit"
_PHONE = re.compile(r"(?:\+33|0033|33)0?([1-9][0-9]{8})|0([1-9][0-9]{8})")
_PHONE_BEGUN = re.compile(r"0[1-9][0-9]*|(?:\+33|0033)[0-9]*")
_VIABLE = re.compile(r"0[1-9][0-9]{0,8}|(?:\+?33|0033)[0-9]{0,9}|\+?3?|0|00|003")  # ... and not too long yet
_FAR = 8  # with more words between two values the second is no correction of the first
_FEW_DIGITS = 4  # fewer, with other words after them, are not the beginning of a telephone number

# What takes back what was just said, longest first.
_CORRECTIONS = (
    ("non", "excusez", "moi"), ("non", "je", "veux", "dire"), ("je", "veux", "dire"), ("excusez", "moi"),
    ("non", "pardon"), ("ah", "non"), ("non", "non"), ("enfin", "non"), ("pardon",), ("non",), ("plutot",),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of cutting words into numbers that makes a telephone number."""

    national: str
    groups: tuple[Number, ...]

    @property
    def rank(self) -> tuple[int, int]:
        """Fewer groups first, then pairs that are pairs of the written number too."""
        offsets = [sum(len(g.digits) for g in self.groups[:index]) for index in range(len(self.groups))]
        astride = sum(len(g.digits) == 2 and at % 2 for g, at in zip(self.groups, offsets, strict=True))
        return len(self.groups), astride


def phones(spoken: Spoken) -> tuple[Reading[str], ...]:
    """French telephone numbers as ten digits ("0199001234"), also where +33 was said; begun ones as far as said."""
    found, at = [], 0
    while at < len(spoken.words):
        reading, at = _phone_at(spoken, at)
        if reading:
            found.append(reading)
    return tuple(found)


def digit_strings(spoken: Spoken, *, groups_from: int = 1) -> tuple[Reading[str], ...]:
    """Every unbroken run of at least so many numbers as one string of digits.

    How many digits there should be is the caller's to know: one at the very end is never complete.
    """
    return tuple(
        spoken.reading(
            Kind.DIGITS, _digits(run), span=(run[0].start, run[-1].end), complete=not spoken.is_end(run[-1].end)
        )
        for run in _runs(spoken.words, _JOINTS)
        if len(run) >= groups_from
    )


def settled(spoken: Spoken) -> Spoken:
    """The words without the numbers that were taken back: "zero six, douze non pardon treize" is 06 13.

    What follows "non pardon" replaces the last group, or the whole string where only that makes a telephone number.
    """
    at = 0
    while at < len(spoken.words):
        length = _correction_at(spoken.words, at)
        run = _run_before(spoken.words, at) if length and natural(spoken.words, at + length) else []
        if not run:
            at += 1
            continue
        replaced, restarted = (spoken.without(group.start, at + length) for group in (run[-1], run[0]))
        at = run[0].start
        spoken = restarted if not _is_phone(replaced, at) and _is_phone(restarted, at) else replaced
    return spoken


def _correction_at(words: Sequence[str], at: int) -> int:
    """How many words at ``at`` take back what came before; 0 where none do."""
    after = at
    while after < len(words) and words[after] == CUT:
        after += 1
    length = next((len(c) for c in _CORRECTIONS if tuple(words[after : after + len(c)]) == c), 0)
    after += length
    if length and after < len(words) and words[after] == CUT:
        after += 1
    return after - at if length else 0


def takes_back(between: Sequence[str]) -> bool:
    """Whether the words between two values, as they were handed in, take the first one back: "non pardon, a"."""
    spoken = listen(between)
    return len(between) <= _FAR and any(_correction_at(spoken.words, at) for at in range(len(spoken.words)))


def _is_phone(spoken: Spoken, at: int) -> bool:
    reading, _ = _phone_at(spoken, at)
    return reading is not None and reading.complete


def _phone_at(spoken: Spoken, at: int) -> tuple[Reading[str] | None, int]:
    """The telephone number that begins at ``at`` if any, and where to go on."""
    words = spoken.words
    plus = words[at] == "plus"
    run = _run_at(words, at + plus, _PHONE_JOINTS, by_pairs=True)
    if not run:
        return None, at + 1
    sign, run_end = "+" * plus, run[-1].end
    if not _PHONE_BEGUN.match(sign + _digits(run)) and not _PHONE.fullmatch(_digits(run)):
        return None, run[0].end
    ways = sorted((way for way in _ways(words, at + plus, sign, ()) if _may_end(way, run)), key=_rank)
    if ways:
        return _fitting(spoken, at, ways, run), ways[0].groups[-1].end
    said = len(_digits(run))
    if said < 10 and (said >= _FEW_DIGITS or spoken.is_end(run_end)) and _PHONE_BEGUN.fullmatch(sign + _digits(run)):
        return spoken.reading(Kind.PHONE, sign + _digits(run), span=(at, run_end), complete=False), run_end
    return None, run[0].end if said > 10 else run_end  # too long: it may have been said anew from a later zero


def _rank(way: _Way) -> tuple[int, int, int]:
    return (-way.groups[-1].end, *way.rank)


def _fitting(spoken: Spoken, at: int, ways: Sequence[_Way], run: Sequence[Number]) -> Reading[str]:
    best = ways[0]
    rivals = dict.fromkeys(way.national for way in ways if len(way.groups) == len(best.groups))
    return spoken.reading(
        Kind.PHONE,
        best.national,
        span=(at, best.groups[-1].end),
        complete=best.groups == tuple(run[: len(best.groups)]),
        alternatives=tuple(number for number in rivals if number != best.national),
    )


def _ways(words: Sequence[str], at: int, sign: str, before: tuple[Number, ...]) -> Iterator[_Way]:
    """Every way to cut the words from ``at`` on that makes a telephone number; a few dozen at most."""
    for number in cuts(words, at):
        groups = (*before, number)
        digits = sign + _digits(groups)
        if match := _PHONE.fullmatch(digits):
            yield _Way("0" + (match[1] or match[2]), groups)
        if _VIABLE.fullmatch(digits):
            yield from _ways(words, _past(words, number.end, _PHONE_JOINTS), sign, groups)


def _may_end(way: _Way, run: Sequence[Number]) -> bool:
    """A number ends with the run of numbers it is in; cut the natural way, also where another number begins."""
    length = len(way.groups)
    if way.groups[-1].end == run[-1].end or way.groups != tuple(run[:length]):
        return way.groups[-1].end == run[-1].end
    return bool(_PHONE_BEGUN.match(_digits(run[length:])))


def _digits(groups: Sequence[Number]) -> str:
    return "".join(group.digits for group in groups)


def _runs(words: Sequence[str], joints: frozenset[str]) -> Iterator[list[Number]]:
    at = 0
    while at < len(words):
        run = _run_at(words, at, joints)
        at = run[-1].end if run else at + 1
        if run:
            yield run


def _run_at(words: Sequence[str], at: int, joints: frozenset[str], *, by_pairs: bool = False) -> list[Number]:
    """The numbers that follow one another from ``at``, cut the natural way."""
    run: list[Number] = []
    while ways := cuts(words, at):
        # "zero quatre vingt" begins 04 20, no telephone number begins 080
        after_zero = by_pairs and run and run[-1].digits == "0" and len(_digits(run)) % 2
        run.append(min(ways, key=lambda number: len(number.digits)) if after_zero else ways[0])
        at = _past(words, run[-1].end, joints)
    return run


def _past(words: Sequence[str], at: int, joints: frozenset[str]) -> int:
    while at < len(words) and words[at] in joints:
        at += 1
    return at


def _run_before(words: Sequence[str], end: int) -> list[Number]:
    """The numbers that end right before ``end``, with "zero six" as the one group it is said as."""
    run = next((run for run in _runs(words, _JOINTS) if run[-1].end == end), [])
    joined: list[Number] = []
    for number in run:
        if joined and joined[-1].digits == "0" and len(number.digits) == 1:
            joined[-1] = Number("0" + number.digits, joined[-1].start, number.end)
        else:
            joined.append(number)
    return joined
