"""A disk that fills up: under the journal, the reports, and FreeSWITCH's recordings.

The kernel's own error: ``/dev/full`` in the place of a file, and a limit on file sizes for half a line.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fault_rig import INTERRUPTS, NOBODY, faulty, in_state, works_again
from robot_rig import NUMBER, run

from V3.calls.report import CallReport, SpeechReport
from V3.errors import DialRefused
from V3.system.call_book import CallBook
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

FULL = "/dev/full"
pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason="this system has no /dev/full")


def fill_up(journal: Journal | None) -> None:
    """From now on its disk is full."""
    assert journal is not None
    with open(FULL, "wb") as full:
        os.dup2(full.fileno(), journal._file.fileno())


def test_a_number_that_cannot_be_written_down_is_not_dialled(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The disk is full when a number is claimed.

    Sees: "not dialled, for the journal cannot be written: No space left on device", for each number.
    Kept: nobody is called; the number may be dialled when there is room.
    Normal: when there is room.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path) as rig:
            fill_up(rig.parts.robot._book._journal)
            with pytest.raises(DialRefused, match="No space left"):
                await rig.call()
            assert rig.simulator.dialled == []
            assert rig.parts.robot.calls_in_progress == 0
            assert rig.parts.server is not None
            assert rig.parts.server.calls == 0

    run(test)
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert not journal.dialled(NUMBER)


def test_a_journal_whose_disk_fills_up_in_mid_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The disk is full when a call ends.

    Sees: the log names the call whose end could not be written.
    Kept: the call and its report; the number stays dialled. The next start takes the outcome from the report.
    Normal: when there is room.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS) as rig:
            listeners = len(rig.parts.esl.on_connection)
            call = asyncio.create_task(rig.call())
            await in_state(rig, "PLAYING")
            fill_up(rig.parts.robot._book._journal)
            report = await call
            assert rig.parts.robot.calls_in_progress == 0
            assert len(rig.parts.esl.on_connection) == listeners
        assert (report.hung_up_by, report.errors) == ("robot", [])
        async with faulty(stt, tmp_path) as rig:  # the next start
            with pytest.raises(DialRefused, match="dialled before"):
                await rig.call()
        with Journal(tmp_path / "journal.jsonl") as journal:
            assert journal.interrupted == {}
        assert f'"{report.call_id}", "disposition": "ANSWERED"' in (tmp_path / "journal.jsonl").read_text()

    run(test)


def test_half_a_line_in_the_journal_is_taken_back(tmp_path: Path) -> None:
    """The disk fills up in the middle of a line.

    Sees: the number is not dialled.
    Kept: the journal is whole: half a line would damage the one after it.
    Normal: when there is room.
    """
    program = f"""
import pathlib, resource
from V3.errors import DialRefused
from V3.system.journal import Journal
path = pathlib.Path({str(tmp_path / "journal.jsonl")!r})
with Journal(path) as journal:
    journal.claim("0199001201", "c-1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, resource.RLIM_INFINITY))
    try:
        journal.claim("0199001202", "c-2")
        print("claimed")
    except OSError as exc:
        print("not claimed")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.claim("0199001202", "c-3")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "not claimed", done.stderr
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert journal.interrupted == {"c-1": "0199001201", "c-3": "0199001202"}


def test_a_report_that_finds_no_room(
    stt: WhisperStreamingSTT, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full when a report is written.

    Sees: the log names the report that could not be written.
    Kept: the call, and the number's outcome in the journal; no half report is left.
    Normal: when there is room.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS) as rig:
            call = asyncio.create_task(rig.call())
            call_id = await in_state(rig, "PLAYING")
            (tmp_path / f"{call_id}.part").symlink_to(FULL)
            report = await call
            await works_again(rig)
        assert (report.disposition, report.errors) == ("ANSWERED", [])

    run(test)
    assert [CallReport.model_validate_json(p.read_text()).number for p in tmp_path.glob("*.json")] == [NOBODY]
    assert not list(tmp_path.glob("*.part"))
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert journal.interrupted == {}
    assert "No space left on device" in caplog.text


def test_a_recording_that_finds_no_room(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """FreeSWITCH's disk is full under a recording.

    Sees: a recording that is empty or cut.
    Kept: the call and its report.
    Normal: when there is room.
    """

    async def test() -> None:
        folder = tmp_path / "calls"
        folder.mkdir()
        recording = {"enabled": True, "folder": str(folder)}
        async with faulty(stt, tmp_path, INTERRUPTS, recording=recording) as rig:
            call = asyncio.create_task(rig.call())
            call_id = await in_state(rig, "DIALLING")
            (folder / f"{call_id}.wav").symlink_to(FULL)
            report = await call
            await works_again(rig)
        assert (report.label, report.hung_up_by, report.errors) == ("HUMAN", "robot", [])

    run(test)


def test_a_report_that_no_file_can_hold_ends_no_call(tmp_path: Path) -> None:
    """Half a surrogate pair in a text, from an audio server elsewhere.

    Sees: the log names the report.
    Kept: the call.
    Normal: at once.
    """
    report = CallReport(call_id="c-1", number=NUMBER, started_at="")
    report.transcript.append(SpeechReport(text="\ud83d", start_ms=0, end_ms=1))
    asyncio.run(CallBook(tmp_path, None, words=True).write(report))
    assert not list(tmp_path.iterdir())
