"""What is written of calls: how long they lasted, and what became of those that were given up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from robot_rig import answering, rigged, run, until

from V3.calls.report import CallReport
from V3.simulator import Callee
from V3.system.services.speech_stream import SpeechStream
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


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
