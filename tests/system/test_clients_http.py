"""HTTP on the client server: the transcription API, health, metrics, pages and their headers."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import secrets
import socket
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from audio_server_rig import run
from clients_rig import WAIT_S, alike, answer, client, same_words, serving, url
from recorded import CONTAINERS, recorded
from websockets.asyncio.client import connect

from V3.audio.pcm import Audio, to_l16
from V3.events import Event, Partial, StreamClosed, StreamOpened
from V3.system.services.client_server import ClientServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

API = "/v1/audio/transcriptions"
WAV = (DATA / "au_travail.wav").read_bytes()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    server: ClientServer, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None
) -> Reply:
    def send() -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body=body or None, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(send)


async def post(
    server: ClientServer, file: bytes | None, *, headers: dict[str, str] | None = None, **fields: str | list[str]
) -> Reply:
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            head = f'Content-Disposition: form-data; name="{name.replace("_list", "[]")}"'
            parts.append(f"{head}\r\n\r\n{value}".encode())
    if file is not None:
        head = 'Content-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: audio/wav'
        parts.append(head.encode() + b"\r\n\r\n" + file)
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    body += b"--" + boundary.encode() + b"--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return await ask(server, "POST", API, body=body, headers=kind | (headers or {}))


def served(stt: WhisperStreamingSTT, test: Callable[[ClientServer], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        async with serving(stt, **settings) as server:
            await test(server)

    run(whole)


def wav(audio: Audio) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(16_000)
        recording.writeframes(to_l16(audio))
    return file.getvalue()


# ---- transcriptions


def test_a_file_and_a_model_are_enough(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        reply = await post(server, WAV, model="whisper-1")
        assert reply.status == 200
        assert reply.json.keys() == {"text"}
        assert same_words(reply.json["text"], TEXTS["au_travail"])

    served(stt, test)


@pytest.mark.parametrize("container", CONTAINERS)
def test_any_container_is_opened(stt: WhisperStreamingSTT, container: str) -> None:
    async def test(server: ClientServer) -> None:
        reply = await post(server, recorded(speech("au_travail"), container), model="m", response_format="text")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert alike(reply.body.decode(), TEXTS["au_travail"])

    served(stt, test)


def test_long_audio_is_cut_at_pauses_and_told_with_times(stt: WhisperStreamingSTT) -> None:
    names = [*TEXTS, *TEXTS]
    audio = np.concatenate([part for name in names for part in (speech(name), silence(0.8))])

    async def test(server: ClientServer) -> None:
        fields: dict[str, Any] = {"response_format": "verbose_json", "language": "fr", "model": "m"}
        reply = await post(server, wav(audio), **fields, timestamp_granularities_list=["word", "segment"])
        told = reply.json
        assert told["duration"] == pytest.approx(audio.size / 16_000, abs=0.05)
        assert (told["language"], told["task"]) == ("fr", "transcribe")
        assert len(told["segments"]) >= len(names)
        assert alike(told["text"], " ".join(TEXTS[name] for name in names))
        times = [word["start"] for word in told["words"]]
        assert times == sorted(times)
        assert 20 < times[-1] < told["duration"]
        for form, begins in (("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n00:00:0")):
            subtitles = (await post(server, wav(audio), model="m", response_format=form)).body.decode()
            assert subtitles.startswith(begins)
            assert subtitles.count(" --> ") >= len(names)

    served(stt, test)


@pytest.mark.parametrize(
    ("file", "fields", "status", "named"),
    [
        (None, {"model": "m"}, 400, "file is missing"),
        (b"no audio", {"model": "m"}, 400, "no audio that can be read"),
        (b"", {"model": "m"}, 400, "no audio that can be read"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n", {"model": "m"}, 400, "file:"),
        (WAV, {"model": "m", "response_format": "xml"}, 400, "response_format is one of"),
        (WAV, {"model": "m", "language": "en"}, 400, "hears fr only"),
        (wav(silence(0)), {"model": "m"}, 400, "file:"),
    ],
)
def test_errors_have_openais_shape(
    stt: WhisperStreamingSTT, file: bytes | None, fields: dict[str, Any], status: int, named: str
) -> None:
    async def test(server: ClientServer) -> None:
        reply = await post(server, file, **fields)
        assert reply.status == status
        assert reply.json["error"].keys() == {"message", "type", "param", "code"}
        assert named in reply.json["error"]["message"]
        assert "/" not in reply.json["error"]["message"].replace("multipart/form-data", "")  # no path of ours

    served(stt, test)


def test_no_form_at_all_and_a_form_that_breaks_off(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        for kind, body in (
            ("application/json", b"{}"),
            ("multipart/form-data", b"x"),
            ("multipart/form-data; boundary=a", b"--b\r\n"),
        ):
            reply = await ask(server, "POST", API, body=body, headers={"Content-Type": kind})
            assert reply.status == 400
            assert reply.json["error"]["message"]

    served(stt, test)


def test_files_have_bounds(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        reply = await post(server, bytes(300_000), model="m")
        assert reply.status == 413
        assert "more than 100000 bytes" in reply.json["error"]["message"]
        reply = await post(server, recorded(silence(8), "webm"), model="m")
        assert reply.status == 400
        assert "longer than 5 s" in reply.json["error"]["message"]

    served(stt, test, max_upload_bytes=100_000, max_upload_s=5)


def test_one_file_too_many_is_asked_to_try_later(stt: WhisperStreamingSTT) -> None:
    audio = wav(np.tile(np.concatenate([speech("pas_joignable"), silence(0.6)]), 20))

    async def test(server: ClientServer) -> None:
        replies = await asyncio.gather(*(post(server, audio, model="m") for _ in range(3)))
        statuses = sorted(reply.status for reply in replies)
        assert statuses == [200, 429, 429]
        assert (await post(server, WAV, model="m")).status == 200

    served(stt, test, max_uploads=1)


def test_the_token_and_the_origin_count_here_too(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        assert (await post(server, WAV, model="m")).status == 401
        token = {"Authorization": "Bearer secret"}
        assert (await post(server, WAV, model="m", headers=token)).status == 200
        evil = {"Origin": "https://evil.example"}
        assert (await post(server, WAV, model="m", headers=token | evil)).status == 403
        assert (await ask(server, "GET", "/metrics")).status == 401
        assert (await ask(server, "GET", "/metrics", headers=token)).status == 200
        assert (await ask(server, "GET", "/healthz")).status == 200

    served(stt, test, token="secret")


# ---- health and metrics


def test_health_and_readiness(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        assert (await ask(server, "GET", "/healthz")).body == b"alive\n"
        reply = await ask(server, "GET", "/readyz")
        assert reply.status == 200
        assert reply.json["ready"] is True
        assert reply.json["model"] == "telephone-fr"
        assert reply.json["room"] <= reply.json["capacity"]

    served(stt, test)

    async def full() -> None:
        async with serving(stt) as server:
            server._calls = lambda: stt.capacity + 50
            reply = await ask(server, "GET", "/readyz")
            assert (reply.status, reply.json["ready"], reply.json["room"]) == (503, False, 0)

    run(full)


def test_metrics_count_clients_and_refusals_and_name_nobody(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        async with client(server, "/ws/transcription", client_id="private-name") as first:
            await first.send('{"type":"ping"}')
            await answer(first)
            async with client(server, "/ws/transcription", client_id="private-name") as second:
                await second.wait_closed()
            page = (await ask(server, "GET", "/metrics")).body.decode()
        for line in (
            'voicebot_clients{dialect="sources"} 1.0',
            'voicebot_clients_opened_total{dialect="sources"} 1.0',
            'voicebot_clients_refused_total{reason="request"} 1.0',
        ):
            assert line in page
        for name in ("queued", "lag_ms", "mean_batch", "capacity", "decoded_total"):
            assert f"voicebot_engine_{name} " in page
        assert "private-name" not in page
        assert "127.0.0.1" not in page

    served(stt, test)


# ---- pages


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<!doctype html><title>captions</title>")
    (tmp_path / "calls.html").write_text("<!doctype html><title>calls</title>")
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text("export const a = 1;")
    (tmp_path.parent / "secret.txt").write_text("not for pages")
    return tmp_path


def test_pages_are_served_with_headers_that_keep_foreign_code_out(stt: WhisperStreamingSTT, web: Path) -> None:
    async def test(server: ClientServer) -> None:
        for path, kind in (("/", "text/html"), ("/calls", "text/html"), ("/web/js/app.js", "text/javascript")):
            reply = await ask(server, "GET", path)
            assert reply.status == 200
            assert reply.headers["content-type"].startswith(kind)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"
            assert "server" not in reply.headers
        for path in ("/web/../secret.txt", "/web/%2e%2e/secret.txt", "/web/nothing.js", "/nothing"):
            reply = await ask(server, "GET", path)
            assert reply.status == 404
            assert b"not for pages" not in reply.body

    served(stt, test, web=web)


def test_an_installation_without_pages_says_so(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test(server: ClientServer) -> None:
        reply = await ask(server, "GET", "/")
        assert (reply.status, reply.body) == (404, b"this installation has no pages\n")
        async with client(server) as socket:  # a WebSocket on the same path
            await answer(socket, "connected")

    served(stt, test, web=tmp_path)


# ---- the page of calls


def test_the_page_of_calls_gets_a_snapshot_then_what_changes(stt: WhisperStreamingSTT) -> None:
    def tell(server: ClientServer, *events: Event) -> None:
        for event in events:
            server.monitor.take(event)

    async def test(server: ClientServer) -> None:
        tell(server, StreamOpened(call_id="a", at_ms=0, rate_hz=16_000))
        async with connect(url(server, "/ws/calls")) as page:
            first = json.loads(await page.recv())
            assert first["type"] == "snapshot"
            assert [call["id"] for call in first["calls"]] == ["a"]
            assert first["engine"].keys() == {"queue", "batch", "lag_ms", "streams", "capacity", "refused"}
            tell(server, Partial(call_id="a", at_ms=900, text="<b>oui</b>", words=(), start_ms=0))
            told = await answer(page, "call")
            assert told["call"]["partial"] == "<b>oui</b>"
            tell(server, StreamClosed(call_id="a", at_ms=999, code=1000, reason=""))
            assert (await answer(page, "call"))["call"]["state"] == "ended"
            assert (await answer(page, "engine"))["capacity"] > 0

    served(stt, test)


def test_a_page_that_does_not_read_is_closed(stt: WhisperStreamingSTT) -> None:
    async def test(server: ClientServer) -> None:
        narrow = socket.create_connection(("127.0.0.1", server.port))
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that little is enough to fill it
        async with connect(url(server, "/ws/calls"), max_queue=1, sock=narrow) as page:
            await page.recv()
            page.transport.pause_reading()
            opened = StreamOpened(call_id="a", at_ms=0, rate_hz=16_000)
            async with asyncio.timeout(WAIT_S):
                while server.monitor.pages:
                    server.monitor.take(opened)
                    for _ in range(20):
                        server.monitor.take(Partial(call_id="a", at_ms=9, text="x" * 1900, words=(), start_ms=0))
                    await asyncio.sleep(0)
            page.transport.abort()

    served(stt, test)
