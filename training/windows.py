"""Training windows: what one decode request would hold, with the text that is right for it.

A window holds nothing spoken (a tenth), one utterance, or several with pauses; it may begin at a later word and end at
any instant, and then its text holds the words that were said inside, no others. The words before it may be given as
prompt. That is what makes partial windows honest: a model trained on whole sentences completes them from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.augment import phone_line, warp
from training.noises import NoiseBank, clicks, music, tones
from training.synthesis import RATE_HZ, Clip, Shards
from training.tokens import Tokens

__all__ = ["Segment", "Window", "WindowMaker", "WindowSettings", "targets"]

Samples = NDArray[np.float32]
_MAX_S: Final = 29.0
_ENDED_S: Final = 0.04  # a word of which less than this is missing counts as said


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Chances and lengths of what a window holds.

    ``emphasis``: categories of which clips are drawn so many times as often as their share of the corpus.
    """

    no_speech: float = 0.10
    several: float = 0.22
    long_pause: float = 0.12
    cut: float = 0.35
    later_start: float = 0.18
    prompt: float = 0.25
    timestamps: float = 0.30
    max_s: float = 14.0
    very_long: float = 0.01
    emphasis: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech in the window: its text and where its words begin and end."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Window:
    """8 kHz samples, the speech in them in order, the text said before, and whether to ask for timestamps."""

    samples: Samples
    segments: tuple[Segment, ...]
    prompt: str
    timestamps: bool

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(segment.text for segment in self.segments)


def targets(window: Window, tokens: Tokens) -> tuple[list[int], int]:
    """The decoder's ids and how many of them, from the first, are given and not learned (prompt and task)."""
    start = [tokens.sot, tokens.french, tokens.transcribe]
    body: list[int] = []
    if window.timestamps:
        for segment in window.segments:
            body += [tokens.timestamp(segment.start_s), *tokens.encode(segment.text), tokens.timestamp(segment.end_s)]
        given = len(start)
    else:
        start.append(tokens.no_timestamps)
        body = tokens.encode(window.text) if window.segments else []
        given = len(start)
    prompt = [tokens.previous, *tokens.encode(window.prompt)[-100:]] if window.prompt else []
    return [*prompt, *start, *body, tokens.eot], len(prompt) + given


class WindowMaker:
    """Draws windows from clips. The same number and seed give the same window."""

    def __init__(self, shards: Shards, *, seed: int, settings: WindowSettings | None = None) -> None:
        self._shards = shards
        self._seed = seed
        self._settings = settings or WindowSettings()
        self._bank = NoiseBank(seed)
        self._odds = _odds(shards, self._settings.emphasis) if self._settings.emphasis else None

    def make(self, number: int) -> Window:
        """Window ``number`` of the seed's endless row."""
        rng = np.random.default_rng([self._seed, 7, number])
        if rng.random() < self._settings.no_speech:
            return self._empty(rng)
        window = self._spoken(rng)
        babble = self._clip(rng).samples if rng.random() < 0.1 else None
        heard = phone_line(window.samples, rng, bank=self._bank, babble=babble)
        return Window(heard, window.segments, window.prompt, window.timestamps)

    def _clip(self, rng: np.random.Generator) -> Clip:
        if self._odds is None:
            return self._shards[int(rng.integers(len(self._shards)))]
        return self._shards[int(np.searchsorted(self._odds, rng.random() * self._odds[-1], side="right"))]

    def _empty(self, rng: np.random.Generator) -> Window:
        count = int(RATE_HZ * rng.uniform(0.4, 8.0))
        kind = int(rng.integers(6))
        samples: Samples = np.zeros(count, dtype=np.float32)
        if kind in (1, 2, 3):
            samples = (tones, music, clicks)[kind - 1](rng, count) * np.float32(10 ** (rng.uniform(-35, -1) / 20))
        elif kind == 4:
            samples = self._bank.draw(rng, count) * np.float32(10 ** (rng.uniform(-60, -12) / 20))
        elif kind == 5:
            samples = rng.integers(-3, 4, count).astype(np.float32) / np.float32(32768)
        if kind in (1, 2, 3) and rng.random() < 0.7:
            samples = phone_line(samples, rng, bank=self._bank)
        return Window(np.clip(samples, -1, 1), (), "Bonjour." if rng.random() < 0.05 else "", rng.random() < 0.2)

    def _spoken(self, rng: np.random.Generator) -> Window:
        settings = self._settings
        clips = self._dialogue(rng)
        blocks: list[Samples] = [np.zeros(int(RATE_HZ * _lead_s(rng)), dtype=np.float32)]
        segments: list[Segment] = []
        at = len(blocks[0])
        prompt = ""
        for index, clip in enumerate(clips):
            spoken, words = _warped(clip, rng)
            if index == 0 and len(words) > 2 and rng.random() < settings.later_start:
                prompt, spoken, words = _from_later_word(spoken, words, rng)
            segments.append(_segment(words, at))
            ends = [(text, at + end) for text, _, end in words]
            blocks.append(spoken)
            at += len(spoken)
            last = index == len(clips) - 1
            if last and rng.random() < settings.cut:
                return self._cut(blocks, segments, ends, rng, prompt)
            pause = int(RATE_HZ * (_trail_s(rng) if last else _pause_s(rng, settings.long_pause)))
            blocks.append(np.zeros(pause, dtype=np.float32))
            at += pause
        return self._window(np.concatenate(blocks), segments, rng, prompt)

    def _dialogue(self, rng: np.random.Generator) -> list[Clip]:
        settings = self._settings
        clips = [self._clip(rng)]
        limit = _MAX_S if rng.random() < settings.very_long else settings.max_s
        while rng.random() < (0.97 if limit == _MAX_S else settings.several):
            clip = self._clip(rng)
            if sum(len(each.samples) for each in [*clips, clip]) > (limit - 1.5) * RATE_HZ * 0.8:
                break
            clips.append(clip)
        return clips

    def _cut(
        self, blocks: list[Samples], segments: list[Segment], ends: list[tuple[str, int]], rng: np.random.Generator,
        prompt: str,
    ) -> Window:  # fmt: skip
        """End the window at a random instant of its last utterance."""
        start = sum(len(block) for block in blocks[:-1])
        stop = start + int(rng.uniform(0.1, 1.0) * len(blocks[-1]))
        said = [(text, end) for text, end in ends if end <= stop + _ENDED_S * RATE_HZ]
        last = segments.pop()
        if said:
            text = " ".join(text for text, _ in said)
            segments.append(Segment(text, last.start_s, min(said[-1][1], stop) / RATE_HZ))
        return self._window(np.concatenate(blocks)[:stop], segments, rng, prompt)

    def _window(self, samples: Samples, segments: list[Segment], rng: np.random.Generator, prompt: str) -> Window:
        samples = samples[: int(_MAX_S * RATE_HZ)]
        inside = tuple(segment for segment in segments if segment.end_s <= len(samples) / RATE_HZ + _ENDED_S)
        if not prompt and rng.random() < self._settings.prompt * 0.6:
            prompt = self._clip(rng).text  # what was said before need not go on here
        elif prompt and rng.random() > self._settings.prompt * 2.4:
            prompt = ""
        return Window(samples, inside, prompt, rng.random() < self._settings.timestamps)


