"""Old calls are forgotten: which files go, and above all which stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from V3.config import RobotConfig
from V3.system.retention import forget_old_calls, remove_old

ID = "0b1c2d3e-0000-4000-8000-00000000000{}"
DAY_S = 86_400


def put(path: Path, *, days_old: float) -> Path:
    path.write_bytes(b"x")
    then_s = time.time() - days_old * DAY_S
    os.utime(path, (then_s, then_s))
    return path


def settings(reports: Path, recordings: Path, *, days: int = 30) -> RobotConfig:
    return RobotConfig().replacing(
        call={"reports_dir": str(reports)}, recording={"folder": str(recordings), "retention_days": days}
    )


def test_what_is_older_goes_and_what_is_younger_stays(tmp_path: Path) -> None:
    endings = (".wav", ".json", ".html", ".png")
    old = [put(tmp_path / (ID.format(1) + ending), days_old=31) for ending in endings]
    young = [put(tmp_path / (ID.format(2) + ending), days_old=29) for ending in endings]
    forget_old_calls(settings(tmp_path, tmp_path / "recordings"))
    assert [path.exists() for path in (*old, *young)] == [False] * 4 + [True] * 4


def test_recordings_have_a_folder_of_their_own(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    old, report = (put(recordings / (ID.format(1) + ending), days_old=31) for ending in (".wav", ".json"))
    forget_old_calls(settings(tmp_path, recordings))
    assert [path.exists() for path in (old, report)] == [False, True]


def test_for_ever_is_for_ever(tmp_path: Path) -> None:
    old = put(tmp_path / f"{ID.format(1)}.json", days_old=3000)
    forget_old_calls(settings(tmp_path, tmp_path, days=0))
    assert old.exists()


@pytest.mark.parametrize(
    "name",
    [
        "journal.jsonl",
        "index.html",
        "notes.json",
        "music.wav",
        ID.format(1),
        f"x{ID.format(1)}.json",
        f"{ID.format(1)}.json.bak",
    ],
)
def test_files_of_others_stay_however_old(tmp_path: Path, name: str) -> None:
    theirs = put(tmp_path / name, days_old=3000)
    forget_old_calls(settings(tmp_path, tmp_path))
    assert theirs.exists()


def test_nothing_outside_the_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    below = folder / "below"
    below.mkdir(parents=True)
    outside = put(tmp_path / f"{ID.format(1)}.json", days_old=3000)
    deeper = put(below / f"{ID.format(1)}.json", days_old=3000)
    (folder / f"{ID.format(2)}.json").symlink_to(outside)
    (folder / f"{ID.format(3)}.json").mkdir()
    assert remove_old(folder, ".json", before_s=time.time()) == 0
    assert outside.exists()
    assert deeper.exists()


def test_a_folder_that_is_not_here_is_no_fault(tmp_path: Path) -> None:
    assert remove_old(tmp_path / "elsewhere", ".wav", before_s=time.time()) == 0


def test_one_that_cannot_be_removed_is_named_and_the_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, old = (put(tmp_path / f"{ID.format(n)}.wav", days_old=40) for n in (1, 2))
    unlink = os.unlink

    def refuse(path: str) -> None:
        if path == str(stuck):
            raise PermissionError(13, "Permission denied")
        unlink(path)

    monkeypatch.setattr("V3.system.retention.os.unlink", refuse)
    assert remove_old(tmp_path, ".wav", before_s=time.time() - DAY_S) == 1
    assert str(stuck) in caplog.text
    assert not old.exists()
