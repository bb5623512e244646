"""Every fault that can be ordered, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from esl_client import EslClient, StreamServer, answered_call, assert_clean, stream_server, write_wav
from patient_loop import run_patiently
from websockets.http11 import Request
from websockets.server import ServerProtocol

from V3.simulator import Callee, Faults, FreeSwitchSimulator
from V3.telephony.codec import EslMessage

SPEED = 10.0
EVENTS = "ALL"
DIAL = "bgapi originate {origination_uuid=u1}sofia/gateway/trunk/7 &park()"

Scene = Callable[[FreeSwitchSimulator, EslClient, StreamServer], Awaitable[None]]


def with_faults(faults: Faults, scene: Scene, callee: Callee | None = None, *, speed: float = SPEED) -> None:
    async def run() -> None:
        async with (
            stream_server() as server,
            FreeSwitchSimulator({"7": callee or Callee()}, speed=speed, faults=faults) as simulator,
        ):
            client = await EslClient.connect(simulator.port, events=EVENTS)
            await scene(simulator, client, server)
            await client.close()
        assert_clean(simulator)

    run_patiently(run())


async def again(simulator: FreeSwitchSimulator) -> EslClient:
    return await EslClient.connect(simulator.port, events=EVENTS)


def test_dropped_before_the_command_takes_effect() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        assert await client.command(DIAL) == "EOF"
        assert simulator.dialled == []

    with_faults(Faults(drop_before_command=("bgapi originate", 1)), scene)


def test_dropped_after_the_command_took_effect_and_before_its_reply() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        assert await client.command(DIAL) == "EOF"
        assert client.replies[-1].reply.startswith("+OK event")
        other = await again(simulator)
        assert await other.api("uuid_exists u1") == "true"
        assert simulator.dialled == ["7"]
        await other.close()

    with_faults(Faults(drop_after_command=("bgapi originate", 1)), scene)


def test_dropped_inside_a_body() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        assert (await client.api("status")).startswith("UP")
        assert await client.api("status") == "EOF"
        assert client.half_message

    with_faults(Faults(drop_inside_body=("api status", 2)), scene)


def test_dropped_between_commands() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        assert await client.api("uuid_exists x") == "false"
        await client.closed.wait()
        assert not client.half_message

    with_faults(Faults(drop_between_commands=("api uuid_exists", 1)), scene)


def test_random_drops_are_drawn_from_the_seed() -> None:
    async def lengths(seed: int) -> list[int]:
        found = []
        faults = Faults(random_drop_rate=0.2)
        async with FreeSwitchSimulator({}, speed=SPEED, faults=faults, seed=seed) as simulator:
            for _ in range(5):
                client = await EslClient.connect(simulator.port)
                count = 0
                while await client.api("uuid_exists x") != "EOF":
                    count += 1
                found.append(count)
                await client.close()
        assert_clean(simulator)
        return found

    first, same, other = (run_patiently(lengths(seed)) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_all_connections_cut_and_the_calls_go_on() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await simulator.drop_connections()
        await client.closed.wait()
        other = await again(simulator)
        assert await other.api("uuid_exists u1") == "true"
        assert [channel.state for channel in simulator.channels()] == ["ACTIVE"]
        await other.close()

    with_faults(Faults(), scene)


def test_a_restart_forgets_every_channel_and_listens_on_the_same_port() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        core = (await client.event("CHANNEL_PARK"))["Core-UUID"] if await client.command(DIAL) else ""
        await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{server.port}/ mono 16k")
        await server.until(lambda: bool(server.connections))
        port = simulator.port
        await simulator.restart(down_s=0.5)
        await client.closed.wait()
        await server.until(lambda: bool(server.close_codes))
        assert server.close_codes == [(1006, "")]
        assert simulator.port == port
        assert simulator.channels() == []
        assert (simulator.truth("u1").hangup_by, simulator.truth("u1").ended) == ("freeswitch", True)
        other = await again(simulator)
        assert await other.api("uuid_exists u1") == "false"
        await other.command(DIAL)
        assert (await other.event("CHANNEL_PARK"))["Core-UUID"] != core
        await other.close()

    with_faults(Faults(), scene)


def test_a_stream_started_on_a_ringing_sip_leg_ends_freeswitch() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await client.command(DIAL)
        await client.event("CHANNEL_PROGRESS")
        assert await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{server.port}/ mono 16k") == "EOF"
        assert simulator.crashed
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", simulator.port)
        await simulator.restart(down_s=0.1)
        assert not simulator.crashed
        await (await again(simulator)).close()

    with_faults(Faults(), scene, Callee(outcome="no_answer"))


def test_the_same_is_only_an_error_where_the_crash_is_off() -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await client.command(DIAL)
        await client.event("CHANNEL_PROGRESS")
        reply = await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{server.port}/ mono 16k")
        assert reply == "-ERR Operation Failed\n"

    with_faults(Faults(crash_on_early_start=False), scene, Callee(outcome="no_answer"))


def test_replies_come_late() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        before_ms = simulator.clock.now_ms()
        await client.api("status")
        assert simulator.clock.now_ms() - before_ms >= 300

    with_faults(Faults(reply_delay_ms=300), scene)


async def start_stream(client: EslClient, server: StreamServer) -> str:
    return await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{server.port}/ mono 16k meta")


def test_a_stream_is_refused_and_the_next_start_works() -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        assert await start_stream(client, server) == "+OK Success\n"
        assert '"code":6' in (await client.event("mod_audio_stream::error")).text
        await client.event("MEDIA_BUG_STOP")
        assert await start_stream(client, server) == "+OK Success\n"
        await client.event("mod_audio_stream::connect")

    with_faults(Faults(refuse_stream=1), scene)


def test_a_stream_dies() -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await start_stream(client, server)
        assert '"code":1,' in (await client.event("mod_audio_stream::error")).text
        await server.until(lambda: bool(server.close_codes))
        assert server.close_codes == [(1006, "")]
        assert len(server.audio(0)) >= 10

    with_faults(Faults(stream_dies_after_ms=500), scene)


@pytest.mark.parametrize(("slow_ms", "frames_first"), [(0.0, False), (300.0, True)])
def test_audio_goes_before_the_metadata_when_the_handshake_is_slow(slow_ms: float, frames_first: bool) -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await start_stream(client, server)
        await server.until(lambda: bool(server.connections) and "meta" in server.connections[0])
        if frames_first:
            assert server.connections[0].index("meta") >= 10

    with_faults(Faults(slow_handshake_ms=slow_ms), scene)


def test_a_handshake_of_over_a_second_times_out() -> None:
    async def scene(_simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await start_stream(client, server)
        assert '{"code":10,"error":"Timeout"}' in (await client.event("mod_audio_stream::error")).text
        assert server.connections == []

    with_faults(Faults(slow_handshake_ms=1500), scene)


def test_a_break_is_lost_although_it_plays(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "p.wav", 9.0)

    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await client.api("uuid_break u1 all")  # nothing plays: it does not count
        await client.api(f"uuid_broadcast u1 {prompt}")
        await client.event("PLAYBACK_START")
        assert await client.api("uuid_break u1 all") == "+OK\n"
        await simulator.clock.sleep_ms(300)
        assert "PLAYBACK_STOP" not in client.names("u1")
        await client.api("uuid_break u1 all")
        await client.event("PLAYBACK_STOP")

    with_faults(Faults(lose_break=1), scene)


def test_a_server_that_keeps_tcp_open_makes_the_hangup_a_second_late() -> None:
    async def stubborn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shakes hands and then reads on for ever."""
        protocol = ServerProtocol()
        try:
            while data := await reader.read(65536):
                protocol.receive_data(data)
                for request in protocol.events_received():
                    if isinstance(request, Request):
                        protocol.send_response(protocol.accept(request))
                        writer.write(b"".join(protocol.data_to_send()))
        except ConnectionError:
            pass
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(stubborn, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with FreeSwitchSimulator({"7": Callee()}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            await answered_call(client, "7", uuid="u1")
            await client.api(f"uuid_audio_stream u1 start ws://127.0.0.1:{port}/ mono 16k")
            await client.event("mod_audio_stream::connect")
            before_ms = simulator.clock.now_ms()
            await client.api("uuid_kill u1")
            await client.event("CHANNEL_HANGUP_COMPLETE")
            assert simulator.clock.now_ms() - before_ms >= 1000
            await client.close()
        server.close()
        await server.wait_closed()
        assert_clean(simulator)

    run_patiently(run())


def test_faults_can_be_changed_while_it_runs() -> None:
    async def scene(simulator: FreeSwitchSimulator, client: EslClient, _server: StreamServer) -> None:
        assert await client.api("uuid_exists x") == "false"
        simulator.faults = Faults(drop_before_command=("api uuid_exists", 1))
        assert await client.api("uuid_exists x") == "EOF"

    with_faults(Faults(), scene)


def test_freeswitch_is_shut_down() -> None:
    """As on SIGTERM: every channel ends with SYSTEM_SHUTDOWN, then the connections."""

    async def scene(simulator: FreeSwitchSimulator, client: EslClient, server: StreamServer) -> None:
        await answered_call(client, "7", uuid="u1")
        await start_stream(client, server)
        await server.until(lambda: bool(server.connections))
        await simulator.shut_down()
        await client.closed.wait()
        assert client.names("")[-1] == "SHUTDOWN"
        assert (await client.event("CHANNEL_HANGUP_COMPLETE"))["Hangup-Cause"] == "SYSTEM_SHUTDOWN"
        last = client.received[-1]
        assert isinstance(last, EslMessage)
        assert (last.content_type, last.body) == ("text/disconnect-notice", b"The system is being shut down.\n")
        await server.until(lambda: bool(server.close_codes))
        assert server.close_codes == [(1000, "Normal closure")]

    with_faults(Faults(), scene)