def _odds(shards: Shards, emphasis: Mapping[str, float]) -> NDArray[np.float64]:
    """Cumulated chances of the clips. Raises ValueError for a category that no clip has."""
    categories = shards.categories()
    if unknown := set(emphasis) - set(categories):
        raise ValueError(
            f"emphasis on {', '.join(sorted(unknown))}: the clips have {', '.join(sorted(set(categories)))}"
        )
    return np.cumsum([emphasis.get(category, 1.0) for category in categories])


def _lead_s(rng: np.random.Generator) -> float:
    return _one_of(rng, (0.2, 0.0, 0.0), (0.5, 0.0, 0.4), (0.3, 0.3, 1.6))


def _trail_s(rng: np.random.Generator) -> float:
    return _one_of(rng, (0.25, 0.0, 0.15), (0.6, 0.1, 0.9), (0.15, 0.8, 2.5))


def _one_of(rng: np.random.Generator, *spans: tuple[float, float, float]) -> float:
    """A number of one of several spans: (chance, low, high)."""
    chosen = int(rng.choice(len(spans), p=[chance for chance, _, _ in spans]))
    return float(rng.uniform(spans[chosen][1], spans[chosen][2]))


def _pause_s(rng: np.random.Generator, long_pause: float) -> float:
    return float(rng.uniform(1.5, 6.0)) if rng.random() < long_pause else float(rng.uniform(0.1, 1.2))


def _warped(clip: Clip, rng: np.random.Generator) -> tuple[Samples, list[tuple[str, int, int]]]:
    level = np.float32(10 ** (rng.uniform(-5, 0) / 20))
    if rng.random() < 0.3:
        return clip.samples * level, list(clip.words)
    samples, factor = warp(clip.samples, rng)
    words = [(text, round(start * factor), round(end * factor)) for text, start, end in clip.words]
    return samples * level, words


def _segment(words: list[tuple[str, int, int]], at: int) -> Segment:
    text = " ".join(text for text, _, _ in words)
    return Segment(text, (at + words[0][1]) / RATE_HZ, (at + words[-1][2]) / RATE_HZ)


def _from_later_word(
    samples: Samples, words: list[tuple[str, int, int]], rng: np.random.Generator
) -> tuple[str, Samples, list[tuple[str, int, int]]]:
    """Begin just before a word that is not the first; the words before become the prompt."""
    first = int(rng.integers(1, len(words)))
    begin = max(words[first - 1][2] - 80, words[first][1] - int(rng.uniform(0, 0.06) * RATE_HZ))
    begin = min(begin, words[first][1])
    later = [(text, start - begin, end - begin) for text, start, end in words[first:]]
    return " ".join(text for text, _, _ in words[:first]), samples[begin:], later
