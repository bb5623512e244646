"""The simulated FreeSWITCH process: its channels, and how an originate finds its callee.

Everything of it dies with the process (``die``); the ground truth does not.
"""

from __future__ import annotations

import random
import uuid as uuid_module
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from V3.simulator.bus import EventBus
from V3.simulator.call import Call, Exchange
from V3.simulator.callee import Callee
from V3.simulator.clock import SimClock
from V3.simulator.faults import FaultState
from V3.simulator.leg import Leg, LegKind
from V3.simulator.originate import ORIGINATE_USAGE, Dialling, parse_originate
from V3.simulator.outcomes import OUTCOMES, Manner
from V3.simulator.tasks import TaskSet
from V3.simulator.truth import CallTruth, TruthBook
from V3.simulator.variables import birth_variables, created_variables

__all__ = ["Originated", "Switch"]

SIP_PORT = "127.0.0.1:5080"


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint taken apart. ``kind`` None: no endpoint of that name."""

    kind: LegKind | None
    number: str
    name: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Originated:
    """An originate's reply; call ``replied`` once it went out, what follows in the call waits for that."""

    reply: str
    replied: Callable[[], object] = lambda: None


class Switch:
    """Channels by uuid (both legs of loopback calls) and everything they share."""

    def __init__(
        self,
        find_callee: Callable[[str], Callee | None],
        *,
        clock: SimClock,
        rng: random.Random,
        faults: FaultState,
        max_sessions: int,
    ) -> None:
        self._find_callee = find_callee
        self.clock = clock
        self.rng = rng
        self.faults = faults
        self.max_sessions = max_sessions
        self.bus = EventBus(clock)
        self.truths = TruthBook()
        self.tasks = TaskSet()
        self.calls: dict[str, Call] = {}
        self.dialled: list[str] = []
        self.sessions_since_start = 0
        self.peak_sessions = 0
        self.started_ms = 0.0
        self.run_api: Callable[[str], Awaitable[str]] = self._no_api
        self.on_gone: list[Callable[[CallTruth], None]] = []

    def call_of(self, uuid: str) -> Call | None:
        """The call whose near leg has that uuid."""
        call = self.calls.get(uuid)
        return call if call is not None and call.near.uuid == uuid else None

    def live_calls(self) -> list[Call]:
        return [call for uuid, call in self.calls.items() if call.near.uuid == uuid]

    def legs(self) -> list[Leg]:
        return [leg for call in self.live_calls() for leg in (call.near, call.far.leg) if leg is not None]

    def sessions(self) -> int:
        return len(self.legs())

    async def originate(self, arguments: str) -> Originated:
        """Dial; returns when the result is known (an answer, early media, a failure)."""
        dialling = parse_originate(arguments) if arguments.strip() else None
        if dialling is None or not dialling.destinations:
            return Originated(f"-USAGE: {ORIGINATE_USAGE}\n")
        places = [parse_destination(text) for text in dialling.destinations]
        self.dialled += [place.number for place in places if place.kind is not None]
        place = places[0]
        callee = self._find_callee(place.number)
        failure = self._early_failure(place, callee)
        if failure:
            if failure == "INVALID_GATEWAY":
                self._bare_destroy(dialling)
            return Originated(f"-ERR {failure}\n")
        call = self._new_call(place, callee or Callee(outcome="no_route"), dialling)
        self.tasks.spawn(f"call {place.number}", call.run())
        reply = await call.result
        return Originated(reply, call.replied.set)

    def _early_failure(self, place: Destination, callee: Callee | None) -> str:
        """The cause of a failure that no channel is made for."""
        if place.kind is None:
            return "CHAN_NOT_IMPLEMENTED"
        if place.name.startswith("user/") and callee is None:
            return "SUBSCRIBER_ABSENT"
        if self.sessions() + (2 if place.kind == "loopback" else 1) > self.max_sessions:
            return "DESTINATION_OUT_OF_ORDER"
        outcome = OUTCOMES[callee.outcome] if callee else None
        if outcome and outcome.manner in (Manner.JOB_ONLY, Manner.BARE_DESTROY):
            return outcome.cause
        return ""

    def _bare_destroy(self, dialling: Dialling) -> None:
        """An unknown gateway: a channel that never was is destroyed."""
        uuid = self._uuid_for(dialling)
        leg = Leg(self.bus, self.clock, uuid=uuid, name="N/A", kind="sip", outbound=True, destination="")
        leg.nameless = True
        leg.number = 0
        self.sessions_since_start += 1
        leg.variables |= birth_variables(leg, self.sessions_since_start)
        leg.emit("CHANNEL_DESTROY")
        leg.run_state("CS_DESTROY")

    def _uuid_for(self, dialling: Dialling) -> str:
        wanted = dialling.variables.get("origination_uuid", "")
        return wanted if wanted and wanted not in self.calls else str(uuid_module.uuid4())

    def _new_call(self, place: Destination, callee: Callee, dialling: Dialling) -> Call:
        kind: LegKind = place.kind or "sip"
        name = place.name
        if callee.leg not in ("auto", kind):
            kind = "sip" if callee.leg == "sip" else "loopback"
            name = f"sofia/internal/{place.number}@{SIP_PORT}" if kind == "sip" else f"loopback/{place.number}"
        near_name = f"{name}-a" if kind == "loopback" else name
        near = self._leg(self._uuid_for(dialling), near_name, kind, place.number, outbound=True)
        if dialling.caller_id_number:
            near.caller_number = dialling.caller_id_number
        near.caller_name = dialling.caller_id_name
        far = None
        if kind == "loopback":
            far = self._leg(str(uuid_module.uuid4()), f"{name}-b", kind, place.number, outbound=False)
            far.caller_number = near.caller_number
            far.variables |= dialling.variables
            far.variables |= created_variables(far, other_leg=near.uuid, host="", early_media=True)
        exchange = Exchange(
            bus=self.bus,
            clock=self.clock,
            rng=self.rng,
            truths=self.truths,
            faults=self.faults,
            run_api=self.run_api,
            on_gone=self._gone,
        )
        call = Call(exchange, callee, dialling, near=near, far=far, host=place.host)
        self.calls[near.uuid] = call
        if far is not None:
            self.calls[far.uuid] = call
        self.peak_sessions = max(self.peak_sessions, self.sessions())
        return call

    def _leg(self, uuid: str, name: str, kind: LegKind, number: str, *, outbound: bool) -> Leg:
        self.sessions_since_start += 1
        leg = Leg(self.bus, self.clock, uuid=uuid, name=name, kind=kind, outbound=outbound, destination=number)
        leg.variables |= birth_variables(leg, self.sessions_since_start)
        return leg

    def _gone(self, call: Call) -> None:
        self.tasks.failures.extend(call.tasks.failures)
        for uuid in [uuid for uuid, other in self.calls.items() if other is call]:
            del self.calls[uuid]
        for told in self.on_gone:
            told(call.audio.truth)

    async def hang_up_all(self, cause: str) -> None:
        """A proper end of every call; returns when their channels are gone."""
        calls = self.live_calls()
        for call in calls:
            call.hang_up(cause, by="freeswitch")
        for call in calls:
            await call.gone.wait()

    async def die(self) -> None:
        """All channels are gone, without an event."""
        for call in self.live_calls():
            call.die()
        await self.tasks.close()
        self.calls.clear()
        self.bus.renew()
        self.sessions_since_start = self.peak_sessions = 0

    async def _no_api(self, line: str) -> str:
        raise NotImplementedError(line)


def parse_destination(endpoint: str) -> Destination:
    """``loopback/<number>/<context>``, ``sofia/gateway/<gateway>/<number>``, ``sofia/<profile>/<number>@<host>``,
    ``user/<number>@<domain>``.
    """
    parts = endpoint.split("/")
    if parts[0] == "loopback" and len(parts) >= 2 and parts[1]:
        return Destination("loopback", parts[1], f"loopback/{parts[1]}")
    if parts[0] == "sofia" and len(parts) >= 4 and parts[1] == "gateway":
        return Destination("sip", parts[3], f"sofia/{parts[2]}/{parts[3]}", SIP_PORT)
    if parts[0] == "sofia" and len(parts) >= 3:
        number, _, host = parts[2].partition("@")
        return Destination("sip", number, endpoint, host or SIP_PORT)
    if parts[0] == "user" and len(parts) >= 2:
        return Destination("sip", parts[1].partition("@")[0], endpoint, SIP_PORT)
    return Destination(None, "", endpoint)
