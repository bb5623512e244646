"""The journal: no number is dialled twice, whatever happened to the robot that wrote it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from V3.errors import ConfigError, DialRefused
from V3.system.journal import Journal


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "journal.jsonl"


def facts(book: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in book.read_text().splitlines()]


def test_a_number_is_claimed_once(book: Path) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
        assert journal.dialled("0199")
        assert not journal.dialled("0198")
        with pytest.raises(DialRefused, match="call c-1"):
            journal.claim("0199", "c-2")
    assert [fact["call_id"] for fact in facts(book)] == ["c-1"]


def test_it_is_on_the_disk_before_claim_returns(book: Path) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
        (fact,) = facts(book)
        assert (fact["state"], fact["number"], fact["call_id"]) == ("dialling", "0199", "c-1")
        assert fact["at"].endswith("+00:00")


def test_it_survives_being_reopened(book: Path) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
        journal.ended("c-1", "BUSY")
    with Journal(book) as journal:
        assert journal.interrupted == {}
        with pytest.raises(DialRefused, match="call c-1"):
            journal.claim("0199", "c-2")
        journal.claim("0198", "c-3")
    with Journal(book) as journal:
        assert journal.dialled("0198")


def test_calls_a_robot_died_with_are_told(book: Path) -> None:
    with Journal(book) as journal:
        for n in range(3):
            journal.claim(f"019{n}", f"c-{n}")
        journal.ended("c-1", "ANSWERED")
        assert journal.interrupted == {"c-0": "0190", "c-2": "0192"}
    with Journal(book) as journal:
        assert journal.interrupted == {"c-0": "0190", "c-2": "0192"}
        journal.ended("c-0", "UNKNOWN")
        assert journal.interrupted == {"c-2": "0192"}


def test_a_number_that_was_released_may_be_dialled(book: Path) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
        journal.release("c-1")
        assert not journal.dialled("0199")
    with Journal(book) as journal:
        assert journal.interrupted == {}
        journal.claim("0199", "c-2")
        with pytest.raises(DialRefused, match="c-2"):
            journal.claim("0199", "c-3")


@pytest.mark.parametrize("torn", ['{"state": "dial', "{", '{"state": "dialling", "number": "0198", "call_id": "c-2"}'])
def test_a_torn_last_line_is_cut_off(book: Path, torn: str) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
    whole = book.read_text()
    book.write_text(whole + torn)  # it was never followed by an originate: its line end was not written
    with Journal(book) as journal:
        assert book.read_text() == whole
        assert journal.dialled("0199")
        journal.claim("0198", "c-3")
    assert [fact["number"] for fact in facts(book)] == ["0199", "0198"]


@pytest.mark.parametrize(
    "damaged",
    ["x", "", "[]", "3", "{}", '{"state": "ended"}', '{"state": "lost", "number": "1", "call_id": "c"}', "\u2028\x0b"],
)
def test_a_damaged_line_before_the_last_is_refused_by_its_number(book: Path, damaged: str) -> None:
    with Journal(book) as journal:
        journal.claim("0199", "c-1")
        journal.claim("0198", "c-2")
    first, second = book.read_text().splitlines()
    text = f"{first}\n{damaged}\n{second}\n"
    book.write_text(text)
    for _ in range(2):  # refusing it has not locked or changed it
        with pytest.raises(ConfigError, match=r"journal\.jsonl line 2 is damaged"):
            Journal(book)
    assert book.read_text() == text


def test_bytes_that_are_no_text_are_refused_too(book: Path) -> None:
    book.parent.mkdir()
    book.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ConfigError, match="line 1"):
        Journal(book)


def test_two_robots_cannot_share_one(book: Path) -> None:
    with Journal(book) as journal:
        with pytest.raises(ConfigError, match="in use by another robot"):
            Journal(book)
        journal.claim("0199", "c-1")  # the first goes on
    with Journal(book) as journal:
        assert journal.dialled("0199")


def test_a_killed_robot_leaves_its_claim_and_no_lock(book: Path) -> None:
    program = (
        "import os, pathlib, sys; from V3.system.journal import Journal; "
        "Journal(pathlib.Path(sys.argv[1])).claim('0199', 'c-1'); os._exit(9)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(book)], check=False, env=dict(os.environ))
    assert died.returncode == 9
    with Journal(book) as journal:
        assert journal.interrupted == {"c-1": "0199"}
        with pytest.raises(DialRefused):
            journal.claim("0199", "c-2")


def test_again_dials_what_was_dialled_and_notes_it_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.claim("0199001201", "first")
        journal.ended("first", "BUSY")
        journal.claim("0199001201", "second", again=True)
        assert journal.interrupted == {"second": "0199001201"}
        journal.release("second")  # not dialled after all: the first call stands
        assert journal.dialled("0199001201")
    with Journal(path) as journal:
        assert journal.dialled("0199001201")
        with pytest.raises(DialRefused, match="first"):
            journal.claim("0199001201", "third")
