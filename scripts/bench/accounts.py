"""What an engine showed, held against what was said: latency of words, errors, flicker. No model, no clock.

The rules, the same for every engine:

* a *showing* is a line of the screen at one moment; a later one of the same line takes its place;
* a word is *shown* when a showing first has it in the right place: the words shown are aligned (fewest edits) with
  the words that are said in the audio the showing is about;
* a word is *certain* when it was first in a line's stable words, and is right in what the line said in the end;
* latency is counted from the true end of the word; words that never came right have none and are counted apart;
* words are compared folded: without case, accents and punctuation, parted at apostrophes and hyphens;
* *flicker*: of all words put on the screen, those that were gone in the next showing of their line. Words that a
  moving window left behind at its beginning are no flicker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from scripts.bench.align import edits, matched
from scripts.bench.material import RefWord
from V3.calls.words import fold_words

__all__ = ["Ledger", "Showing", "Spread", "show"]

_SLACK_S: Final = 0.3  # pauses and pre-roll: how far the audio of a showing may reach beyond what it says
_LONGEST_WORD_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Showing:
    """Folded words on the screen from ``at_s`` on; those that will not change are ``stable``.

    They are about the audio from ``begin_s`` to ``heard_s``. ``line`` tells which line of the screen they are.
    """

    at_s: float
    line: int
    begin_s: float
    heard_s: float
    tokens: tuple[str, ...]
    stable: tuple[bool, ...]


def show(
    at_s: float, line: int, texts: Iterable[tuple[str, bool]], *, begin_s: float, heard_s: float
) -> Showing:  # texts: (text, stable)
    """A showing of texts, each stable or not."""
    folded = [(token, stable) for text, stable in texts for token in fold_words(text)]
    tokens = tuple(token for token, _ in folded)
    return Showing(at_s, line, begin_s, heard_s, tokens, tuple(stable for _, stable in folded))


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies in ms."""

    count: int
    median_ms: float | None
    p95_ms: float | None
    values_ms: tuple[float, ...]

    @classmethod
    def of(cls, values_s: Iterable[float]) -> Spread:
        values = sorted(round(1000 * value, 1) for value in values_s)
        if not values:
            return cls(0, None, None, ())
        return cls(
            len(values), float(np.percentile(values, 50)), float(np.percentile(values, 95)), tuple(map(float, values))
        )


@dataclass(slots=True)
class _Line:
    """One line of the screen so far. ``certain`` holds its stable words and since when each is."""

    newest: Showing
    certain: list[tuple[str, float]] = field(default_factory=list)


class Ledger:
    """The accounts of one engine on one call: showings in, in order of time; figures out after :meth:`close`."""

    def __init__(self, words: Sequence[RefWord]) -> None:
        self._words = words
        self._starts = [word.start_s for word in words]
        self._lines: dict[int, _Line] = {}
        self._shown_at: dict[int, float] = {}
        self._certain_at: dict[int, float] = {}
        self._transcript: list[tuple[float, str]] = []
        self.tokens_shown = 0
        self.tokens_changed = 0
        self.tokens_taken_back = 0
        """Stable words that were gone later: a broken promise."""

    def take(self, showing: Showing) -> None:
        """The next showing."""
        for number in self._right_words(showing, showing.tokens):
            self._shown_at.setdefault(number, showing.at_s)
        line = self._lines.get(showing.line)
        self._count_flicker(line.newest if line else None, showing)
        line = self._lines.setdefault(showing.line, _Line(showing))
        line.newest = showing
        self._note_certain(line)

    def close(self) -> None:
        """No line will be shown again: the stable words of each are what it said."""
        for line in self._lines.values():
            self._settle(line)
        self._lines.clear()

    def shown(self) -> dict[int, float]:
        """Seconds from a word's end to its first right showing, by the word's number; timed words only."""
        return self._latencies(self._shown_at)

    def certain(self) -> dict[int, float]:
        """Seconds from a word's end to when it was certain, by the word's number; timed words only."""
        return self._latencies(self._certain_at)

    @property
    def timed_words(self) -> int:
        return sum(word.timed for word in self._words)

    @property
    def tokens_said(self) -> int:
        return sum(len(word.tokens) for word in self._words)

    @property
    def transcript(self) -> list[str]:
        """All that was said for certain, in order of the audio."""
        return [token for _, token in sorted(self._transcript, key=lambda entry: entry[0])]

    def word_errors(self) -> int:
        """Edits between the transcript and what was said."""
        return edits([token for word in self._words for token in word.tokens], self.transcript)

    def _latencies(self, at_s: dict[int, float]) -> dict[int, float]:
        timed = [number for number in sorted(at_s) if self._words[number].timed]
        return {number: at_s[number] - self._words[number].end_s for number in timed}

    def _right_words(self, showing: Showing, tokens: Sequence[str]) -> dict[int, list[int]]:
        """The words said that ``tokens`` has whole and in the right place, with the positions of their tokens."""
        numbers = self._candidates(showing)
        said = [(number, token) for number in numbers for token in self._words[number].tokens]
        hits: dict[int, list[int]] = {}
        for said_at, token_at in matched([token for _, token in said], tokens):
            hits.setdefault(said[said_at][0], []).append(token_at)
        return {number: spots for number, spots in hits.items() if len(spots) == len(self._words[number].tokens)}

    def _candidates(self, showing: Showing) -> list[int]:
        """Words that have begun in what was heard, and had not ended before it began."""
        first = bisect_left(self._starts, showing.begin_s - _LONGEST_WORD_S)
        last = bisect_left(self._starts, showing.heard_s)
        return [number for number in range(first, last) if self._words[number].end_s > showing.begin_s - _SLACK_S]

    def _count_flicker(self, before: Showing | None, now: Showing) -> None:
        if before is None:
            self.tokens_shown += len(now.tokens)
            return
        pairs = matched(before.tokens, now.tokens)
        self.tokens_shown += len(now.tokens) - len(pairs)
        left_behind = pairs[0][0] if pairs and now.begin_s > before.begin_s else 0
        self.tokens_changed += len(before.tokens) - len(pairs) - left_behind

    def _note_certain(self, line: _Line) -> None:
        showing = line.newest
        now = [token for token, stable in zip(showing.tokens, showing.stable, strict=True) if stable]
        kept = matched([token for token, _ in line.certain], now)
        since = {new: line.certain[old][1] for old, new in kept}
        self.tokens_taken_back += len(line.certain) - len(kept)
        line.certain = [(token, since.get(position, showing.at_s)) for position, token in enumerate(now)]

    def _settle(self, line: _Line) -> None:
        said = [token for token, _ in line.certain]
        self._transcript += [(line.newest.begin_s, token) for token in said]
        for number, spots in self._right_words(line.newest, said).items():
            since_s = max(line.certain[spot][1] for spot in spots)
            if since_s > self._starts[number]:  # before it began another word of that sound was meant
                self._certain_at[number] = since_s
