"""Windows over a batch-only engine, with one that says what it is told to."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import numpy as np
import pytest
from audio_samples import silence, speech
from audio_server_rig import run
from scripted_engine import ScriptedEngine

from V3.audio.pcm import Audio
from V3.errors import RecognitionError
from V3.events import Event, Final, Partial, SpeechEnded, SpeechStarted, StreamFailed
from V3.system.services.windowed import MAX_FINALS, WindowedStream, transcribed

Kind = TypeVar("Kind", bound=Event)
WORD = speech("oui_bonjour")  # 0.66 s


def utterance(*, lead_s: float = 0.5) -> Audio:
    return np.concatenate([silence(lead_s), WORD, silence(0.8)])


class Heard:
    """A stream and its events."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.events: list[Event] = []
        self.stream = WindowedStream(engine, "c", on_event=self.events.append)

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def push(self, audio: Audio, *, ms: int = 20) -> None:
        size = ms * 16
        for start in range(0, audio.size // size * size, size):
            self.stream.process_chunk(audio[start : start + size])

    async def settled(self) -> None:
        """Let the engine answer what it may."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.mark.parametrize("ms", [20, 100, 1000])
def test_an_utterance_is_told_with_its_words_on_the_clock_of_the_stream(ms: int) -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("oui bonjour"))
        heard.stream.partials = False
        heard.push(np.concatenate([utterance(lead_s=2.0), silence(1.0)]), ms=ms)
        await heard.stream.afinish()
        (final,) = heard.all(Final)
        assert [type(event) for event in heard.events] == [SpeechStarted, SpeechEnded, Final]
        assert final.start_ms == pytest.approx(2000, abs=60)
        assert final.end_ms == pytest.approx(2640, abs=100)
        begin_ms = final.start_ms - 300  # the pre-roll
        assert [(w.text, w.start_ms, w.stable) for w in final.words] == [
            ("oui", begin_ms, True),
            ("bonjour", begin_ms + 100, True),
        ]
        assert engine.heard_ms == [final.end_ms + 500 - begin_ms]  # to the moment its end was sure

    run(test)


def test_partials_are_windows_of_800_ms_every_200_ms_and_none_is_stable() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("oui"))
        for frame in np.split(speech("pas_joignable")[:32_000], 100):
            heard.stream.process_chunk(frame)
            await heard.settled()
        partials = heard.all(Partial)
        assert np.all(np.diff([event.at_ms for event in partials]) == 200)
        assert len(partials) >= 8
        assert engine.heard_ms[-4:] == [800] * 4
        assert partials[-1].words[0].start_ms == partials[-1].at_ms - 800
        assert not any(word.stable for event in partials for word in event.words)
        assert {event.start_ms for event in partials} == {heard.all(SpeechStarted)[0].start_ms}

    run(test)


def test_the_engine_is_asked_one_thing_at_a_time_and_finals_keep_their_order() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("first", "second", "third", gated=True))
        heard.stream.partials = False
        for _ in range(3):
            heard.push(utterance())
        await heard.settled()
        assert len(engine.heard_ms) == 1
        engine.let_go(3)
        await heard.stream.afinish()
        assert [event.text for event in heard.all(Final)] == ["first", "second", "third"]
        starts = [event.start_ms for event in heard.all(Final)]
        assert starts == [event.start_ms for event in heard.all(SpeechStarted)]
        assert engine.busiest == 1

    run(test)


def test_a_partial_that_comes_after_its_utterance_is_left_out() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("late", "whole", gated=True))
        heard.push(utterance())
        await heard.settled()
        heard.push(utterance()[:16_000])  # the next one has begun
        engine.let_go(2)
        await heard.settled()
        assert heard.all(Partial) == []
        assert [event.text for event in heard.all(Final)] == ["whole"]
        heard.stream.close()

    run(test)


@pytest.mark.parametrize("error", [RecognitionError("overloaded"), ValueError("a fault of the engine")])
def test_an_utterance_that_fails_is_told_and_has_an_empty_final(error: Exception) -> None:
    async def test() -> None:
        heard = Heard(ScriptedEngine(error, "bonjour"))
        heard.stream.partials = False
        heard.push(utterance())
        heard.push(utterance())
        await heard.stream.afinish()
        (failed,) = heard.all(StreamFailed)
        assert (failed.error, failed.message) == (type(error).__name__, str(error))
        assert [event.text for event in heard.all(Final)] == ["", "bonjour"]

    run(test)


def test_an_engine_too_slow_for_its_caller_is_told_and_memory_stays_bounded() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("oui", gated=True))
        heard.stream.partials = False
        for _ in range(MAX_FINALS + 2):
            heard.push(utterance())
        assert [event.error for event in heard.all(StreamFailed)] == ["RecognizerOverloaded"] * 2
        engine.let_go(MAX_FINALS)
        await heard.stream.afinish()
        assert sorted(event.text for event in heard.all(Final)) == ["", "", *["oui"] * MAX_FINALS]

    run(test)


def test_speech_without_a_pause_is_cut_and_nothing_of_it_is_lost() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("oui"))
        heard.stream.partials = False
        heard.push(np.concatenate([np.tile(WORD, 50), silence(0.8)]))  # 33 s
        await heard.stream.afinish()
        first, second = heard.all(Final)
        assert first.end_ms == second.start_ms
        assert sum(engine.heard_ms) == pytest.approx(heard.all(SpeechEnded)[0].at_ms, abs=100)
        assert all(ms <= 28_000 for ms in engine.heard_ms)

    run(test)


def test_the_end_of_the_stream_ends_the_utterance() -> None:
    async def test() -> None:
        heard = Heard(ScriptedEngine("oui"))
        heard.push(utterance()[:16_000])
        assert await heard.stream.afinish() == "oui"
        (final,) = heard.all(Final)
        assert heard.all(SpeechEnded)[0].end_ms == final.end_ms == pytest.approx(1000, abs=60)
        assert await heard.stream.afinish() == "oui"
        assert len(heard.all(Final)) == 1

    run(test)


def test_process_chunk_gives_each_utterance_once() -> None:
    async def test() -> None:
        heard = Heard(ScriptedEngine("oui"))
        heard.stream.partials = False
        heard.push(utterance())
        await heard.settled()
        frame = silence(0.02)
        assert [heard.stream.process_chunk(frame) for _ in range(2)] == [("oui", True), ("", False)]

    run(test)


def test_a_closed_stream_asks_and_tells_no_more() -> None:
    async def test() -> None:
        heard = Heard(engine := ScriptedEngine("oui", gated=True))
        heard.push(utterance()[:16_000])
        await heard.settled()
        told, asked = len(heard.events), len(engine.heard_ms)
        heard.stream.close()
        engine.let_go(5)
        await heard.settled()
        assert (len(heard.events), len(engine.heard_ms)) == (told, asked)

    run(test)


def test_an_engine_without_coroutines_is_asked_in_a_thread() -> None:
    class Plain:
        def transcribe(self, audio: Audio) -> str:
            return f"{audio.size} samples"

    async def test() -> None:
        assert str(await transcribed(Plain(), silence(0.1), call_id="c")) == "1600 samples"

    run(test)
