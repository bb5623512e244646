"""A browser's recorder over a real socket with the shipped model: every container a browser writes, in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import alike, answers, client, same_words, serving
from recorded import CONTAINERS, pieces, recorded
from scripted_recognizer import ScriptedRecognizer
from websockets.asyncio.client import ClientConnection

from V3.asr.model import Recognizer, RecognizerInfo
from V3.asr.transcript import DecodeRequest, Transcript
from V3.events import Word
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

PATH = "/ajax/audio"
SPOKEN = np.concatenate([silence(0.4), speech("au_travail"), silence(1), speech("oui_bonjour"), silence(0.8)])
CHUNKS = SPOKEN.size // 4800  # of 300 ms


async def heard(socket: ClientConnection, *texts: str) -> tuple[list[str], list[str]]:
    """(partials, errors) until there is a final for each of these texts, which they are like."""
    said: dict[str, list[str]] = {"partial": [], "final": [], "error": []}
    async for told in answers(socket):
        for key, value in told.items():
            said[key].append(value)
        if len(said["final"]) == len(texts):
            break
    assert all(map(alike, said["final"], texts)), said
    return said["partial"], said["error"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_partials_and_one_final_for_each_utterance(stt: WhisperStreamingSTT, container: str) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH) as socket:

            async def send() -> None:
                for chunk in pieces(recorded(SPOKEN, container), CHUNKS):
                    await socket.send(chunk)
                    await asyncio.sleep(0.1)

            sending = asyncio.create_task(send())
            partials, errors = await heard(socket, TEXTS["au_travail"], TEXTS["oui_bonjour"])
            await sending
            assert errors == []
            assert partials

    run(test)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_chunk_that_cannot_be_decoded_is_named_and_the_stream_goes_on(
    stt: WhisperStreamingSTT, container: str
) -> None:
    async def test() -> None:
        before = np.concatenate([speech("pas_joignable")[:48_000], silence(1.5)])  # silence is few bytes
        spoken = np.concatenate([before, SPOKEN])
        chunks = list(pieces(recorded(spoken, container), spoken.size // 4800))
        chunks[3] = b"\xab" * len(chunks[3])
        async with serving(stt) as server, client(server, PATH) as socket:
            for chunk in chunks:
                await socket.send(chunk)
            errors: list[str] = []
            finals: list[str] = []
            async for told in answers(socket):
                errors += [told["error"]] if "error" in told else []
                finals += [told["final"]] if "final" in told else []
                if finals and same_words(finals[-1], TEXTS["oui_bonjour"]):
                    break
            assert same_words(finals[-2], TEXTS["au_travail"])
            assert "damaged" in " ".join(errors)

    run(test)


def test_a_recorder_may_begin_anew_on_the_same_connection(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH) as socket:
            for container in CONTAINERS:
                await socket.send(recorded(np.concatenate([speech("allo_qui"), silence(1)]), container))
                await heard(socket, TEXTS["allo_qui"])

    run(test)


def test_a_recording_that_just_ends_has_its_final(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, root="recorder") as server, client(server) as socket:
            await socket.send(recorded(speech("allo_qui"), "webm"))
            await heard(socket, TEXTS["allo_qui"])

    run(test)


def test_bytes_that_are_no_container_are_an_error(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, PATH) as socket:
            await socket.send(b"no container at all, but text")
            await socket.send('{"task":"translate"}')
            named = []
            async for told in answers(socket):
                named.append(told["error"])
                if len(named) == 2:
                    break
            assert any("no WebM, Ogg or MP4" in error for error in named)
            assert any("cannot translate" in error for error in named)

    run(test)


MANY_WORDS = tuple(Word("mot", 10 * n, 10 * n + 10) for n in range(30))


class Scripted(ScriptedRecognizer):
    """A recogniser that what was said before helps."""

    info = RecognizerInfo("scripted", "cpu", "int8", 80, "full", 1)

    def self_test(self) -> None:
        return None

    def decode_time_s(self, *, rows: int, workers: int) -> float:
        return 0.001 * rows

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        super().decode(requests)
        return [Transcript(" ".join(["mot"] * 30), MANY_WORDS, request.duration_ms / 1000) for request in requests]


def test_what_was_said_is_the_prompt_of_what_follows() -> None:
    recognizer = Scripted()

    async def test() -> None:
        with WhisperStreamingSTT(recognizer=cast("Recognizer", recognizer)) as stt:
            async with serving(stt) as server, client(server, PATH) as socket:
                for _ in range(3):
                    await socket.send(recorded(np.concatenate([speech("allo_qui"), silence(1)]), "ogg"))
                    async for told in answers(socket):
                        if "final" in told:
                            break

    run(test)
    prompts = [request.prompt for batch in recognizer.batches for request in batch]
    assert prompts[0] == ""
    assert prompts[-1] == ("mot " * 50).strip()  # 199 characters: the last 200 begin in the middle of a word
    assert max(map(len, prompts)) <= 200
