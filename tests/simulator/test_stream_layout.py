"""Sizes and pace of mod_audio_stream's messages against captures of the real one."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from esl_client import EslClient, StreamServer, answered_call, assert_clean, stream_server, write_wav
from patient_loop import run_patiently

from V3.simulator import Callee, FreeSwitchSimulator, Rule, Say, When

LAYOUTS = json.loads((Path(__file__).parent / "traces" / "layouts.json").read_text())
NAMED = re.compile(r"10_layout_(mono|mixed|stereo)_(\w+?)_buf(\d+|None)")
SPEED = 4.0
TALK_MS = 2700.0


async def one_layout(client: EslClient, server: StreamServer, name: str, prompt: Path, speed: float) -> None:
    """One call with that capture's settings; then the same sizes, and as many as the time it ran gives."""
    match = NAMED.fullmatch(name)
    assert match is not None
    mix, rate, size = match.groups()
    uuid = await answered_call(client, uuid=name)
    if size != "None":
        assert await client.api(f"uuid_setvar {uuid} STREAM_BUFFER_SIZE {size}") == "+OK\n"
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    rate = "" if rate == "norate" else f" {rate}"
    reply = await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{server.port}/{name} {mix}{rate}")
    if LAYOUTS[name] is None:
        assert reply == "-ERR Operation Failed\n"
        return
    assert reply == "+OK Success\n"
    await client.api(f"uuid_broadcast {uuid} {prompt}")
    await asyncio.sleep(TALK_MS / 1000 / speed)
    await client.api(f"uuid_audio_stream {uuid} stop")
    ran_ms = (loop.time() - start_s) * 1000 * speed
    audio = [len(message) for message in server.audio(server.paths.index(f"/{name}"))]
    assert sorted(set(audio)) == LAYOUTS[name]["bytes"]
    message_ms = {"None": 20, "25": 20}.get(size) or int(size)
    assert len(audio) <= ran_ms / message_ms  # never more than the time gives
    if mix == "mono":
        assert len(audio) >= (TALK_MS - 100) // message_ms


def test_sizes_and_pace_are_those_of_the_real_one(tmp_path: Path) -> None:
    """36 streams at once: mono, mixed and stereo, rates and STREAM_BUFFER_SIZE."""
    talk = write_wav(tmp_path / "talk.wav", 20.0)
    names = [name for name in LAYOUTS if name.startswith("10_")]
    assert len(names) > 30

    async def scene() -> None:
        callee = Callee(rules=(Rule(When(), (Say(talk),)),))
        async with stream_server() as server, FreeSwitchSimulator(lambda _: callee, speed=SPEED) as simulator:
            clients = [await EslClient.connect(simulator.port, events="CHANNEL_PARK") for _ in names]
            async with asyncio.TaskGroup() as group:
                for client, name in zip(clients, names, strict=True):
                    group.create_task(one_layout(client, server, name, talk, SPEED))
            assert set(server.close_codes) == {(1000, "Normal closure")}
            for client in clients:
                await client.close()
        assert_clean(simulator)

    run_patiently(scene())


@pytest.mark.parametrize("mix", ["mixed", "stereo"])
def test_mixed_and_stereo_send_nothing_while_nothing_is_played(tmp_path: Path, mix: str) -> None:
    talk = write_wav(tmp_path / "talk.wav", 5.0)
    prompt = write_wav(tmp_path / "prompt.wav", 0.4)

    async def scene() -> None:
        callee = Callee(rules=(Rule(When(), (Say(talk),)),))
        async with stream_server() as server, FreeSwitchSimulator(lambda _: callee, speed=10) as simulator:
            client = await EslClient.connect(simulator.port, events="CHANNEL_PARK PLAYBACK_STOP")
            uuid = await answered_call(client)
            await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{server.port}/ {mix} 16k hello")
            await server.until(lambda: bool(server.connections) and "hello" in server.connections[0])
            await simulator.clock.sleep_ms(500)
            assert server.audio(0) == []
            await client.api(f"uuid_broadcast {uuid} {prompt}")
            await client.event("PLAYBACK_STOP")
            await client.api(f"uuid_kill {uuid}")
            await server.until(lambda: bool(server.close_codes))
            assert 10 <= len(server.audio(0)) <= 30  # 400 ms are 20 frames
            await client.close()
        assert_clean(simulator)

    run_patiently(scene())
