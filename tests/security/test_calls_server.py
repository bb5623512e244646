"""Attacks on the server of the calls, and where everything listens."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import ssl
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import psutil
import pytest
from audio_samples import silence
from audio_server_rig import CALL, Ears, listening, run, stream
from own_certificate import certificate, needs_openssl
from pydantic import SecretStr
from raw_clients import bomb, frame, is_cut, raw, upgrade
from scripted_engine import ScriptedEngine
from websockets.asyncio.client import connect

from V3.config import ClientSettings, FreeSwitchSettings, ServerSettings
from V3.errors import ConfigError
from V3.events import StreamOpened
from V3.simulator import FreeSwitchSimulator
from V3.system.services import call_admission, websocket_audio_server
from V3.system.services.websocket_audio_server import WebSocketAudioServer

ENGINE = ScriptedEngine("oui")
PATH = f"/call/{CALL}"


def waiting(ears: Ears) -> int:
    return ears.server._admission.doors.inside


# ---- slow, many, large


@pytest.mark.parametrize("sent", [b"", b"GET /call/", b"GET " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\n"])
def test_a_handshake_that_is_not_told_whole_is_cut_off(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(websocket_audio_server, "_OPEN_TIMEOUT_S", 0.3)

    async def test() -> None:
        async with listening(ENGINE) as ears, raw(ears.server.port, sent) as (reader, _):
            assert b"101" not in await is_cut(reader)
            assert waiting(ears) == 0

    run(test)


@pytest.mark.parametrize("head", [b"X: " + b"y" * 40_000, b"".join(b"X-%d: y\r\n" % n for n in range(4000))])
def test_a_flood_of_headers_is_refused(head: bytes) -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True) as ears:
            async with raw(ears.server.port, upgrade(ears.server.port, PATH)[:-2] + head) as (reader, _):
                assert b"101" not in await is_cut(reader)
            assert ears.server.streams == 0

    run(test)


def test_an_address_may_hold_so_many_connections_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose call is known do not count: FreeSWITCH has one address for all of them."""
    monkeypatch.setattr(call_admission, "_WAITING_EACH", 3)

    async def test() -> None:
        async with listening(ENGINE, accept_any=True) as ears, contextlib.AsyncExitStack() as stack:
            for n in range(5):
                await stack.enter_async_context(ears.call(f"call-{n}"))
            async with asyncio.timeout(10):
                while ears.server.streams < 5:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
            for _ in range(3):
                await stack.enter_async_context(raw(ears.server.port))
            async with raw(ears.server.port, upgrade(ears.server.port, PATH)) as (reader, _):
                assert await is_cut(reader) == b""

    run(test)


def test_an_address_may_not_connect_without_end() -> None:
    async def test() -> None:
        async with listening(ENGINE, max_new_per_s=0.5) as ears:
            told = []
            for _ in range(12):
                async with raw(ears.server.port, upgrade(ears.server.port, "/")) as (reader, _):
                    told.append((await is_cut(reader))[:12])
            assert told[:2] == [b"HTTP/1.1 404"] * 2
            assert b"" in told

    run(test)


def test_a_message_that_is_packed_is_not_unpacked() -> None:
    """Compression is declined, so a packed message breaks the protocol."""

    async def test() -> None:
        async with listening(ENGINE, accept_any=True) as ears:
            ask = upgrade(ears.server.port, PATH, extensions="permessage-deflate")
            async with raw(ears.server.port, ask) as (reader, writer):
                assert b"xtensions" not in await reader.readuntil(b"\r\n\r\n")
                data = bomb(20)[:60_000]
                tracemalloc.start()
                try:
                    writer.write(data)
                    told = await is_cut(reader)
                    peak = tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()
                assert (1002).to_bytes(2, "big") in told
                assert peak < 4 << 20

    run(test)


def test_pongs_that_are_not_read_end_their_call() -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True, idle_timeout_s=300) as ears:
            async with raw(ears.server.port, upgrade(ears.server.port, PATH)) as (reader, writer):
                assert b"101" in await reader.readline()
                transport: Any = writer.transport
                transport.pause_reading()
                flood = frame(9, bytes(125)) * 1000
                with contextlib.suppress(ConnectionError):
                    async with asyncio.timeout(30):
                        while True:
                            writer.write(flood)
                            await writer.drain()
            async with asyncio.timeout(20):
                while ears.server.streams:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)

    run(test)


