"""The commands as people type them: in processes of their own, against a simulated FreeSWITCH."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patient_loop import run_patiently
from rich.console import Console
from typer.testing import CliRunner

from V3.calls.report import CallReport
from V3.cli import app
from V3.demo import run_demo
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ROOT = Path(__file__).resolve().parents[1]
SOUNDS = ROOT / "V3" / "simulator" / "sounds"
REAL_CALL = ROOT / "V3" / "test_real_call_v3.py"


def run(*arguments: str | Path, cwd: Path, timeout_s: float = 55) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@pytest.fixture(scope="module")
def freeswitch() -> Iterator[int]:
    """The port of ``python -m V3 simulator``, which ends by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "V3", "simulator", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    assert found, line
    yield int(found.group(1))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.stdout.close()


def settings(folder: Path, port: int) -> Path:
    path = folder / "robot.yaml"
    path.write_text(
        f"freeswitch: {{port: {port}, dial_string: 'sofia/gateway/x/{{number}}'}}\n"
        f"server: {{port: 0}}\ncall: {{reports_dir: {folder / 'reports'}}}\n"
    )
    return path


@pytest.mark.parametrize("command", ["demo", "call", "serve", "transcribe", "simulator", "report", "load", "bench"])
def test_help_teaches(command: str) -> None:
    ran = CliRunner().invoke(app, [command, "--help"])
    assert ran.exit_code == 0
    assert "Usage" in ran.output


def test_help_lists_the_commands(tmp_path: Path) -> None:
    ran = run("-m", "V3", "--help", cwd=tmp_path)
    assert ran.returncode == 0
    for command in ("demo", "call", "serve", "transcribe", "simulator", "report", "load", "bench", "models"):
        assert f" {command} " in ran.stdout


def test_the_demonstration_ends_with_eight_of_eight(stt: WhisperStreamingSTT) -> None:
    told = io.StringIO()
    right = run_patiently(run_demo(Console(file=told, width=160), speed=8, stt=stt))
    assert right, told.getvalue()
    assert "8 of 8 as scripted" in told.getvalue()


def test_the_demonstration_runs_as_a_command(tmp_path: Path) -> None:
    ran = run("-m", "V3", "demo", "--speed", "8", cwd=tmp_path)  # so fast, recognition may lag behind
    assert re.search(r"(\d) of 8 as scripted", ran.stdout), ran.stdout + ran.stderr
    assert ran.returncode == ("8 of 8 as scripted" not in ran.stdout)
    assert "\x1b[" not in ran.stdout  # no colours off a terminal


