"""scripts/stream_mic.py: two sources at once through devices that are made up, and every way to have none."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from typer.testing import CliRunner
from web.real_server import RealServer

from scripts.clients.link import ClientFailed
from scripts.clients.sound_devices import Device, chosen
from scripts.stream_mic import app
from V3.audio.pcm import Audio, resample, to_l16
from V3.calls.words import fold
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

HZ = 48_000
SECONDS = 3.5


class PortAudioError(Exception):
    """As sounddevice has it."""


class MadeUpSound:
    """What of sounddevice is used: devices by name, each with what is heard there, in stereo at 48 kHz."""

    PortAudioError = PortAudioError

    def __init__(self, heard: dict[str, Audio], *, dead: str = "") -> None:
        self._heard = heard
        self._dead = dead
        self.default = SimpleNamespace(device=[1, 0])

    def query_devices(self) -> list[dict[str, Any]]:
        speaker = {"name": "a loudspeaker", "max_input_channels": 0, "default_samplerate": 44100.0}
        inputs = [{"name": name, "max_input_channels": 2, "default_samplerate": float(HZ)} for name in self._heard]
        return [speaker, *inputs]

    def InputStream(self, **asked: Any) -> _Stream:  # noqa: N802 - its name there
        name = list(self._heard)[asked["device"] - 1]
        if name == self._dead:
            raise PortAudioError("Device unavailable")
        assert (asked["samplerate"], asked["channels"], asked["dtype"]) == (HZ, 2, "float32")
        return _Stream(self._heard[name], asked["blocksize"], asked["callback"])


class _Stream:
    """Calls back from a thread of its own, three times as fast as sound is; silence at the end."""

    def __init__(self, audio: Audio, size: int, callback: Any) -> None:
        self._audio, self._size, self._callback = resample(audio, from_hz=16_000, to_hz=HZ), size, callback
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        start = 0
        while not self._stop.wait(self._size / HZ / 3):
            piece = np.pad(self._audio[start : start + self._size], (0, self._size))[: self._size]
            self._callback(np.stack([piece, piece], axis=1), self._size, None, None)
            start += self._size


@pytest.fixture
def server(stt: WhisperStreamingSTT) -> Iterator[RealServer]:
    server = RealServer(stt)
    server.start()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def no_pulse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def captions(*arguments: object, status: int = 0) -> str:
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert ran.exit_code == status, ran.output
    return ran.output


def port(server: RealServer) -> list[str]:
    return ["--port", server.url.rstrip("/").rpartition(":")[2], "--seconds", str(SECONDS)]


def words_of(output: str, source: str) -> str:
    return fold(" ".join(re.findall(rf"^ *[\d.]+ s  {source} +(.*)$", output, re.MULTILINE)))


def said(name: str) -> Audio:
    return np.concatenate([silence(0.3), speech(name), silence(1)])


def test_two_sources_are_heard_at_the_same_time(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = {"Headset": said("au_travail"), "Monitor of Built-in Audio": said("allo_qui")}
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound(heard))
    output = captions(*port(server))
    assert words_of(output, "microphone") == fold(TEXTS["au_travail"])
    assert words_of(output, "machine") == fold(TEXTS["allo_qui"])


def test_the_default_monitor_is_heard_where_no_device_is_one(
    server: RealServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "played.raw").write_bytes(to_l16(np.concatenate([said("pas_la"), silence(3)])))
    program(tmp_path / "pactl", "exit 0")
    program(tmp_path / "parec", f"exec /bin/cat {tmp_path / 'played.raw'}")
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({"Headset": said("oui_bonjour")}))
    output = captions(*port(server))
    assert words_of(output, "microphone") == fold(TEXTS["oui_bonjour"])
    assert words_of(output, "machine") == fold(TEXTS["pas_la"])


def test_a_monitor_that_fails_ends_with_its_reason(
    server: RealServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "pactl", "exit 0")
    program(tmp_path / "parec", "echo 'Stream error: No such entity' >&2; exit 1")
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({"Headset": said("oui_bonjour")}))
    assert "parec ended: Stream error: No such entity" in captions(*port(server), status=1)


def test_inputs_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = silence(0)
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({"Headset": quiet, "Stereo Mix": quiet}))
    output = captions("--list")
    assert re.search(r"1 .*Headset.*48000.*the default microphone", output)
    assert re.search(r"2 .*Stereo Mix.*what the machine plays", output)
    assert "loudspeaker" not in output


# ---- what can be missing


def test_no_device_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({}))
    assert "no microphone" in captions(status=1)
    assert "no input at all" in captions("--list")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'V3[mic]'" in captions(status=1)
    assert "pip install 'V3[mic]'" in captions("--list", status=1)


def test_a_missing_portaudio_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert "PortAudio library not found: on Debian, apt-get install libportaudio2" in captions(status=1)


def test_a_device_that_cannot_be_recorded_is_named(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({"Headset": silence(1)}, dead="Headset"))
    assert "Headset cannot be recorded: Device unavailable" in captions(*port(server), status=1)


def test_no_server_is_a_line(monkeypatch: pytest.MonkeyPatch, server: RealServer) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound({"Headset": silence(1)}))
    server.stop()
    assert "nothing listens on" in captions(*port(server), status=1)


def test_two_clients_of_one_name_are_refused_by_name(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    same = {"Headset": silence(1), "Loopback": silence(1)}
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpSound(same))
    monkeypatch.setattr("scripts.stream_mic.MACHINE", "microphone")
    output = captions("--name", "here", *port(server), status=1)
    assert "client_id here-microphone is connected already (1008)" in " ".join(output.split())


@pytest.mark.parametrize(("asked", "named"), [("nonesuch", "no input is"), ("head", "several inputs are")])
def test_an_input_that_is_not_one_is_named(asked: str, named: str) -> None:
    inputs = [Device(3, "Headset left", 1, HZ, is_default=True), Device(4, "Headset right", 1, HZ, is_default=False)]
    with pytest.raises(ClientFailed, match=f"{named} called.*3 Headset left; 4 Headset right"):
        chosen(inputs, asked)
    assert chosen(inputs, "right") == chosen(inputs, "4")


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
