"""The asyncio client refused, closed and cancelled: it says why, and leaves no thread, file or password behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable

import pytest
from esl_client_peer import PASSWORD, Lost, answering, connected, healthy, settings_for, until, with_client
from esl_peer import WAIT_S, Connection, Peer, eventually, open_files, reply, usual

from V3.errors import (
    CommandError,
    EslAuthError,
    EslCommandFailed,
    EslConnectionLost,
    EslError,
    EslNotConnected,
)
from V3.telephony import esl_link as esl_module
from V3.telephony.esl import EslClient, EslSettings


def wrong_password(connection: Connection) -> None:
    connection.login("-ERR invalid")


def rude(connection: Connection) -> None:
    connection.send(b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")


def gone(_connection: Connection) -> None:
    pass


def refuses_the_subscription(connection: Connection) -> None:
    connection.login()
    connection.serve(lambda command: reply("-ERR no keywords supplied"))


def held() -> tuple[int, int]:
    return open_files(), threading.active_count()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (wrong_password, EslAuthError),
        (rude, EslAuthError),
        (gone, EslNotConnected),
        (refuses_the_subscription, EslCommandFailed),
    ],
)
def test_a_refused_connect_says_why_and_leaves_nothing(
    script: Callable[[Connection], None], error: type[EslError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main(port: int) -> EslClient:
        client = EslClient(settings_for(port))
        with pytest.raises(error) as failure:
            await client.connect()
        assert PASSWORD not in str(failure.value)
        assert not client.connected
        with pytest.raises(EslNotConnected):
            await client.api("status")
        return client

    before = held()
    with Peer(script) as peer:
        client = asyncio.run(main(peer.port))
    eventually(lambda: held() == before, "everything closed")
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(client) + repr(client.settings) + repr(client._links)


def test_connect_to_a_closed_port_leaves_nothing_and_may_be_tried_again() -> None:
    async def main(peer: Peer, closed_port: int) -> None:
        client = EslClient(settings_for(closed_port))
        for _ in range(3):
            with pytest.raises(EslNotConnected):
                await client.connect()
        client.settings = settings_for(peer.port)
        await client.connect()
        with pytest.raises(EslError, match="connected already"):
            await client.connect()
        assert await client.api("status") == "status"
        await client.close()
        await client.close()
        with pytest.raises(EslNotConnected):
            await client.api("status")

    with Peer(healthy) as free:
        pass
    before = held()
    with Peer(healthy) as peer:
        asyncio.run(main(peer, free.port))
    eventually(lambda: held() == before, "everything closed")


def test_close_leaves_no_thread_and_no_file_descriptor() -> None:
    """Five times, with a command and a job still waiting; both are told."""

    def script(connection: Connection) -> None:
        connection.login()
        for command in connection.commands_then_end():
            if command == "exit":
                return
            if command.startswith("bgapi"):
                connection.send(reply("+OK Job-UUID: x"))
            elif command != "api silent":
                connection.send(usual(command))

    async def main(peer: Peer) -> None:
        for n in range(1, 6):
            async with connected(peer) as client:
                waiting = asyncio.ensure_future(client.api("silent", slow=True))
                job = asyncio.ensure_future(client.bgapi("silent", timeout_s=WAIT_S))
                await until(lambda n=n: peer.commands.count("api silent") == n, "the command")  # type: ignore[misc]
                await until(lambda: "bgapi silent" in peer.commands[-1] or len(client._jobs) == 1, "the job")
            for pending in (waiting, job):
                with pytest.raises(EslConnectionLost) as failure:
                    await pending
                assert failure.value.outcome_unknown

    before = held()
    with Peer(script) as peer:
        asyncio.run(main(peer))
    eventually(lambda: held() == before, "everything closed")


@pytest.mark.parametrize("moment", ["greeting", "tcp"])
def test_a_cancelled_connect_leaves_nothing(moment: str) -> None:
    """Cancelled while the greeting is awaited, and while TCP itself is (a listener whose backlog is full)."""

    async def main(port: int) -> None:
        task = asyncio.ensure_future(EslClient(settings_for(port)).connect())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.05)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def silent(connection: Connection) -> None:
        connection.only_read()

    before = held()
    if moment == "greeting":
        with Peer(silent) as peer:
            asyncio.run(main(peer.port))
    else:
        with socket.socket() as listener, contextlib.ExitStack() as stack:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):  # fills the backlog: later SYNs are not answered
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            asyncio.run(main(listener.getsockname()[1]))
    eventually(lambda: held() == before, "everything closed")


def test_close_while_reconnecting_is_not_undone_by_a_late_connection() -> None:
    states: list[bool] = []

    async def main(peer: Peer) -> None:
        async with connected(peer, backoff_min_s=0.001, backoff_max_s=0.001) as client:
            client.on_connection.append(states.append)
            with pytest.raises(EslConnectionLost):
                await client.api("lose")
            await until(lambda: len(peer.connections) > 2, "the next attempt")
        assert not client.connected
        for name in ("events", "slow"):
            client._link_changed(name, None)  # what the thread had posted before it ended
        assert not client.connected

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api lose":
            raise Lost
        return None

    with Peer(answering(say)) as peer:
        for _ in range(5):
            peer.connections.clear()
            asyncio.run(main(peer))


def test_the_password_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def say(_connection: Connection, command: str) -> bytes | None:
        if command == "api lose":
            raise Lost
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        with pytest.raises(EslConnectionLost):
            await client.api("lose")
        await client.wait_connected(WAIT_S)
        for shown in (client, client.settings, client._links["events"], client._links["slow"]):
            assert PASSWORD not in repr(shown) + str(shown)

    peer = with_client(answering(say), body)
    assert f"auth {PASSWORD}" in peer.commands
    assert PASSWORD not in caplog.text
    with pytest.raises(CommandError) as failure:
        EslSettings(password=f"{PASSWORD}\n\napi version")
    assert PASSWORD not in str(failure.value)


def test_settings_refuse_what_would_be_a_second_command() -> None:
    for bad in ("x\n\napi version", "x\ny", "x\0", "\udcff"):
        with pytest.raises(CommandError):
            EslSettings(password=bad)
        with pytest.raises(CommandError):
            EslSettings(events=("CHANNEL_ANSWER", bad))


def test_a_client_that_never_connected_refuses_and_closes() -> None:
    async def main() -> None:
        client = EslClient(EslSettings(port=1))
        with pytest.raises(EslNotConnected):
            await client.api("status")
        with pytest.raises(EslNotConnected):
            await client.wait_connected(0.01)
        await client.close()

    asyncio.run(main())


def test_too_many_waiting_commands_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esl_module, "OUTBOX_COMMANDS", 8)
    go = threading.Event()

    def say(_connection: Connection, command: str) -> bytes | None:
        if command.startswith("api held"):
            assert go.wait(WAIT_S)
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        calls = [asyncio.ensure_future(client.api(f"held {n}")) for n in range(10)]
        for refused in calls[8:]:
            with pytest.raises(EslNotConnected):
                await refused
        go.set()
        assert await asyncio.gather(*calls[:8]) == [f"held {n}" for n in range(8)]

    peer = with_client(answering(say), body)
    assert sum(command.startswith("api held") for command in peer.commands) == 8
