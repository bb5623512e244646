"""Numbers as French says them, read from words. A core: the grammar of numbers, and nothing that goes with one.

The words are what a recogniser writes between spaces, in words, in digits or mixed: "soixante-dix-huit", "soixante dix
huit", "78", "2 mille". Every reading tells which of these words it used. "Soixante dix" is 70, or 60 and then 10: the
parser gives every way of cutting (:func:`cuts`), longest number first, and the longest is the natural one. A comma or
a full stop between two words cuts for sure. Septante, huitante, octante and nonante are known. Up to 999 999 999.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from V3.calls.words import fold_words

__all__ = ["CUT", "HESITATIONS", "Kind", "Line", "Number", "Reading", "Spoken", "Way", "cuts", "listen", "natural"]

HESITATIONS = frozenset({"euh", "heu", "euhm", "hum", "hm", "hmm", "mm", "mmh", "eh"})
CUT = "|"  # stands where punctuation ended a word
MOST_DIGITS = 9  # more digits in one word are a string of digits, no number

_SMALL = {
    "zero": 0, "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8,
    "neuf": 9, "dix": 10, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16,
}  # fmt: skip
_TENS = {
    "vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
    "septante": 70, "huitante": 80, "octante": 80, "nonante": 90,
}  # fmt: skip
_SCALES = ((100, ("cent", "cents")), (1000, ("mille", "milles")), (1_000_000, ("million", "millions")))
_KNOWN = frozenset({*_SMALL, *_TENS, *(name for _, names in _SCALES for name in names)})
_ORDINAL = "ieme"
_IRREGULAR = {"premier": "1", "premiere": "1", "cinquieme": "cinq", "neuvieme": "neuf"}
_SHORT_ORDINALS = {"er", "ere", "eme", "e", "nd", "nde", _ORDINAL}

_SYMBOLS = (
    (re.compile(r"^(\d{1,3})(?:[.\u00a0\u202f](\d{3}))(?:[.\u00a0\u202f](\d{3}))?(?!\d)"), r"\1\2\3"),  # 1.200.000
    (re.compile(r"(?i)\bquatre-vingt(?!s)"), "quatre-vingts"),  # the hyphen tells what the s of "quatre vingts" does
    (re.compile(r"(?<=\d)[.,](?=\d)"), " virgule "),
    (re.compile(r"(?<=\d):(?=\d)"), " h "),
    (re.compile(r"(?<=\d)/(?=\d)"), " barre "),
    (re.compile(r"€"), " euros "),
    (re.compile(r"\+"), " plus "),
    (re.compile(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)"), " "),  # 14h30
)


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Kind(StrEnum):
    """What a reading is."""

    PHONE = "phone"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    AMOUNT = "amount"
    DIGITS = "digits"
    ORDINAL = "ordinal"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T_co]):
    """A value and the words it was read from: ``words[start:end]`` of those handed in.

    complete: False where the words may be only its beginning (a telephone number with digits missing, a string of
    digits at the end of what was heard). alternatives: what the same words may also mean, likeliest first.
    """

    kind: Kind
    value: T_co
    start: int
    end: int
    complete: bool = True
    alternatives: tuple[T_co, ...] = ()


# A pattern over a Line, whole words, and what a match of it means, likeliest first; empty where it means nothing.
Way = tuple[re.Pattern[str], Callable[[re.Match[str]], Sequence[T]]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Folded words without hesitations, :data:`CUT` where punctuation was, and the word handed in that each is of."""

    words: tuple[str, ...]
    owners: tuple[int, ...]

    def without(self, start: int, end: int) -> Spoken:
        """The same with the words from ``start`` to before ``end`` left out."""
        return Spoken(self.words[:start] + self.words[end:], self.owners[:start] + self.owners[end:])

    def is_end(self, at: int) -> bool:
        """Whether nothing but punctuation comes at ``at`` or later."""
        return all(word == CUT for word in self.words[at:])

    def reading(
        self, kind: Kind, value: T, *, span: tuple[int, int], complete: bool = True, alternatives: tuple[T, ...] = ()
    ) -> Reading[T]:
        """A reading of the words in ``span``, told in the words handed in."""
        start, end = self.owners[span[0]], self.owners[span[1] - 1] + 1
        return Reading(kind, value, start, end, complete, alternatives)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as its digits were said or written ("06" keeps its zero), and the words it used, ``end`` excluded."""

    digits: str
    start: int
    end: int


def listen(words: Sequence[str]) -> Spoken:
    """Words as they are compared: folded, ordinals as a cardinal and "ieme", symbols as words."""
    found: list[tuple[str, int]] = []
    for owner, word in enumerate(words):
        found += [(part, owner) for part in _parts(word) if part not in HESITATIONS]
        if found and word.rstrip().endswith((",", ".", ";", "!", "?", "…")):
            found.append((CUT, owner))
    return Spoken(tuple(part for part, _ in found), tuple(owner for _, owner in found))


def _parts(word: str) -> Iterator[str]:
    for pattern, plain in _SYMBOLS:
        word = pattern.sub(plain, word)
    previous = ""
    for part in fold_words(word):
        if previous.isdigit() and part in _SHORT_ORDINALS:
            yield _ORDINAL
        elif cardinal := _cardinal_of(part):
            yield from (cardinal, _ORDINAL)
        else:
            yield part
        previous = part


def _cardinal_of(word: str) -> str:
    """``"deuxieme"`` is of ``"deux"``; an empty string where ``word`` is no ordinal."""
    stem = _IRREGULAR.get(word) or word.removesuffix("s").removesuffix(_ORDINAL)
    if stem == word or not word.endswith((_ORDINAL, _ORDINAL + "s", "premier", "premiere")):
        return ""
    return next(
        (name for name in (stem, stem + "e") if name in _KNOWN or name == "1"), ""
    )  # quatrieme, trentieme: the e was dropped


def cuts(words: Sequence[str], at: int) -> list[Number]:
    """Every number that begins at ``at``, the longest first; none where no number begins."""
    word = _word(words, at)
    if word.isdecimal() and (word.startswith("0") or len(word) > MOST_DIGITS):
        return [Number(word, at, at + 1)]
    if word not in _KNOWN and not word.isdecimal():
        return []
    found = {end: value for value, end in reversed(_scaled(words, at, len(_SCALES)))}
    if word == "zero":
        found[at + 1] = 0
    return [Number(str(found[end]), at, end) for end in sorted(found, reverse=True)]


def natural(words: Sequence[str], at: int) -> Number | None:
    """The longest number that begins at ``at``."""
    return next(iter(cuts(words, at)), None)


def _scaled(words: Sequence[str], at: int, level: int) -> list[tuple[int, int]]:
    """``(value, end)`` of numbers below ``1000 ** 3``: ``level`` 1 has hundreds, 2 thousands, 3 millions."""
    if level == 0:
        return _below_100(words, at)
    factor, names = _SCALES[level - 1]
    below = _scaled(words, at, level - 1)
    heads = [head for head in below if _may_count(head[0], factor)]
    if factor < 1_000_000:  # one says "cent" and "mille", but "un million"
        heads.append((1, at))
    found = []
    for head, end in heads:
        if _word(words, end) in names:
            tails = _scaled(words, _after_scale(words, end, factor), level - 1)
            found += [(head * factor + tail, tail_end) for tail, tail_end in tails if 0 < tail < factor]
            found.append((head * factor, end + 1))
    return found + below


def _may_count(value: int, factor: int) -> bool:
    """Whether ``value`` may stand before cent, mille or million: deux cents, douze cents, but not dix cents."""
    return 1 < value < 20 and value != 10 if factor == 100 else 0 < value < 1000


def _after_scale(words: Sequence[str], at: int, factor: int) -> int:
    """Where the rest begins: "cinq mille, trois cents" is one number, and "cent, trois" two."""
    after = at + 1
    return after + 1 if factor > 100 and _word(words, after) == CUT else after


def _below_100(words: Sequence[str], at: int) -> list[tuple[int, int]]:
    tens, after = _tens(words, at)
    found: list[tuple[int, int]] = []
    if tens:
        joined = _word(words, after) == "et"
        taken = {1, 11} if joined else set(range(1, 20 if tens in {60, 80} else 10))
        units = _units(words, after + 1 if joined else after)
        # "vingt quatre vingts" is 20 80, "vingt quatre vingt" may be 24 20
        found += [(tens + unit, end) for unit, end in units if unit in taken and _word(words, end) != "vingts"]
        found.append((tens, after))
    return found + _units(words, at) + _figures(words, at)


def _word(words: Sequence[str], at: int) -> str:
    return words[at] if at < len(words) else ""


def _tens(words: Sequence[str], at: int) -> tuple[int, int]:
    if _word(words, at) == "quatre" and _word(words, at + 1) in {"vingt", "vingts"}:
        return 80, at + 2
    return _TENS.get(_word(words, at), 0), at + 1


def _units(words: Sequence[str], at: int) -> list[tuple[int, int]]:
    """1 to 19 in words; "dix-sept" is also 10 alone."""
    value = _SMALL.get(_word(words, at), 0)
    found = [(value, at + 1)] if value else []
    if value == 10 and (unit := _SMALL.get(_word(words, at + 1), 0)) in {7, 8, 9}:
        found.insert(0, (10 + unit, at + 2))
    return found


def _figures(words: Sequence[str], at: int) -> list[tuple[int, int]]:
    """A number written in figures, with the groups of three that follow a first group ("12 000")."""
    if not _word(words, at).isdecimal() or words[at].startswith("0"):
        return []
    end = at + 1
    found = [(int(words[at]), end)]
    while len(words[at]) <= 3 and end < min(len(words), at + 3) and words[end].isdecimal() and len(words[end]) == 3:
        end += 1
        found.insert(0, (int("".join(words[at:end])), end))
    return found


class Line:
    """What was said as one line of text with numbers in figures, for patterns: "14 heures moins le quart"."""

    def __init__(self, spoken: Spoken) -> None:
        self.spoken = spoken
        parts: list[str] = []
        self._begins: dict[int, int] = {}  # of a part's first character: its first word
        self._ends: dict[int, int] = {}  # of the one after its last: the word after it
        at = characters = 0
        while at < len(spoken.words):
            number = natural(spoken.words, at)
            part, end = (number.digits, number.end) if number else (spoken.words[at], at + 1)
            if part != CUT:
                parts.append(part)
                self._begins[characters] = at
                self._ends[characters + len(part)] = end
                characters += len(part) + 1
            at = end
        self.text = " ".join(parts)

    def readings(self, kind: Kind, ways: Iterable[Way[T]]) -> tuple[Reading[T], ...]:
        """What ``ways`` read, in order; words that one way matched, even to no meaning, are not read by a later one."""
        found: list[Reading[T]] = []
        taken: set[int] = set()
        for pattern, read in ways:
            for match in pattern.finditer(self.text):
                span = self._begins[match.start()], self._ends[match.end()]
                if not taken.isdisjoint(range(*span)):
                    continue
                taken.update(range(*span))
                if meant := read(match):
                    found.append(self.spoken.reading(kind, meant[0], span=span, alternatives=tuple(meant[1:])))
        return tuple(sorted(found, key=lambda reading: reading.start))
