"""``models`` and ``convert`` as people type them."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result
from whisper_checkpoints import SHIPPED, TOKENIZER, random_weights, trained_weights, write_checkpoint

from V3 import model_commands
from V3.asr.convert import Converted, convert
from V3.model_commands import add_model_commands


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    add_model_commands(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(text: str) -> str:
    """Without the breaks that a narrow screen makes."""
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "taught"), [("models", ["FOLDER", "--json"]), ("convert", ["--short-context", "V3[convert]"])]
)
def test_help_teaches(command: str, taught: list[str]) -> None:
    ran = run(command, "--help")
    assert ran.exit_code == 0
    for word in taught:
        assert word in ran.stdout


def test_models_is_a_table(tmp_path: Path) -> None:
    broken = shutil.copytree(SHIPPED, tmp_path / "[bold]broken")
    (broken / "tokenizer.json").unlink()
    ran = run("models", tmp_path)
    assert ran.exit_code == 0
    row = next(line for line in ran.stdout.splitlines() if "telephone-fr" in line)
    for cell in ("MB", "5.2 M", "80", "100", "int8", "short", "whole"):
        assert cell in row
    assert "[bold]broken" in "".join(ran.stdout.replace("│", " ").split())
    assert "tokenizer.json is missing" in ran.stdout
    assert "--model NAME" in ran.stdout


def test_models_for_programs(tmp_path: Path) -> None:
    copy = shutil.copytree(SHIPPED, tmp_path / "copy")
    rows = json.loads(run("models", tmp_path, "--json").stdout)
    assert [row["name"] for row in rows] == ["telephone-fr", str(copy)]
    assert rows[1] | {"name": "", "directory": "", "size_bytes": 0} == {
        "name": "", "directory": "", "size_bytes": 0, "parameters": 5_232_768, "mel_bands": 80, "languages": 100,
        "quantization": "int8", "audio_context": "auto", "faults": [],
    }  # fmt: skip


def test_models_names_a_wrong_folder(tmp_path: Path) -> None:
    ran = run("models", tmp_path / "nowhere")
    assert ran.exit_code == 1
    assert "nowhere is no directory" in words(ran.stderr)


def test_convert_shows_what_came_of_it_and_how_to_use_it(tmp_path: Path) -> None:
    source, out = write_checkpoint(tmp_path / "source", trained_weights()), tmp_path / "out"
    ran = run("convert", source, out, "--short-context", "--quantization", "float16")
    assert ran.exit_code == 0, ran.stderr
    assert "float16" in ran.stdout
    assert "it hears: Oui bonjour." in ran.stdout
    assert f"python -m V3 transcribe FILE --model {out}" in ran.stdout
    assert f"stt: {{model: {out}}}" in ran.stdout
    again = run("convert", source, out)
    assert again.exit_code == 1
    assert "exists: give another place, or --force" in words(again.stderr)
    assert run("convert", source, out, "--force").exit_code == 0


def test_convert_says_when_the_result_hears_nothing(tmp_path: Path) -> None:
    silent = {name: array * 0 for name, array in random_weights().items()}
    source = write_checkpoint(tmp_path / "source", silent, generation={"suppress_tokens": list(range(1200))})
    ran = run("convert", source, tmp_path / "out")
    assert ran.exit_code == 0, ran.stderr
    assert "hears nothing in the bundled words" in words(ran.stderr)


@pytest.mark.parametrize(
    ("source", "said"),
    [("nowhere", "ModelNotFound: nowhere is missing"), (str(TOKENIZER), "give an OpenAI .pt file, or the whole")],
)
def test_convert_names_what_is_wrong(source: str, said: str, tmp_path: Path) -> None:
    ran = run("convert", source, tmp_path / "out")
    assert ran.exit_code == 1
    assert said in words(ran.stderr)
    assert "Traceback" not in ran.stderr


def test_a_place_that_cannot_be_made_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("convert", write_checkpoint(tmp_path / "source", random_weights()), tmp_path / "file" / "out")
    assert ran.exit_code == 1
    assert "NotADirectoryError" in ran.stderr or "FileExistsError" in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_with_130_and_nothing_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def interrupted(*arguments: object, **options: object) -> Converted:
        return convert(*arguments, **options | {"say": lambda _: signal.raise_signal(number)})  # type: ignore[arg-type]

    monkeypatch.setattr(model_commands, "convert_checkpoint", interrupted)
    source = write_checkpoint(tmp_path / "source", random_weights())
    before = signal.getsignal(number)
    ran = run("convert", source, tmp_path / "out")
    assert ran.exit_code == 130
    assert "stopped" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    assert signal.getsignal(number) is before
