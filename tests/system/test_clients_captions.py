"""Live captions over a real socket with the shipped model, by a client written from the protocol alone."""

from __future__ import annotations

import asyncio
import io
import json
import wave

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import alike, answer, answers, client, same_words, serving

from V3.audio.pcm import Audio, to_l16
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


def padded(name: str, *, before_s: float = 0.3, after_s: float = 1.0) -> Audio:
    return np.concatenate([silence(before_s), speech(name), silence(after_s)])


@pytest.mark.parametrize("path", ["/captions", "/"])
def test_a_wav_file_is_written_down(stt: WhisperStreamingSTT, path: str) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, path) as socket:
            hello = await answer(socket)
            assert (hello["type"], hello["model"]) == ("connected", "telephone-fr")
            assert {"message", "timestamp"} < hello.keys()
            await socket.send((DATA / "pas_joignable.wav").read_bytes())
            told = await answer(socket)
            assert told["type"] == "transcription"
            assert same_words(told["text"], TEXTS["pas_joignable"])
            assert told["duration"] == pytest.approx(7.9, abs=0.1)
            assert told["rtf"] == pytest.approx(told["processing_time"] / told["duration"], abs=0.01)
            assert told["timestamp"]

    run(test)


@pytest.mark.parametrize("form", ["int16", "float32"])
@pytest.mark.parametrize("declared", [True, False])
def test_one_second_then_one_answer_never_dead_locks(stt: WhisperStreamingSTT, form: str, declared: bool) -> None:
    async def test() -> None:
        audio = padded("au_travail", after_s=3)[: 4 * 16_000]
        data = to_l16(audio) if form == "int16" else audio.tobytes()
        size = len(data) // 4
        texts = []
        async with serving(stt) as server, client(server, "/captions") as socket:
            await answer(socket, "connected")
            if declared:
                await socket.send(json.dumps({"type": "config", "format": form, "language": "fr"}))
            for number in range(4):
                await socket.send(data[number * size : (number + 1) * size])
                told = await answer(socket)
                assert told["type"] == ("transcription" if number % 2 else "buffering")
                texts.append(told.get("text", ""))
        assert "travail" in " ".join(texts)

    run(test)


def test_buffering_ping_and_clear(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            await answer(socket, "connected")
            await socket.send(to_l16(np.concatenate([speech("au_travail"), silence(1)])[:24_000]))
            assert await answer(socket) == {"type": "buffering", "buffered": 1.5, "needed": 2.0}
            await socket.send('{"type":"ping"}')
            assert (await answer(socket)).keys() == {"type", "timestamp"}
            await socket.send('{"type":"clear_buffer"}')
            await socket.send(to_l16(silence(1)))
            assert (await answer(socket))["buffered"] == 1.0

    run(test)


def test_a_short_recording_is_written_down_when_no_more_comes(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            await answer(socket, "connected")
            await socket.send((DATA / "allo_qui.wav").read_bytes())
            assert (await answer(socket))["type"] == "buffering"
            assert same_words((await answer(socket))["text"], TEXTS["allo_qui"])

    run(test)


def test_live_mode_tells_partials_and_then_the_final(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            await answer(socket, "connected")
            await socket.send('{"type":"config","mode":"live"}')
            data = to_l16(padded("pas_joignable"))

            async def send() -> None:
                for start in range(0, len(data), 6400):
                    await socket.send(data[start : start + 6400])
                    await asyncio.sleep(0.05)  # four times as fast as it is spoken

            sending = asyncio.create_task(send())
            partials: list[str] = []
            finals: list[str] = []
            async for told in answers(socket, "transcription"):
                (partials if told.get("partial") else finals).append(told["text"])
                if same_words(" ".join(finals), TEXTS["pas_joignable"]):
                    break
            await sending
            assert partials
            assert all(partials)

    run(test)


def test_what_cannot_be_done_is_an_error_and_the_rest_goes_on(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            await answer(socket, "connected")
            for message, named in (
                ("no JSON", "not JSON"),
                ('{"type":"config","language":"en","task":"transcribe"}', "hears fr only"),
                ('{"type":"config","task":"translate"}', "cannot translate"),
                ('{"type":"config","mode":"fast"}', "classic or live"),
                (b"RIFF1234AVI ....", "no WAVE"),
            ):
                await socket.send(message)
                told = await answer(socket)
                assert told["type"] == "error"
                assert named in told["message"]
            await socket.send((DATA / "pas_joignable.wav").read_bytes())
            assert same_words((await answer(socket))["text"], TEXTS["pas_joignable"])

    run(test)


def test_a_long_recording_is_heard_whole(stt: WhisperStreamingSTT) -> None:
    names = [*TEXTS] * 3
    audio = np.concatenate([part for name in names for part in (speech(name), silence(0.7))])
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(to_l16(np.repeat(audio, 2)))

    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            await answer(socket, "connected")
            await socket.send(file.getvalue())
            told = await answer(socket)
            assert told["duration"] == pytest.approx(audio.size / 16_000, abs=0.01)
            assert alike(told["text"], " ".join(TEXTS[name] for name in names))

    run(test)
