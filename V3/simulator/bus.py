"""Events on their way to the event-socket connections that asked for them.

Headers are only put together for an event that somebody listens to; ``Event-Sequence`` counts all the same.
"""

from __future__ import annotations

import json
import uuid as uuid_module
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from V3.simulator.clock import SimClock
from V3.telephony.codec import encode_event, encode_message

__all__ = ["EventBus", "Listener", "SimEvent"]

Headers = Sequence[tuple[str, str]]

# Where FreeSWITCH 1.10.12 raises each event: file, function, line.
_ORIGINS = MappingProxyType(
    {
        "CHANNEL_OUTGOING": ("switch_core_session.c", "switch_core_session_outgoing_channel", "768"),
        "CHANNEL_STATE": ("switch_channel.c", "switch_channel_perform_set_running_state", "2408"),
        "CHANNEL_CALLSTATE": ("switch_channel.c", "switch_channel_perform_set_callstate", "301"),
        "CHANNEL_CREATE": ("switch_core_state_machine.c", "switch_core_session_run", "626"),
        "CHANNEL_ORIGINATE": ("switch_core_state_machine.c", "switch_core_session_run", "632"),
        "CHANNEL_PROGRESS": ("switch_channel.c", "switch_channel_perform_mark_ring_ready_value", "3505"),
        "CHANNEL_PROGRESS_MEDIA": ("switch_channel.c", "switch_channel_perform_mark_pre_answered", "3594"),
        "CHANNEL_ANSWER": ("switch_channel.c", "switch_channel_perform_mark_answered", "3846"),
        "CHANNEL_EXECUTE": ("switch_core_session.c", "switch_core_session_exec", "2944"),
        "CHANNEL_EXECUTE_COMPLETE": ("switch_core_session.c", "switch_core_session_exec", "2967"),
        "CHANNEL_PARK": ("switch_ivr.c", "switch_ivr_park", "1002"),
        "CHANNEL_UNPARK": ("switch_ivr.c", "switch_ivr_park", "1213"),
        "CHANNEL_HANGUP": ("switch_channel.c", "switch_channel_perform_hangup", "3445"),
        "CHANNEL_HANGUP_COMPLETE": ("switch_core_state_machine.c", "switch_core_session_reporting_state", "943"),
        "CHANNEL_DESTROY": ("switch_core_session.c", "switch_core_session_perform_destroy", "1584"),
        "PLAYBACK_START": ("switch_ivr_play_say.c", "switch_ivr_play_file", "1646"),
        "PLAYBACK_STOP": ("switch_ivr_play_say.c", "switch_ivr_play_file", "2020"),
        "MEDIA_BUG_START": ("switch_core_media_bug.c", "switch_core_media_bug_add", "1014"),
        "MEDIA_BUG_STOP": ("switch_core_media_bug.c", "switch_core_media_bug_destroy", "84"),
        "BACKGROUND_JOB": ("mod_event_socket.c", "api_exec", "1572"),
        "DTMF": ("switch_channel.c", "switch_channel_dequeue_dtmf", "715"),
        "CUSTOM": ("mod_audio_stream.c", "responseHandler", "16"),
        "SHUTDOWN": ("switch_core.c", "switch_core_destroy", "3165"),
    }
)


class SimEvent:
    """One raised event; its bytes are made once, whoever takes it."""

    def __init__(self, headers: Headers, body: bytes | None) -> None:
        self.headers = headers
        self._body = body
        self._plain: bytes | None = None
        self._json: bytes | None = None

    def encoded(self, form: str) -> bytes:
        if form == "json":
            self._json = self._json or self._as_json()
            return self._json
        self._plain = self._plain or encode_event(self.headers, self._body)
        return self._plain

    def _as_json(self) -> bytes:
        fields = dict(self.headers)
        if self._body is not None:
            fields |= {"Content-Length": str(len(self._body)), "_body": self._body.decode("utf-8", "replace")}
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
        return encode_message((("Content-Length", str(len(text))), ("Content-Type", "text/event-json"))) + text


class Listener(Protocol):
    """An event-socket connection."""

    def wants(self, name: str, subclass: str) -> bool: ...

    def deliver(self, event: SimEvent) -> None: ...


class EventBus:
    """Raises events. One per simulated FreeSWITCH process."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._sequence = 400
        self.core_uuid = str(uuid_module.uuid4())
        self.listeners: set[Listener] = set()

    def renew(self) -> None:
        """A new FreeSWITCH process."""
        self._sequence = 400
        self.core_uuid = str(uuid_module.uuid4())

    def raise_event(
        self, name: str, headers: Callable[[], Headers], *, body: bytes | None = None, subclass: str = ""
    ) -> None:
        self._sequence += 1
        takers = [listener for listener in self.listeners if listener.wants(name, subclass)]
        if takers:
            event = SimEvent([*self._base(name, subclass), *headers()], body)
            for listener in takers:
                listener.deliver(event)

    def _base(self, name: str, subclass: str) -> Headers:
        now_us = self._clock.wall_us()
        moment = datetime.fromtimestamp(now_us / 1e6, UTC)
        file, function, line = _ORIGINS.get(name, ("switch_core.c", "switch_event_fire", "1"))
        base = [
            ("Event-Name", name),
            ("Core-UUID", self.core_uuid),
            ("FreeSWITCH-Hostname", "simulator"),
            ("FreeSWITCH-Switchname", "simulator"),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", f"{moment:%Y-%m-%d %H:%M:%S}"),
            ("Event-Date-GMT", f"{moment:%a, %d %b %Y %H:%M:%S} GMT"),
            ("Event-Date-Timestamp", str(now_us)),
            ("Event-Calling-File", file),
            ("Event-Calling-Function", function),
            ("Event-Calling-Line-Number", line),
            ("Event-Sequence", str(self._sequence)),
        ]
        return [base[0], ("Event-Subclass", subclass), *base[1:]] if subclass else base
