"""One channel as FreeSWITCH shows it: its states, variables and the headers of its events.

Loopback legs (L16 8 kHz) and SIP legs (PCMU) carry different headers; both as seen on FreeSWITCH 1.10.12. States
come in two: the running state and the number of the state asked for, which is ahead of it (10 in CS_EXECUTE while
a call hangs up).
"""

from __future__ import annotations

from typing import Literal

from V3.simulator.bus import EventBus, Headers
from V3.simulator.clock import SimClock

__all__ = ["Leg", "LegKind"]

LegKind = Literal["loopback", "sip"]

_CALL_STATE_NUMBERS = {"DOWN": "0", "DIALING": "1", "RINGING": "2", "EARLY": "3", "ACTIVE": "4", "HANGUP": "7"}
_BRIEF = frozenset({"CHANNEL_OUTGOING", "CHANNEL_STATE", "CHANNEL_CALLSTATE", "DTMF"})  # these carry no variables
NO_CALLER_ID = "0000000000"


class Leg:
    """A channel's public face. Times are simulated milliseconds; 0 stands for never."""

    def __init__(
        self, bus: EventBus, clock: SimClock, *, uuid: str, name: str, kind: LegKind, outbound: bool, destination: str
    ) -> None:
        self._bus = bus
        self._clock = clock
        self.uuid = uuid
        self.name = name
        self.kind: LegKind = kind
        self.outbound = outbound
        self.destination = destination
        self.variables: dict[str, str] = {}
        self.running = "CS_NONE"
        self.number = 1
        self.call_state = "DOWN"
        self.answer_state = "ringing"
        self.hangup_cause = ""
        self.codec = "L16" if kind == "loopback" else ""  # a SIP leg has one once the SDP is through
        self.heard_from_network = kind == "loopback"  # a packet of the far end has arrived
        self.flipped = False  # caller and callee swapped, as an outbound call that enters the dialplan has them
        self.nameless = False  # no caller profile: a channel that never came to be
        self.caller_name = ""
        self.caller_number = NO_CALLER_ID
        self.callee_name = "Outbound Call"
        self.callee_number = "default" if kind == "loopback" else destination
        self.created_us = clock.wall_us()
        self.answered_us = self.progress_us = self.progress_media_us = self.hangup_us = 0

    def emit(
        self, name: str, *extra: tuple[str, str], body: str | None = None, subclass: str = "", before: Headers = ()
    ) -> None:
        """Raise an event of this channel; ``before`` goes in front of the channel's headers."""

        def headers() -> Headers:
            variables = () if name in _BRIEF else [(f"variable_{k}", v) for k, v in self.variables.items()]
            return [*before, *self.headers(), *variables, *extra]

        self._bus.raise_event(name, headers, body=None if body is None else body.encode(), subclass=subclass)

    def now_us(self) -> int:
        return self._clock.wall_us()

    def run_state(self, state: str, number: int | None = None) -> None:
        """CHANNEL_STATE."""
        self.running = state
        if number is not None:
            self.number = number
        self.emit("CHANNEL_STATE")

    def set_call_state(self, state: str) -> None:
        """CHANNEL_CALLSTATE."""
        before = (
            ("Original-Channel-Call-State", self.call_state),
            ("Channel-Call-State-Number", _CALL_STATE_NUMBERS[state]),
        )
        self.call_state = state
        self.emit("CHANNEL_CALLSTATE", before=before)

    def flip_caller(self) -> None:
        self.flipped = True
        self.variables["pre_transfer_caller_id_number"] = self.caller_number
        self.variables["channel_cid_flipped"] = "yes"
        self.caller_name, self.callee_name = self.callee_name, self.caller_name
        self.caller_number, self.callee_number = self.callee_number, self.caller_number

    def headers(self) -> Headers:
        """All headers of the channel but its variables."""
        direction = "outbound" if self.outbound else "inbound"
        found: list[tuple[str, str]] = [
            ("Channel-State", self.running),
            ("Channel-Call-State", self.call_state),
            ("Channel-State-Number", str(self.number)),
            ("Channel-Name", self.name),
            ("Unique-ID", self.uuid),
            ("Call-Direction", direction),
            ("Presence-Call-Direction", direction),
            ("Channel-HIT-Dialplan", "true" if self.flipped or not self.outbound else "false"),
            ("Channel-Call-UUID", self.uuid),
            ("Answer-State", self.answer_state),
        ]
        if self.hangup_cause:
            found.append(("Hangup-Cause", self.hangup_cause))
        if self.codec:
            bit_rate = "128000" if self.codec == "L16" else "64000"
            for side in ("Read", "Write"):
                found += [
                    (f"Channel-{side}-Codec-Name", self.codec),
                    (f"Channel-{side}-Codec-Rate", "8000"),
                    (f"Channel-{side}-Codec-Bit-Rate", bit_rate),
                ]
        return found if self.nameless else [*found, *self._caller(direction)]

    def _caller(self, direction: str) -> Headers:
        loopback = self.kind == "loopback"
        fields = {
            "Direction": direction,
            "Logical-Direction": direction,
            "Dialplan": "xml" if loopback else "",
            "Caller-ID-Name": self.caller_name,
            "Caller-ID-Number": self.caller_number,
            "Orig-Caller-ID-Name": self.callee_name if self.flipped else self.caller_name,
            "Orig-Caller-ID-Number": self.callee_number if self.flipped else self.caller_number,
            "Callee-ID-Name": self.callee_name,
            "Callee-ID-Number": self.callee_number,
            "Network-Addr": "127.0.0.1" if self.heard_from_network and not loopback else "",
            "ANI": self.callee_number if self.flipped else self.caller_number,
            "Destination-Number": self.destination,
            "Unique-ID": self.uuid,
            "Source": "mod_loopback" if loopback else "src/switch_ivr_originate.c",
            "Context": "default",
            "Channel-Name": self.name,
            "Profile-Index": "1",
            "Profile-Created-Time": str(self.created_us),
            "Channel-Created-Time": str(self.created_us),
            "Channel-Answered-Time": str(self.answered_us),
            "Channel-Progress-Time": str(self.progress_us),
            "Channel-Progress-Media-Time": str(self.progress_media_us),
            "Channel-Hangup-Time": str(self.hangup_us),
            "Channel-Transfer-Time": "0",
            "Channel-Resurrect-Time": "0",
            "Channel-Bridged-Time": "0",
            "Channel-Last-Hold": "0",
            "Channel-Hold-Accum": "0",
            "Screen-Bit": "true",
            "Privacy-Hide-Name": "false",
            "Privacy-Hide-Number": "false",
        }
        return [(f"Caller-{name}", value) for name, value in fields.items() if value]
