"""The traps of playing and breaking, by name; their order of events is in test_contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from esl_client import EslClient, answered_call, assert_clean, write_wav
from patient_loop import run_patiently

from V3.simulator import Callee, Dtmf, FreeSwitchSimulator, Rule, When

SPEED = 4.0  # slow enough that a command takes far less than a lead of 100 ms
EVENTS = "CHANNEL_PARK CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE PLAYBACK_START PLAYBACK_STOP CHANNEL_HANGUP_COMPLETE"

Scene = Callable[[FreeSwitchSimulator, EslClient, str], Awaitable[None]]


def in_call(scene: Scene, callee: Callee | None = None, *, speed: float = SPEED) -> None:
    async def run() -> None:
        async with FreeSwitchSimulator({"7": callee or Callee()}, speed=speed) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await scene(simulator, client, uuid)
            await client.close()
        assert_clean(simulator)

    run_patiently(run())


def played(client: EslClient) -> list[str]:
    return [event.name for event in client.events if event.name.startswith("PLAYBACK")]


def execute(uuid: str, path: Path | str, *, lock: bool = True) -> str:
    locked = "\nevent-lock: true" if lock else ""
    return f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: {path}{locked}"


def test_a_break_in_the_lead_of_a_broadcast_is_lost(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 1.0)

    async def scene(simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.api(f"uuid_broadcast {uuid} {prompt} aleg")
        await simulator.clock.sleep_ms(40)
        assert await client.api(f"uuid_break {uuid} all") == "+OK\n"
        stop = await client.event("PLAYBACK_STOP")
        assert stop["Playback-Status"] == "done"

    in_call(scene)


def test_a_break_at_once_removes_the_broadcast_without_an_event(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 0.2)

    async def scene(simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        client.send(f"api uuid_broadcast {uuid} {prompt} aleg")
        await client.api(f"uuid_break {uuid} all")
        await simulator.clock.sleep_ms(600)
        assert played(client) == []

    in_call(scene)


def test_a_break_while_it_plays_stops_it(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 9.0)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.command(execute(uuid, prompt))
        await client.event("PLAYBACK_START")
        await client.api(f"uuid_break {uuid} all")
        stop = await client.event("PLAYBACK_STOP")
        assert stop["Playback-Status"] == "break"
        assert stop["Playback-File-Path"] == str(prompt)

    in_call(scene)


def test_sendmsg_break_does_nothing(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 0.5)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.command(execute(uuid, prompt))
        await client.event("PLAYBACK_START")
        assert await client.command(f"sendmsg {uuid}\ncall-command: break") == "+OK"
        assert (await client.event("PLAYBACK_STOP"))["Playback-Status"] == "done"

    in_call(scene)


def test_a_missing_file_raises_no_playback_event(tmp_path: Path) -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        assert await client.api(f"uuid_broadcast {uuid} {tmp_path}/none.wav") == "+OK Message sent\n"
        done = await client.event("CHANNEL_EXECUTE_COMPLETE")
        assert done["Application-Response"] == "FILE NOT FOUND"
        assert played(client) == []

    in_call(scene)


def test_a_hangup_while_playing_says_done(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 9.0)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.command(execute(uuid, prompt))
        await client.event("PLAYBACK_START")
        await client.api(f"uuid_kill {uuid} normal_clearing")
        stop = await client.event("PLAYBACK_STOP")
        assert (stop["Playback-Status"], stop["Hangup-Cause"]) == ("done", "NORMAL_CLEARING")

    in_call(scene)


@pytest.mark.parametrize(
    ("lock", "order"), [(True, "START STOP START STOP"), (False, "START START STOP STOP")], ids=["queue", "nest"]
)
def test_two_sendmsg_playbacks(tmp_path: Path, lock: bool, order: str) -> None:
    first, second = write_wav(tmp_path / "1.wav", 0.4), write_wav(tmp_path / "2.wav", 0.4)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        client.send(execute(uuid, first, lock=lock))
        await client.command(execute(uuid, second, lock=lock))
        await client.count("PLAYBACK_STOP", 2)
        assert [name.removeprefix("PLAYBACK_") for name in played(client)] == order.split()

    in_call(scene)


def test_a_broadcast_waits_longer_for_a_silent_far_end(tmp_path: Path) -> None:
    """121 ms where packets come, 202 ms where none do."""
    prompt = write_wav(tmp_path / "p.wav", 0.1)
    leads: list[float] = []

    async def scene(simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        asked_ms = simulator.clock.now_ms()
        await client.api(f"uuid_broadcast {uuid} {prompt}")
        await client.event("PLAYBACK_START")
        leads.append(simulator.clock.now_ms() - asked_ms)

    in_call(scene, Callee(media=True), speed=1)
    in_call(scene, Callee(media=False), speed=1)
    assert leads[0] >= 100
    assert leads[1] >= 180
    assert leads[0] < leads[1]


def test_the_event_uuid_comes_back_as_application_uuid(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 0.1)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.command(execute(uuid, prompt) + "\nEvent-UUID: mine-1")
        done = await client.event("CHANNEL_EXECUTE_COMPLETE")
        assert done["Application-UUID"] == "mine-1"

    in_call(scene)


@pytest.mark.parametrize(
    ("digits", "terminators", "status"),
    [
        ("*", "", "break"),
        ("1#", "", "done"),
        ("1", "any", "break"),
        ("#", "12#", "break"),
        ("12*#", "none", "done"),
    ],
)
def test_a_star_stops_a_playback_unless_told_otherwise(
    tmp_path: Path, digits: str, terminators: str, status: str
) -> None:
    prompt = write_wav(tmp_path / "p.wav", 0.8)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        if terminators:
            await client.api(f"uuid_setvar {uuid} playback_terminators {terminators}")
        await client.command(execute(uuid, prompt))
        stop = await client.event("PLAYBACK_STOP")
        assert stop["Playback-Status"] == status
        assert stop["variable_playback_terminator_used"] == (digits if status == "break" else "")
        done = (await client.count("CHANNEL_EXECUTE_COMPLETE", 1))[-1]
        assert done["Application-Response"] == "FILE PLAYED"

    in_call(scene, Callee(rules=(Rule(When("prompt_playing_ms", played_ms=200), (Dtmf(digits),)),)))


def test_the_start_of_a_playback_still_tells_the_end_of_the_one_before(tmp_path: Path) -> None:
    """Only PLAYBACK_STOP has a position of its own."""
    prompt = write_wav(tmp_path / "p.wav", 0.3)

    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, uuid: str) -> None:
        await client.command(execute(uuid, prompt))
        await client.event("PLAYBACK_STOP")
        await client.command(execute(uuid, f"{prompt}@@800"))
        _, second = await client.count("PLAYBACK_START", 2)
        assert second["variable_playback_last_offset_pos"] == "2400"

    in_call(scene)
