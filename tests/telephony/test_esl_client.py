"""The asyncio client over two connections, against peers that lose, delay, refuse and fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable

import pytest
from esl_client_peer import Lost, answering, connected, healthy, until, with_client
from esl_peer import WAIT_S, Connection, Peer, answer, event, reply, usual

from V3.errors import (
    CommandError,
    EslCommandFailed,
    EslConnectionLost,
    EslError,
    EslNotConnected,
    EslTimeout,
)
from V3.telephony.codec import EslEvent
from V3.telephony.esl import DEFAULT_EVENTS, EslClient

JOBS_FILTER = "filter Event-Name BACKGROUND_JOB"


# Commands and their replies


def test_api_answers_and_the_client_subscribes_on_one_connection_only() -> None:
    async def body(client: EslClient, _peer: Peer) -> None:
        assert client.connected
        assert await client.api("status") == "status"
        assert await client.api("status", slow=True) == "status"
        assert await client.message("sendmsg u1\ncall-command: hangup") == ""

    peer = with_client(healthy, body)
    assert len(peer.connections) == 2
    assert [c for c in peer.commands if c.startswith("event plain")] == ["event plain " + " ".join(DEFAULT_EVENTS)]
    assert sum(command.startswith("auth ") for command in peer.commands) == 2
    assert sum(command == "exit" for command in peer.commands) == 2


def test_a_thousand_interleaved_calls_each_get_their_own_reply() -> None:
    async def body(client: EslClient, _peer: Peer) -> None:
        calls = [client.api(f"echo {n}", slow=n % 3 == 0) for n in range(1000)]
        assert await asyncio.gather(*calls) == [f"echo {n}" for n in range(1000)]

    with_client(healthy, body)


def test_bgapi_gives_the_body_of_its_job() -> None:
    async def body(client: EslClient, _peer: Peer) -> None:
        assert await client.bgapi("originate x", timeout_s=5) == "+OK done\n"
        assert await asyncio.gather(*(client.bgapi(f"job {n}", timeout_s=5) for n in range(50))) == ["+OK done\n"] * 50
        assert not client._jobs

    with_client(healthy, body)


def test_bgapi_refused_timed_out_or_answered_by_another_job() -> None:
    def say(_connection: Connection, command: str) -> bytes | None:
        if command.startswith("bgapi refused"):
            return reply("-ERR permission denied")
        if command.startswith("bgapi other"):
            return reply("+OK Job-UUID: x") + event("BACKGROUND_JOB", ("Job-UUID", "x"), body=b"+OK not yours")
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslCommandFailed, match="permission denied"):
            await client.bgapi("refused", timeout_s=5)
        with pytest.raises(EslTimeout) as failure:
            await client.bgapi("other", timeout_s=0.05)
        assert failure.value.outcome_unknown
        assert not client._jobs

    with_client(answering(say), body)


def test_message_answered_with_an_error() -> None:
    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslCommandFailed, match="invalid session id"):
            await client.message("sendmsg u1\ncall-command: hangup")

    with_client(answering(lambda _c, command: reply("-ERR invalid session id") if "sendmsg" in command else None), body)


@pytest.mark.parametrize("bad", ["x\n\napi y", "x\ny", "x\ry", "x\0y", "x\udcff", "x unload MOD_Event_Socket"])
def test_nothing_that_would_be_two_commands_is_sent(bad: str) -> None:
    async def body(client: EslClient, _peer: Peer) -> None:
        attempts: list[Awaitable[object]] = [
            client.api(bad),
            client.bgapi(bad, timeout_s=1),
            client.filter("Unique-ID", bad),
            client.message(f"sendmsg u\ncall-command: execute\nexecute-app-arg: {bad}\n\napi z"),
        ]
        for attempt in attempts:
            with pytest.raises(CommandError):
                await attempt
        assert await client.api("alive") == "alive"

    peer = with_client(healthy, body)
    assert {c for c in peer.commands if c.startswith(("api", "bgapi", "filter", "sendmsg"))} == {"api alive"}


# Time-outs


def test_a_late_reply_does_not_shift_the_next_replies() -> None:
    release = threading.Event()

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api late":
            assert release.wait(WAIT_S)
        return None

    async def body(client: EslClient, peer: Peer) -> None:
        with pytest.raises(EslTimeout) as failure:
            await client.api("late", timeout_s=0.05)
        assert failure.value.outcome_unknown
        following = [asyncio.ensure_future(client.api(f"next {n}")) for n in range(5)]
        await asyncio.sleep(0)
        release.set()
        assert await asyncio.gather(*following) == [f"next {n}" for n in range(5)]
        assert client.reconnects == 0

    with_client(answering(say), body)


def test_an_abandoned_queued_command_is_not_sent_later() -> None:
    """The first command fills the socket; the second waits behind it and is given up by its caller."""
    go = threading.Event()

    def script(connection: Connection) -> None:
        connection.login()
        for command in connection.commands_then_end():
            connection.send(answer("done") if command.startswith("api ") else reply("+OK"))
            if command.startswith("event"):
                assert go.wait(WAIT_S)  # reads nothing more until then

    async def body(client: EslClient, _peer: Peer) -> None:
        big = asyncio.ensure_future(client.api("x" * 8_000_000, timeout_s=WAIT_S))
        await asyncio.sleep(0)
        with pytest.raises(EslTimeout):
            await client.api("abandoned", timeout_s=0.1)
        cancelled = asyncio.ensure_future(client.api("cancelled"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert not big.done()
        go.set()
        assert await big == "done"
        assert await client.api("after") == "done"

    peer = with_client(script, body, reply_timeout_s=WAIT_S)
    assert "api after" in peer.commands
    assert "api abandoned" not in peer.commands
    assert "api cancelled" not in peer.commands


def test_a_slow_command_does_not_hold_the_fast_connection() -> None:
    release = threading.Event()

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api slow":
            assert release.wait(WAIT_S)
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        slow = asyncio.ensure_future(client.api("slow", slow=True))
        for n in range(20):
            assert await client.api(f"fast {n}") == f"fast {n}"
        assert await client.bgapi("job", timeout_s=5) == "+OK done\n"
        assert not slow.done()
        release.set()
        assert await slow == "slow"

    with_client(answering(say), body)


# Losses


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_command_is_never_sent_again_after_a_loss(ending: str) -> None:
    def say(connection: Connection, command: str) -> bytes | None:
        if command == "api originate once":
            if ending == "reset":
                connection.reset()
            raise Lost
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslConnectionLost) as failure:
            await client.api("originate once")
        assert failure.value.outcome_unknown
        await until(lambda: client.reconnects == 1, "the reconnect")
        assert await client.api("uuid_exists u1") == "uuid_exists u1"

    peer = with_client(answering(say), body)
    assert peer.commands.count("api originate once") == 1


def test_bgapi_outcome_is_unknown_when_the_connection_is_lost_before_the_job_ends() -> None:
    def script(connection: Connection) -> None:
        connection.login()
        for command in connection.commands_then_end():
            if command.startswith("bgapi"):
                connection.send(reply("+OK Job-UUID: whatever"))
                return
            connection.send(usual(command))

    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslConnectionLost) as failure:
            await client.bgapi("originate x", timeout_s=WAIT_S)
        assert failure.value.outcome_unknown
        assert not client._jobs

    peer = with_client(script, body)
    assert sum(command.startswith("bgapi") for command in peer.commands) == 1


def test_a_loss_is_announced_and_a_new_connection_subscribes_and_filters_again() -> None:
    states: list[bool] = []

    def say(connection: Connection, command: str) -> bytes | None:
        if command == "api lose":
            raise Lost
        return None

    async def body(client: EslClient, peer: Peer) -> None:
        client.on_connection.append(states.append)
        await client.filter("Unique-ID", "u1")
        await client.filter("Unique-ID", "u2")
        with pytest.raises(EslConnectionLost):
            await client.api("lose")
        await until(lambda: states == [False, True], "loss and return")
        await client.wait_connected(5)
        assert client.reconnects == 1
        lost, *_, again = (c.commands for c in peer.connections if any(x.startswith("event plain") for x in c.commands))
        assert again[1:5] == [
            "event plain " + " ".join(DEFAULT_EVENTS),
            "filter Unique-ID u1",
            JOBS_FILTER,
            "filter Unique-ID u2",
        ]
        assert again[1:5] == [c for c in lost if c.startswith(("event", "filter"))]

    with_client(answering(say), body)


def test_reconnecting_backs_off() -> None:
    """Five attempts take no less than the pauses before them: 20, 40, and then 50 ms each, the longest."""
    refuse = threading.Event()

    def script(connection: Connection) -> None:
        if refuse.is_set():
            return
        connection.login()
        for command in connection.commands_then_end():
            if command == "api lose":
                refuse.set()
                return
            connection.send(usual(command))

    async def body(client: EslClient, peer: Peer) -> None:
        first, lost_at_s = len(peer.connections), time.monotonic()
        with pytest.raises(EslConnectionLost):
            await client.api("lose")
        await until(lambda: len(peer.connections) >= first + 5, "five attempts")
        assert peer.accepted_s[first + 4] - lost_at_s >= 0.02 + 0.04 + 3 * 0.05
        with pytest.raises(EslNotConnected):
            await client.wait_connected(0.01)
        refuse.clear()
        await client.wait_connected(WAIT_S)
        assert client.reconnects == 1
        assert await client.api("back") == "back"

    with_client(script, body, backoff_min_s=0.02, backoff_max_s=0.05)


def test_commands_are_refused_until_the_new_connection_is_let_in_and_subscribed() -> None:
    """Before auth FreeSWITCH would answer "command not found"; before the subscription the events would be missed."""
    hold = threading.Event()

    def script(connection: Connection) -> None:
        if connection.number >= 2:
            assert hold.wait(WAIT_S)
        connection.login()
        for command in connection.commands_then_end():
            if command == "api lose":
                return
            connection.send(usual(command))

    async def body(client: EslClient, peer: Peer) -> None:
        with pytest.raises(EslConnectionLost):
            await client.api("lose")
        await until(lambda: len(peer.connections) == 3, "the new TCP connection")
        with pytest.raises(EslNotConnected) as failure:
            await client.api("too early")
        assert not failure.value.outcome_unknown
        hold.set()
        await client.wait_connected(WAIT_S)
        assert await client.api("now") == "now"

    peer = with_client(script, body)
    assert "api too early" not in peer.commands
    assert [c.split(" ")[0] for c in peer.connections[2].commands[:2]] == ["auth", "event"]


# Keepalive


def test_keepalive_drops_a_dead_peer() -> None:
    """The peer keeps the connection open, reads, and never says anything again."""

    def script(connection: Connection) -> None:
        connection.login()
        if connection.number < 2:
            first = connection.read_command()
            if first is not None and first.startswith("event"):
                connection.send(reply("+OK"))
            connection.only_read()
        else:
            connection.serve()

    async def body(client: EslClient, peer: Peer) -> None:
        await until(lambda: client.reconnects >= 1, "a connection that lives")
        assert await client.api("alive") == "alive"

    peer = with_client(script, body, keepalive_s=0.05, reply_timeout_s=0.1)
    assert all("api uuid_exists keepalive" in c.commands for c in peer.connections[:2])


def test_keepalive_drops_a_dead_peer_that_is_asked_all_the_time() -> None:
    """A network parted under load: there is always somebody whose command has not timed out yet."""

    def script(connection: Connection) -> None:
        connection.login()
        if connection.number < 2:
            first = connection.read_command()
            if first is not None and first.startswith("event"):
                connection.send(reply("+OK"))
            connection.only_read()
        else:
            connection.serve()

    async def body(client: EslClient, peer: Peer) -> None:
        async def ask(start_s: float) -> str:
            await asyncio.sleep(start_s)
            while True:
                with contextlib.suppress(EslError):
                    return await client.api("alive")
                await asyncio.sleep(0)

        async with asyncio.timeout(WAIT_S):
            assert set(await asyncio.gather(*(ask(0.02 * n) for n in range(5)))) == {"alive"}

    with_client(script, body, keepalive_s=0.05, reply_timeout_s=0.1)


def test_keepalive_leaves_alone_a_connection_that_carries_out_a_slow_command() -> None:
    release = threading.Event()

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api slow":
            assert release.wait(WAIT_S)
        return None

    async def body(client: EslClient, peer: Peer) -> None:
        slow = asyncio.ensure_future(client.api("slow", slow=True, timeout_s=WAIT_S))
        await until(lambda: "api slow" in peer.commands, "the command")
        so_far = peer.commands.count("api uuid_exists keepalive")
        await until(lambda: peer.commands.count("api uuid_exists keepalive") >= so_far + 10, "keepalives of the other")
        assert not slow.done()
        release.set()
        assert await slow == "slow"
        assert client.reconnects == 0

    with_client(answering(say), body, keepalive_s=0.02, reply_timeout_s=0.05)


def test_what_was_not_delivered_when_the_connection_was_given_up_is_never_delivered() -> None:
    """FreeSWITCH stands still, then goes on: a call that was given up must not be dialled by it afterwards."""
    release = threading.Event()

    def script(connection: Connection) -> None:
        connection.login()
        if connection.number < 2:
            first = connection.read_command()
            if first is not None and first.startswith("event"):
                connection.send(reply("+OK"))
            assert release.wait(WAIT_S)
            connection.only_read()
        else:
            connection.serve()

    async def body(client: EslClient, peer: Peer) -> None:
        for command in ("x" * 60_000, "late"):  # the first fills what the peer's TCP takes in by itself
            with pytest.raises(EslTimeout):
                await client.api(command)
        await until(lambda: client.connected and len(peer.connections) >= 4, "new connections")
        release.set()
        assert await client.api("alive") == "alive"

    async def main(peer: Peer) -> None:
        async with connected(peer, keepalive_s=0.3, reply_timeout_s=0.1) as client:
            await body(client, peer)

    with Peer(script, receive_bytes=4096) as peer:
        asyncio.run(main(peer))
    assert "api late" not in peer.commands


# Events


def test_events_go_to_their_channel_and_to_all() -> None:
    everything: list[str] = []
    of_u1: list[str] = []
    later: list[str] = []

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api go":
            names = ("CHANNEL_CREATE", "CHANNEL_ANSWER")
            events = [event(name, ("Unique-ID", uuid)) for name in names for uuid in ("u1", "u2")]
            return b"".join(events) + answer("gone")
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        client.on_event.append(lambda e: everything.append(f"{e.name} {e.uuid}"))
        unsubscribe = client.listen("u1", lambda e: of_u1.append(e.name))
        await client.api("go")
        assert of_u1 == ["CHANNEL_CREATE", "CHANNEL_ANSWER"]
        assert len(everything) == 4
        client.listen("u1", lambda e: later.append(e.name))
        unsubscribe()  # of the first handler: it does not take the second one away
        await client.api("go")
        assert len(of_u1) == 2
        assert len(later) == 2

    with_client(answering(say), body)


def test_a_failing_handler_is_logged_and_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def broken(_event: EslEvent) -> None:
        raise LookupError("a fault of the handler")

    def say(_connection: Connection, command: str) -> bytes | None:
        return event("CHANNEL_ANSWER", ("Unique-ID", "u1")) + answer("") if command == "api go" else None

    async def body(client: EslClient, _peer: Peer) -> None:
        client.listen("u1", broken)
        client.on_event.append(lambda e: seen.append(e.name))
        await client.api("go")
        assert seen == ["CHANNEL_ANSWER"]
        assert await client.api("alive") == "alive"

    with_client(answering(say), body)
    assert "a fault of the handler" in caplog.text


def test_protocol_errors_are_kept_for_the_reader_of_logs() -> None:
    def script(connection: Connection) -> None:
        connection.login()
        for command in connection.commands_then_end():
            if command == "api lose":
                connection.send(b"no colon here\n\n")
                return
            connection.send(usual(command))

    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslConnectionLost):
            await client.api("lose")
        await until(lambda: client.reconnects == 1, "the reconnect")
        assert any("no colon here" in str(error) for error in client.protocol_errors)

    with_client(script, body)
