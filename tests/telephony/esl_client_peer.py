"""An EslClient against a Peer: quick settings, scripts that answer, waits that end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from esl_peer import WAIT_S, Connection, Peer, usual

from V3.telephony.esl import EslClient, EslSettings

PASSWORD = "s3cr3t-of-the-test"


def settings_for(port: int, **changes: Any) -> EslSettings:
    quick = {"connect_timeout_s": 5.0, "reply_timeout_s": 5.0, "backoff_min_s": 0.01, "backoff_max_s": 0.05}
    return EslSettings(port=port, password=PASSWORD, **(quick | changes))


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def connected(peer: Peer, **changes: Any) -> AsyncIterator[EslClient]:
    async with EslClient(settings_for(peer.port, **changes)) as client:
        yield client


def with_client(
    script: Callable[[Connection], None],
    body: Callable[[EslClient, Peer], Coroutine[Any, Any, None]],
    **changes: Any,
) -> Peer:
    """Run ``body(client, peer)``; returns the peer, ended, to look at."""

    async def main(peer: Peer) -> None:
        async with connected(peer, **changes) as client:
            await body(client, peer)

    with Peer(script) as peer:
        asyncio.run(main(peer))
    return peer


def healthy(connection: Connection) -> None:
    connection.login()
    connection.serve()


def answering(say: Callable[[Connection, str], bytes | None]) -> Callable[[Connection], None]:
    """A peer that logs in and answers with ``say``, or as usual where that gives None."""

    def script(connection: Connection) -> None:
        connection.login()
        for command in connection.commands_then_end():
            said = say(connection, command)
            connection.send(usual(command) if said is None else said)

    return script


class Lost(OSError):
    """Raised by a script: ends its connection."""
