"""What the decisions of a call cost: microseconds per 20 ms frame of its audio.

    python scripts/bench_decisions.py
    python scripts/bench_decisions.py --rounds 20

Two decisions are timed, on the bundled sounds of scripts/dialogues and with the words that are said in them, a quarter
of a second late and 200 ms (answers) or 300 ms (partials) apart, as a recogniser tells them:

- who answered: AnswerEar.push and .look over the 6.5 s from the answer on, early verdicts and revisions included;
- whether to stop talking: BargeInDetector.feed, with the echo's words compared, over everything that is uttered into a
  prompt; a new detector for each utterance, since one that has stopped its prompt listens no more.

Decoding is not in it. Each frame counts with the least of its rounds: other work on the machine is not the code's.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import platform
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from scripts.barge.sounds import DialogueSound, load_bundled
from scripts.bench.report import write_json
from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS, Audio
from V3.calls.answer import AnswerDecider
from V3.calls.answer_ear import AnswerEar
from V3.calls.barge_in import BargeInDetector, BargeInRules
from V3.calls.echo import EchoMatcher
from V3.calls.words import Phrases
from V3.config import BargeInSettings
from V3.events import Event, Partial, SpeechContinues, SpeechEnded, SpeechStarted, Word
from V3.events import Final as FinalWords
from V3.system.machine import cpu_name
from V3.system.scenario_files import load_scenario
from V3.system.services.amd_service import AMDService
from V3.system.services.audio_files import read_audio

FRAME_MS: Final = FRAME_SAMPLES // SAMPLES_PER_MS
HEARD_MS: Final = 6500
LEAD_MS: Final = 300
PAUSE_MS: Final = 800
LATE_MS: Final = 250  # words after they were said
ANSWER_EVERY_MS: Final = 200
PARTIAL_EVERY_MS: Final = 300
CONTINUES_EVERY_MS: Final = 60
GAP_MS: Final = 1500  # between what is uttered into a prompt
_US: Final = 1e-3  # of a nanosecond

console = Console(highlight=False, markup=False)
if not console.is_terminal:
    console.width = 120  # a file has no width of its own

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Said:
    """A sound's audio, its words with their times, and how loud it is."""

    audio: Audio
    words: tuple[Word, ...]
    end_ms: int


def _said(sound: DialogueSound) -> _Said:
    parts = sound.text.split()
    each_ms = (sound.end_ms - sound.onset_ms) / max(1, len(parts))
    starts = [round(sound.onset_ms + each_ms * index) for index in range(len(parts))]
    words = tuple(Word(part, start, start + round(each_ms), 0.9) for part, start in zip(parts, starts, strict=True))
    return _Said(read_audio(sound.path), words, sound.end_ms)


# ---- who answered


@dataclass(frozen=True, slots=True)
class _Call:
    """The first seconds of a call: its frames, and all that was said by then at the frames where that is told."""

    frames: tuple[Audio, ...]
    texts: dict[int, str]


def _call(sounds: Sequence[_Said]) -> _Call:
    """One sound after the other, with pauses, until the seconds are full."""
    parts: list[Audio] = [np.zeros(LEAD_MS * SAMPLES_PER_MS, dtype=np.float32)]
    words: list[tuple[int, str]] = []
    at_ms, index = LEAD_MS, 0
    while at_ms < HEARD_MS:
        said = sounds[index % len(sounds)]
        parts += [said.audio, np.zeros(PAUSE_MS * SAMPLES_PER_MS, dtype=np.float32)]
        words += [(at_ms + word.end_ms, word.text) for word in said.words]
        at_ms += said.audio.size // SAMPLES_PER_MS + PAUSE_MS
        index += 1
    noise = np.random.default_rng(1).normal(scale=10 ** (-62 / 20), size=HEARD_MS * SAMPLES_PER_MS)
    audio = (np.concatenate(parts)[: noise.size] + noise).astype(np.float32)
    frames = tuple(audio[start : start + FRAME_SAMPLES] for start in range(0, audio.size, FRAME_SAMPLES))
    texts = {
        now_ms // FRAME_MS: " ".join(text for end_ms, text in words if end_ms + LATE_MS <= now_ms)
        for now_ms in range(ANSWER_EVERY_MS, HEARD_MS, ANSWER_EVERY_MS)
    }
    return _Call(frames, texts)