def test_transcribe_writes_down_a_file_and_names_a_bad_one(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    ran = run("-m", "V3", "transcribe", SOUNDS / "oui_ca_m_interesse.wav", bad, cwd=tmp_path)
    assert "Oui, ça m'intéresse" in ran.stdout
    assert "bad.wav" in ran.stderr
    assert ran.returncode == 1


def test_call_dials_a_list_once_and_leaves_reports(tmp_path: Path, freeswitch: int) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("# number,name\n01 99 00 12 06,x\n0199001299\n01.99.00.12.06\n")
    config = settings(tmp_path, freeswitch)
    first = run("-m", "V3", "call", "--config", config, "--list", numbers, cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "BUSY" in first.stdout
    assert "INVALID_NUMBER" in first.stdout
    assert len(list((tmp_path / "reports").glob("*.json"))) == 2
    again = run("-m", "V3", "call", "--config", config, "--list", numbers, cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.count("was dialled before") == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_of_a_run_has_no_number_and_no_secret(tmp_path: Path, freeswitch: int, form: str) -> None:
    """At its most talkative, with a call that is refused and one that is answered and heard."""
    config = settings(tmp_path, freeswitch)
    text = config.read_text().replace("server: {port: 0}", "server: {port: 0, token: server-secret-1}")
    config.write_text(text.replace("freeswitch: {", "freeswitch: {password: ClueCon, "))
    options = ["call", "--config", str(config), *(f"--to={n}" for n in ("0199001206", "+33199001299", "0199001205"))]
    ran = run("-m", "V3", "--log", form, "--log-level", "debug", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = ran.stdout + ran.stderr
    assert "01 99 ** ** 06" in ran.stdout
    for hidden in ("0199001206", "199001299", "0199001205", "server-secret-1", "ClueCon"):
        assert hidden not in told
    lines = ran.stderr.splitlines()
    assert lines
    if form == "json":
        assert {"time", "level", "logger", "message"} <= set.intersection(*(set(json.loads(line)) for line in lines))


def test_numbers_are_shown_to_who_asks_for_them(tmp_path: Path, freeswitch: int) -> None:
    options = ["call", "--config", str(settings(tmp_path, freeswitch)), "--to", "0199001206"]
    assert "0199001206" in run("-m", "V3", "--no-mask", *options, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "not a number"], "no telephone number"),
        ([], "no number to dial"),
        (["--list", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_call_names_what_was_wrong(tmp_path: Path, freeswitch: int, arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(app, ["call", "--config", str(settings(tmp_path, freeswitch)), *arguments])
    assert ran.exit_code != 0
    assert said in " ".join(ran.output.split())
    assert isinstance(ran.exception, SystemExit)  # no traceback


def test_without_a_freeswitch_the_error_is_a_line(tmp_path: Path) -> None:
    ran = run("-m", "V3", "call", "--config", settings(tmp_path, 1), "--to", "0199001201", cwd=tmp_path)
    assert ran.returncode == 1
    assert "EslNotConnected: no FreeSWITCH event socket at 127.0.0.1:1" in " ".join(ran.stderr.split())


def test_the_real_call_script_passes_phase_by_phase(tmp_path: Path, freeswitch: int) -> None:
    options = ["--config", str(settings(tmp_path, freeswitch)), "--esl", f"127.0.0.1:{freeswitch}", "--must-interrupt"]
    ran = run(REAL_CALL, "--to", "0199001208", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for line in (
        r"ok      model loaded: telephone-fr on cpu, \S+, in \d+\.\d s",
        r"ok      server running: port \d+",
        r"ok      mod_audio_stream: loaded",
        r" s  DETECTING",
        r"ok      phase DIALLING: answered after \d+ ms, first audio \d+ ms after the answer",
        r"ok      phase AMD in batch on 2\.3 s: HUMAN \(person\) \d+ ms after the answer",
        r"ok      phase PLAYING streaming: first prompt \d+ ms after the verdict, break; \d+ partials",
        r"ok      barge-in triggered: \d+ ms after speech",
        r"ok      break confirmed: \d+ ms after the decision, \d+ ms after speech began",
    ):
        assert re.search(line, ran.stdout), (line, ran.stdout)
    assert "all phases passed" in ran.stdout


def test_the_real_call_script_names_the_phase_that_failed(tmp_path: Path, freeswitch: int) -> None:
    options = ["--config", str(settings(tmp_path, freeswitch))]
    busy = run(REAL_CALL, "--to", "0199001206", *options, cwd=tmp_path)
    assert busy.returncode == 1
    assert "FAILED  phase DIALLING: BUSY" in busy.stdout
    missing = run(REAL_CALL, "--to", "0199001206", *options, "--prompts-dir", tmp_path, cwd=tmp_path)
    assert missing.returncode == 1
    assert "Remedy" in missing.stdout


@pytest.mark.parametrize(
    ("program", "number"),
    [(("-m", "V3", "call"), signal.SIGHUP), ((str(REAL_CALL),), signal.SIGHUP), ((str(REAL_CALL),), signal.SIGTERM)],
    ids=["call, terminal closed", "real call, terminal closed", "real call, terminated"],
)
def test_a_call_is_hung_up_when_the_robot_is_sent_away(
    tmp_path: Path, freeswitch: int, program: tuple[str, ...], number: signal.Signals
) -> None:
    config = settings(tmp_path, freeswitch)
    command = [sys.executable, *program, "--config", str(config), "--to", "0199001205"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as robot:
        assert robot.stdout is not None
        assert any("ANSWERED" in line for line in robot.stdout)
        robot.send_signal(number)
        robot.communicate(timeout=20)
    assert robot.returncode == 130
    (path,) = (tmp_path / "reports").glob("*.json")
    report = CallReport.model_validate_json(path.read_text())
    assert (report.hung_up_by, report.errors) == ("robot", ["cancelled: the robot is stopping"])
