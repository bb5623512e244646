"""A recogniser that raises, stalls or is out of memory: calls go on by timing and voice alone, until it is mended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from fault_rig import assert_settled
from robot_rig import Rig, person, rigged, run, until
from robot_scenes import VOICES, mid_prompt, notice, said
from scripted_recognizer import ScriptedRecognizer

from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeRequest, Transcript
from V3.errors import ModelError
from V3.system.services.faster_whisper_stt import SttOptions
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

SPEAKS_AT_LENGTH = said(VOICES / "interruption_excusez_moi_je_n_ai_pas_le_temps_f5.wav", mid_prompt(500))
FATES = ["raises", "stalls", "out of memory"]


class FaultyRecognizer(ScriptedRecognizer):
    """Breaks every decode in the way of ``fate``; loaded again it is well, where ``mends``."""

    def __init__(self, real: Recognizer, fate: str, *, mends: bool) -> None:
        super().__init__("oui bonjour")
        self.info = real.info
        self.fate, self.mends = fate, mends
        self.over = threading.Event()
        self.failed = 0

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        fate = self.fate
        self.failed += bool(fate)
        if fate == "raises":
            raise RuntimeError("CUDA failed with error unspecified launch failure")
        if fate == "out of memory":
            raise MemoryError("std::bad_alloc")
        if fate == "stalls":
            assert self.over.wait(50)
        return super().decode(requests)

    def reload(self) -> None:
        if not self.mends:
            raise ModelError("the model cannot be loaded")
        self.fate = ""


@contextlib.asynccontextmanager
async def faulty_recogniser(
    stt: WhisperStreamingSTT, folder: Path, fate: str, *, mends: bool
) -> AsyncIterator[tuple[Rig, FaultyRecognizer]]:
    recogniser = FaultyRecognizer(stt.recognizer, fate, mends=mends)
    options = SttOptions(self_test=False, stall_s=0.2)
    with WhisperStreamingSTT(recognizer=recogniser, options=options) as engine:  # type: ignore[arg-type]
        rigging = rigged(
            engine,
            folder,
            lambda _number: person(SPEAKS_AT_LENGTH),
            speed=4,
            journal=folder / "journal.jsonl",
            call=notice(folder),
            answer={"decode_timeout_s": 0.1},
        )
        try:
            async with rigging as rig:
                yield rig, recogniser
        finally:
            recogniser.over.set()


@pytest.mark.parametrize("fate", FATES)
def test_a_call_without_a_recogniser(stt: WhisperStreamingSTT, tmp_path: Path, fate: str) -> None:
    """Every decode of a whole call raises, never ends, or finds no memory.

    Sees: a verdict that says "timing"; no words in the report, and why.
    Kept: the call: who answered is told by timing and tones, a prompt gives way to speech of 1.5 s whatever the words.
    Normal: when the recogniser is mended: the next fault.
    """

    async def test() -> None:
        async with faulty_recogniser(stt, tmp_path, fate, mends=False) as (rig, recogniser):
            report = await rig.call()
            assert recogniser.failed >= 1
            assert rig.truth(report).prompts[0].status == "break"
        assert_settled(rig, tmp_path)
        assert report.verdict is not None
        assert (report.label, report.verdict.text) == ("HUMAN", "")
        assert report.verdict.reason.startswith("timing")
        assert report.hung_up_by == "robot"
        assert (report.transcript, report.partials) == ([], [])

    run(test)


@pytest.mark.parametrize("fate", FATES)
def test_a_recogniser_is_mended_under_calls(stt: WhisperStreamingSTT, tmp_path: Path, fate: str) -> None:
    """The same, where loading the model again helps.

    Sees: a call by timing, then calls with words again; the log says that the model was loaded again.
    Kept: calls in progress go on with the new one.
    Normal: out of memory: when the model is loaded (0.3 s for the one shipped); raising: after five failures; stalling:
    a stuck decode is given up after 4 s and another thread goes on, the second in a row loads the model again.
    """

    async def test() -> None:
        async with faulty_recogniser(stt, tmp_path, fate, mends=True) as (rig, recogniser):
            for n in range(3):
                report = await rig.call(f"019900120{n}")
                if not recogniser.fate:
                    break
            await until(lambda: not recogniser.fate)
            report = await rig.call()
        assert_settled(rig, tmp_path)
        assert report.verdict is not None
        assert report.verdict.text == "oui bonjour"
        assert report.transcript

    run(test)
