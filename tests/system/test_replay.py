"""A recorded call heard again: the same settings find the same, others show what they would change."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patient_loop import run_patiently
from robot_rig import person, rigged, says

from V3.audio.pcm import SAMPLES_PER_MS
from V3.calls.report import CallReport
from V3.config import RobotConfig
from V3.errors import AudioError
from V3.picture.sides import Sides, read_sides
from V3.simulator import Trigger, When
from V3.system.replay import compare, replay_call
from V3.system.replay_hearing import callee_audio
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

Recorded = tuple[CallReport, Sides]


@pytest.fixture(scope="module")
def interrupted(stt: WhisperStreamingSTT, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A call in which the first prompt is interrupted."""
    folder: Path = tmp_path_factory.mktemp("calls")
    over_prompt = When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=2500)

    async def call() -> CallReport:
        callee = person(says("ca_ne_m_interesse_pas", when=over_prompt, after_ms=0))
        async with rigged(stt, folder, callee, recording={"enabled": True, "folder": str(folder)}) as rig:
            return await rig.call()

    report = run_patiently(asyncio.wait_for(call(), 50))
    assert [entry.outcome for entry in report.barge_ins] == ["stopped"]
    return report, read_sides(Path(report.recording), from_ms=report.moments["recording"])


def replayed(recorded: Recorded, stt: WhisperStreamingSTT, **sections: Any) -> dict[str, tuple[str, str, bool]]:
    report, sides = recorded
    rows = compare(report, replay_call(report, sides, stt.recognizer, RobotConfig().replacing(**sections)))
    return {what.split(" at ")[0]: (then, now, differs) for what, then, now, differs in rows}


def test_today_finds_who_answered_and_what_was_said(interrupted: Recorded, stt: WhisperStreamingSTT) -> None:
    found = replayed(interrupted, stt)
    assert found["verdict"][1].startswith("HUMAN at ")
    assert found["words"][1] == "Je vous écoute. / Ça ne m'intéresse pas."
    then, now, _ = found["rendez_vous_accueil"]
    assert then.startswith("stopped at ")
    assert now.startswith("stopped at ")
    assert found["rendez_vous_refuse"][1:] == ("not interrupted", False)


def test_other_rules_show_what_they_would_change(interrupted: Recorded, stt: WhisperStreamingSTT) -> None:
    deaf = {"pause_ms": 9000, "speech_ms": 9000, "stop_words": [], "backchannels": ["ça ne m'intéresse pas"]}
    then, now, differs = replayed(interrupted, stt, barge_in=deaf)["rendez_vous_accueil"]
    assert then.startswith("stopped at ")
    assert (now.startswith("stopped"), differs) == (False, True)


def test_a_later_verdict_is_shown(interrupted: Recorded, stt: WhisperStreamingSTT) -> None:
    _, now, differs = replayed(interrupted, stt, answer={"early_verdict": False, "window_s": 3.5})["verdict"]
    at = re.match(r"HUMAN at ([\d.]+) s", now)
    assert at, now
    assert float(at[1]) >= 3.5
    assert differs


def test_a_call_without_audio_cannot_be_heard_again(stt: WhisperStreamingSTT) -> None:
    report = CallReport(call_id="c", number="1", started_at="now")
    sides = Sides(np.zeros(8000, np.int16), np.zeros(8000, np.int16), 8000, 0)
    with pytest.raises(AudioError, match="had no audio"):
        replay_call(report, sides, stt.recognizer, RobotConfig())


@pytest.mark.parametrize("from_ms", [0, 45, 100])
def test_the_recording_is_put_on_the_streams_clock(from_ms: int) -> None:
    """A click 500 ms after the answer lies 455 ms after a first frame at 45 ms, whenever the recording began."""
    callee = np.zeros(8000, np.int16)
    callee[(500 - from_ms) * 8] = 30_000
    audio = callee_audio(Sides(callee, callee, 8000, from_ms), first_frame_ms=45)
    assert int(np.argmax(audio)) == pytest.approx(455 * SAMPLES_PER_MS, abs=2)
