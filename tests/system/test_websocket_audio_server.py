"""The audio server over real sockets, with the shipped model."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from audio_server_rig import CALL, Ears, barrier, frames, listening, run, stream
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from V3.audio.pcm import Audio, resample, to_l16
from V3.audio.vad import VoiceActivity
from V3.calls.answer_ear import VAD_TAIL_MS
from V3.config import AnswerSettings
from V3.errors import RecognitionError
from V3.events import (
    AnswerClassified,
    Capacity,
    Event,
    Final,
    Partial,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    StreamClosed,
    StreamFailed,
    StreamOpened,
    from_json,
)
from V3.system.services.faster_whisper_stt import FasterWhisperSTT
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

OTHER = "11111111-2222-3333-4444-555555555555"
WINDOW_FRAMES = 115  # 2.3 s


def answer_audio(name: str = "oui_bonjour") -> Audio:
    """Somebody answers after 0.2 s; 3 s in all."""
    said = np.concatenate([silence(0.2), speech(name)])
    return np.concatenate([said, silence(3.0)])[: 3 * 16_000]


async def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closed, when all it sent has been read."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass
    return socket.close_code, socket.close_reason


# ---- a call as FreeSWITCH sends it


def test_audio_may_come_before_the_metadata(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            audio = answer_audio()
            await stream(socket, audio[:1600])
            await socket.send('{"call":"x"}')
            await stream(socket, audio[1600:])
            verdict = await ears.first(AnswerClassified)
            assert (verdict.label, verdict.text) == ("HUMAN", "Oui bonjour.")
            assert ears.all(StreamFailed) == []
            assert ears.events[0] == StreamOpened(call_id=CALL, at_ms=0, rate_hz=16000)

    run(test)


@pytest.mark.parametrize("ms", [20, 100, 1000])
def test_messages_of_any_size_are_heard_the_same(stt: WhisperStreamingSTT, ms: int) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            audio = np.concatenate([answer_audio()[: WINDOW_FRAMES * 320], speech("pas_joignable")])
            await stream(socket, audio, ms=ms)
            final, verdict = await ears.first(Final), await ears.first(AnswerClassified)
            assert final.text == "Oui bonjour."
            assert final.words[0].text == "Oui"
            assert 0 <= final.words[0].start_ms < final.words[-1].end_ms <= 1200
            assert verdict.label == "HUMAN"
            voice = VoiceActivity(end_ms=VAD_TAIL_MS)
            voice.push(audio[: WINDOW_FRAMES * 320])
            # the timing is that of the first 2.3 s, however much more came in the same message
            timing = verdict.evidence[-1]
            assert timing.startswith(f"timing: spoke {voice.speech_ms} ms, then waits {voice.silence_ms} ms")
            started, ended = await ears.first(SpeechStarted), await ears.first(SpeechEnded)
            assert started.start_ms == ended.start_ms == pytest.approx(200, abs=60)
            assert ended.end_ms == pytest.approx(850, abs=100)

    run(test)


def test_8_khz_is_heard_too(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call(query="?rate=8000") as socket:
            data = to_l16(resample(answer_audio("allo_qui"), from_hz=16_000, to_hz=8000))
            for frame in frames(data, rate_hz=8000):
                assert len(frame) == 320
                await socket.send(frame)
            assert (await ears.first(StreamOpened)).rate_hz == 8000
            verdict = await ears.first(AnswerClassified)
            assert (verdict.label, verdict.text) == ("HUMAN", "Allô, c'est qui ?")

    run(test)


def test_stereo_gives_the_robots_side_as_a_stream_of_its_own(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call(query="?channels=2") as socket:
            callee, robot = answer_audio("oui_bonjour"), np.roll(answer_audio("allo_qui"), 16_000)
            for frame in frames(to_l16(np.stack([callee, robot], axis=1).reshape(-1)), ms=40):
                await socket.send(frame)
            heard, said = await ears.first(Final), await ears.first(Final, f"{CALL}/robot")
            assert (heard.text, said.text) == (TEXTS["oui_bonjour"], TEXTS["allo_qui"])
            assert said.start_ms == pytest.approx(heard.start_ms + 1000, abs=100)  # one clock
            assert (await ears.first(AnswerClassified)).text == "Oui bonjour."
            assert ears.all(AnswerClassified, f"{CALL}/robot") == []

    run(test)


def test_the_last_words_of_both_sides_are_heard_when_the_call_ends(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears:
            async with ears.call(query="?channels=2") as socket:
                both = np.concatenate([silence(0.2), speech("oui_bonjour"), silence(0.1)])
                for frame in frames(to_l16(np.repeat(both, 2)), ms=40):
                    await socket.send(frame)
            await ears.first(StreamClosed)
            assert [e.text for e in ears.all(Final)] == ["Oui bonjour."]
            assert [e.text for e in ears.all(Final, f"{CALL}/robot")] == ["Oui bonjour."]
            assert isinstance(ears.events[-1], StreamClosed)  # nothing comes after it

    run(test)


# ---- the verdict


def test_the_verdict_comes_with_2300_ms_of_audio_and_not_before(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            messages = list(frames(answer_audio("allo_qui")))
            for frame in messages[: WINDOW_FRAMES - 1]:
                await socket.send(frame)
            assert (await barrier(ears, socket)).at_ms == 2280
            assert ears.all(AnswerClassified) == []
            await socket.send(messages[WINDOW_FRAMES - 1])
            verdict = await ears.first(AnswerClassified)
            assert (verdict.at_ms, verdict.label) == (2300, "HUMAN")
            assert any(found.startswith("opener: allo") for found in verdict.evidence)
            await stream(socket, answer_audio())
            await barrier(ears, socket)
            assert len(ears.all(AnswerClassified)) == 1

    run(test)


def test_a_recording_is_a_machine_and_silence_is_nobody(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as machine, ears.call(OTHER) as nobody:
            await stream(machine, speech("pas_joignable"))
            await stream(nobody, silence(2.4))
            assert (await ears.first(AnswerClassified)).label == "MACHINE"
            assert (await ears.first(AnswerClassified, OTHER)).label == "NO_ANSWER"

    run(test)


def test_partials_begin_with_the_verdict(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            audio = np.concatenate([silence(0.2), speech("pas_joignable")])
            await stream(socket, audio[:32_000])
            await barrier(ears, socket)
            await stt.transcribe_async(silence(0.5))  # the one decoder is free again: a partial would be here by now
            assert ears.all(SpeechContinues)
            assert not ears.all(Partial)
            await stream(socket, audio[32_000 : WINDOW_FRAMES * 320])
            await ears.first(AnswerClassified)
            assert not ears.all(Partial)
            await stream(socket, audio[WINDOW_FRAMES * 320 :][:8000])
            assert (await ears.first(Partial)).words

    run(test)


def test_finals_come_before_the_verdict_too(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            await stream(socket, answer_audio()[: 16_000 * 17 // 10])
            assert (await ears.first(Final)).text == "Oui bonjour."
            assert ears.all(AnswerClassified) == []
            await stream(socket, answer_audio()[16_000 * 17 // 10 :], speech("au_travail"), silence(1.0))
            assert (await ears.first(Final, count=2)).text == TEXTS["au_travail"]
            await ears.first(AnswerClassified)

    run(test)


def test_without_answer_detection_partials_come_from_the_start(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, amd=False) as ears, ears.call() as socket:
            await stream(socket, speech("au_travail")[:24_000])
            await ears.first(Partial)
            assert ears.all(AnswerClassified) == []

    run(test)


def test_speech_that_goes_on_is_told_many_times_a_second_with_its_level(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            await stream(socket, silence(0.5), speech("pas_joignable")[:24_000])
            await barrier(ears, socket)
            told = ears.all(SpeechContinues)
            assert len(told) >= 15
            assert {e.start_ms for e in told} == {ears.all(SpeechStarted)[0].start_ms}
            assert np.all(np.diff([e.at_ms for e in told]) == 60)
            assert all(0 <= e.at_ms - e.voiced_until_ms <= 240 for e in told)
            levels = [e.level_dbfs for e in told]
            assert np.all(np.diff(levels) >= 0)  # the loudest so far
            assert -40 < levels[-1] < -10

    run(test)


class SlowOrBroken:
    """An engine whose answer for a whole buffer is late, or an error; its streams are the real ones."""

    def __init__(self, stt: WhisperStreamingSTT, error: Exception | None) -> None:
        self._stt = stt
        self._error = error
        self.may_answer = threading.Event()

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        return self._stt.process_chunk(frame)

    def open_stream(self, call_id: str, **options: Any) -> Any:
        return self._stt.open_stream(call_id, **options)

    def transcribe(self, buffer: Any) -> Any:
        if self._error is not None:
            raise self._error
        assert self.may_answer.wait(20)
        return self._stt.transcribe(buffer)


@pytest.mark.parametrize("error", [None, RecognitionError("overloaded"), ValueError("a fault of the engine")])
def test_where_the_recogniser_is_late_or_fails_timing_decides(
    stt: WhisperStreamingSTT, error: Exception | None
) -> None:
    async def test() -> None:
        engine = SlowOrBroken(stt, error)
        answer = AnswerSettings(decode_timeout_s=0.05 if error is None else 10)
        async with listening(engine, answer=answer) as ears:
            async with ears.call() as person, ears.call(OTHER) as machine:
                await stream(person, answer_audio())
                await stream(machine, speech("pas_joignable"))
                human, recording = await ears.first(AnswerClassified), await ears.first(AnswerClassified, OTHER)
            engine.may_answer.set()
        assert (human.label, recording.label) == ("HUMAN", "MACHINE")
        for verdict in (human, recording):
            assert verdict.text == ""
            assert verdict.reason.startswith("timing: ")

    run(test)


# ---- what a client may do wrong


@pytest.mark.parametrize("wrong", [b"\0" * 641, "hello", "[1, 2]", "[" * 60_000])
def test_a_malformed_message_is_told_and_the_stream_goes_on(stt: WhisperStreamingSTT, wrong: str | bytes) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            audio = answer_audio()
            await stream(socket, audio[:3200])
            await socket.send(wrong)
            await stream(socket, audio[3200:])
            failed = await ears.first(StreamFailed)
            assert (failed.error, failed.at_ms) == ("WireError", 200)
            assert (await ears.first(AnswerClassified)).text == "Oui bonjour."
            assert len(ears.all(StreamFailed)) == 1

    run(test)


def test_a_client_that_is_wrong_again_and_again_is_closed(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            for _ in range(51):
                await socket.send("hello")
            assert await closed(socket) == (1008, "over 50 malformed messages")
            assert (await ears.first(StreamClosed)).code == 1008

    run(test)


def test_a_message_that_is_too_large_closes_its_call_and_no_other(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, max_message_bytes=4096) as ears, ears.call() as large, ears.call(OTHER) as other:
            await stream(other, answer_audio()[:16_000])
            await stream(large, answer_audio()[:16_000])
            await large.send(bytes(4098))
            code, _ = await closed(large)
            assert code == 1009
            assert (await ears.first(StreamFailed)).error == "WireError"
            assert (await ears.first(StreamClosed)).code == 1009
            await stream(other, answer_audio()[16_000:])
            assert (await ears.first(AnswerClassified, OTHER)).text == "Oui bonjour."
            assert ears.all(StreamFailed, OTHER) == []

    run(test)


def test_a_silent_socket_is_closed_and_says_why(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, idle_timeout_s=0.2) as ears, ears.call() as socket:
            await stream(socket, silence(0.1))
            assert await closed(socket) == (1008, "no audio for 0.2 s")
            failed, ended = await ears.first(StreamFailed), await ears.first(StreamClosed)
            assert failed.message == ended.reason == "no audio for 0.2 s"
            assert (failed.error, ended.code, ended.at_ms) == ("WireError", 1008, 100)
            async with ears.call() as again:  # the call may come back
                await stream(again, silence(0.1))
                await ears.first(StreamOpened, count=2)

    run(test)


def test_a_client_that_vanishes_is_told_after_its_last_words(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            await stream(socket, silence(0.2), speech("oui_bonjour"), silence(0.1))
            await barrier(ears, socket)
            assert ears.all(Final) == []
            socket.transport.abort()
            ended = await ears.first(StreamClosed)
            assert (ended.code, ended.reason) == (1006, "lost without a close frame")
            assert [e.text for e in ears.all(Final)] == ["Oui bonjour."]
            assert ears.server.streams == 0

    run(test)


def test_a_stream_that_ends_before_its_verdict_has_none(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears:
            async with ears.call() as socket:
                await stream(socket, answer_audio()[:16_000])
            ended = await ears.first(StreamClosed)
            assert (ended.code, ended.at_ms) == (1000, 1000)
            assert ears.all(AnswerClassified) == []

    run(test)


class Unable:
    """An engine that can open no more streams."""

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        raise NotImplementedError

    def open_stream(self, call_id: str, **options: Any) -> Any:
        raise RecognitionError("closed")


def test_an_engine_that_opens_no_stream_fails_the_call_by_name_and_frees_its_place() -> None:
    async def test() -> None:
        async with listening(Unable(), max_streams=1) as ears:
            for count in (1, 2):
                async with ears.call() as socket:
                    assert await closed(socket) == (1011, "closed")
                assert (await ears.first(StreamFailed, count=count)).error == "RecognitionError"
                await ears.first(StreamClosed, count=count)

    run(test)


class Faulty:
    """An engine whose streams fail: at the second frame, or at their end."""

    def __init__(self, error: Exception, *, at_end: bool) -> None:
        self._error = error
        self._at_end = at_end
        self._frames = 0
        self.partials = True

    def open_stream(self, call_id: str, **options: Any) -> Any:
        return Faulty(self._error, at_end=self._at_end)

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        self._frames += 1
        if self._frames == 2 and not self._at_end:
            raise self._error
        return "", False

    async def afinish(self) -> None:
        if self._at_end:
            raise self._error

    def close(self) -> None:
        pass


@pytest.mark.parametrize("error", [RecognitionError("é" * 200), ValueError("a fault of the engine")])
def test_an_engine_that_fails_in_a_stream_ends_that_stream_by_name(error: Exception) -> None:
    async def test() -> None:
        async with listening(Faulty(error, at_end=False)) as ears, ears.call() as socket:
            await stream(socket, silence(0.04))
            code, reason = await closed(socket)
            assert code == 1011
            assert reason == ("é" * 60 if isinstance(error, RecognitionError) else "internal error: ValueError")
            failed = await ears.first(StreamFailed)
            assert (failed.error, failed.message) == (type(error).__name__, str(error))
            assert (await ears.first(StreamClosed)).code == 1011

    run(test)


@pytest.mark.parametrize("error", [RecognitionError("too slow"), ValueError("a fault of the engine")])
def test_an_engine_that_fails_at_the_end_hides_no_end(error: Exception) -> None:
    async def test() -> None:
        async with listening(Faulty(error, at_end=True)) as ears:
            async with ears.call() as socket:
                await stream(socket, silence(0.04))
            assert (await ears.first(StreamClosed)).code == 1000

    run(test)


def test_a_verdict_under_way_when_the_call_ends_is_dropped(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        engine = SlowOrBroken(stt, None)
        async with listening(engine) as ears:
            async with ears.call() as socket:
                await stream(socket, answer_audio())
                await barrier(ears, socket)
            await ears.first(StreamClosed)
            assert ears.all(AnswerClassified) == []
            engine.may_answer.set()

    run(test)


# ---- events on the way back


def test_events_go_back_on_the_socket_as_json(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, send_events=True) as ears, ears.call() as socket:
            await stream(socket, answer_audio())
            back: list[Event] = []
            room: list[Capacity] = []
            while not (back and isinstance(back[-1], AnswerClassified)):
                event = from_json(str(await socket.recv()))
                if isinstance(event, Capacity):
                    room.append(event)
                else:
                    back.append(event)
            assert (room[0].call_id, room[0].at_ms, room[0].calls) == (CALL, 0, 1)
            assert room[0].room == room[0].capacity - 1
            ears.events = [event for event in ears.events if not isinstance(event, Capacity)]
            assert back == ears.events[: len(back)]
            assert {type(event) for event in back} >= {StreamOpened, SpeechStarted, SpeechEnded}

    run(test)


def test_nothing_goes_back_unless_asked_for(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            await stream(socket, answer_audio())
            await ears.first(AnswerClassified)
            await ears.server.stop()
            assert [message async for message in socket] == []
            assert socket.close_code == 1001

    run(test)


def test_events_reach_the_handler_of_their_call_and_no_other(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as one, ears.call(OTHER) as other:
            mine: list[object] = []
            ears.server.expect(CALL, mine.append)
            await stream(one, silence(0.1))
            await stream(other, silence(0.1))
            await ears.first(StreamOpened)
            await ears.first(StreamOpened, OTHER)
            assert mine == ears.all(StreamOpened)

    run(test)


# ---- the end


def test_stop_closes_every_stream_and_leaves_nothing(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, send_events=True) as ears:
            sockets = [await ears.call(call_id) for call_id in (CALL, OTHER)]
            for socket in sockets:
                await stream(socket, speech("au_travail")[:24_000])
            await barrier(ears, sockets[0])
            await barrier(ears, sockets[1], OTHER)
            await ears.server.stop()
            for call_id in (CALL, OTHER):
                assert [e.code for e in ears.all(StreamClosed, call_id)] == [1001]
            assert ears.server.streams == 0
            for socket in sockets:
                assert (await closed(socket))[0] == 1001
            await ears.server.stop()  # once more is nothing

    run(test)


def test_the_batch_only_engine_is_served_by_windows(stt: WhisperStreamingSTT) -> None:
    async def test(batch: FasterWhisperSTT) -> None:
        async with listening(batch) as ears, ears.call() as socket:
            await stream(socket, answer_audio())
            final, verdict = await ears.first(Final), await ears.first(AnswerClassified)
            assert (final.text, verdict.label) == ("Oui bonjour.", "HUMAN")
            assert 0 <= final.words[0].start_ms < final.words[-1].end_ms <= 1200
            await stream(socket, speech("au_travail")[:24_000])
            partial = await ears.first(Partial)
            assert not any(word.stable for word in partial.words)
            await socket.close()
            await ears.first(StreamClosed)
            assert ears.all(Final)[1].text.startswith("Je suis au travail")

    assert not hasattr(FasterWhisperSTT, "process_chunk")
    with FasterWhisperSTT(recognizer=stt.recognizer) as batch:
        run(lambda: test(batch))


def test_many_calls_at_once_are_kept_apart(stt: WhisperStreamingSTT) -> None:
    async def one(ears: Ears, index: int) -> None:
        name = ("oui_bonjour", "allo_qui")[index % 2]
        call_id = f"call-{index}"
        async with ears.call(call_id) as socket:
            for frame in frames(answer_audio(name)):
                await socket.send(frame)
                await asyncio.sleep(0)
            assert (await ears.first(AnswerClassified, call_id)).text == TEXTS[name]
            assert (await ears.first(Final, call_id)).text == TEXTS[name]

    async def test() -> None:
        async with listening(stt) as ears:
            async with asyncio.TaskGroup() as calls:
                for index in range(8):
                    calls.create_task(one(ears, index))
            await asyncio.gather(*(ears.first(StreamClosed, f"call-{index}") for index in range(8)))

    run(test)


# ---- verdicts through time


def test_a_person_who_waits_is_known_before_the_window_ends(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt, answer=AnswerSettings(decode_timeout_s=10)) as ears, ears.call() as socket:
            await stream(socket, answer_audio()[: 16_000 * 2])  # 0.65 s of words, then 1.1 s of silence
            verdict = await ears.first(AnswerClassified)
            assert (verdict.label, verdict.kind, verdict.revised) == ("HUMAN", "person", False)
            assert verdict.at_ms <= 2000
            await stream(socket, silence(1.0))
            await barrier(ears, socket)
            assert len(ears.all(AnswerClassified)) == 1  # the window's end says it no second time

    run(test)


def test_an_announcement_after_the_verdict_takes_it_back(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with listening(stt) as ears, ears.call() as socket:
            await stream(socket, answer_audio()[: WINDOW_FRAMES * 320])
            assert (await ears.first(AnswerClassified)).label == "HUMAN"
            await stream(socket, speech("pas_joignable")[: 16_000 * 3])  # 5.3 s: while it may still be taken back
            revised = await ears.first(AnswerClassified, count=2)
            assert (revised.label, revised.kind, revised.revised) == ("MACHINE", "carrier", True)
            assert revised.text.startswith("Oui bonjour. Le correspondant")
            assert revised.at_ms <= 6000

    run(test)


def test_without_revision_a_verdict_stands(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        answer = AnswerSettings(decode_timeout_s=10, early_verdict=False, revise=False)
        async with listening(stt, answer=answer) as ears, ears.call() as socket:
            await stream(socket, answer_audio()[: WINDOW_FRAMES * 320])
            await ears.first(AnswerClassified)
            await stream(socket, speech("pas_joignable")[: 16_000 * 3], silence(0.6))
            assert "correspondant" in (await ears.first(Final, count=2)).text
            assert len(ears.all(AnswerClassified)) == 1

    run(test)
