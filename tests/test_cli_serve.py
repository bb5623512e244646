"""``python -m V3 serve`` as its users start it: both servers, the options, the environment, and a clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audio_samples import DATA, TEXTS, silence, speech
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from V3.audio.pcm import to_l16
from V3.calls.words import fold
from V3.cli import app
from V3.errors import ConfigError
from V3.system.serving import from_environment

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 30


@contextmanager
def serve(*arguments: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """The process and its ports, once it listens."""
    command = [sys.executable, "-m", "V3", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
    )
    try:
        assert process.stdout is not None
        ports: dict[str, int] = {}
        for line in process.stdout:
            if found := re.match(r"(listening|clients) on (?:https?://)?127\.0\.0\.1:(\d+)", line):
                ports[found[1]] = int(found[2])
            if "Ctrl-C" in line:
                break
        yield process, ports
    finally:
        process.kill()
        process.communicate()


def failing(*arguments: str, **environ: str) -> str:
    ran = CliRunner().invoke(app, ["serve", "--port", "0", "--calls-port", "0", *arguments], env=environ)
    assert ran.exit_code in (1, 2)
    assert isinstance(ran.exception, SystemExit)  # no traceback
    return " ".join(ran.stderr.replace("│", " ").split())


def test_both_servers_listen_and_the_end_is_clean() -> None:
    with serve("--calls-port", "0") as (process, ports):
        assert ports.keys() == {"listening", "clients"}
        with connect(f"ws://127.0.0.1:{ports['clients']}/captions") as socket:
            assert "telephone-fr" in str(socket.recv(WAIT_S))
            socket.send((DATA / "au_travail.wav").read_bytes())
            assert fold(TEXTS["au_travail"]) in fold(str(socket.recv(WAIT_S)).encode().decode("unicode_escape"))
            with connect(f"ws://127.0.0.1:{ports['listening']}/call/a-b-c") as call:
                call.send(to_l16(silence(0.02)))
                process.send_signal(signal.SIGINT)
                assert process.wait(WAIT_S) == 130
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(WAIT_S)
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "the server stops")
        assert process.stderr is not None
        assert process.stderr.read().strip() == "stopped"


def test_old_clients_of_voice_detection_find_it_at_the_root() -> None:
    options = ["--no-calls", "--root", "vad", "--model-id", "telephone-fr", "--device", "cpu", "--dtype", "int8"]
    with serve(*options, "--vad-aggressiveness", "3") as (process, ports):
        assert ports.keys() == {"clients"}
        with connect(f"ws://127.0.0.1:{ports['clients']}") as socket:
            data = to_l16(speech("oui_bonjour")) + to_l16(silence(1))
            for start in range(0, len(data), 640):
                socket.send(data[start : start + 640])
            assert fold(str(socket.recv(WAIT_S))) == fold(TEXTS["oui_bonjour"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-calls", "--no-clients"], "nothing to serve"),
        (["--root", "words"], "clients.root"),
        (["--host", "0.0.0.0"], "needs a token (clients.token or VOICEBOT_CLIENT_TOKEN)"),
        (["--cert", "x.pem"], "certificate and key are given together"),
        (["--cert", "x.pem", "--key", "x.pem"], "clients.certificate and clients.key cannot be used"),
        (["--model-id", "nonesuch"], "ModelNotFound"),
    ],
)
def test_what_cannot_be_served_is_a_line(arguments: list[str], said: str) -> None:
    assert said in failing(*arguments)


def test_a_language_that_the_model_does_not_hear_is_a_line() -> None:
    assert "'telephone-fr' hears fr only, not 'en'" in failing(WHISPER_LAN="EN")
    assert "convert yours once" in failing(WHISPER_MODEL_PATH="mine.pt")
    assert "debug, info, warning or error" in failing(WHISPER_LOG_LEVEL="loud")


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({}, {}),
        ({"WHISPER_MODEL_PATH": "turbo.pt"}, {"model": "large-v3-turbo"}),
        ({"WHISPER_MODEL_PATH": "/models/small.pt", "WHISPER_LAN": "FR"}, {"model": "small", "language": "fr"}),
        ({"WHISPER_MODEL_PATH": "small.en"}, {"model": "small.en"}),
        ({"WHISPER_MODEL_PATH": "/models/converted"}, {"model": "/models/converted"}),
        ({"WHISPER_MODEL_PATH": "telephone-fr"}, {"model": "telephone-fr"}),
        ({"WHISPER_MODEL_PATH": " ", "WHISPER_LAN": ""}, {}),
    ],
)
def test_the_environment_of_other_servers(environ: dict[str, str], settings: dict[str, str]) -> None:
    assert from_environment(environ) == settings


def test_a_checkpoint_of_another_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="python -m V3 convert"):
        from_environment({"WHISPER_MODEL_PATH": "/models/mine.pt"})
