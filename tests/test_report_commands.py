"""``report`` as people type it."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from picture_cases import full_report
from typer.testing import CliRunner, Result

from V3.cli import app

REPORT = full_report("Ça ne m'intéresse pas.")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two reports, one of them with its recording beside it."""
    (tmp_path / f"{REPORT.call_id}.json").write_text(REPORT.model_dump_json(), encoding="utf-8")
    other = REPORT.model_copy(update={"call_id": "other", "disposition": "BUSY", "moments": {}})
    (tmp_path / "other.json").write_text(other.model_dump_json(), encoding="utf-8")
    with wave.open(str(tmp_path / f"{REPORT.call_id}.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4 * 8000 * 9))
    return tmp_path


def test_a_call_gets_its_page_beside_it(folder: Path) -> None:
    ran = run("report", folder / f"{REPORT.call_id}.json")
    assert ran.exit_code == 0, ran.output
    page = (folder / f"{REPORT.call_id}.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 2
    assert "01 99 ** ** 02" in page
    assert "0199001202" not in page


def test_a_picture_alone_where_that_is_asked_for(folder: Path) -> None:
    assert run("--no-mask", "report", folder / "other.json", "--png", folder / "x.png").exit_code == 0
    assert (folder / "x.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "other.html").exists()


def test_a_folder_gets_an_index_and_pages(folder: Path) -> None:
    (folder / "notes.json").write_text("{}")
    ran = run("report", folder)
    assert ran.exit_code == 0, ran.output
    assert "index.html: 2 calls, 2 pages" in ran.output
    assert "notes.json is no report of a call" in " ".join(ran.output.split())
    index = (folder / "index.html").read_text(encoding="utf-8")
    for page in (f"{REPORT.call_id}.html", "other.html"):
        assert f'href="{page}"' in index
        assert (folder / page).is_file()


def test_a_call_is_found_by_its_id_in_the_reports_folder(folder: Path) -> None:
    config = folder / "robot.yaml"
    config.write_text(f"call: {{reports_dir: {folder}}}\n")
    assert run("report", "other", "--config", config, "--html", folder / "x.html").exit_code == 0
    assert (folder / "x.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["../other"], "no such file or folder"),
        (["other.json", "--replay"], "--replay needs the call's recording"),
        (["other.json", "--audio", "other.json"], "other.json: no recording that can be read"),
        (["broken.json"], "broken.json is no report of a call"),
        ([".", "--png", "x.png"], "--png, --audio and --replay are for one call"),
        (["empty"], "empty holds no reports of calls"),
    ],
)
def test_what_is_wrong_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "broken.json").write_text('{"call_id": 1}')
    (folder / "empty").mkdir()
    ran = run("report", *arguments)
    assert ran.exit_code == 1
    assert said in " ".join(ran.output.split())
    assert "Traceback" not in ran.output
