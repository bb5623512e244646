"""A callee who hangs up, in each state that a call can be in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fault_rig import INTERRUPTS, assert_settled, faulty, in_state, works_again
from robot_rig import SOUNDS, answering, run, until
from robot_scenes import NOTICE, scene

from V3.calls.report import CallUpdate
from V3.simulator import Beep, Callee, Rule, Say, Silence, When
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

QUESTION = {"prompt": "rendez_vous_excuse.wav", "barge_in": False, "listen_s": 5, "next": "end"}
VOICEMAIL_SAYS = "vous êtes bien sur la messagerie vocale veuillez laisser un message après le bip sonore"
VOICEMAIL = answering(Rule(When(), (Say(SOUNDS / "messagerie.wav"), Silence(300), Beep()), after_ms=250))


def settings_for(state: str, folder: Path) -> Mapping[str, Any]:
    """The callee and what else leads a call into this state."""
    if state in ("WAITING for the beep", "MESSAGE"):
        where = scene(folder, {"notice": NOTICE}, message=NOTICE)
        return {
            "callee": VOICEMAIL,
            "heard": VOICEMAIL_SAYS,
            "call": where,
            "answer": {"on_machine": "leave_message"},
        }
    if state == "WAITING":
        return {"callee": answering()}  # nobody speaks: somebody may yet
    if state == "LISTENING":
        return {"call": scene(folder, {"ask": QUESTION})}
    return {}


@pytest.mark.parametrize(
    "state",
    [
        "ANSWERED",
        "DETECTING",
        "VERDICT",
        "WAITING",
        "WAITING for the beep",
        "PLAYING",
        "BARGE-IN",
        "STOPPED",
        "PAUSED",
        "LISTENING",
        "MESSAGE",
    ],
)
def test_a_callee_who_hangs_up(stt: WhisperStreamingSTT, tmp_path: Path, state: str) -> None:
    """The callee hangs up, in any state of an answered call.

    Sees: hung up by the callee, with what was heard and played so far; no error.
    Kept: the verdict, words and outcome so far.
    Normal: at once.
    """
    name, _, text = state.partition(" ")

    async def test() -> None:
        async with faulty(stt, tmp_path, INTERRUPTS, **settings_for(state, tmp_path)) as rig:
            hung_up: list[str] = []

            def hang_up(update: CallUpdate) -> None:
                if update.state == name and text in update.text and not hung_up:
                    hung_up.append(state)
                    rig.simulator.hang_up(update.call_id)

            rig.listeners.append(hang_up)
            report = await rig.call()
            assert hung_up
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert (report.disposition, report.hung_up_by, report.errors) == ("ANSWERED", "callee", [])
        assert (tmp_path / f"{report.call_id}.json").exists()
        assert not any(prompt.heard_out for prompt in report.prompts) or state == "LISTENING"

    run(test)


@pytest.mark.parametrize(
    ("cause", "disposition"), [("USER_BUSY", "BUSY"), ("CALL_REJECTED", "REJECTED"), ("NO_ANSWER", "NO_ANSWER")]
)
def test_a_callee_who_refuses_while_it_rings(
    stt: WhisperStreamingSTT, tmp_path: Path, cause: str, disposition: str
) -> None:
    """The callee refuses while the telephone rings.

    Sees: BUSY, REJECTED or NO_ANSWER.
    Kept: the number's outcome.
    Normal: at once.
    """

    async def test() -> None:
        async with faulty(stt, tmp_path, callee=Callee(ring_ms=60_000, progress="ringing")) as rig:
            call = asyncio.create_task(rig.call())
            call_id = await in_state(rig, "DIALLING")
            await until(lambda: bool(rig.simulator.channels()))
            rig.simulator.hang_up(call_id, cause)
            report = await call
        assert_settled(rig, tmp_path)
        assert (report.disposition, report.errors) == (disposition, [])

    run(test)