def _hear(decider: AnswerDecider, call: _Call) -> tuple[Times, Times]:
    """Nanoseconds of push and of look, for each frame. The decider is new: it keeps what it has made of a text."""
    ear = AnswerEar(decider)
    pushed, looked = np.zeros(len(call.frames)), np.zeros(len(call.frames))
    clock = time.perf_counter_ns
    for index, frame in enumerate(call.frames):
        began = clock()
        ear.push(frame)
        pushed[index] = clock() - began
        text = call.texts.get(index)
        began = clock()
        if text is not None:
            ear.hear(text)
        ear.look()
        looked[index] = clock() - began
        if ear.due:
            ear.decide(None)  # the recogniser's time, not a frame's
    return pushed, looked


# ---- whether to stop talking


def _events(said: _Said) -> list[Event]:
    """What the call's hearing tells of one utterance."""
    told: list[Event] = [SpeechStarted(call_id="c", at_ms=80, start_ms=20)]
    told += [
        SpeechContinues(call_id="c", at_ms=at_ms, start_ms=20, voiced_until_ms=at_ms, level_dbfs=-20.0)
        for at_ms in range(100, said.end_ms, CONTINUES_EVERY_MS)
    ]
    told += [_partial(said.words, at) for at in range(PARTIAL_EVERY_MS, said.end_ms + LATE_MS, PARTIAL_EVERY_MS)]
    told.append(SpeechEnded(call_id="c", at_ms=said.end_ms + 500, start_ms=20, end_ms=said.end_ms))
    text = " ".join(word.text for word in said.words)
    final = FinalWords(
        call_id="c", at_ms=said.end_ms + 600, text=text, words=said.words, start_ms=20, end_ms=said.end_ms
    )
    return sorted([*told, final], key=lambda event: event.at_ms)


def _partial(words: Sequence[Word], at_ms: int) -> Partial:
    known = tuple(word for word in words if word.end_ms + LATE_MS <= at_ms)
    return Partial(call_id="c", at_ms=at_ms, text=" ".join(word.text for word in known), words=known, start_ms=20)


def _watch(rules: BargeInRules, echo: EchoMatcher, events: Sequence[Event]) -> Times:
    """Nanoseconds of each event's feed."""
    detector = BargeInDetector(rules, prompt_start_ms=0, echo=echo)
    clock = time.perf_counter_ns
    spent = np.zeros(len(events))
    for index, event in enumerate(events):
        began = clock()
        detector.feed(event)
        spent[index] = clock() - began
    return spent


# ---- accounts


def _least(rounds: int, measure: Callable[[], Times]) -> Times:
    """The least of some rounds, value by value."""
    least = measure()
    for _ in range(rounds - 1):
        least = np.minimum(least, measure())
    return least


@dataclass(frozen=True, slots=True)
class Cost:
    """What one thing costs, in microseconds."""

    what: str
    times: int
    mean: float
    median: float
    p99: float
    most: float

    @classmethod
    def of(cls, what: str, times_ns: Times) -> Cost:
        us = times_ns * _US
        figures = (us.mean(), np.median(us), np.percentile(us, 99), us.max())
        return cls(what, us.size, *(round(float(figure), 1) for figure in figures))


def _answer_costs(sounds: Sequence[DialogueSound], rounds: int) -> Iterator[Cost]:
    decider = AMDService().decider
    by_kind = {kind: [_said(sound) for sound in sounds if sound.kind == kind] for kind in ("greeting", "interruption")}
    calls = [
        _call([greeting, *by_kind["interruption"][index : index + 3]])
        for index, greeting in enumerate(by_kind["greeting"])
    ]
    calls.append(_call([_voicemail()]))
    least = [_least(rounds, lambda call=call: np.stack(_hear(dataclasses.replace(decider), call))) for call in calls]  # type: ignore[misc]
    pushed, looked = np.concatenate(least, axis=1)
    told = np.concatenate([np.isin(np.arange(len(call.frames)), [*call.texts]) for call in calls])
    yield Cost.of("who answered: push (voice, tones, level)", pushed)
    yield Cost.of("who answered: look, no new words", looked[~told])
    yield Cost.of("who answered: look, all words told again", looked[told])
    yield Cost.of("who answered: push and look, every frame", pushed + looked)


