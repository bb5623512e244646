"""The audio server's self-test, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import pytest

from V3.system.services import audio_server_self_test, websocket_audio_server
from V3.system.services.audio_server_self_test import main

SCRIPT = str(Path(websocket_audio_server.__file__))


def run_script(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=50, check=False, cwd=folder
    )


def test_it_runs_as_a_script_from_anywhere_and_tells_what_it_hears(tmp_path: Path) -> None:
    done = run_script(folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Oui bonjour." in done.stdout
    assert "AnswerClassified  HUMAN" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("OK")


def test_help_teaches(tmp_path: Path) -> None:
    done = run_script("--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("--model", "--device", "telephone-fr", "example", "serve"))


def test_a_model_that_is_not_there_is_a_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "nonesuch"]) == 1
    assert "FAILED     ModelNotFound: no model 'nonesuch'" in capsys.readouterr().out


def test_where_no_word_comes_back_it_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wave.open(str(tmp_path / "silent.wav"), "wb") as silent:
        silent.setparams((1, 2, 16000, 0, "NONE", ""))
        silent.writeframes(bytes(32000))
    monkeypatch.setattr(audio_server_self_test, "_WORD", tmp_path / "silent.wav")
    monkeypatch.setattr(audio_server_self_test, "_TIMEOUT_S", 3.0)
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "NO_ANSWER" in out
    assert "FAILED     words and a verdict did not both come back within 3 s" in out
