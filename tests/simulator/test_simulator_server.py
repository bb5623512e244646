"""The simulator as a whole: many calls, what it shows, what it records, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path

import pytest
from esl_client import EslClient, answered_call, assert_clean, stream_server, write_wav
from patient_loop import run_patiently

from V3.errors import SimulatorError
from V3.simulator import Callee, FreeSwitchSimulator, HangUp, Rule, Say, When

SPEED = 10.0


def test_stopped_in_the_middle_of_calls_it_leaves_nothing(tmp_path: Path) -> None:
    word, prompt = write_wav(tmp_path / "w.wav", 5.0), write_wav(tmp_path / "p.wav", 5.0)
    talks = Callee(rules=(Rule(When(), (Say(word),)),))

    async def scene() -> None:
        async with stream_server() as server:
            simulator = FreeSwitchSimulator({"7": talks, "8": Callee(outcome="no_answer")}, speed=SPEED)
            await simulator.start()
            client = await EslClient.connect(simulator.port, events="ALL")
            await answered_call(client, "7", uuid="one")
            await client.api(f"uuid_audio_stream one start ws://127.0.0.1:{server.port}/ mono 16k x")
            await client.api(f"uuid_broadcast one {prompt}")
            await client.event("PLAYBACK_START", lambda event: event.uuid == "one")
            client.send("bgapi originate {origination_uuid=two}sofia/gateway/t/8 &park()")
            other = await EslClient.connect(simulator.port)
            other.send("api originate {origination_uuid=three}loopback/8/default &park()")
            await client.event("CHANNEL_CREATE", lambda event: event.uuid == "two")
            await client.event("CHANNEL_CREATE", lambda event: event.uuid == "three")
            assert len(simulator.channels()) == 3
            await simulator.stop()
            assert_clean(simulator)
            await client.closed.wait()
            await client.close()
            await other.close()
            await simulator.stop()  # twice is once

    run_patiently(scene())


def test_forty_calls_at_once_twenty_times_faster(tmp_path: Path) -> None:
    """Every call answers, streams, hears its prompt and ends as scripted."""
    word, prompt = write_wav(tmp_path / "w.wav", 0.5), write_wav(tmp_path / "p.wav", 1.0)
    callee = Callee(
        ring_ms=300,
        progress="ringing",
        rules=(Rule(When(), (Say(word),)), Rule(When("prompt_ended"), (HangUp(),), 200)),
    )

    async def one(client: EslClient, port: int, number: int) -> None:
        uuid = await answered_call(client, str(number), uuid=f"u{number}")
        await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{port}/call/{uuid} mono 16k x")
        await client.api(f"uuid_broadcast {uuid} {prompt}")
        await client.event("CHANNEL_DESTROY", lambda event: event.uuid == uuid)

    async def scene() -> None:
        async with (
            stream_server() as server,
            FreeSwitchSimulator(lambda number: callee if number.isdigit() else None, speed=20) as simulator,
        ):
            clients = [await EslClient.connect(simulator.port, events="ALL") for _ in range(4)]
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(ten(client, clients.index(client), server.port))
            await server.until(lambda: len(server.close_codes) == 40)
            assert sorted(simulator.dialled) == sorted(str(number) for number in range(40))
            assert simulator.channels() == []
            truths = simulator.truths()
            assert {truth.hangup_by for truth in truths} == {"callee"}
            assert {truth.prompts[0].status for truth in truths} == {"done"}
            for client in clients:
                await client.close()
        assert_clean(simulator)

    async def ten(client: EslClient, group: int, port: int) -> None:
        for number in range(10 * group, 10 * group + 10, 2):  # replies come in order: two calls share a client
            await one(client, port, number)
            await one(client, port, number + 1)

    run_patiently(scene())


def test_what_is_shown_of_channels() -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="CHANNEL_PARK")
            await answered_call(client, "7", uuid="u1", endpoint="loopback/7/default")
            assert await client.api("show channels count") == "\n2 total.\n"
            shown = json.loads(await client.api("show channels as json"))
            assert shown["row_count"] == 2
            assert {row["name"]: row["state"] for row in shown["rows"]} == {
                "loopback/7-a": "CS_EXECUTE",
                "loopback/7-b": "CS_EXECUTE",
            }
            table = (await client.api("show channels")).splitlines()
            assert table[0].startswith("uuid,direction,created")
            assert table[1].startswith("u1,outbound,")
            assert table[-1] == "2 total."
            dump = await client.api("uuid_dump u1")
            assert "Unique-ID: u1\n" in dump
            assert "variable_origination_uuid: u1\n" in dump
            assert [(c.uuid, c.number, c.state) for c in simulator.channels()] == [("u1", "7", "ACTIVE")]
            await client.close()

    run_patiently(scene())


def test_more_sessions_than_allowed_are_refused() -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED, max_sessions=3) as simulator:
            client = await EslClient.connect(simulator.port)
            assert (await client.api("originate loopback/7/default &park()")).startswith("+OK ")
            refused = await client.api("originate loopback/7/default &park()")
            assert refused == "-ERR DESTINATION_OUT_OF_ORDER\n"
            assert (await client.api("originate sofia/gateway/t/7 &park()")).startswith("+OK ")
            assert simulator.dialled == ["7", "7", "7"]
            await client.close()

    run_patiently(scene())


def test_an_injected_second_endpoint_shows_in_what_was_dialled() -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port)
            await client.api("originate sofia/gateway/t/7,sofia/gateway/t/0900 &park()")
            assert simulator.dialled == ["7", "0900"]
            await client.close()

    run_patiently(scene())


@pytest.mark.parametrize("stereo", [True, False])
def test_uuid_record_writes_both_sides(tmp_path: Path, stereo: bool) -> None:
    word, prompt = write_wav(tmp_path / "w.wav", 9.0), write_wav(tmp_path / "p.wav", 9.0, hz=700.0)
    target = tmp_path / "records" / "call.wav"

    async def scene() -> None:
        callee = Callee(rules=(Rule(When(), (Say(word),)),))
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            await answered_call(client, "7", uuid="u1")
            if stereo:
                await client.api("uuid_setvar u1 RECORD_STEREO true")
                await client.api("uuid_setvar u1 RECORD_PRE_BUFFER_FRAMES 0")
            await client.api(f"uuid_broadcast u1 {prompt}")
            await client.event("PLAYBACK_START")
            assert await client.api(f"uuid_record u1 start {target}") == "+OK Success\n"
            await simulator.clock.sleep_ms(1000)
            assert await client.api(f"uuid_record u1 stop {target}") == "+OK Success\n"
            await client.event("MEDIA_BUG_STOP")
            assert await client.api(f"uuid_record u1 stop {target}") == "-ERR Cannot stop record session!\n"
            await client.close()

    run_patiently(scene())
    with wave.open(str(target)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1 + stereo, 8000, 2)
        assert file.getnframes() >= 8000
        peak = max(abs(int.from_bytes(file.readframes(1)[:2], "little", signed=True)) for _ in range(4000))
    assert peak == pytest.approx(8000 if stereo else 16000, abs=300)


def test_pause_resume_and_texts_both_ways() -> None:
    async def scene() -> None:
        async with stream_server() as server, FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            await answered_call(client, "7", uuid="u1")
            await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{server.port}/call/u1?a=1 mono 8k")
            await client.event("mod_audio_stream::connect")
            assert server.paths == ["/call/u1?a=1"]
            assert await client.api('uuid_audio_stream u1 send_text {"a": 1}') == "+OK Success\n"
            await server.until(lambda: '{"a":' in server.connections[0])
            await server.open[0].send("heard")
            assert (await client.event("mod_audio_stream::json")).text == "heard"
            await client.api("uuid_audio_stream u1 pause")
            paused = len(server.audio(0))
            await simulator.clock.sleep_ms(500)
            assert len(server.audio(0)) <= paused + 2  # what was under way
            await client.api("uuid_audio_stream u1 resume")
            await server.until(lambda: len(server.audio(0)) > paused + 5)
            assert await client.api("uuid_audio_stream u1 stop bye") == "+OK Success\n"
            await server.until(lambda: bool(server.close_codes))
            assert server.connections[0][-1] == "bye"
            assert server.close_codes == [(1000, "Normal closure")]
            assert await client.api("uuid_audio_stream u1 stop") == "-ERR Operation Failed\n"
            await client.close()
        assert_clean(simulator)

    run_patiently(scene())


def test_the_metadata_is_mostly_but_not_always_the_first_message() -> None:
    async def places() -> list[int]:
        async with stream_server() as server, FreeSwitchSimulator({"7": Callee()}, speed=2, seed=3) as simulator:
            client = await EslClient.connect(simulator.port, events="CHANNEL_PARK")
            for number in range(25):
                await answered_call(client, "7", uuid=f"u{number}")
                await client.api(f"uuid_audio_stream u{number} start ws://127.0.0.1:{server.port}/ mono 8k meta")
            await server.until(lambda: len(server.connections) == 25 and all("meta" in c for c in server.connections))
            await client.close()
        return [messages.index("meta") for messages in server.connections]

    found = run_patiently(places())
    assert 0 in found
    assert any(0 < place <= 15 for place in found)


def test_a_filter_keeps_out_what_it_does_not_name() -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="CHANNEL_PARK BACKGROUND_JOB CHANNEL_DESTROY")
            await client.command("filter Unique-ID u1")
            await answered_call(client, "7", uuid="u1")
            await client.api("uuid_kill u1")
            await client.event("CHANNEL_DESTROY")
            assert {event.uuid for event in client.events} == {"u1"}
            assert await client.command("filter delete all") == "+OK filter deleted. [all][]"
            await client.command("bgapi status\nJob-UUID: mine")
            assert (await client.event("BACKGROUND_JOB"))["Job-UUID"] == "mine"
            assert await client.command("nixevent BACKGROUND_JOB") == "+OK events nixed"
            await client.close()

    run_patiently(scene())


def test_an_unknown_call_has_no_truth() -> None:
    with pytest.raises(SimulatorError, match="nobody"):
        FreeSwitchSimulator({}).truth("nobody")


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf")])
def test_a_speed_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        FreeSwitchSimulator({}, speed=speed)


def test_a_port_that_is_taken_is_an_error() -> None:
    async def scene() -> None:
        async with FreeSwitchSimulator({}) as simulator:
            other = FreeSwitchSimulator({})
            with pytest.raises(OSError, match="in use"):
                await other.start(port=simulator.port)
            await other.stop()

    run_patiently(scene())
