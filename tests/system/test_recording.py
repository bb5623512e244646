"""Calls recorded: what FreeSWITCH is asked for, what lies in the file, and that a call goes on without."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from robot_rig import CLOCKED, answering, person, rigged, run, says

from V3.audio.pcm import Audio, deinterleave, from_l16
from V3.simulator import Trigger, When
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

INTERRUPTS = says("ca_ne_m_interesse_pas", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=1500), after_ms=0)


def read(path: Path) -> tuple[Audio, Audio]:
    """The callee and our prompts, 8 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        callee, robot = deinterleave(from_l16(file.readframes(file.getnframes())), 2)
    return callee, robot


def first_sound_ms(audio: Audio, *, from_ms: float = 0) -> float:
    loud = np.flatnonzero(np.abs(audio[int(from_ms * 8) :]) > 0.02)
    return from_ms + float(loud[0]) / 8


def last_sound_ms(audio: Audio) -> float:
    return float(np.flatnonzero(np.abs(audio) > 0.02)[-1]) / 8


def test_a_recorded_call_has_both_sides_on_one_clock(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        recording = {"enabled": True, "folder": str(tmp_path / "calls")}
        async with rigged(stt, tmp_path, person(INTERRUPTS), recording=recording, speed=CLOCKED) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert report.errors == []
        assert report.recording == str(tmp_path / "calls" / f"{report.call_id}.wav")
        assert report.moments["recording"] <= report.prompts[0].start_ms
        callee, robot = read(Path(report.recording))
        assert callee.size == robot.size
        began_ms = truth.speech[0].start_ms - first_sound_ms(callee)  # of the recording, after the answer
        assert 0 <= began_ms < 500
        prompt = truth.prompts[0]
        assert first_sound_ms(robot) == pytest.approx(prompt.start_ms - began_ms, abs=250)  # it begins softly
        assert last_sound_ms(robot) <= (truth.prompts[-1].stop_ms or 0) - began_ms + 20
        assert callee.size / 8 == pytest.approx((truth.hangup_ms or 0) - began_ms, abs=60)

    run(test)


def test_nothing_is_recorded_unless_asked_for(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, answering(), recording={"folder": str(tmp_path / "calls")}) as rig:
            report = await rig.call()
        assert report.recording == ""
        assert not (tmp_path / "calls").exists()

    run(test)


def test_a_call_that_cannot_be_recorded_goes_on_and_says_so(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "file").write_text("in the way")
        recording = {"enabled": True, "folder": str(tmp_path / "file" / "calls")}
        async with rigged(stt, tmp_path / "reports", person(), recording=recording) as rig:
            report = await rig.call()
        assert report.errors == ["recording: uuid_record: -ERR Cannot record session!"]
        assert (report.disposition, report.label, report.recording) == ("ANSWERED", "HUMAN", "")
        assert report.prompts

    run(test)


def test_the_report_keeps_what_a_picture_needs(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        async with rigged(stt, tmp_path, person(INTERRUPTS), speed=CLOCKED) as rig:
            report = await rig.call()
        assert len(report.voice) >= len(report.transcript) >= 2
        for heard, voice in zip(report.transcript, report.voice, strict=False):
            assert voice.start_ms - 300 <= heard.start_ms <= heard.end_ms <= voice.end_ms + 600
        assert report.partials
        assert [p.at_ms for p in report.partials] == sorted(p.at_ms for p in report.partials)

    run(test)