# ---- foreign pages


@pytest.mark.parametrize(
    ("host", "origin", "let_in"),
    [
        ("127.0.0.1:{port}", "", True),
        ("localhost:{port}", "http://localhost:{port}", True),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", True),  # as mod_audio_stream says it
        ("[::1]:{port}", "http://[::1]:{port}", True),
        ("bot.example", "http://bot.example:443", True),  # public_url's
        ("127.0.0.1:{port}", "http://bot.example:80", True),  # a proxy that asks by its own name
        ("127.0.0.1:{port}", "https://evil.example", False),
        ("127.0.0.1:{port}", "null", False),
        ("127.0.0.1:{port}", "http://127.0.0.1:1", False),
        ("127.0.0.1:{port}", "http://[", False),
        ("evil.example:{port}", "http://evil.example:{port}", False),  # a name that was made to point here
        ("evil.example", "", False),
        ("127.0.0.1.evil.example", "", False),
    ],
)
def test_without_a_token_names_and_pages_must_be_this_machines(host: str, origin: str, let_in: bool) -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True, public_url="wss://bot.example/audio") as ears:
            port = ears.server.port
            headers = {"Origin": origin.format(port=port)} if origin else {}
            async with raw(port, upgrade(port, PATH, host=host.format(port=port), **headers)) as (reader, _):
                assert (await reader.readline())[9:12] == (b"101" if let_in else b"403")

    run(test)


def test_with_a_token_the_token_counts() -> None:
    async def test() -> None:
        async with listening(ENGINE, accept_any=True, token=SecretStr("secret-of-calls")) as ears:
            for query, status in (("?token=secret-of-calls", b"101"), ("", b"401")):
                ask = upgrade(ears.server.port, PATH + query, host="bot.example", Origin="http://10.0.0.1:80")
                async with raw(ears.server.port, ask) as (reader, _):
                    assert (await reader.readline())[9:12] == status

    run(test)


# ---- where it listens, and TLS


def test_everything_listens_on_loopback_unless_told_otherwise() -> None:
    assert ServerSettings().host == ClientSettings().host == FreeSwitchSettings().host == "127.0.0.1"

    async def test() -> None:
        async with listening(ENGINE) as ears, FreeSwitchSimulator({}) as simulator:
            assert ears.server._server is not None
            assert simulator._server is not None
            for sockets in (ears.server._server.sockets, simulator._server.sockets):
                assert [socket.getsockname()[0] for socket in sockets] == ["127.0.0.1"]

    run(test)


def test_the_simulator_on_its_own_listens_on_loopback_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "V3", "simulator", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        listens = [c.laddr for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert listens == [("127.0.0.1", int(found[1]))]


@needs_openssl
def test_calls_by_tls(tmp_path: Path) -> None:
    made: dict[str, Any] = dict(certificate(tmp_path))

    async def test() -> None:
        trusted = ssl.create_default_context(cafile=made["certificate"])
        async with listening(ENGINE, **made) as ears:
            ears.server.expect(CALL, lambda _event: None)
            address = ears.server.url_for(CALL)
            assert address.startswith("wss://127.0.0.1:")
            async with connect(address, ssl=trusted) as socket:
                await stream(socket, silence(0.1))
                await ears.first(StreamOpened)

    run(test)


def test_a_certificate_that_cannot_be_used_is_a_config_error(tmp_path: Path) -> None:
    async def test() -> None:
        settings = ServerSettings(port=0, certificate=str(tmp_path / "x.pem"), key=str(tmp_path / "x.pem"))
        with pytest.raises(ConfigError, match=r"server\.certificate"):
            await WebSocketAudioServer(ENGINE, settings=settings).start()

    run(test)


def test_without_tls_other_addresses_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with listening(ENGINE, host="0.0.0.0", token=SecretStr("secret-of-calls")):
            pass

    run(test)
    assert "without TLS" in caplog.text
    assert "secret-of-calls" not in caplog.text
