"""What is written of calls: how long they lasted, and what became of those that were given up."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from robot_rig import answering, rigged, run, until

from V3.calls.report import CallReport
from V3.simulator import Callee
from V3.system.call_book import CallBook
from V3.system.journal import Journal
from V3.system.services.speech_stream import SpeechStream
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

WAIT_S = 20


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


class SlowDisk(Journal):
    """A journal that does not write before it is let to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked, self.gate = threading.Event(), threading.Event()

    def claim(self, number: str, call_id: str, *, again: bool = False) -> None:
        self.asked.set()
        assert self.gate.wait(WAIT_S)
        super().claim(number, call_id, again=again)


def test_the_calls_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    async def test() -> None:
        with SlowDisk(tmp_path / "journal.jsonl") as journal:
            claiming = asyncio.create_task(CallBook(tmp_path, journal).claim("0199000001", "c-1"))
            assert await asyncio.to_thread(journal.asked.wait, WAIT_S)
            assert not claiming.done()
            assert not journal.dialled("0199000001")
            journal.gate.set()
            await claiming
            assert journal.dialled("0199000001")

    asyncio.run(test())


def test_a_robot_sent_away_while_the_disk_writes_has_dialled_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        with SlowDisk(tmp_path / "journal.jsonl") as journal:
            claiming = asyncio.create_task(CallBook(tmp_path, journal).claim("0199000001", "c-1"))
            assert await asyncio.to_thread(journal.asked.wait, WAIT_S)
            claiming.cancel()
            await asyncio.sleep(0)
            journal.gate.set()
            with pytest.raises(asyncio.CancelledError):
                await claiming

    asyncio.run(test())
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert not journal.dialled("0199000001")
        assert journal.interrupted == {}
    states = [json.loads(line)["state"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert states == ["dialling", "not dialled"]


def test_of_two_calls_to_one_number_at_once_one_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            book = CallBook(tmp_path, journal)
            claims = [book.claim("0199000001", f"c-{n}") for n in range(8)]
            outcomes = await asyncio.gather(*claims, return_exceptions=True)
            assert [str(type(each).__name__) for each in outcomes].count("DialRefused") == 7

    asyncio.run(test())
