"""Attacks on the server of clients and pages: slow, many, large, from foreign pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from audio_server_rig import run
from clients_rig import answer, client, serving, url
from raw_clients import bomb, frame, is_cut, raw, upgrade
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from V3.system.services import client_http_server, transcription_api
from V3.system.services.client_server import PATHS, ClientServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

API = "/v1/audio/transcriptions"
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connections(server: ClientServer) -> int:
    running = server._http._uvicorn
    assert running is not None
    return running._doors.inside


async def until_nobody(server: ClientServer) -> None:
    async with asyncio.timeout(20):
        while connections(server):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


def post(body: bytes, *headers: str, host: str = "127.0.0.1", length: int | None = None) -> bytes:
    """A form with a file, as a page sends it."""
    lines = [f"POST {API} HTTP/1.1", f"Host: {host}", "Content-Type: multipart/form-data; boundary=b", *headers]
    lines += [f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


# ---- slow


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", GET + b"X-A: b\r\n", GET + b"\r\n" + GET, b"\r\n\r\n"])
def test_a_request_that_is_not_told_whole_is_cut_off(
    stt: WhisperStreamingSTT, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Slow-loris: nothing, half a head, half of the second head on a connection."""
    monkeypatch.setattr(client_http_server, "_HEAD_TIMEOUT_S", 0.3)

    async def test() -> None:
        async with serving(stt) as server, raw(server.port, sent) as (reader, writer):

            async def drip() -> None:
                for octet in b"X-B: " + b"c" * 200:
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0.05)

            dripping = asyncio.create_task(drip())
            told = await is_cut(reader)
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            assert told.count(b"alive\n") == sent.count(b"\r\n\r\n" + GET[:3])
            assert connections(server) == 0

    run(test)


def test_an_upload_that_does_not_come_gives_its_place_back(
    stt: WhisperStreamingSTT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription_api, "_SILENCE_S", 0.3)

    async def test() -> None:
        async with serving(stt, max_uploads=1) as server:
            for body in (b"", b"--b\r\nContent-Disp"):
                async with raw(server.port, post(body, length=100_000)) as (reader, _):
                    assert b"408" in (await is_cut(reader)).split(b"\r\n")[0]
            assert server._uploads._under_way == 0

    run(test)


