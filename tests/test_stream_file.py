"""scripts/stream_file.py: every protocol on the shipped model, what is shown, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from own_certificate import certificate, needs_openssl
from recorded import recorded
from rich.console import Console
from typer.testing import CliRunner
from web.real_server import RealServer

from scripts.clients.dialects import DIALECTS, Answer, Wishes
from scripts.clients.recording import WebmRecorder
from scripts.clients.screen import Screen
from scripts.stream_file import app
from V3.calls.words import fold
from V3.config import AnswerSettings, ServerSettings
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

NAME = "au_travail"
WAIT_S = 20.0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something that is no WAV."""
    path = tmp_path_factory.mktemp("audio") / "said.ogg"
    path.write_bytes(recorded(np.concatenate([silence(0.3), speech(NAME)]), "ogg"))
    return path


@pytest.fixture
def server(stt: WhisperStreamingSTT) -> Iterator[RealServer]:
    server = RealServer(stt)
    server.start()
    yield server
    server.close()


@pytest.fixture
def calls_port(stt: WhisperStreamingSTT) -> Iterator[int]:
    """The audio server of the calls, on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    calls = WebSocketAudioServer(
        stt,
        amd=AMDService(),
        settings=ServerSettings(port=0, send_events=True),
        answer=AnswerSettings(decode_timeout_s=10),
        accept_any=True,
    )
    asyncio.run_coroutine_threadsafe(calls.start(), loop).result(WAIT_S)
    yield calls.port
    asyncio.run_coroutine_threadsafe(calls.stop(), loop).result(WAIT_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WAIT_S)
    loop.close()


def client(*arguments: object, status: int = 0) -> str:
    """What it prints, on one line."""
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    output = " ".join(ran.output.replace("│", " ").split())
    assert ran.exit_code == status, output
    return output


def port(server: RealServer) -> list[str]:
    return ["--port", server.url.rstrip("/").rpartition(":")[2]]


@pytest.mark.parametrize("dialect", ["captions", "sources", "vad", "recorder"])
def test_the_words_of_a_file_come_back(server: RealServer, file: Path, dialect: str) -> None:
    said = client(file, "--dialect", dialect, "--fast", "--ping", "--wait", "2", *port(server))
    words = fold(TEXTS[NAME]).split()
    heard = [word for word in fold(said).split() if word in words]
    assert heard[: len(words)] == words, said
    assert "a sign of life after" in said
    assert "0 errors" in said


def test_classic_captions_come_every_two_seconds(server: RealServer, file: Path) -> None:
    said = client(file, "--mode", "classic", "--chunk-duration", "1000", "--fast", "--wait", "2.5", *port(server))
    assert fold("Je suis au travail") in fold(said)


def test_a_call_has_its_words_and_who_answered(calls_port: int, file: Path) -> None:
    said = client(file, "--dialect", "call", "--ping", "--wait", "2", "--port", calls_port)
    assert fold(TEXTS[NAME]) in fold(said)
    assert "ms: " in said  # the verdict, when it came and why


def test_simulation_says_its_phrase_again_and_again(server: RealServer) -> None:
    said = client("--simulate", "--seconds", "6", "--fast", "--wait", "2", *port(server))
    assert fold(said).count("oui c est moi") >= 2


def test_the_pace_is_that_of_speech(server: RealServer, file: Path) -> None:
    said = client(file, "--wait", "0.5", "--chunk-duration", "20", *port(server))
    sent_s, took_s = (
        float(said.split(" s of audio in ")[0].split()[-1]),
        float(said.split(" of audio in ")[1].split()[0]),
    )
    assert took_s >= sent_s >= 2.2


# ---- what can go wrong


def test_no_server_is_a_line_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        free = gone.getsockname()[1]
    said = client("--ping", "--port", free, status=1)
    assert "nothing listens on ws://127.0.0.1" in said
    assert "python -m V3 serve" in said


def test_a_wrong_token_is_named_and_the_right_one_is_taken(stt: WhisperStreamingSTT, file: Path) -> None:
    server = RealServer(stt, token="geheim")
    server.start()
    try:
        assert "the token is missing or wrong (1008)" in client("--ping", "--token", "other", *port(server), status=1)
        assert "the token is missing or wrong (1008)" in client(file, "--fast", *port(server), status=1)
        assert "a sign of life" in client("--ping", "--token", "geheim", *port(server))
    finally:
        server.close()


def test_a_call_that_is_refused_says_why(stt: WhisperStreamingSTT, calls_port: int) -> None:
    said = client("--ping", "--dialect", "call", "--client-id", "no/id", "--port", calls_port, status=1)
    assert "refused: 404 unknown path" in said


def test_a_file_that_cannot_be_used_bothers_no_server(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no audio at all")
    assert "text.wav: no audio that can be read" in client(text, status=1)
    assert "nonesuch.wav: No such file" in client(tmp_path / "nonesuch.wav", status=1)


def test_a_close_of_the_server_is_named(server: RealServer, file: Path) -> None:
    said = client("--ping", "--url", f"{server.url.replace('http', 'ws')}nowhere", status=1)
    assert "the server closed the connection: unknown path" in said


def test_an_error_of_the_server_is_shown_and_counts(server: RealServer, file: Path) -> None:
    said = client(file, "--language", "en", "--fast", "--wait", "2", *port(server), status=1)
    assert "error: model 'telephone-fr' hears fr only, not 'en'" in said
    assert fold(TEXTS[NAME]) in fold(said)  # and the rest is heard


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "give an audio file, --simulate or --ping"),
        (["--simulate", "a.wav"], "takes no file"),
        (["--ping", "--dialect", "morse"], "none of captions, sources"),
        (["--ping", "--dialect", "vad", "--chunk-duration", "25"], "one of 10, 20, 30 ms, not 25"),
        (["--ping", "--dialect", "vad", "--language", "en"], "cannot be asked for in this protocol: vad"),
        (["--ping", "--dialect", "sources", "--mode", "live"], "cannot be asked for in this protocol: sources"),
    ],
)
def test_a_wrong_command_line_is_named(arguments: list[str], named: str) -> None:
    assert named in client(*arguments, status=2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--url", "http://nowhere"], "is no WebSocket URL"),
        (["--tls", "--ca", "nonesuch.pem"], "nonesuch.pem: no certificate that can be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(arguments: list[str], named: str) -> None:
    assert named in client("--ping", *arguments, status=1)


@needs_openssl
def test_a_certificate_that_signed_itself_is_trusted_by_name_only(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    server = RealServer(stt, **made)
    server.start()
    try:
        assert "its certificate is not trusted" in client("--ping", "--tls", *port(server), status=1)
        assert "a sign of life" in client("--ping", "--tls", "--ca", made["certificate"], *port(server))
    finally:
        server.close()


def test_a_server_without_tls_is_named(server: RealServer) -> None:
    assert "speaks no TLS" in client("--ping", "--tls", *port(server), status=1)


# ---- the parts


def test_what_a_recorder_writes_can_be_decoded_from_its_beginning_and_lacks_nothing() -> None:
    recorder = WebmRecorder()
    audio = np.concatenate([speech(NAME), speech("allo_qui")])
    chunks = [recorder.push(audio[start : start + 4800]) for start in range(0, audio.size, 4800)]
    data = b"".join([*chunks, recorder.finish()])
    assert sum(1 for chunk in chunks if chunk) > 3  # it comes as it is recorded
    with av.open(io.BytesIO(data)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 48_000 == pytest.approx(audio.size / 16_000, abs=0.03)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("message", ["", "{", "[]", "null", "{}", '{"type": []}', '{"type": "transcription"}'])
def test_an_answer_of_any_shape_is_read(dialect: str, message: str) -> None:
    assert isinstance(DIALECTS[dialect](Wishes()).read(message), Answer)


def test_settings_are_asked_for_before_audio() -> None:
    captions = DIALECTS["captions"](Wishes(language="en", mode="classic"))
    assert json.loads(captions.opening()[0]) == {
        "type": "config",
        "format": "int16",
        "mode": "classic",
        "language": "en",
    }
    assert DIALECTS["sources"](Wishes()).opening() == []
    assert "client_id=a+b" in DIALECTS["sources"](Wishes(client_id="a b")).target()


def test_words_under_way_are_shown_in_a_terminal_and_no_word_is_markup() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, highlight=False)
    with Screen(console, "here", "there") as screen:
        screen.answer("here", Answer("partial", "[red]bonj"))
        screen.status("going")
        assert screen._live is not None
        screen._live.refresh()
        assert "here: [red]bonj" in out.getvalue()
        screen.answer("here", Answer("final", "[red]bonjour"))
        screen.answer("there", Answer("error", "[/] no"))
    assert "[red]bonjour" in out.getvalue()
    assert (screen.finals, screen.errors) == (1, 1)


def test_the_bundled_phrase_is_there() -> None:
    assert (DATA.parents[1] / "V3" / "simulator" / "sounds" / "oui_c_est_moi.wav").is_file()
