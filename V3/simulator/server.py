"""The embedded FreeSWITCH: a TCP event socket, callees as scripts, real WebSocket streams, faults on demand.

Everything runs on the loop that called ``start``; ``stop`` ends every task and closes every socket.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from V3.errors import SimulatorError
from V3.simulator.api import Api
from V3.simulator.callee import Callee
from V3.simulator.clock import SimClock
from V3.simulator.esl_server import EslConnection
from V3.simulator.faults import Faults, FaultState
from V3.simulator.switch import Switch
from V3.simulator.tasks import TaskSet
from V3.simulator.truth import CallTruth

__all__ = ["ChannelInfo", "FreeSwitchSimulator"]

MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A live channel: ``state`` is DOWN, RINGING, EARLY, ACTIVE or HANGUP."""

    uuid: str
    number: str
    state: str


class FreeSwitchSimulator:
    """A FreeSWITCH for tests and demonstrations.

    ``callees`` finds the callee of a number (a mapping or a function; None: no such number). ``speed`` is simulated
    seconds per real second. ``seed`` fixes what is left to chance. ``max_sessions`` counts legs, two per loopback
    call.
    """

    def __init__(
        self,
        callees: Mapping[str, Callee] | Callable[[str], Callee | None],
        *,
        password: str = "ClueCon",  # noqa: S107 (FreeSWITCH's own default)
        speed: float = 1.0,
        seed: int = 0,
        faults: Faults | None = None,
        max_sessions: int = 2000,
    ) -> None:
        self._password = password
        self._rng = random.Random(seed)  # noqa: S311 (a simulation)
        self.clock = SimClock(speed)
        self._switch = Switch(
            callees if callable(callees) else callees.get,
            clock=self.clock,
            rng=self._rng,
            faults=FaultState(faults or Faults(), self._rng),
            max_sessions=max_sessions,
        )
        self._api = Api(self._switch, self._crash)
        self._switch.run_api = self._api.text
        self._server: asyncio.Server | None = None
        self._connections: set[EslConnection] = set()
        self._tasks = TaskSet()
        self._serving = TaskSet()
        self._host = "127.0.0.1"
        self.port = 0
        self.crashed = False

    @property
    def on_call_gone(self) -> list[Callable[[CallTruth], None]]:
        """Who is told what happened in a call once its channel is gone."""
        return self._switch.on_gone

    @property
    def dialled(self) -> list[str]:
        """The number of every outgoing attempt, in order."""
        return self._switch.dialled

    @property
    def failures(self) -> list[BaseException]:
        """Errors of the simulator itself; a test expects none."""
        found = [*self._tasks.failures, *self._serving.failures, *self._switch.tasks.failures]
        return found + [failure for call in self._switch.live_calls() for failure in call.tasks.failures]

    @property
    def faults(self) -> Faults:
        return self._switch.faults.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        """New faults, counted from now on."""
        self._switch.faults = FaultState(faults, self._rng)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; ``port`` then says where. Raises OSError when the port is taken."""
        self.clock.start()
        self._host = host
        await self._listen(port)

    async def stop(self) -> None:
        await self._die()
        await self._tasks.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def channels(self) -> list[ChannelInfo]:
        """The robot's live channels (not the far legs of loopback calls)."""
        return [
            ChannelInfo(call.near.uuid, call.near.destination, call.near.call_state)
            for call in self._switch.live_calls()
        ]

    def truth(self, uuid: str) -> CallTruth:
        """What happened in a call. Raises SimulatorError for a uuid that never was a channel (or long ago)."""
        try:
            return self._switch.truths.of(uuid)
        except KeyError:
            raise SimulatorError(f"no call {uuid!r} among the newest") from None

    def truths(self) -> list[CallTruth]:
        """Of all calls that are still known, oldest first."""
        return self._switch.truths.all()

    async def drop_connections(self) -> None:
        """Fault: every event-socket connection is reset; calls go on."""
        for connection in list(self._connections):
            connection.cut()
        await asyncio.sleep(0)

    def cut_streams(self, *, share: float = 1.0) -> int:
        """Fault: the TCP connection of every audio stream, or of so many, is lost; how many there were."""
        forks = [call.fork for call in self._switch.live_calls() if call.fork is not None]
        forks = [fork for fork in forks if self._rng.random() < share]
        for fork in forks:
            fork.cut()
        return len(forks)

    def hang_up(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        """The callee hangs up now, or refuses a call that rings. Nothing where the call has ended."""
        if (call := self._switch.call_of(uuid)) is not None:
            call.callee_hangs_up(cause)

    async def shut_down(self) -> None:
        """FreeSWITCH is stopped properly: SHUTDOWN, every call ends with SYSTEM_SHUTDOWN, a notice, end of file."""
        self._switch.bus.raise_event("SHUTDOWN", lambda: [("Event-Info", "System Shutting Down")])
        await self._switch.hang_up_all("SYSTEM_SHUTDOWN")
        for connection in list(self._connections):
            connection.leave()
        await self._serving.settle()
        await self._die()

    async def restart(self, *, down_s: float) -> None:
        """Fault: FreeSWITCH dies with all its channels and is back on the same port ``down_s`` (simulated) later."""
        await self._die()
        await self.clock.sleep_ms(down_s * 1000)
        await self._listen(self.port)
        self.crashed = False

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._accept, self._host, port, limit=MAX_LINE_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        self._switch.started_ms = self.clock.now_ms()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.spawn("event socket", self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = EslConnection(self._switch, self._api, reader, writer, password=self._password)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    async def _die(self) -> None:
        """The process is gone: nothing listens, connections and streams are cut, channels leave no event."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in list(self._connections):
            connection.cut()
        await self._serving.close()
        await self._switch.die()
        if server is not None:
            await server.wait_closed()

    async def _crash(self) -> None:
        """End the process from inside an api; never returns."""
        self.crashed = True
        self._tasks.spawn("crash", self._die())
        await asyncio.Event().wait()
