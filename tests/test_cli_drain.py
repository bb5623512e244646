"""SIGTERM to the robot and to the servers, in processes of their own: no new calls, the running ones end, exit 0."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from audio_samples import silence
from test_cli import freeswitch, settings
from test_cli_serve import WAIT_S, serve
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from V3.audio.pcm import to_l16
from V3.calls.report import CallReport
from V3.events import Capacity, StreamOpened, from_json

__all__ = ["freeswitch"]

SAYS_NOTHING, VOICEMAIL = "0199001205", "0199001204"


@contextmanager
def robot(config: Path, *numbers: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A robot whose first call has been answered."""
    command = [sys.executable, "-m", "V3", "--no-mask", "call", "--at-once", "1", "--config", str(config)]
    command += [f"--to={number}" for number in numbers]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("ANSWERED" in line for line in process.stdout), process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


def reports(folder: Path) -> list[CallReport]:
    return [CallReport.model_validate_json(path.read_text()) for path in (folder / "reports").glob("*.json")]


def drained_in(config: Path, seconds: float) -> Path:
    config.write_text(config.read_text().replace("call: {", f"call: {{drain_s: {seconds}, "))
    return config


def test_a_robot_that_drains_ends_its_calls_and_dials_no_more(tmp_path: Path, freeswitch: int) -> None:
    with robot(settings(tmp_path, freeswitch), SAYS_NOTHING, VOICEMAIL, folder=tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, out + err
    assert "draining: calls in progress may end within 60 s" in err
    assert "drained: 1 of 2 numbers were not dialled" in err
    (report,) = reports(tmp_path)
    assert (report.number, report.label, report.errors) == (SAYS_NOTHING, "NO_ANSWER", [])
    assert VOICEMAIL not in (tmp_path / "reports" / "journal.jsonl").read_text()  # the next run dials it


def test_a_second_sigterm_hangs_up(tmp_path: Path, freeswitch: int) -> None:
    with robot(settings(tmp_path, freeswitch), SAYS_NOTHING, folder=tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "draining" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    (report,) = reports(tmp_path)
    assert (report.hung_up_by, report.errors) == ("robot", ["cancelled: the robot is stopping"])


def test_calls_that_do_not_end_in_time_are_hung_up(tmp_path: Path, freeswitch: int) -> None:
    with robot(drained_in(settings(tmp_path, freeswitch), 0.1), SAYS_NOTHING, folder=tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    (report,) = reports(tmp_path)
    assert (report.hung_up_by, report.errors) == ("robot", ["cancelled: the robot is stopping"])


def ready(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=WAIT_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)


def test_servers_that_drain_hear_their_calls_to_the_end_and_take_no_others() -> None:
    with serve("--calls-port", "0") as (process, ports):
        status, told = ready(ports["clients"])
        assert (status, told["ready"], told["draining"], told["calls"]) == (200, True, False, 0)
        url = f"ws://127.0.0.1:{ports['listening']}/call/"
        with connect(f"{url}a") as call, connect(f"ws://127.0.0.1:{ports['clients']}/captions") as client:
            call.send(to_l16(silence(0.02)))
            first = from_json(str(call.recv(WAIT_S)))
            assert isinstance(first, Capacity)
            assert isinstance(from_json(str(call.recv(WAIT_S))), StreamOpened)
            process.send_signal(signal.SIGTERM)
            while not (isinstance(news := from_json(str(call.recv(WAIT_S))), Capacity) and news.draining):
                pass
            assert news.room == 0
            status, told = ready(ports["clients"])
            assert (status, told["ready"], told["draining"]) == (503, False, True)
            with pytest.raises(InvalidStatus, match="503"):
                connect(f"{url}b")
            call.send(to_l16(silence(0.02)))  # the running one is still heard
            assert process.poll() is None
            call.close()
            assert process.wait(WAIT_S) == 0
            list(client)
            assert client.close_code == 1001


def test_servers_end_at_once_at_the_second_sigterm() -> None:
    with (
        serve("--calls-port", "0") as (process, ports),
        connect(f"ws://127.0.0.1:{ports['listening']}/call/a") as call,
    ):
        call.recv(WAIT_S)
        process.send_signal(signal.SIGTERM)
        while not (isinstance(news := from_json(str(call.recv(WAIT_S))), Capacity) and news.draining):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 130


def test_calls_do_not_hold_a_server_longer_than_it_drains(tmp_path: Path) -> None:
    config = tmp_path / "robot.yaml"
    config.write_text("server: {drain_s: 0.2}\n")
    with serve("--calls-port", "0", "--config", str(config)) as (process, ports):
        with connect(f"ws://127.0.0.1:{ports['listening']}/call/a") as call:
            call.recv(WAIT_S)
            process.send_signal(signal.SIGTERM)
            list(call)
            assert call.close_code == 1001
            assert process.wait(WAIT_S) == 0
        assert process.stderr is not None
        assert "not all calls have ended in time" in process.stderr.read()