def test_an_answer_that_is_not_read_is_cut_off(
    stt: WhisperStreamingSTT, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(client_http_server, "_READ_TIMEOUT_S", 0.3)
    (tmp_path / "large.js").write_bytes(bytes(30_000_000))

    async def test() -> None:
        async with serving(stt, web=tmp_path) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            writer.write(b"GET /web/large.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"200" in await reader.readline()
            transport: Any = writer.transport
            transport.pause_reading()
            await until_nobody(server)
            transport.abort()

    run(test)


@pytest.mark.parametrize("path", ["/captions", "/ws/calls"])
def test_pongs_that_are_not_read_end_their_client(stt: WhisperStreamingSTT, path: str) -> None:
    """A ping is answered at once, whatever waits: memory would grow as fast as the network is."""

    async def test() -> None:
        async with serving(stt) as server, raw(server.port, upgrade(server.port, path)) as (reader, writer):
            assert b"101" in await reader.readline()
            transport: Any = writer.transport
            transport.pause_reading()
            flood = frame(9, bytes(125)) * 1000
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(30):
                    while True:
                        writer.write(flood)
                        await writer.drain()
            await until_nobody(server)

    run(test)


# ---- many


def test_an_address_has_a_bound_of_connections_before_it_says_a_word(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_per_address=1) as server, contextlib.AsyncExitStack() as stack:
            most = 1 + client_http_server._SPARE_CONNECTIONS
            for _ in range(most):
                await stack.enter_async_context(raw(server.port))
            async with raw(server.port, GET + b"\r\n") as (reader, _):
                assert await is_cut(reader) == b""
            await stack.aclose()
            await until_nobody(server)
            async with client(server) as socket:
                await answer(socket, "connected")

    run(test)


def test_an_address_may_not_connect_without_end(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_new_per_s=0.5) as server:
            told = []
            for _ in range(12):
                async with raw(server.port, GET + b"Connection: close\r\n\r\n") as (reader, _):
                    told.append(await is_cut(reader))
            assert all(b" 200 " in answer[:15] for answer in told[:2])  # four seconds' worth at once
            assert b"" in told

    run(test)


def test_a_socket_that_was_a_websocket_is_counted_out(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            for path in ("/captions", "/nothing"):
                async with connect(url(server, path)) as socket:
                    await socket.recv() if path == "/captions" else None
                    assert connections(server) == 1
                await until_nobody(server)
            async with raw(server.port, upgrade(server.port, "/captions", Origin="null")) as (reader, _):
                assert b"403" in (await is_cut(reader))[:20]
            await until_nobody(server)

    run(test)


# ---- large


@pytest.mark.parametrize("head", [b"X: " + b"y" * 40_000, b"".join(b"X-%d: y\r\n" % n for n in range(4000))])
def test_a_flood_of_headers_is_refused(stt: WhisperStreamingSTT, head: bytes) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            for begin in (GET, upgrade(server.port, "/captions")[:-2]):
                async with raw(server.port, begin + head) as (reader, _):
                    assert (await is_cut(reader))[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"")
            assert connections(server) == 0

    run(test)


def test_a_message_that_unpacks_to_100_mb_is_refused_at_its_bound(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(stt, max_message_bytes=1 << 20) as server:
            ask = upgrade(server.port, "/captions", extensions="permessage-deflate; client_max_window_bits=12")
            async with raw(server.port, ask) as (reader, writer):
                assert b"permessage-deflate" in await reader.readuntil(b"\r\n\r\n")
                data = bomb(100)
                assert len(data) < 200_000
                tracemalloc.start()
                try:
                    writer.write(data)
                    told = await is_cut(reader)
                    peak = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                assert (1009).to_bytes(2, "big") in told
                assert peak < 16 << 20

    run(test)


# ---- foreign pages


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "[", ""])
def test_a_name_that_points_here_reads_nothing(stt: WhisperStreamingSTT, host: str) -> None:
    """DNS rebinding: the page's own name points to loopback, so its requests are not even cross-origin."""

    async def test() -> None:
        async with serving(stt) as server:
            name = host.format(port=server.port)
            for path in ("/", "/calls", "/metrics", "/readyz", "/web/js/link.js"):
                ask = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
                async with raw(server.port, ask) as (reader, _):
                    assert b" 403 " in (await is_cut(reader))[:20]
            async with raw(server.port, post(b"--b--\r\n", "Connection: close", host=name)) as (reader, _):
                assert b" 403 " in (await is_cut(reader))[:20]
            for path in ("/captions", "/ws/calls"):
                async with raw(server.port, upgrade(server.port, path, host=name or " ")) as (reader, _):
                    assert b"101" not in (await is_cut(reader))[:20]

    run(test)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
def test_the_names_of_this_machine_are_answered(stt: WhisperStreamingSTT, host: str) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            ask = f"GET /readyz HTTP/1.1\r\nHost: {host.format(port=server.port)}\r\nConnection: close\r\n\r\n"
            async with raw(server.port, ask.encode()) as (reader, _):
                assert b" 200 " in (await is_cut(reader))[:20]

    run(test)


@pytest.mark.parametrize("settings", [{"token": "secret-of-ours"}, {"origins": ("https://bot.example",)}])
def test_behind_a_proxy_the_token_or_the_list_of_origins_counts(
    stt: WhisperStreamingSTT, settings: dict[str, Any]
) -> None:
    async def test() -> None:
        async with serving(stt, **settings) as server:
            ask = b"GET /readyz HTTP/1.1\r\nHost: bot.example\r\nConnection: close\r\n\r\n"
            async with raw(server.port, ask) as (reader, _):
                assert b" 200 " in (await is_cut(reader))[:20]

    run(test)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "file://", "http://localhost:1", "data:", "http://["]
)
def test_a_form_that_a_foreign_page_sends_is_refused(stt: WhisperStreamingSTT, origin: str) -> None:
    """multipart/form-data needs no preflight: any page can have a browser send it to loopback."""

    async def test() -> None:
        async with serving(stt) as server:
            ask = post(b"--b--\r\n", f"Origin: {origin}", "Connection: close", host=f"127.0.0.1:{server.port}")
            async with raw(server.port, ask) as (reader, _):
                assert b" 403 " in (await is_cut(reader))[:20]
            own = post(b"--b--\r\n", f"Origin: http://127.0.0.1:{server.port}", "Connection: close")
            own = own.replace(b"Host: 127.0.0.1\r", f"Host: 127.0.0.1:{server.port}\r".encode())
            async with raw(server.port, own) as (reader, _):
                assert b"file is missing" in await is_cut(reader)  # it was read

    run(test)


@pytest.mark.parametrize("path", [*PATHS, "/", "/ws/calls"])
def test_every_websocket_looks_at_the_origin(stt: WhisperStreamingSTT, path: str) -> None:
    async def test() -> None:
        async with serving(stt) as server:
            for origin in ("https://evil.example", "null", "http://localhost:1"):
                page: Any = origin
                with pytest.raises(InvalidStatus):
                    async with connect(url(server, path, client_id="a"), origin=page):
                        pass

    run(test)


# ---- secrets


def test_a_token_in_the_address_is_in_no_log(stt: WhisperStreamingSTT, caplog: pytest.LogCaptureFixture) -> None:
    """With nothing hidden afterwards: it is not written in the first place."""
    token = "token-in-the-address"

    async def test() -> None:
        async with serving(stt, token=token) as server:
            async with client(server, "/captions", token=token) as socket:
                await answer(socket, "connected")
            ask = f"GET /metrics?token={token} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            async with raw(server.port, ask) as (reader, _):
                assert b" 200 " in (await is_cut(reader))[:20]

    logging.getLogger("websockets").setLevel(logging.WARNING)  # as the command line does
    with caplog.at_level(logging.DEBUG):
        run(test)
    assert token not in caplog.text
    assert not any(token in str(record.args) for record in caplog.records)
