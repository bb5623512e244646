"""The event socket: one TCP connection of a robot to the simulated FreeSWITCH.

- Commands of a connection are served one after the other; an api that blocks holds back its events too.
- Events ride a tick of 20 ms, and go out whenever all commands that have come are answered.
- A page in a browser can post lines to loopback: whoever begins with HTTP is cut off, here as nowhere in FreeSWITCH.
- bgapi answers at once and raises BACKGROUND_JOB later; jobs finish in any order.
"""

from __future__ import annotations

import asyncio
import math
import uuid as uuid_module
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from V3.simulator.api import Api
from V3.simulator.bus import SimEvent
from V3.simulator.clock import FRAME_MS, Waker
from V3.simulator.faults import DropPoint
from V3.simulator.player import Execute
from V3.simulator.switch import Switch
from V3.telephony.codec import encode_message

__all__ = ["EslConnection"]

UNKNOWN = "-ERR command not found"
GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
STOPPING = b"The system is being shut down.\n"
MAX_EVENTS = 100_000  # waiting for one connection; further ones are dropped, as FreeSWITCH does
MAX_COMMANDS = 1000  # read ahead; reading then pauses
MAX_COMMANDS_OF_STRANGERS = 32
MAX_COMMAND_BYTES = 1 << 20
_EVENT_NAMES = """CUSTOM CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
    CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
    CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
    CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_DATA API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP
    SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN
    NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH
    DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML
    NOTIFY PHONE_FEATURE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS GENERAL COMMAND SESSION_HEARTBEAT
    CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO CALL_SECURE NAT RECORD_START RECORD_STOP
    PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP ALL"""
KNOWN_EVENTS = frozenset(_EVENT_NAMES.split())


class _Closing(Exception):
    """The connection ends now: exit, a wrong password, or a fault."""


class Command:
    """One command: its first line, its headers (names as sent) and its body."""

    def __init__(self, block: str) -> None:
        lines = block.replace("\r", "").split("\n")
        self.line = lines[0].strip()
        pairs = (raw.partition(":") for raw in lines[1:])
        self.headers = [(name.strip(), value.strip()) for name, colon, value in pairs if colon]
        self.body = b""

    def header(self, name: str) -> str:
        return next((value for other, value in self.headers if other.lower() == name), "")


@dataclass(slots=True)
class Answer:
    """What goes back, what to call once it went out, and whether the connection ends with it."""

    data: bytes
    then: Callable[[], object] = lambda: None
    closing: bool = False


