"""Who may connect to the audio server, and FreeSWITCH's own bytes on the wire, before and after a stream."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import struct
from collections.abc import AsyncIterator

import pytest
from audio_samples import silence
from audio_server_rig import CALL, Ears, listening, run, stream
from pydantic import SecretStr
from scripted_engine import ScriptedEngine
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from V3.config import ServerSettings
from V3.errors import CapacityReached, WireError
from V3.events import AnswerClassified, Partial, StreamClosed, StreamFailed, StreamOpened
from V3.system.services.websocket_audio_server import WebSocketAudioServer, _Outbox

OTHER = "other-call"
TOKEN = "t0k en&"
KEY = "bKe8iTKY1j5uw5mJklhaYQ=="
REQUEST = (  # a recorded one: no space after the colons
    f"GET /call/{CALL} HTTP/1.1\r\nHost:127.0.0.1:9876\r\nUpgrade:websocket\r\nConnection:upgrade\r\n"
    f"Sec-WebSocket-Key:{KEY}\r\nSec-WebSocket-Version:13\r\nOrigin:http://127.0.0.1:9876\r\n"
)
DEFLATE = (
    "Sec-WebSocket-Extensions:permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
    "client_max_window_bits=9\r\n"
)
ENGINE = ScriptedEngine("oui")


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame, all of a message, as the module sends it."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack("!BH", 0x80 | 126, len(payload))
    mask = b"\x12\x34\x56\x78"
    return bytes([0x80 | opcode]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


@contextlib.asynccontextmanager
async def raw(
    ears: Ears, request: str = REQUEST
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, list[str]]]:
    """A TCP connection that sent ``request``, and the head of the answer."""
    ears.server.expect(CALL, lambda _event: None)
    reader, writer = await asyncio.open_connection("127.0.0.1", ears.server.port)
    try:
        writer.write(request.encode() + b"\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        yield reader, writer, head
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def refusal(url: str, **options: object) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, **options):  # type: ignore[arg-type]  # headers
            pass
    return caught.value.response.status_code, bytes(caught.value.response.body or b"").decode().strip()


async def accepted(ears: Ears, url: str, **options: object) -> None:
    async with connect(url, **options) as socket:  # type: ignore[arg-type]  # headers
        await stream(socket, silence(0.02))
        await ears.first(StreamOpened)


# ---- refusals, each before the handshake and with its reason


@pytest.mark.parametrize("path", ["/", "/call/", "/other/x", f"/call/{CALL}/more", f"/call/{CALL}?rate=44100", "//["])
def test_an_unknown_path_is_refused(path: str) -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True) as ears:
            status, reason = await refusal(f"ws://127.0.0.1:{ears.server.port}{path}")
            assert status == 404
            assert "taken" in reason
            assert ears.server.refused == 1
            assert ears.events == []

    run(test)


def test_a_call_that_is_not_expected_is_refused() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears:
            assert await refusal(ears.url()) == (404, f"no call {CALL} is expected")
            ears.server.expect(CALL, lambda _event: None)
            await accepted(ears, ears.url())
            ears.server.forget(CALL)
            assert (await refusal(ears.url()))[0] == 404
        async with listening(ENGINE, accept_any=True) as ears:
            await accepted(ears, ears.url())

    run(test)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?token=", {}),
        ("?token=wrong", {}),
        ("?token=%FF%80", {}),
        ("?token=t0k%20en%26x", {}),
        ("", {"Authorization": "Bearer wrong"}),
        ("", {"Authorization": "Basic dDBrIGVuJg=="}),
        ("?token=wrong", {"Authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_a_token_that_is_missing_or_wrong_is_refused(
    query: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with listening(ENGINE, token=SecretStr(TOKEN)) as ears:
            ears.server.expect(CALL, lambda _event: None)
            status, reason = await refusal(ears.url(query=query), additional_headers=headers)
            assert (status, reason) == (401, "the token is missing or wrong")

    with caplog.at_level(logging.INFO):
        run(test)
    assert TOKEN not in caplog.text


def test_bytes_that_are_no_text_are_a_wrong_token() -> None:
    async def test() -> None:
        async with listening(ENGINE, token=SecretStr(TOKEN)) as ears:
            ears.server.expect(CALL, lambda _event: None)
            asked = REQUEST.encode()
            for request in (
                asked + b"Authorization:Bearer \xff\xfe\r\n",
                asked + b"Authorization:a\r\nAuthorization:b\r\n",
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", ears.server.port)
                writer.write(request + b"\r\n")
                assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
                writer.close()
                await writer.wait_closed()

    run(test)


def test_the_token_is_taken_from_the_url_and_from_a_header() -> None:
    async def test() -> None:
        async with listening(ENGINE, token=SecretStr(TOKEN)) as ears:
            ears.server.expect(CALL, lambda _event: None)
            await accepted(ears, ears.server.url_for(CALL))
            await ears.first(StreamClosed)
            await accepted(ears, ears.url(), additional_headers={"Authorization": f"Bearer {TOKEN}"})

    run(test)


def test_a_call_that_is_being_heard_is_refused_a_second_time() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, ears.call() as socket:
            assert await refusal(ears.url()) == (409, f"call {CALL} is being heard already")
            await stream(socket, silence(0.02))  # the first goes on
            await ears.first(StreamOpened)

    run(test)


def test_one_stream_too_many_is_refused_until_another_ends() -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True, max_streams=1) as ears:
            async with ears.call():
                assert await refusal(ears.url(OTHER)) == (503, "all streams are taken")
            await ears.first(StreamClosed)
            with pytest.raises(CapacityReached):  # the first may start its stream again
                ears.server.expect(OTHER, lambda _event: None)
            ears.server.forget(CALL)
            async with ears.call(OTHER):
                assert ears.server.streams == 1
            assert ears.server.refusals == {"full": 1}

    run(test)


def test_a_call_beyond_the_machines_capacity_is_refused_and_an_expected_one_is_not() -> None:
    class Small(ScriptedEngine):
        capacity = 2

    async def test() -> None:
        async with listening(Small(), accept_any=True) as ears, ears.call():
            ears.server.expect(OTHER, lambda _event: None)
            assert ears.server.room == 0
            why = "the calls in progress take all that this machine can hear"
            assert await refusal(ears.url("third")) == (503, why)
            assert ears.server.refusals == {"capacity": 1}
            with pytest.raises(CapacityReached, match="2 calls are in progress"):
                ears.server.expect("third", lambda _event: None)
            async with ears.call(OTHER):
                assert ears.server.streams == 2
            ears.server.forget(OTHER)
            await ears.first(StreamClosed, OTHER)
            ears.server.others = lambda: 1
            assert ears.server.room == 0
            with pytest.raises(CapacityReached, match="1 calls are in progress and 1 clients are connected"):
                ears.server.expect("third", lambda _event: None)
            ears.server.others = lambda: 0
            ears.server.expect("third", lambda _event: None)

    run(test)


@pytest.mark.parametrize("call_ids", [[CALL, CALL, CALL], ["a", "b", "c"]])
def test_of_handshakes_at_the_same_time_one_stays(call_ids: list[str]) -> None:
    async def attempt(ears: Ears, call_id: str) -> None:
        try:
            socket = await connect(ears.url(call_id))
        except InvalidStatus:
            return
        await socket.wait_closed()

    async def test() -> None:
        async with listening(ENGINE, accept_any=True, max_streams=1) as ears:
            waiting = {asyncio.create_task(attempt(ears, call_id)) for call_id in call_ids}
            while len(waiting) > 1:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=10)
                assert done
            assert ears.server.streams == 1
        await asyncio.gather(*waiting)

    run(test)


# ---- FreeSWITCH's bytes


def test_freeswitchs_headers_without_spaces_are_taken() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears) as (_, writer, head):
            accept = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
            assert head[0] == "HTTP/1.1 101 Switching Protocols"
            assert f"Sec-WebSocket-Accept: {accept.decode()}" in head
            writer.write(frame(2, bytes(640)) + frame(2, bytes(640)) + frame(1, b'{"call":"x"}'))
            await ears.first(StreamOpened)
            assert ears.all(StreamFailed) == []

    run(test)


def test_audio_that_comes_in_one_piece_with_the_request_is_not_lost() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears:
            ears.server.expect(CALL, lambda _event: None)
            reader, writer = await asyncio.open_connection("127.0.0.1", ears.server.port)
            writer.write(REQUEST.encode() + b"\r\n" + frame(2, bytes(640)) * 15)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(8, struct.pack("!H", 1000)))
            await reader.read()
            writer.close()
            await writer.wait_closed()
            assert (await ears.first(StreamClosed)).at_ms == 300

    run(test)


def test_after_close_the_server_closes_tcp_by_itself() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears) as (reader, writer, _):
            writer.write(frame(2, bytes(640)) + frame(8, struct.pack("!H", 1000) + b"Normal closure"))
            rest = await reader.read()  # to the end of file, which FreeSWITCH waits for with the channel held
            assert rest == b"\x88\x10" + struct.pack("!H", 1000) + b"Normal closure"
            writer.close()
            ended = await ears.first(StreamClosed)
            assert (ended.code, ended.reason, ended.at_ms) == (1000, "Normal closure", 20)

    run(test)


@pytest.mark.parametrize("offer", ["", DEFLATE])
def test_compression_is_declined(offer: str) -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears, REQUEST + offer) as (_, writer, head):
            assert head[0].endswith("101 Switching Protocols")
            assert not any("extensions" in line.lower() for line in head)
            writer.write(frame(2, bytes(640)))
            await ears.first(StreamOpened)

    run(test)


def test_a_client_that_offers_compression_works_without() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, ears.call(compression="deflate") as socket:
            assert socket.response is not None
            assert "Sec-WebSocket-Extensions" not in socket.response.headers
            await stream(socket, silence(0.1))
            await ears.first(StreamOpened)

    run(test)


def test_a_ping_is_answered() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears) as (reader, writer, _):
            writer.write(frame(9, b"ping"))
            assert await reader.readexactly(6) == b"\x8a\x04ping"

    run(test)


@pytest.mark.parametrize("junk", [b"\xff" * 20, b"\x82\x04abcd"])  # reserved bits; a frame that is not masked
def test_bytes_that_are_no_websocket_end_their_stream_by_name(junk: bytes) -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears) as (reader, writer, _):
            writer.write(frame(2, bytes(640)) + junk)
            assert (await reader.read())[2:4] == struct.pack("!H", 1002)
            writer.close()
            assert (await ears.first(StreamClosed)).code == 1002
            assert (await ears.first(StreamFailed)).error == "WireError"

    run(test)


# ---- addresses


def test_the_url_for_freeswitch() -> None:
    async def test() -> None:
        async with listening(ENGINE, rate_hz=8000) as ears:
            assert ears.server.url_for("c") == f"ws://127.0.0.1:{ears.server.port}/call/c?rate=8000"
        async with listening(ENGINE, public_url="wss://bot.example/audio/", token=SecretStr("a b")) as ears:
            assert ears.server.url_for("c") == "wss://bot.example/audio/call/c?rate=16000&token=a%20b"

    run(test)


def test_a_server_that_was_not_started_has_no_port() -> None:
    server = WebSocketAudioServer(ENGINE, settings=ServerSettings(port=0))
    with pytest.raises(WireError, match="not started"):
        server.url_for("c")


def test_an_address_that_is_taken_is_an_os_error() -> None:
    async def test() -> None:
        async with listening(ENGINE) as ears:
            second = WebSocketAudioServer(ENGINE, settings=ServerSettings(port=ears.server.port))
            with pytest.raises(OSError, match="in use"):
                await second.start()

    run(test)


# ---- events that wait


def test_what_waits_to_go_back_is_bounded_and_verdicts_outlast_partials() -> None:
    async def test() -> None:
        outbox = _Outbox()
        outbox.put(
            verdict := AnswerClassified(
                call_id="c", at_ms=0, label="HUMAN", reason="r", confidence=1.0, text="", evidence=()
            )
        )
        for n in range(1000):
            outbox.put(Partial(call_id="c", at_ms=n, text="", words=(), start_ms=0))
        waiting = [await outbox.get() for _ in range(256)]
        assert waiting[0] is verdict
        assert [event.at_ms for event in waiting[1:]] == list(range(745, 1000))  # the newest
        getting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        assert not getting.done()  # nothing more
        for n in range(300):
            outbox.put(StreamFailed(call_id="c", at_ms=n, error="", message=""))
        assert (await getting).at_ms == 44  # the oldest of all made room

    run(test)
