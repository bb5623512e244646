"""The client server under clients that are many, rude, slow, gone or not let in."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import WAIT_S, alike, answer, answers, client, closed, npy, same_words, serving, url
from own_certificate import certificate, needs_openssl
from recorded import pieces, recorded
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from V3.audio.pcm import to_l16
from V3.config import ClientSettings
from V3.errors import ConfigError
from V3.system.services.client_server import PATHS, ClientServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

# ---- who may come in


@pytest.mark.parametrize("path", [*PATHS, "/", "/ws/calls"])
def test_without_the_token_nobody_is_served(stt: WhisperStreamingSTT, path: str) -> None:
    async def test() -> None:
        async with serving(stt, token="s e/cret") as server:
            for query in ({}, {"token": "wrong"}, {"token": ""}):
                async with client(server, path, client_id="a", **query) as socket:
                    assert await closed(socket) == (1008, "the token is missing or wrong")
            assert server.clients == 0

    run(test)


def test_the_token_by_query_or_by_header(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, token="s e/cret") as server:
            async with client(server, "/captions", token="s e/cret") as socket:
                await answer(socket, "connected")
            header = {"Authorization": "Bearer s e/cret"}
            async with connect(url(server, "/captions"), additional_headers=header) as socket:
                await answer(socket, "connected")
            with pytest.raises(ConnectionClosed):
                async with connect(url(server, "/captions"), additional_headers={"Authorization": "Bearer x"}) as s:
                    await answer(s)

    run(test)


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://127.0.0.1:{port}", True),
        ("https://captions.example", True),  # on the list
        ("http://127.0.0.1:1", False),
        ("https://evil.example", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_pages_of_other_origins_may_not_connect(
    stt: WhisperStreamingSTT, caplog: pytest.LogCaptureFixture, origin: str, let_in: bool
) -> None:
    async def test() -> None:
        async with serving(stt, origins=("https://captions.example",)) as server:
            page: Any = origin.format(port=server.port)
            for path in ("/captions", "/ws/calls"):
                if let_in:
                    async with connect(url(server, path), origin=page) as socket:
                        assert json.loads(await socket.recv())["type"] in ("connected", "snapshot")
                    continue
                with pytest.raises(InvalidStatus) as caught:
                    async with connect(url(server, path), origin=page):
                        pass
                assert caught.value.response.status_code == 403

    run(test)
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []  # a refusal is no error


def test_a_name_that_was_made_to_point_here_is_no_origin_of_ours(stt: WhisperStreamingSTT) -> None:
    """DNS rebinding: the page and the host header agree, and neither is ours."""

    async def test() -> None:
        async with serving(stt) as server:
            headers = {"Host": f"evil.example:{server.port}", "Origin": f"http://evil.example:{server.port}"}
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            lines = ["GET /captions HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "Upgrade: websocket"]
            lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 403")
            writer.close()
            await writer.wait_closed()

    run(test)


def test_unknown_paths_are_told_what_is_taken(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server, "/nothing/here") as socket:
            code, reason = await closed(socket)
            assert code == 1008
            assert all(path in str(reason) for path in PATHS)

    run(test)


# ---- how many


def test_more_clients_than_places_are_refused_by_name(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_clients=2) as server:
            async with client(server) as first, client(server) as second:
                await answer(first)
                await answer(second)
                async with client(server) as third:
                    assert await closed(third) == (1013, "2 clients are connected, and no more are taken")
            async with client(server) as again:
                await answer(again, "connected")

    run(test)


def test_one_address_may_not_take_all_places(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_per_address=1) as server, client(server) as first:
            await answer(first)
            async with client(server) as second:
                code, reason = await closed(second)
                assert code == 1013
                assert "of this address" in str(reason)

    run(test)


def test_calls_have_their_place_before_clients(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        calls = stt.capacity + 50
        async with ClientServer(stt, settings=ClientSettings(port=0), calls=lambda: calls) as server:
            async with client(server) as socket:
                assert await closed(socket) == (1013, "the streams in progress take all that this machine can hear")
            calls = 0
            async with client(server) as socket:
                await answer(socket, "connected")

    run(test)


@pytest.mark.parametrize(("calls", "room"), [(None, 8), (0, 6), (1, 6), (2, 6), (3, 5), (7, 1), (9, 0)])
def test_clients_leave_a_share_to_calls(calls: int | None, room: int) -> None:
    class Machine:
        capacity = 8

        def stats(self) -> dict[str, float]:
            return {"calls": calls or 0}

    async def test() -> None:
        count = None if calls is None else (lambda: calls)
        assert ClientServer(Machine(), settings=ClientSettings(kept_for_calls=0.25), calls=count).room == room

    run(test)


# ---- rude, slow, gone


def test_a_message_that_is_too_large_closes_its_client_only(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_message_bytes=65_536) as server, client(server) as other:
            await answer(other)
            async with client(server) as socket:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(bytes(200_000))
                assert (await closed(socket))[0] == 1009
            await other.send('{"type":"ping"}')
            await answer(other, "pong")

    run(test)


def test_a_client_that_is_silent_is_closed_by_name(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, idle_timeout_s=0.5) as server, client(server) as socket:
            await answer(socket, "connected")
            assert await closed(socket) == (1008, "no message for 0.5 s")

    run(test)


def test_a_client_that_only_errs_is_closed(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as socket:
            for _ in range(60):
                with contextlib.suppress(ConnectionClosed):
                    await socket.send("no JSON")
            assert await closed(socket) == (1008, "over 50 messages that could not be served")

    run(test)


def test_a_client_that_never_reads_is_closed_and_memory_is_bounded(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            key = "AAAAAAAAAAAAAAAAAAAAAA=="
            ask = f"GET /captions HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            ask += f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            writer.write(ask.encode())
            assert b"101" in await reader.readline()
            transport: Any = writer.transport
            transport.pause_reading()
            ping = b'{"type":"ping"}'
            frame = bytes([0x81, 0x80 | len(ping)]) + bytes(4) + ping  # masked with zeros
            gone = False
            async with asyncio.timeout(WAIT_S):
                while not gone:
                    writer.write(frame * 2000)
                    try:
                        await writer.drain()
                    except ConnectionError:
                        gone = True
            assert server.clients == 0
            transport.abort()
            async with client(server) as socket:
                await answer(socket, "connected")

    run(test)


def test_a_client_that_is_killed_leaves_the_others_alone(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server, client(server) as other:
            await answer(other, "connected")
            victims = []
            for path, message in (
                ("/captions", (DATA / "pas_joignable.wav").read_bytes()),
                ("/ws/transcription", npy(speech("pas_joignable"))),
                ("/vad", to_l16(speech("pas_joignable")[:320])),
                ("/ajax/audio", recorded(speech("pas_joignable"), "webm")),
            ):
                socket = await connect(url(server, path, client_id="victim"))
                await socket.send(message)
                victims.append(socket)
            for socket in victims:
                socket.transport.abort()
            async with asyncio.timeout(WAIT_S):
                while server.clients > 1:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)
            await other.send((DATA / "pas_joignable.wav").read_bytes())
            assert same_words((await answer(other, "transcription"))["text"], TEXTS["pas_joignable"])

    run(test)


# ---- many at once


async def captions_client(server: ClientServer, name: str) -> str:
    async with client(server, "/captions") as socket:
        await answer(socket, "connected")
        await socket.send('{"type":"config","mode":"live"}')
        data = to_l16(np.concatenate([speech(name), silence(1)]))
        for start in range(0, len(data), 3200):
            await socket.send(data[start : start + 3200])
            await asyncio.sleep(0.02)
        async for told in answers(socket, "transcription"):
            if not told.get("partial"):
                return str(told["text"])
    raise AssertionError("unreachable")


async def sources_client(server: ClientServer, name: str) -> str:
    texts: list[str] = []
    async with client(server, "/ws/transcription", client_id=f"source of {name}") as socket:
        audio = np.concatenate([speech(name), silence(1)])
        for start in range(0, audio.size, 3200):
            await socket.send(npy(audio[start : start + 3200]))
            await asyncio.sleep(0.02)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                async for told in answers(socket, "transcript"):
                    assert told["client_id"] == f"source of {name}"
                    texts.append(told["text"])
                    if same_words(" ".join(texts), TEXTS[name]):
                        break
    return " ".join(texts)


async def vad_client(server: ClientServer, name: str) -> str:
    async with client(server, "/vad") as socket:
        data = to_l16(np.concatenate([silence(0.3), speech(name), silence(1)]))
        for start in range(0, len(data), 640):
            await socket.send(data[start : start + 640])
        async with asyncio.timeout(WAIT_S):
            return str(await socket.recv())


async def recorder_client(server: ClientServer, name: str) -> str:
    async with client(server, "/ajax/audio") as socket:
        for chunk in pieces(recorded(np.concatenate([speech(name), silence(1)]), "webm"), 10):
            await socket.send(chunk)
            await asyncio.sleep(0.05)
        async for told in answers(socket):
            assert "error" not in told
            if "final" in told:
                return str(told["final"])
    raise AssertionError("unreachable")


def test_every_client_hears_its_own_words_when_all_speak_at_once(stt: WhisperStreamingSTT) -> None:
    names = ["oui_bonjour", "allo_qui", "pas_la", "au_travail"]
    kinds = [captions_client, sources_client, vad_client, recorder_client]

    async def test() -> None:
        async with serving(stt) as server:
            who = [(kind, name) for kind in kinds for name in names]
            texts = await asyncio.gather(*(heard(kind, server, name) for kind, name in who))
        for (kind, name), text in zip(who, texts, strict=True):
            likest = max(names, key=lambda other: likeness(text, TEXTS[other]))
            assert likest == name, (kind.__name__, name, text)
            assert alike(text, TEXTS[name]), (kind.__name__, name, text)

    async def heard(kind: Callable[[ClientServer, str], Awaitable[str]], server: ClientServer, name: str) -> str:
        """As clients do: one that is asked to try later, as a busy machine asks, tries later."""
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    return await kind(server, name)
                except ConnectionClosed as exc:
                    if exc.rcvd is None or exc.rcvd.code != 1013:
                        raise
                    await asyncio.sleep(0.2)

    def likeness(heard: str, said: str) -> float:
        return difflib.SequenceMatcher(None, heard, said).ratio()

    run(test)


# ---- the end, and TLS


def test_clients_are_told_that_the_server_stops(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        sockets: list[ClientConnection] = []
        async with serving(stt) as server:
            paths = [*PATHS, "/ws/calls"]
            sockets += [await connect(url(server, path, client_id="a")) for path in paths]
            async with asyncio.timeout(WAIT_S):
                while server.clients < 4:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)
        for socket in sockets:
            assert await closed(socket) == (1001, "the server stops")
        with pytest.raises(OSError):  # noqa: PT011 - refused, however the system says it
            await connect(url(server))

    run(test)


@needs_openssl
def test_tls_by_certificate(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    made: dict[str, Any] = dict(certificate(tmp_path))

    async def test() -> None:
        trusted = ssl.create_default_context(cafile=made["certificate"])
        async with (
            serving(stt, **made) as server,
            connect(url(server).replace("ws://", "wss://"), ssl=trusted) as socket,
        ):
            await answer(socket, "connected")
            await socket.send('{"type":"ping"}')
            await answer(socket, "pong")

    run(test)


def test_a_certificate_that_cannot_be_used_is_a_config_error(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "x.pem").write_text("no certificate")
        for path in (tmp_path / "x.pem", tmp_path / "missing.pem"):
            with pytest.raises(ConfigError, match=r"clients\.certificate"):
                async with serving(stt, certificate=str(path), key=str(path)):
                    pass

    run(test)


def test_a_port_that_is_taken_is_an_error_at_once(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            with pytest.raises(OSError, match="in use"):
                async with ClientServer(stt, settings=ClientSettings(port=server.port)):
                    pass

    run(test)


@pytest.mark.parametrize("path", [*PATHS])
def test_random_messages_hurt_no_stream_but_their_own(stt: WhisperStreamingSTT, path: str) -> None:
    chance = random.Random(path)
    sound = [(DATA / "allo_qui.wav").read_bytes(), npy(speech("allo_qui")), recorded(speech("allo_qui"), "ogg")]
    texts = ["", "{}", "[1]", '{"type":"config","mode":"live"}', '{"type":"config","language":"zz"}', "\x00", "é" * 500]

    def message() -> str | bytes:
        if chance.random() < 0.4:
            return chance.choice(texts)
        data = bytearray(chance.choice([chance.randbytes(chance.randrange(900)), *sound]))
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data[: chance.randrange(len(data) + 1)])

    async def rude(server: ClientServer) -> None:
        for number in range(6):
            with contextlib.suppress(ConnectionClosed):
                async with client(server, path, client_id=f"rude {number}") as socket:
                    for _ in range(20):
                        await socket.send(message())
                    await asyncio.sleep(0.1)

    async def test() -> None:
        async with serving(stt) as server:
            fuzzing = asyncio.create_task(rude(server))
            heard = await asyncio.gather(
                captions_client(server, "au_travail"), sources_client(server, "pas_la"), vad_client(server, "allo_qui")
            )
            await fuzzing
            assert same_words(heard[0], TEXTS["au_travail"])
            assert same_words(heard[1], TEXTS["pas_la"])
            assert same_words(heard[2], TEXTS["allo_qui"])

    run(test)
