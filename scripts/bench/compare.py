"""The comparison: every engine hears the same calls; results can be had at any time, also after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.bench.accounts import Ledger, Spread
from scripts.bench.align import edits
from scripts.bench.clock import Cost, Engine, simulate
from scripts.bench.engines import LANGUAGE, plain_transcribe
from scripts.bench.material import Call
from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeKind, DecodeRequest
from V3.audio.pcm import RATE_HZ, Audio
from V3.calls.words import fold_words

__all__ = ["Contender", "EngineResult", "Tally", "Yardstick", "run_all"]

_AROUND_S = 0.2  # audio before and after an utterance that the yardstick hears too


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One engine's figures. Shares are of the words whose time is known; rates are of all words said."""

    name: str
    note: str
    audio_s: float
    cpu_s: float
    cpu_s_per_audio_s: float
    busy_s: float
    words: int
    shown: Spread
    shown_share: float
    certain: Spread
    certain_share: float
    word_error_rate: float
    flicker: float
    words_shown: int
    words_changed: int
    stable_words_taken_back: int
    held_bytes: int


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine by name; ``make`` gives a new stream of it, ``warm`` lets it decode once before it is measured."""

    name: str
    note: str
    make: Callable[[], Engine]
    warm: Callable[[], Any]


@dataclass(slots=True)
class Tally:
    """What is known of one contender so far."""

    contender: Contender
    cost: Cost = field(default_factory=Cost)
    shown_s: list[float] = field(default_factory=list)
    certain_s: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def hear(self, call: Call, *, on_second: Callable[[], None]) -> None:
        """Let a new stream hear a call, and add its figures."""
        ledger = Ledger(call.words)
        engine = self.contender.make()
        cost = simulate(call.audio, engine, on_showing=ledger.take, on_second=lambda _seconds, _cost: on_second())
        ledger.close()
        self.cost.add(cost)
        self.shown_s += ledger.shown().values()
        self.certain_s += ledger.certain().values()
        self._count(ledger)

    def result(self) -> EngineResult:
        count, cost = self.counts.get, self.cost
        shown, certain = Spread.of(self.shown_s), Spread.of(self.certain_s)
        words = count("timed", 0)
        return EngineResult(
            name=self.contender.name,
            note=self.contender.note,
            audio_s=round(cost.audio_s, 2),
            cpu_s=round(cost.cpu_s, 3),
            cpu_s_per_audio_s=_share(cost.cpu_s, cost.audio_s),
            busy_s=round(cost.busy_s, 3),
            words=words,
            shown=shown,
            shown_share=_share(shown.count, words),
            certain=certain,
            certain_share=_share(certain.count, words),
            word_error_rate=_share(count("errors", 0), count("said", 0)),
            flicker=_share(count("changed", 0), count("put on screen", 0)),
            words_shown=count("put on screen", 0),
            words_changed=count("changed", 0),
            stable_words_taken_back=count("taken back", 0),
            held_bytes=cost.most_held_bytes,
        )

    def _count(self, ledger: Ledger) -> None:
        new = {
            "timed": ledger.timed_words,
            "said": ledger.tokens_said,
            "errors": ledger.word_errors(),
            "put on screen": ledger.tokens_shown,
            "changed": ledger.tokens_changed,
            "taken back": ledger.tokens_taken_back,
        }
        self.counts = {name: self.counts.get(name, 0) + value for name, value in new.items()}


class Yardstick:
    """Word errors of the same model that hears each utterance whole, cut where it truly begins and ends."""

    def __init__(self, recognizer: Recognizer, model: Any) -> None:
        self._ways: dict[str, Callable[[Audio], str]] = {
            "whole utterances, our decoder": lambda audio: (
                recognizer.decode([DecodeRequest("yardstick", DecodeKind.FINAL, audio, language=LANGUAGE)])[0].text
            ),
            "whole utterances, faster-whisper": lambda audio: plain_transcribe(model, audio),
        }
        self._errors = dict.fromkeys(self._ways, 0)
        self._said = 0

    def hear(self, call: Call) -> None:
        said = [token for word in call.words for token in word.tokens]
        self._said += len(said)
        for name, way in self._ways.items():
            heard = [fold_words(way(self._cut(call, span))) for span in call.utterances]
            self._errors[name] += edits(said, [token for tokens in heard for token in tokens])

    def result(self) -> dict[str, float]:
        return {name: _share(errors, self._said) for name, errors in self._errors.items()} if self._said else {}

    def _cut(self, call: Call, span: tuple[float, float]) -> Audio:
        start, end = (round(at_s * RATE_HZ) for at_s in (span[0] - _AROUND_S, span[1] + _AROUND_S))
        return call.audio[max(0, start) : end]


def run_all(
    tallies: Sequence[Tally], yardstick: Yardstick, calls: Sequence[Call], *, on_second: Callable[[str], None]
) -> None:
    """Every engine hears every call, call by call, so that what disturbs the machine disturbs them alike."""
    for tally in tallies:
        tally.contender.warm()
    for call in calls:
        for tally in tallies:
            name = tally.contender.name
            tally.hear(call, on_second=lambda name=name: on_second(name))  # type: ignore[misc]
        yardstick.hear(call)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0
