"""Windows: what is cut away is not in the text, times are in order, one number gives one window."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

import ctypes.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from training.espeak import words_of
from training.synthesis import Shards
from training.tokens import Tokens, letters
from training.windows import WindowMaker, WindowSettings, targets
from V3.asr.loading import SHIPPED_MODEL, find_model

WORDS = ("un", "deux", "trois", "quatre", "cinq")
TOKENIZER = find_model(SHIPPED_MODEL).directory / "tokenizer.json"


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    """Clips of five words; word n is 0.2 s of the level n / 10 and then 0.1 s of silence."""
    return _shards(tmp_path, "number")


def _shards(folder: Path, *categories: str) -> Shards:
    """A clip of each category, all of the same samples."""
    block = [np.r_[np.full(1600, (n + 1) * 3276), np.zeros(800)] for n in range(5)]
    samples = np.concatenate(block).astype(np.int16)
    words = [(word, n * 2400, n * 2400 + 1600) for n, word in enumerate(WORDS)]
    entry = {"text": " ".join(WORDS), "voice": "x", "offset": 0, "length": len(samples), "words": words}
    lines = [json.dumps(entry | {"category": category}) + "\n" for category in categories]
    (folder / "0000.jsonl").write_text("".join(lines))
    np.save(folder / "0000.npy", samples)
    return Shards(folder)


def _maker(shards: Shards, **settings: Any) -> WindowMaker:
    quiet = WindowSettings(
        **{"no_speech": 0.0, "several": 0.0, "later_start": 0.0, "cut": 0.0, "very_long": 0.0} | settings
    )
    return WindowMaker(shards, seed=1, settings=quiet)


def test_a_window_depends_on_its_number_only(shards: Shards) -> None:
    maker, other = _maker(shards), _maker(shards)
    other.make(3)
    assert np.array_equal(maker.make(7).samples, other.make(7).samples)
    assert not np.array_equal(maker.make(7).samples[:4000], maker.make(8).samples[:4000])


def test_emphasis_draws_a_category_more_often(tmp_path: Path) -> None:
    maker = WindowMaker(_shards(tmp_path, "number", "stop"), seed=1, settings=WindowSettings(emphasis={"stop": 4}))
    drawn = [maker._clip(np.random.default_rng(n)).category for n in range(500)]
    assert 360 < drawn.count("stop") < 440  # four of five
    with pytest.raises(ValueError, match="emphasis on song: the clips have number, stop"):
        WindowMaker(_shards(tmp_path, "number", "stop"), seed=1, settings=WindowSettings(emphasis={"song": 2}))


def test_a_cut_keeps_the_words_that_ended_and_no_other(shards: Shards) -> None:
    maker = _maker(shards, cut=1.0)
    lengths = set()
    for number in range(60):
        window = maker.make(number)
        said = window.text.split()
        lengths.add(len(said))
        assert said == list(WORDS[: len(said)])
        if said:
            end_s = len(window.samples) / 8000
            assert window.segments[-1].end_s <= end_s
            # the next word (0.1 s later, 0.2 s long, warped by 12% at most) cannot have ended inside
            assert len(said) == 5 or end_s < window.segments[-1].end_s + 0.31 * 1.13
    assert len(lengths) >= 4


def test_a_later_start_gives_the_words_before_as_prompt(shards: Shards) -> None:
    maker = _maker(shards, later_start=1.0, prompt=1.0)
    for number in range(20):
        window = maker.make(number)
        said = window.text.split()
        assert 0 < len(said) < 5
        assert said == list(WORDS[-len(said) :])
        assert window.prompt.split() == list(WORDS[: 5 - len(said)])


def test_several_utterances_follow_each_other(shards: Shards) -> None:
    windows = [_maker(shards, several=0.9).make(number) for number in range(20)]
    assert max(len(window.segments) for window in windows) > 2
    for window in windows:
        times = [time for segment in window.segments for time in (segment.start_s, segment.end_s)]
        assert times == sorted(times)


def test_an_empty_window_has_no_text(shards: Shards) -> None:
    maker, tokens = _maker(shards, no_speech=1.0), Tokens(TOKENIZER)
    for number in range(12):
        window = maker.make(number)
        ids, given = targets(window, tokens)
        assert window.text == ""
        assert ids[given:] == [tokens.eot]
        assert float(np.abs(window.samples).max()) <= 1.0


def test_targets_are_what_whisper_writes(shards: Shards) -> None:
    tokens = Tokens(TOKENIZER)
    plain = _maker(shards, timestamps=0.0, prompt=0.0).make(1)
    ids, given = targets(plain, tokens)
    assert ids[:given] == [tokens.sot, tokens.french, tokens.transcribe, tokens.no_timestamps]
    assert tokens.decode(ids[given:]) == plain.text
    timed = _maker(shards, timestamps=1.0, prompt=0.0).make(1)
    ids, given = targets(timed, tokens)
    first, last = timed.segments[0].start_s, timed.segments[-1].end_s
    assert ids[given] == tokens.special("<|0.00|>") + round(first / 0.02)
    assert ids[-2:] == [tokens.special("<|0.00|>") + round(last / 0.02), tokens.eot]


def test_letters_leave_punctuation_out() -> None:
    assert letters("Où est-ce ?") == letters("où est-ce")
    assert min(letters("à b")) >= 1


def test_a_word_ends_where_its_sound_ends() -> None:
    samples = np.zeros(3000, dtype=np.int16)
    samples[0:900] = 1000
    samples[1500:2800] = 1000
    words = words_of("Oui, allô ?", [(0, 0), (5, 1500)], samples)
    assert [(word.text, word.start_sample, word.end_sample) for word in words] == [
        ("Oui,", 0, 900),
        ("allô ?", 1500, 2800),
    ]


@pytest.mark.skipif(ctypes.util.find_library("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_times_every_word() -> None:
    from training.synthesis import prosody, speak

    for number in range(4):
        samples, words = speak("Bonjour, vous êtes chez Marie Martin.", prosody(1, number, held_out=False))
        times = [time for _, start, end in words for time in (start, end)]
        assert [word for word, _, _ in words] == ["Bonjour,", "vous", "êtes", "chez", "Marie", "Martin."]
        assert times == sorted(times)
        assert times[0] == 0
        assert abs(times[-1] - len(samples)) < 80


def test_other_processes_make_the_same_batches(shards: Shards, tmp_path: Path) -> None:
    from training.batches import BatchSettings, BatchSource

    settings = BatchSettings(frames=2000, pool_windows=12)
    source = BatchSource(tmp_path, TOKENIZER, seed=1, settings=settings)
    number, theirs = next(source.pools(2, processes=1))
    ours = BatchSource(tmp_path, TOKENIZER, seed=1, settings=settings).pool(2)
    assert number == 2
    assert len(theirs) == len(ours)
    for one, other in zip(theirs, ours, strict=True):
        assert np.array_equal(one.audio, other.audio)
        assert np.array_equal(one.ids, other.ids)
        assert (one.wanted >= 0).any()
