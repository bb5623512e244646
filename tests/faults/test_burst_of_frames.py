"""A network that stalls and then delivers all at once: ten and a hundred frames where one was due."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_rig import INTERRUPTS
from robot_rig import person, rigged, run, says

from V3.simulator import Faults, Trigger, When
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ACCEPTS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=600)


@pytest.mark.parametrize("stall", [(500, 200), (200, 1800), (2600, 600)], ids=["10 frames", "90 frames", "in a prompt"])
def test_a_burst_of_frames(stt: WhisperStreamingSTT, tmp_path: Path, stall: tuple[float, float]) -> None:
    """The network stalls for 0.2, 0.6 or 1.8 s; then all frames come at once.

    Sees: nothing but a verdict that is as late as its audio.
    Kept: every frame, in order: the same words, the same verdict.
    Normal: with the burst, which is taken whole.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, person(ACCEPTS), faults=Faults(stream_stall=stall), speed=4) as rig:
            report = await rig.call()
        assert (report.label, report.outcome, report.errors) == ("HUMAN", "accepted", [])
        assert [speech.text for speech in report.transcript] == ["Je vous écoute.", "Oui, ça m'intéresse."]
        assert report.stream_restarts == 0

    run(test)


def test_an_interruption_within_a_stall_stops_the_prompt_when_it_arrives(
    stt: WhisperStreamingSTT, tmp_path: Path
) -> None:
    """Somebody interrupts while the network stalls.

    Sees: the prompt stops late, by as much as the voice came late.
    Kept: the interruption: its words are heard.
    Normal: with the burst.
    """

    async def test() -> None:
        faults = Faults(stream_stall=(2000, 1500))
        async with rigged(stt, tmp_path, person(INTERRUPTS), faults=faults, speed=4) as rig:
            report = await rig.call()
            truth = rig.truth(report)
        assert truth.prompts[0].status == "break"
        assert report.barge_ins
        assert report.stream_restarts == 0

    run(test)
