"""One connection to FreeSWITCH's event socket: greenswitch's ``InboundESL``, what is unsafe in it replaced.

It lives on gevent in the thread of :class:`~V3.telephony.esl.EslClient`; with that module it is all that knows gevent
or greenswitch. Replaced are reading (by :class:`~V3.telephony.codec.EslDecoder`), sending (whole, in order, through
one queue), connecting (every wait bounded, any number of times) and stopping (also from a handler).
"""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import gevent
import gevent.event
import gevent.queue
import gevent.socket
from greenswitch.esl import InboundESL

from V3.errors import CommandError, EslAuthError, EslConnectionLost, EslError, EslNotConnected, EslTimeout
from V3.telephony.codec import EslDecoder, EslEvent, EslMessage
from V3.telephony.commands import checked_command

__all__ = ["DEFAULT_EVENTS", "EslSettings", "SafeInboundESL"]

READ_BYTES = 65536
OUTBOX_COMMANDS = 4096  # to be sent or answered; one more is refused: EslNotConnected, nothing sent
DEFAULT_EVENTS = (
    "CHANNEL_CREATE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_DESTROY",
    "CHANNEL_EXECUTE_COMPLETE",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "DTMF",
    "BACKGROUND_JOB",
    "CUSTOM",  # everything after CUSTOM is a subclass
    "mod_audio_stream::connect",
    "mod_audio_stream::disconnect",
    "mod_audio_stream::error",
    "mod_audio_stream::json",
)


class Waiter(Protocol):
    """Who waits for a reply: gevent's AsyncResult, or an asyncio future behind :class:`_Reply`."""

    def set(self, value: EslMessage) -> None: ...
    def set_exception(self, exception: BaseException) -> None: ...


@dataclass(frozen=True, slots=True)
class EslSettings:
    """Where FreeSWITCH listens and how long to wait for it. Times in seconds."""

    host: str = "127.0.0.1"
    port: int = 8021
    password: str = "ClueCon"  # noqa: S105 - FreeSWITCH's own default, known to all
    connect_timeout_s: float = 5.0  # TCP, greeting and auth, each
    reply_timeout_s: float = 5.0  # any command's reply
    keepalive_s: float = 10.0  # a connection silent for this long is asked something
    backoff_min_s: float = 0.2
    backoff_max_s: float = 5.0
    events: tuple[str, ...] = DEFAULT_EVENTS

    def __post_init__(self) -> None:
        checked_command("event plain " + " ".join(self.events))
        try:
            checked_command(f"auth {self.password}")
        except CommandError:  # its message quotes the password
            raise CommandError("the event-socket password holds what no command can hold") from None

    def __repr__(self) -> str:
        return f"EslSettings({self.host}:{self.port})"  # never the password


