"""What is written of calls, where it cannot be written: the number is not dialled, and no other call notices."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest
from robot_rig import NUMBER, answering, hangs_up, person, rigged, run, until

from V3.calls.report import CallReport, SpeechReport
from V3.errors import DialRefused
from V3.simulator import Callee, Trigger, When
from V3.system.call_book import CallBook
from V3.system.journal import Journal
from V3.system.services.speech_stream import SpeechStream
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


class FullDisk(Journal):
    """A journal whose disk fills up when told."""

    full = False

    def _write(self, fact: dict[str, str]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super()._write(fact)


def test_a_number_that_cannot_be_written_down_is_not_dialled(tmp_path: Path) -> None:
    journal = FullDisk(tmp_path / "journal.jsonl")
    journal.full = True
    with journal, pytest.raises(DialRefused, match="No space left"):
        CallBook(tmp_path, journal).claim(NUMBER, "c-1")


def test_a_disk_that_fills_up_in_mid_call_leaves_nothing_behind(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr("V3.system.assembly.Journal", FullDisk)
        monkeypatch.setattr(FullDisk, "full", False)
        callee = person(hangs_up(When(Trigger.PROMPT_STARTED)))
        async with rigged(stt, tmp_path, callee, journal=tmp_path / "journal.jsonl") as rig:
            listeners = len(rig.parts.esl.on_connection)
            call = asyncio.create_task(rig.call())
            await until(lambda: bool(rig.simulator.dialled))
            monkeypatch.setattr(FullDisk, "full", True)
            report = await call
            assert rig.parts.robot.calls_in_progress == 0
            assert len(rig.parts.esl.on_connection) == listeners
        assert report.hung_up_by == "callee"
        with Journal(tmp_path / "journal.jsonl") as journal:
            assert journal.dialled(NUMBER)

    run(test)


def test_a_report_that_cannot_be_written_ends_no_call(tmp_path: Path) -> None:
    """Half a surrogate pair is no text that a file can hold; it may come from an audio server elsewhere."""
    report = CallReport(call_id="c-1", number=NUMBER, started_at="")
    report.transcript.append(SpeechReport(text="\ud83d", start_ms=0, end_ms=1))
    asyncio.run(CallBook(tmp_path, None, words=True).write(report))
    assert not list(tmp_path.glob("*.json"))


class LateStream:
    """A stream whose last words do not come before ``told``."""

    def __init__(self, stream: SpeechStream, told: asyncio.Event) -> None:
        self._stream = stream
        self._told = told
        self.partials = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    async def afinish(self) -> object:
        await self._told.wait()
        return await self._stream.afinish()


class LateStt:
    def __init__(self, stt: WhisperStreamingSTT) -> None:
        self._stt = stt
        self.told = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stt, name)

    def open_stream(self, call_id: str, **settings: Any) -> LateStream:
        return LateStream(self._stt.open_stream(call_id, **settings), self.told)


def test_a_call_lasts_until_its_hang_up_and_not_until_its_last_words(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        late = LateStt(stt)
        async with rigged(late, tmp_path, answering()) as rig:  # type: ignore[arg-type]
            report = await rig.call()
            late.told.set()
        assert report.duration_ms == report.moments["hangup"]

    run(test)


def test_a_call_we_gave_up_while_it_rang_is_not_said_to_be_unanswered(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, Callee(ring_ms=60_000, progress="ringing")) as rig:
            call = asyncio.create_task(rig.call())
            await until(lambda: bool(rig.simulator.dialled))
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await until(lambda: not rig.simulator.channels())

    run(test)
    (path,) = tmp_path.glob("*.json")
    report = CallReport.model_validate_json(path.read_text())
    assert (report.disposition, report.retry) == ("OURS", "LATER")