class EslConnection:
    """Serves one client until it leaves or is cut."""

    def __init__(
        self, switch: Switch, api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, password: str
    ) -> None:
        self._switch = switch
        self._api = api
        self._reader = reader
        self._writer = writer
        self._password = password
        self._waker = Waker(switch.clock)
        self._commands: deque[Command] = deque()
        self._room = asyncio.Event()
        self._ended = False
        self._authorised = False
        self._form = ""  # plain or json, once events were asked for
        self._names: set[str] = set()
        self._subclasses: set[str] = set()
        self._filters: list[tuple[str, str]] = []
        self._events: deque[SimEvent] = deque()
        self._last_tick_ms = switch.clock.now_ms()
        self._settings: dict[str, Callable[[list[str]], str]] = {
            "event": self._event,
            "nixevent": self._nixevent,
            "noevents": self._noevents,
            "filter": self._filter,
            "log": self._log,
            "nolog": lambda _: "+OK no longer logging",
            "divert_events": lambda _: "-ERR not controlling a session.",
            "linger": lambda _: "-ERR not controlling a session",
            "nolinger": lambda _: "-ERR not controlling a session",
        }

    # -- listener of the bus ----------------------------------------------------------------------------------------

    def wants(self, name: str, subclass: str) -> bool:
        if not self._form:
            return False
        if name == "CUSTOM":
            return "ALL" in self._names or subclass in self._subclasses
        return "ALL" in self._names or name in self._names

    def deliver(self, event: SimEvent) -> None:
        if len(self._events) < MAX_EVENTS and self._passes(event):
            self._events.append(event)
            self._waker.kick()

    def _passes(self, event: SimEvent) -> bool:
        if not self._filters:
            return True
        fields = dict(event.headers)
        return any(fields.get(name) == value for name, value in self._filters)

    # -- connection -------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The TCP connection is reset."""
        self._ended = True
        self._writer.transport.abort()
        self._waker.kick()

    def leave(self) -> None:
        """FreeSWITCH is being stopped: what is waiting goes out, then a notice and the end."""
        self._flush_events()
        self._write(_notice(STOPPING))
        self._writer.close()
        self._ended = True
        self._waker.kick()

    async def serve(self) -> None:
        self._switch.bus.listeners.add(self)
        reading = asyncio.create_task(self._read(), name="simulator esl reader")
        try:
            self._write(encode_message([("Content-Type", "auth/request")]))
            while not self._ended or self._commands:
                await self._turn()
        except (_Closing, OSError):
            pass
        finally:
            self._switch.bus.listeners.discard(self)
            reading.cancel()
            await asyncio.wait((reading,))
            self._writer.close()

    async def _turn(self) -> None:
        """One round of the listener: a command if there is one, else the next tick; then the events."""
        if self._commands:
            command = self._commands.popleft()
            self._room.set()
            await self._serve_command(command)
        elif not self._events:
            await self._waker.wait()  # what came is looked at in the next round: an event waits for its tick
            return
        else:
            passed_ms = self._switch.clock.now_ms() - self._last_tick_ms
            due_ms = self._last_tick_ms + max(1, math.ceil(passed_ms / FRAME_MS)) * FRAME_MS
            while not (self._commands or self._ended) and self._switch.clock.now_ms() < due_ms:
                await self._waker.wait(due_ms)
        if self._commands:
            return  # what the client has sent already goes first
        self._last_tick_ms = self._switch.clock.now_ms()
        self._flush_events()
        await self._writer.drain()

    def _flush_events(self) -> None:
        self._write(b"".join(event.encoded(self._form) for event in self._events))
        self._events.clear()

    def _write(self, data: bytes) -> None:
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def _read(self) -> None:
        try:
            while (command := await self._next_command()) is not None:
                self._commands.append(command)
                self._waker.kick()
                while len(self._commands) >= (MAX_COMMANDS if self._authorised else MAX_COMMANDS_OF_STRANGERS):
                    self._room.clear()
                    await self._room.wait()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._ended = True
            self._waker.kick()

    async def _next_command(self) -> Command | None:
        while True:
            block = await self._reader.readuntil(b"\n\n")
            text = block.decode("utf-8", "replace").strip("\r\n")
            if text:
                break
        command = Command(text)
        if command.line.endswith(("HTTP/1.1", "HTTP/1.0")):
            return None
        length = command.header("content-length")
        if length.isdigit() and int(length) <= MAX_COMMAND_BYTES:
            command.body = await self._reader.readexactly(int(length))
        return command

    async def _serve_command(self, command: Command) -> None:
        faults = self._switch.faults
        point = faults.drop_point(command.line) if self._authorised else None
        if point is DropPoint.BEFORE:
            raise _Closing
        answer = await self._answer(command)
        try:
            if faults.faults.reply_delay_ms:
                await self._switch.clock.sleep_ms(faults.faults.reply_delay_ms)
            if point is DropPoint.AFTER:
                raise _Closing
            self._write(answer.data[: len(answer.data) // 2] if point is DropPoint.BODY else answer.data)
            if point is not None or answer.closing:
                await self._writer.drain()
                raise _Closing
        finally:
            answer.then()

    # -- commands ---------------------------------------------------------------------------------------------------

    async def _answer(self, command: Command) -> Answer:
        verb, _, rest = command.line.partition(" ")
        verb, rest = verb.lower(), rest.strip()
        answer = Answer(_reply(UNKNOWN))
        if verb == "exit":
            answer = Answer(_reply("+OK bye") + _notice(GOODBYE), closing=True)
        elif verb == "auth":
            answer = self._auth(rest)
        elif not self._authorised:
            pass
        elif verb == "api" and rest:
            done = await self._api.run(rest)
            answer = Answer(encode_message([("Content-Type", "api/response")], done.reply.encode()), done.replied)
        elif verb == "bgapi" and rest:
            answer = self._bgapi(rest, command.header("job-uuid"))
        elif verb == "sendmsg":
            answer = Answer(_reply(self._sendmsg(rest, command)))
        elif verb == "sendevent":
            answer = Answer(_reply(self._sendevent(rest, command)))
        elif verb in self._settings:
            answer = Answer(_reply(self._settings[verb](rest.split())))
        return answer

    def _auth(self, password: str) -> Answer:
        if password != self._password:
            return Answer(_reply("-ERR invalid") + _notice(GOODBYE), closing=True)
        self._authorised = True
        return Answer(_reply("+OK accepted"))

    def _bgapi(self, line: str, job: str) -> Answer:
        job = job or str(uuid_module.uuid4())
        self._switch.tasks.spawn(f"job {job}", self._job(line, job))
        return Answer(_reply(f"+OK Job-UUID: {job}", ("Job-UUID", job)))

    async def _job(self, line: str, job: str) -> None:
        name, _, arguments = line.partition(" ")
        done = await self._api.run(line)
        fields = [("Job-UUID", job), ("Job-Command", name)]
        fields += [("Job-Command-Arg", arguments)] if arguments else []
        self._switch.bus.raise_event("BACKGROUND_JOB", lambda: fields, body=done.reply.encode())
        done.replied()

    def _sendmsg(self, uuid: str, command: Command) -> str:
        call = self._switch.calls.get(uuid)
        if call is None:
            return f"-ERR invalid session id [{uuid}]"
        kind = command.header("call-command").lower()
        if call.near.uuid == uuid and kind == "execute":
            call.player.enqueue(
                Execute(
                    command.header("execute-app-name").lower(),
                    command.header("execute-app-arg") or command.body.decode("utf-8", "replace").strip(),
                    event_uuid=command.header("event-uuid"),
                    locked=command.header("event-lock").lower() == "true",
                )
            )
        elif call.near.uuid == uuid and kind == "hangup":
            call.hang_up(command.header("hangup-cause") or "NORMAL_CLEARING", by="robot")
        return "+OK"  # also for break, which does nothing

    def _sendevent(self, name: str, command: Command) -> str:
        subclass = command.header("event-subclass")
        fields = [(k, v) for k, v in command.headers if k.lower() not in ("event-subclass", "content-length")]
        identity = str(uuid_module.uuid4())
        fields.append(("Event-UUID", identity))
        self._switch.bus.raise_event(name, lambda: fields, body=command.body or None, subclass=subclass)
        return f"+OK {identity}"

    def _nixevent(self, words: list[str]) -> str:
        names, subclasses = _event_names(words)
        self._names -= names
        self._subclasses -= subclasses
        return "+OK events nixed"

    def _noevents(self, _words: list[str]) -> str:
        self._names, self._subclasses, self._form = set(), set(), ""
        self._events.clear()
        return "+OK no longer listening for events"

    def _log(self, words: list[str]) -> str:
        level = words[0] if words else "7"
        return f"+OK log level {level} [{level}]"

    def _event(self, words: list[str]) -> str:
        form = "plain"
        if words and words[0].lower() in ("plain", "json", "xml"):
            form = words[0].lower()
            words = words[1:]
        names, subclasses = _event_names(words)
        if not names and not subclasses:
            return "-ERR no keywords supplied"
        self._names |= names
        self._subclasses |= subclasses
        self._form = form
        return f"+OK event listener enabled {form}"

    def _filter(self, words: list[str]) -> str:
        if not words:
            return UNKNOWN
        if words[0].lower() == "delete":
            name, value = ([*words[1:], "", ""])[:2]
            self._filters = [
                pair
                for pair in self._filters
                if name.lower() != "all" and not (pair[0] == name and value in ("", pair[1]))
            ]
            return f"+OK filter deleted. [{name}][{value}]"
        if len(words) < 2:
            return "-ERR invalid syntax"
        value = " ".join(words[1:])
        self._filters.append((words[0], value))
        return f"+OK filter added. [{words[0]}]=[{value}]"


def _event_names(words: list[str]) -> tuple[set[str], set[str]]:
    """Known names, and the subclasses: all that follows CUSTOM."""
    names: set[str] = set()
    for at, word in enumerate(words):
        if word.upper() == "CUSTOM":
            return names, set(words[at + 1 :])
        if word.upper() in KNOWN_EVENTS:
            names.add(word.upper())
    return names, set()


def _reply(text: str, *headers: tuple[str, str]) -> bytes:
    return encode_message([("Content-Type", "command/reply"), ("Reply-Text", text), *headers])


def _notice(body: bytes) -> bytes:
    return encode_message([("Content-Type", "text/disconnect-notice")], body)