class SafeInboundESL(InboundESL):  # type: ignore[misc]  # greenswitch ships no types
    """One connection. Lives in the gevent thread; every method is called there."""

    def __init__(
        self,
        settings: EslSettings,
        *,
        deliver: Callable[[EslEvent], None],
        lost: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        super().__init__(settings.host, settings.port, settings.password, timeout=settings.connect_timeout_s)
        self._settings = settings
        self._deliver = deliver
        self._lost = lost
        self.down = gevent.event.Event()
        self.reason = "not connected yet"
        self.sock: Any = None
        self._writer: Any = None
        self._reset()

    def _reset(self) -> None:
        self.open = False  # its keeper sets it: let in and subscribed, commands of others are taken
        self.decoder = EslDecoder()
        self.bytes_read = 0
        self._commands_sent: deque[Waiter] = deque()
        self._outbox = gevent.queue.Queue(OUTBOX_COMMANDS)
        self._greeting = gevent.event.AsyncResult()
        self.down.clear()

    def connect(self) -> None:
        """Connect and authenticate. Raises EslNotConnected, EslAuthError or EslTimeout, within the time-outs."""
        self.drop("a new connection takes its place")
        self._reset()
        where = f"{self.host}:{self.port}"
        try:
            self.sock = gevent.socket.create_connection((self.host, self.port), timeout=self.timeout)
            self.sock.settimeout(None)
            self.sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        except (OSError, ValueError, OverflowError) as exc:  # ValueError: a host that is no name; Overflow: a port
            self.reason = f"no FreeSWITCH event socket at {where}: {exc}"
            raise EslNotConnected(self.reason) from exc
        self.connected = True
        self._receive_events_greenlet = gevent.spawn(self.receive_events)
        self._writer = gevent.spawn(self._write)
        try:
            self._wait(self._greeting, f"the greeting of {where}", timeout_s=self.timeout)
            self.authenticate()
        except EslError as exc:
            self.drop(str(exc))
            raise

    def authenticate(self) -> None:
        reply = self.send(f"auth {self.password}", timeout_s=self.timeout).reply
        if not reply.startswith("+OK"):
            raise EslAuthError(f"FreeSWITCH refused the event-socket password: {reply}")

    def send(self, data: str, *, timeout_s: float | None = None) -> EslMessage:
        """Send one command and wait for its reply. Raises EslTimeout, EslConnectionLost or EslNotConnected."""
        result = gevent.event.AsyncResult()
        self._queue(data, result)
        what = data.split("\n", 1)[0].split(" ", 1)[0]  # never more: auth is followed by the password
        return self._wait(result, what, timeout_s=timeout_s or self._settings.reply_timeout_s)

    def submit(self, data: str, waiter: Waiter) -> None:
        """Queue one command; its reply, or why there is none, goes to ``waiter``. Never blocks."""
        if self.open:
            self._queue(data, waiter)
        else:
            waiter.set_exception(EslNotConnected(f"not sent, FreeSWITCH is not connected: {self.reason}"))

    @property
    def awaited(self) -> bool:
        """Whether a caller still waits for the reply to the command that FreeSWITCH is at; it takes them in turn.

        Those behind it do not count: on a dead connection under load one of them has always just been sent.
        """
        return bool(self._commands_sent) and not getattr(self._commands_sent[0], "abandoned", True)

    def _queue(self, data: str, waiter: Waiter) -> None:
        try:
            line = (data + "\n\n").encode()
        except UnicodeEncodeError:  # in the writer it would end the writer
            waiter.set_exception(CommandError("not sent: a command that is not Unicode text"))
            return
        if not self.connected:
            waiter.set_exception(EslNotConnected(f"not sent, FreeSWITCH is not connected: {self.reason}"))
        elif self._outbox.qsize() + len(self._commands_sent) >= OUTBOX_COMMANDS:
            waiter.set_exception(EslNotConnected(f"not sent: {OUTBOX_COMMANDS} commands wait for their replies"))
        else:
            self._outbox.put_nowait((line, waiter))

    def receive_events(self) -> None:
        """Read until the peer closes. Malformed bytes are recorded by the decoder and do not end the reading."""
        sock, decoder, why = self.sock, self.decoder, "FreeSWITCH closed the connection"
        try:
            while self.connected and self.sock is sock and (data := sock.recv(READ_BYTES)):
                self.bytes_read += len(data)
                for message in decoder.feed(data):
                    self._handle(message)
        except OSError as exc:
            why = f"reading failed: {exc}"
        finally:  # also when a handler failed: a connection that nobody reads is no connection
            decoder.eof()
            if self.sock is sock:
                self.drop(why)

    def drop(self, reason: str) -> None:
        """End the connection now and fail whatever waits on it. From any greenlet, any number of times."""
        if not self.connected:
            return
        was_open, self.connected, self.open = self.open, False, False
        self.reason = reason
        if was_open:
            self._lost(reason)  # before those who wait learn it: they may ask at once whether it is up again
        with contextlib.suppress(OSError):
            if self._commands_sent:  # what is not delivered by now is never to be: nobody would wait for that call
                self.sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.shutdown(gevent.socket.SHUT_RDWR)
        self.sock.close()
        if not self._greeting.ready():  # a refusal that came before the end says more
            self._greeting.set_exception(EslNotConnected(reason))
        sent, self._commands_sent = self._commands_sent, deque()
        for waiter in sent:
            waiter.set_exception(EslConnectionLost(f"the connection ended before the reply: {reason}"))
        while not self._outbox.empty():
            _, waiter = self._outbox.get_nowait()
            waiter.set_exception(EslNotConnected(f"not sent, the connection ended: {reason}"))
        if self._writer is not gevent.getcurrent():
            self._writer.kill(block=False)
        self.down.set()

    def stop(self) -> None:
        """Say goodbye and close. Returns also when called from a handler."""
        if self.connected and gevent.getcurrent() is not self._receive_events_greenlet:
            with contextlib.suppress(EslError), gevent.Timeout(0.5, exception=False):
                self.send("exit")
        self.drop("closed by us")

    def finish(self, timeout_s: float) -> None:
        """After ``drop``: wait until both greenlets are gone."""
        gevent.joinall([g for g in (self._receive_events_greenlet, self._writer) if g is not None], timeout=timeout_s)

    def _write(self) -> None:
        sock, outbox = self.sock, self._outbox
        while True:
            line, waiter = outbox.get()
            if getattr(waiter, "abandoned", False):
                continue  # its caller has given up: it must not be carried out later
            self._commands_sent.append(waiter)
            try:
                with gevent.Timeout(self._settings.reply_timeout_s):
                    sock.sendall(line)
            except (OSError, gevent.Timeout) as exc:
                if self.sock is sock:
                    self.drop(f"sending failed: {exc}")  # part of it may be out: the stream cannot be used further
                return

    def _handle(self, message: EslMessage) -> None:
        kind = message.content_type
        if kind == "text/event-plain":
            if (event := self.decoder.event(message)) is not None:
                self._deliver(event)
        elif kind in ("command/reply", "api/response"):
            if self._commands_sent:
                self._commands_sent.popleft().set(message)
            else:
                self.drop("FreeSWITCH sent a reply to no command")
        elif kind == "auth/request":
            self._greeting.set(message)
        elif kind == "text/rude-rejection":
            self._greeting.set_exception(EslAuthError("FreeSWITCH's access list refuses this address"))
        # text/disconnect-notice: the end of file follows; log/data and others: not asked for

    def _wait(self, result: Any, what: str, *, timeout_s: float) -> EslMessage:
        try:
            message: EslMessage = result.get(timeout=timeout_s)
        except gevent.Timeout as exc:
            raise EslTimeout(f"no answer to {what} within {timeout_s:g} s") from exc
        return message
