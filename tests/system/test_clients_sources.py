"""Several sources over real sockets with the shipped model, by clients written from the protocol alone."""

from __future__ import annotations

import asyncio
import contextlib
import json

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import answer, answers, client, closed, npy, same_words, serving
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from V3.audio.pcm import Audio
from V3.system.services.client_server import ClientServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

PATH = "/ws/transcription"


async def send(socket: ClientConnection, audio: Audio, *, pace_s: float = 0.03) -> None:
    for start in range(0, audio.size, 3200):
        await socket.send(npy(audio[start : start + 3200]))
        await asyncio.sleep(pace_s)


async def heard(socket: ClientConnection, words: str) -> list[str]:
    """Transcripts until they are these words together."""
    texts: list[str] = []
    async for told in answers(socket, "transcript"):
        texts.append(told["text"])
        if same_words(" ".join(texts), words):
            return texts
    raise AssertionError("unreachable")


async def dropped(server: ClientServer) -> None:
    """Until all clients have gone and no source is kept that may come back."""
    async with asyncio.timeout(20):
        while server.clients or len(server._sources):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.05)


def test_each_source_hears_its_own_words_at_the_same_time(stt: WhisperStreamingSTT) -> None:
    async def one(server: ClientServer, name: str) -> None:
        async with client(server, PATH, client_id=name) as socket:
            sending = asyncio.create_task(send(socket, np.concatenate([speech(name), silence(0.2)])))
            told = await answer(socket, "transcript")
            assert told["client_id"] == name
            assert told["timestamp"]
            rest = "" if same_words(told["text"], TEXTS[name]) else " ".join(await rest_of(socket, told["text"], name))
            assert same_words(f"{told['text']} {rest}", TEXTS[name])
            await sending

    async def rest_of(socket: ClientConnection, first: str, name: str) -> list[str]:
        texts: list[str] = []
        async for told in answers(socket, "transcript"):
            assert told["client_id"] == name
            texts.append(told["text"])
            if same_words(" ".join([first, *texts]), TEXTS[name]):
                return texts
        raise AssertionError("unreachable")

    async def test() -> None:
        async with serving(stt) as server, asyncio.TaskGroup() as group:
            for name in TEXTS:
                group.create_task(one(server, name))

    run(test)


def test_words_come_before_their_utterance_has_ended(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH, client_id="a") as socket:
            sending = asyncio.create_task(send(socket, np.concatenate([speech("pas_joignable"), silence(1)])))
            assert len(await heard(socket, TEXTS["pas_joignable"])) > 1
            await sending

    run(test)


def test_the_same_client_id_twice_is_refused_with_a_named_close(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH, client_id="kitchen") as first:
            await first.send('{"type":"ping"}')
            assert (await answer(first))["client_id"] == "kitchen"
            async with client(server, PATH, client_id="kitchen") as second:
                assert await closed(second) == (1008, "client_id kitchen is connected already")
            await send(first, np.concatenate([speech("oui_bonjour"), silence(0.5)]))
            await heard(first, TEXTS["oui_bonjour"])  # the first never noticed

    run(test)


def test_a_source_that_comes_back_goes_on_in_the_middle_of_a_sentence(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        audio = np.concatenate([speech("au_travail"), silence(1)])
        async with serving(stt) as server:
            async with client(server, PATH, client_id="a") as socket:
                await send(socket, audio[:16_000])
                await socket.send('{"type":"ping"}')
                texts = []
                async for told in answers(socket):
                    if told["type"] == "pong":
                        break
                    texts.append(told["text"])
            async with client(server, PATH, client_id="a") as socket:
                await send(socket, audio[16_000:])
                async for told in answers(socket, "transcript"):
                    texts.append(told["text"])
                    if same_words(" ".join(texts), TEXTS["au_travail"]):
                        break

    run(test)


def test_words_that_were_heard_while_a_source_was_away_are_not_lost(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            async with client(server, PATH, client_id="a") as socket:
                await send(socket, np.concatenate([speech("oui_bonjour"), silence(1)]), pace_s=0)
            async with client(server, PATH, client_id="a") as socket:
                await heard(socket, TEXTS["oui_bonjour"])

    run(test)


def test_a_source_that_comes_back_too_late_begins_anew(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, rejoin_s=0.2) as server:
            async with client(server, PATH, client_id="a") as socket:
                await send(socket, speech("au_travail")[:16_000], pace_s=0)
            await dropped(server)
            async with client(server, PATH, client_id="a") as socket:
                await send(socket, np.concatenate([speech("allo_qui"), silence(1)]))
                await heard(socket, TEXTS["allo_qui"])

    run(test)


@pytest.mark.parametrize("reads", [True, False])
def test_a_newer_connection_takes_over_from_one_that_is_silent(stt: WhisperStreamingSTT, reads: bool) -> None:
    """Its peer may have gone without a word: then it reads no more, and nothing tells."""

    async def test() -> None:
        async with serving(stt, rejoin_s=0.5) as server, client(server, PATH, client_id="a") as old:
            await send(old, np.concatenate([speech("allo_qui"), silence(1)]))
            await heard(old, TEXTS["allo_qui"])
            if not reads:
                old.transport.pause_reading()
            socket = await let_in(server)
            await send(socket, np.concatenate([speech("oui_bonjour"), silence(1)]))
            await heard(socket, TEXTS["oui_bonjour"])
            await socket.close()
            if reads:
                why = "a newer connection of client_id a took over: nothing came for 0.5 s"
                assert await closed(old) == (1008, why)
            old.transport.abort()

    run(test)


async def let_in(server: ClientServer) -> ClientConnection:
    """A connection that was let in, however often it was refused before."""
    while True:
        socket = await client(server, PATH, client_id="a")
        with contextlib.suppress(ConnectionClosed):
            await socket.send('{"type":"ping"}')
            await answer(socket, "pong")
            return socket
        assert socket.close_reason == "client_id a is connected already"
        await asyncio.sleep(0.05)  # as clients wait: the server refuses who comes more than 50 times a second


def test_what_is_no_array_is_refused_by_name_and_the_rest_is_heard(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH, client_id="a") as socket:
            for message, named in ((b"abc", "no .npy"), (npy(speech("allo_qui").astype(np.float64)), "type <f8")):
                await socket.send(message)
                told = await answer(socket, "error")
                assert named in told["message"]
                assert told["client_id"] == "a"
            await send(socket, np.concatenate([speech("allo_qui"), silence(1)]))
            await heard(socket, TEXTS["allo_qui"])
            async with client(server, PATH) as nameless:
                assert (await closed(nameless))[1] == "client_id is missing: /ws/transcription?client_id=ID"

    run(test)


def test_the_root_may_speak_this_dialect(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, root="sources") as server, client(server, "/", client_id="é 1") as socket:
            await socket.send('{"type":"ping"}')
            assert json.loads(await socket.recv())["client_id"] == "é 1"

    run(test)
