"""uuid_record as measured on FreeSWITCH 1.10.12: replies, events, the stereo file and its trap."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from esl_client import EslClient, answered_call, assert_clean, write_wav
from patient_loop import run_patiently

from V3.simulator import Callee, CallTruth, FreeSwitchSimulator, Rule, Say, When
from V3.telephony.codec import EslEvent

SPEED = 10.0
STEREO = "0 {RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=0}"
Sides = npt.NDArray[np.int16]


def read(path: Path) -> Sides:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def begins_ms(samples: Sides) -> float:
    return float(np.flatnonzero(np.abs(samples) > 3000)[0]) / 8


def recorded(folder: Path, options: str, *, stop: bool) -> tuple[Sides, CallTruth, list[EslEvent]]:
    """A callee who speaks over our prompt; both are recorded, to a stop or to our hang-up."""
    word, prompt = write_wav(folder / "w.wav", 9.0), write_wav(folder / "p.wav", 9.0, hz=700.0)
    target = folder / "calls" / "x.wav"

    async def scene() -> tuple[CallTruth, list[EslEvent]]:
        callee = Callee(rules=(Rule(When("prompt_started"), (Say(word),)),))
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            uuid = await answered_call(client, "7", uuid="u1")
            assert await client.api(f"uuid_record u1 start {target} {options}".strip()) == "+OK Success\n"
            assert await client.api(f"uuid_record u1 start {target} {options}".strip()) == "+OK Success\n"
            await simulator.clock.sleep_ms(600)
            await client.api(f"uuid_broadcast u1 {prompt}")
            await client.event("PLAYBACK_START")
            await simulator.clock.sleep_ms(1000)
            await client.api(f"uuid_record u1 stop {target}" if stop else "uuid_kill u1")
            await client.event("RECORD_STOP")
            await client.api("uuid_kill u1")
            await client.event("CHANNEL_DESTROY", lambda event: event.uuid == uuid)
            truth = simulator.truth(uuid)
            await client.close()
        assert_clean(simulator)
        return truth, [event for event in client.events if event.uuid == uuid]

    truth, events = run_patiently(scene())
    return read(target), truth, events


def early_ms(sides: Sides, truth: CallTruth) -> float:
    """How much our side is too early against the callee's."""
    apart_ms = begins_ms(sides[:, 0]) - begins_ms(sides[:, 1])
    return apart_ms - (truth.speech[0].start_ms - truth.prompts[0].start_ms)


@pytest.mark.parametrize(
    ("options", "early"),
    [
        (STEREO, 0),
        ("0 {RECORD_STEREO=true}", 500),  # what FreeSWITCH does by default
        ("0 {RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=1}", 20),
    ],
)
def test_frames_buffered_before_put_our_side_too_early(tmp_path: Path, options: str, early: int) -> None:
    sides, truth, _ = recorded(tmp_path, options, stop=True)
    assert early_ms(sides, truth) == pytest.approx(early, abs=5)


@pytest.mark.parametrize(("stop", "cause"), [(True, "success-maxtime"), (False, "success-silence")])
def test_its_events_begin_and_end_it(tmp_path: Path, stop: bool, cause: str) -> None:
    _, _, events = recorded(tmp_path, STEREO, stop=stop)
    path = str(tmp_path / "calls" / "x.wav")
    (began,) = [event for event in events if event.name == "RECORD_START"]  # asked for twice
    (ended,) = [event for event in events if event.name == "RECORD_STOP"]
    assert (began["Record-File-Path"], began["Recording-Variable-RECORD_STEREO"]) == (path, "true")
    assert (ended["Record-File-Path"], ended["Record-Completion-Cause"]) == (path, cause)
    names = [event.name for event in events]
    bug = [e["Media-Bug-Target"] for e in events if e["Media-Bug-Function"] == "session_record"]
    assert bug == [path, path]
    if not stop:
        order = [names.index(n) for n in ("CHANNEL_HANGUP", "RECORD_STOP", "CHANNEL_HANGUP_COMPLETE")]
        assert order == sorted(order)


@pytest.mark.parametrize("name", ["call.unknown", "call"])
def test_a_format_it_does_not_know_is_refused(tmp_path: Path, name: str) -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            await answered_call(client, "7", uuid="u1")
            assert await client.api(f"uuid_record u1 start {tmp_path / name}") == "-ERR Cannot record session!\n"
            assert await client.api("uuid_record gone start /x.wav") == "-ERR Cannot locate session!\n"
            assert (await client.api("uuid_record u1 start")).startswith("-USAGE: ")
            await client.close()

    run_patiently(scene())
