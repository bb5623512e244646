"""PCM with voice detection over a real socket with the shipped model, by a client written from the protocol alone."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import WAIT_S, client, closed, same_words, serving
from websockets.asyncio.client import ClientConnection

from V3.audio.pcm import Audio, resample, to_l16
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


async def send(socket: ClientConnection, audio: Audio, *, rate_hz: int, ms: int) -> None:
    data, size = to_l16(resample(audio, from_hz=16_000, to_hz=rate_hz)), 2 * rate_hz * ms // 1000
    for start in range(0, len(data), size):
        await socket.send(data[start : start + size])


async def text(socket: ClientConnection) -> str:
    async with asyncio.timeout(WAIT_S):
        return str(await socket.recv())


@pytest.mark.parametrize(
    ("rate_hz", "ms", "query"),
    [(16_000, 20, {}), (8000, 10, {"rate": "8000"}), (48_000, 30, {"rate": "48000"}), (32_000, 20, None)],
)
def test_each_utterance_is_answered_with_one_plain_text(
    stt: WhisperStreamingSTT, rate_hz: int, ms: int, query: dict[str, str] | None
) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, "/vad", **(query or {})) as socket:
            if query is None:
                await socket.send(f'{{"sample_rate":{rate_hz}}}')
            names = ("oui_bonjour", "au_travail")
            for name in names:
                await send(socket, np.concatenate([silence(0.5), speech(name), silence(1)]), rate_hz=rate_hz, ms=ms)
            for name in names:
                assert same_words(await text(socket), TEXTS[name])

    run(test)


def test_the_root_may_speak_this_dialect_and_a_recording_may_just_end(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, root="vad") as server, client(server) as socket:
            await send(socket, np.concatenate([silence(0.5), speech("allo_qui")]), rate_hz=16_000, ms=20)
            assert same_words(await text(socket), TEXTS["allo_qui"])

    run(test)


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        (bytes(961), 1003, "961 bytes"),
        (bytes(2000), 1003, "chunks of 10, 20 or 30 ms"),
        ("hello", 1003, "not JSON"),
        ('{"sample_rate":44100}', 1008, "8000, 16000, 32000 or 48000"),
    ],
)
def test_what_breaks_the_rules_is_named_in_the_close(
    stt: WhisperStreamingSTT, message: str | bytes, code: int, named: str
) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, "/vad") as socket:
            await socket.send(message)
            told = await closed(socket)
            assert told[0] == code
            assert named in str(told[1])

    run(test)


def test_a_wrong_rate_in_the_query_is_named(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, "/vad", rate="11025") as socket:
            assert await closed(socket) == (1008, "sample_rate is 8000, 16000, 32000 or 48000, not '11025'")

    run(test)