def _voicemail() -> _Said:
    folder = Path(__file__).resolve().parents[1] / "V3" / "simulator" / "sounds"
    audio = read_audio(folder / "messagerie.wav")
    text = "Bonjour, vous êtes bien sur la messagerie de Paul Martin. Je ne suis pas disponible, laissez un message."
    parts = text.split()
    each_ms = audio.size // SAMPLES_PER_MS // len(parts)
    words = tuple(Word(part, each_ms * index, each_ms * (index + 1), 0.9) for index, part in enumerate(parts))
    return _Said(audio, words, words[-1].end_ms)


def _barge_costs(sounds: Sequence[DialogueSound], rounds: int) -> Iterator[Cost]:
    settings = BargeInSettings()
    rules = BargeInRules(
        speech_ms=settings.speech_ms, pause_ms=settings.pause_ms, words=settings.words,
        min_confidence=settings.min_confidence, false_after_ms=settings.false_after_ms,
        backchannels=Phrases(settings.backchannels), stop_words=Phrases(settings.stop_words),
    )  # fmt: skip
    prompt = next(step.text for step in load_scenario("rendez_vous.yaml").steps.values() if step.text)
    echo = EchoMatcher(prompt)
    said = [_said(sound) for sound in sounds if sound.kind != "greeting"]
    utterances = [_events(each) for each in [*said, *_echoes(prompt)]]
    least = [_least(rounds, lambda events=events: _watch(rules, echo, events)) for events in utterances]  # type: ignore[misc]
    spent = np.concatenate(least)
    kinds = np.array([type(event).__name__ for events in utterances for event in events])
    for kind in ("SpeechContinues", "Partial", "Final"):
        yield Cost.of(f"whether to stop: feed of one {kind}", spent[kinds == kind])
    per_frame = [
        times.sum() / ((events[-1].at_ms + GAP_MS) / FRAME_MS) for times, events in zip(least, utterances, strict=True)
    ]
    yield Cost.of("whether to stop: per frame, by utterance", np.array(per_frame))


def _echoes(prompt: str) -> Iterator[_Said]:
    """The prompt heard back from its beginning: the most words there are to compare."""
    parts = prompt.split()
    words = tuple(Word(part, 300 * index, 300 * index + 250, 0.8) for index, part in enumerate(parts))
    for count in (5, 10, 20):
        yield _Said(np.zeros(0, dtype=np.float32), words[:count], words[min(count, len(words)) - 1].end_ms)


def main(
    rounds: Annotated[int, typer.Option(help="a frame's time is the least of so many", min=1)] = 7,
    json_path: Annotated[Path | None, typer.Option("--json", help="write the figures to this file")] = None,
) -> None:
    """Time the decision cores on this machine."""
    sounds = load_bundled()
    load = os.getloadavg()[0]
    gc.disable()  # its pauses belong to the whole program
    answer, barge_in = list(_answer_costs(sounds, rounds)), list(_barge_costs(sounds, rounds))
    gc.enable()
    console.print(_table(answer, barge_in))
    console.print(f"Load {load:.1f} when begun; the least of {rounds} rounds for each. A frame is {FRAME_MS} ms.")
    if json_path is not None:
        machine = {"cpu": cpu_name(), "cores": os.cpu_count(), "load": load, "python": platform.python_version()}
        write_json(json_path, machine, rounds=rounds, frame_ms=FRAME_MS, microseconds=[*answer, *barge_in])
        console.print(f"written: {json_path}")


def _table(*sections: Sequence[Cost]) -> Table:
    table = Table(title=f"Microseconds; {cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    table.add_column("what")
    for name in ("times", "mean", "median", "p99", "most"):
        table.add_column(name, justify="right")
    for costs in sections:
        for cost in costs:
            figures = (cost.mean, cost.median, cost.p99, cost.most)
            table.add_row(cost.what, str(cost.times), *(f"{figure:.1f}" for figure in figures))
        table.add_section()
    return table


if __name__ == "__main__":
    typer.run(main)
