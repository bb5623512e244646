"""``playback path@@SAMPLES``: where it begins, what the events say, and what lies beyond the end."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from esl_client import EslClient, answered_call, assert_clean, write_wav
from patient_loop import run_patiently

from V3.simulator import Callee, CallTruth, FreeSwitchSimulator, HangUp, Record, Rule, Say, When
from V3.simulator.playback import split_offset
from V3.telephony.codec import EslEvent

SPEED = 10.0
EVENTS = "ALL"


def play(uuid: str, path: Path | str) -> str:
    return (
        f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: {path}\nevent-lock: true"
    )


def played(argument: str) -> tuple[CallTruth, list[EslEvent]]:
    """One playback to its end, kept by a callee that records all of it."""
    callee = Callee(rules=(Rule(When("answered"), (Record(),)), Rule(When("prompt_ended"), (HangUp(),), 200)))

    async def scene() -> tuple[CallTruth, list[EslEvent]]:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.command(play(uuid, argument))
            await client.event("CHANNEL_DESTROY", lambda event: event.uuid == uuid)
            truth = simulator.truth(uuid)
            await client.close()
        assert_clean(simulator)
        return truth, [event for event in client.events if event.uuid == truth.uuid]

    return run_patiently(scene())


def only(events: list[EslEvent], name: str) -> EslEvent:
    (event,) = [event for event in events if event.name == name and event["Application"] in ("", "playback")]
    return event


def rising(path: Path, *, rate_hz: int = 8000, seconds: float = 1.0) -> Path:
    """A WAV whose every sample tells its millisecond."""
    samples = 1000 + 10 * (np.arange(round(rate_hz * seconds)) * 1000 // rate_hz)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_it_begins_at_that_sample_of_the_file(tmp_path: Path, rate_hz: int) -> None:
    prompt = rising(tmp_path / "prompt.wav", rate_hz=rate_hz)
    truth, events = played(f"{prompt}@@{rate_hz * 6 // 10}")
    heard = truth.prompts[0]
    assert (heard.from_ms, heard.to_ms, heard.file_ms, heard.status) == (600, 1000, 1000, "done")
    kept = np.frombuffer(truth.recording_l16, "<i2").astype(int)
    sounding = kept[np.flatnonzero(kept > 500)]
    assert len(sounding) == pytest.approx(0.4 * 8000, abs=8)
    assert sounding[8] == pytest.approx(1000 + 10 * 601, abs=40)
    assert sounding[-80] == pytest.approx(1000 + 10 * 990, abs=40)  # away from the end, where resampling rings
    stop = only(events, "PLAYBACK_STOP")
    position = int(stop["variable_playback_last_offset_pos"])
    assert position == rate_hz * 6 // 10 + 3200  # the offset in the file's samples, what was played in the channel's
    assert int(stop["variable_playback_samples"]) == rate_hz * 4 // 10


def test_the_events_name_the_file_and_the_application_the_whole_argument(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 0.3)
    _, events = played(f"{prompt}@@800")
    for name in ("PLAYBACK_START", "PLAYBACK_STOP"):
        assert only(events, name)["Playback-File-Path"] == str(prompt)
    done = only(events, "CHANNEL_EXECUTE_COMPLETE")
    assert (done["Application-Data"], done["Application-Response"]) == (f"{prompt}@@800", "FILE PLAYED")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("offset", ["4801", "999999", "-1"])
def test_beyond_the_end_lies_the_last_sample(tmp_path: Path, offset: str, rate_hz: int) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 0.3, rate_hz=rate_hz)
    truth, events = played(f"{prompt}@@{offset}")
    heard, samples = truth.prompts[0], 3 * rate_hz // 10
    assert heard.from_ms == (samples - 1) * 1000 / rate_hz
    assert heard.stop_ms is not None
    assert heard.stop_ms - heard.start_ms >= 20  # a whole frame is sent
    stop = only(events, "PLAYBACK_STOP")
    assert (stop["Playback-Status"], stop["variable_playback_last_offset_pos"]) == ("done", str(samples))
    assert (stop["variable_playback_samples"], stop["variable_playback_ms"]) == ("1", "0")
    assert only(events, "CHANNEL_EXECUTE_COMPLETE")["Application-Response"] == "FILE PLAYED"


def test_at_the_end_nothing_is_left_to_play(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 0.3)
    truth, events = played(f"{prompt}@@2400")
    assert (truth.prompts[0].from_ms, truth.prompts[0].status) == (300, "done")
    stop = only(events, "PLAYBACK_STOP")
    assert (stop["variable_playback_last_offset_pos"], stop["variable_playback_samples"]) == ("2400", "0")


def test_a_missing_file_with_an_offset_is_not_found(tmp_path: Path) -> None:
    async def scene() -> str:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.command(play(uuid, f"{tmp_path}/none.wav@@80"))
            done = await client.event("CHANNEL_EXECUTE_COMPLETE")
            await client.close()
            return done["Application-Response"]

    assert run_patiently(scene()) == "FILE NOT FOUND"


def test_a_break_says_where_in_the_file_it_was(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 5.0)

    async def scene() -> tuple[CallTruth, EslEvent]:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.command(play(uuid, f"{prompt}@@16000"))
            await client.event("PLAYBACK_START")
            await simulator.clock.sleep_ms(500)
            await client.api(f"uuid_break {uuid} all")
            stop = await client.event("PLAYBACK_STOP")
            await client.close()
            return simulator.truth(uuid), stop

    truth, stop = run_patiently(scene())
    heard = truth.prompts[0]
    assert heard.status == "break"
    assert heard.stop_ms is not None
    assert heard.to_ms is not None
    assert heard.to_ms == pytest.approx(2000 + heard.stop_ms - heard.start_ms)
    position_ms = int(stop["variable_playback_last_offset_pos"]) / 8
    assert heard.to_ms - 20 <= position_ms <= heard.to_ms


@pytest.mark.parametrize(
    ("argument", "path", "samples"),
    [
        ("/p/a.wav", "/p/a.wav", 0),
        ("/p/a.wav@@160", "/p/a.wav", 160),
        ("/p/a.wav@@", "/p/a.wav", 0),
        ("/p/a.wav@@12ms", "/p/a.wav", 12),
        ("/p/a.wav@@x", "/p/a.wav", 0),
        ("/p/a.wav@@80@@160", "/p/a.wav", 80),
        ("/p/me@home/a.wav@@160", "/p/me@home/a.wav@@160", 0),  # only the first @ is looked at
    ],
)
def test_how_an_argument_is_taken_apart(argument: str, path: str, samples: int) -> None:
    assert split_offset(argument) == (path, samples)


def test_a_stream_cannot_seek() -> None:
    truth, _ = played("silence_stream://200@@800")
    assert (truth.prompts[0].from_ms, truth.prompts[0].to_ms) == (0, 200)


@pytest.mark.parametrize(("first_ms", "said_in"), [(200, 1), (3000, 0)], ids=["after it goes on", "before it is cut"])
def test_a_callee_can_wait_for_a_place_in_the_prompt_wherever_it_is_played_from(
    tmp_path: Path, first_ms: int, said_in: int
) -> None:
    prompt, word = write_wav(tmp_path / "prompt.wav", 4.0), write_wav(tmp_path / "word.wav", 0.1)
    callee = Callee(rules=(Rule(When("prompt_at_ms", played_ms=2500), (Say(word),)),))

    async def scene() -> CallTruth:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.command(play(uuid, prompt))
            await client.event("PLAYBACK_START")
            await simulator.clock.sleep_ms(first_ms)
            await client.api(f"uuid_break {uuid} all")
            stop = await client.event("PLAYBACK_STOP")
            await client.command(play(uuid, f"{prompt}@@{stop['variable_playback_last_offset_pos']}"))
            await client.count("PLAYBACK_STOP", 2)
            await client.close()
            return simulator.truth(uuid)

    truth = run_patiently(scene())
    (said,) = truth.speech
    heard = truth.prompts[said_in]
    assert heard.start_ms <= said.start_ms
    assert heard.from_ms + said.start_ms - heard.start_ms >= 2499.9
    assert all(other.start_ms > said.start_ms for other in truth.prompts[said_in + 1 :])
