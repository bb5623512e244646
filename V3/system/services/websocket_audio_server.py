"""The WebSocket that mod_audio_stream sends calls' audio to: one stream per call, events to callbacks.

Rules kept here: audio may come before the metadata; what is wrong on one connection is a named error there and
nowhere else; the TCP connection is closed at once after CLOSE (or every hang-up in FreeSWITCH is a second late);
loopback unless told otherwise, and elsewhere a token; every wait ends. An engine without ``process_chunk`` is served
by windows of 800 ms every 200 ms.

Run as a script it starts, streams a bundled word to itself and prints what it heard (audio_server_self_test.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

if __name__ == "__main__":  # run as a script: the package is three directories up
    sys.path[0] = str(Path(__file__).resolve().parents[3])

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from V3.audio.pcm import Audio
from V3.calls.answer import AnswerDecider
from V3.calls.answer_ear import AnswerEar
from V3.calls.answer_policy import AnswerRules
from V3.calls.room import RoomNews
from V3.calls.turns import TurnRules, turn_silence
from V3.calls.words import Phrases
from V3.config import LOOPBACK, AnswerSettings, ServerSettings
from V3.errors import CapacityReached, RecognitionError, VoicebotError, WireError
from V3.events import (
    AnswerClassified,
    Capacity,
    Event,
    Partial,
    SpeechContinues,
    StreamClosed,
    StreamFailed,
    to_json,
)
from V3.system.loop_watch import LoopWatch, Turn
from V3.system.services.amd_service import AMDService
from V3.system.services.call_admission import CallAdmission, CallConnection, tls_of
from V3.system.services.call_hearing import CallHearing, Stream
from V3.system.services.windowed import WindowedStream, transcribed
from V3.wire.dialect import Arrivals
from V3.wire.mod_audio_stream import CallPath, ModAudioStream, call_url, parse_path

__all__ = ["REFUSALS", "WebSocketAudioServer"]

log = logging.getLogger(__name__)

OUTBOX_EVENTS = 256  # events waiting to go back on a WebSocket; beyond that the oldest of what comes often is dropped
MAX_WIRE_ERRORS = 50  # a client that breaks its dialect so often is closed
NORMAL_CLOSE, GOING_AWAY_CLOSE, POLICY_CLOSE, FAILED_CLOSE, TRY_LATER_CLOSE = 1000, 1001, 1008, 1011, 1013
NO_CLOSE_FRAME = 1006
IDLE_SLACK = 1.25
_OPEN_TIMEOUT_S = 5.0
_KEPT_ARRIVALS = 512  # frames of a call whose time of arrival is known: ten seconds of them
_ANY_NUMBER = 1_000_000  # of an engine that does not know how many calls it can hear
_NO_PLACE = {
    "full": "all streams are taken",
    "capacity": "the calls in progress take all that this machine can hear",
    "draining": "the server is being stopped and takes no new calls",
}
REFUSALS = ("path", "token", "foreign", "unexpected", "twice", *_NO_PLACE)
_GAP_S = 0.2  # audio so much later than its length is a gap
_NO_DECIDER = AnswerDecider(machine=(), human=(), hallucinations=Phrases(()))

Handler = Callable[[Event], None]


class WebSocketAudioServer:
    """Hears calls. ``stt`` is a WhisperStreamingSTT, or a batch-only service.

    ``expect(call_id, handler)`` announces a call and where its events go; calls nobody announced are refused unless
    ``accept_any``. ``amd`` decides who answered; None leaves that out. ``turns``: when a callee's turn is over.
    ``expected``: phrases that may be all that is said (:class:`V3.asr.online.StreamingSession`).
    """

    def __init__(
        self,
        stt: Any,
        *,
        amd: AMDService | None = None,
        settings: ServerSettings | None = None,
        answer: AnswerSettings | None = None,
        turns: TurnRules | None = None,
        expected: Sequence[str] = (),
        accept_any: bool = False,
        speed: float = 1.0,
    ) -> None:
        self._stt = stt
        self._amd = amd
        self.settings = settings or ServerSettings()
        self._admission = CallAdmission(self.settings)
        self._answer = answer or AnswerSettings()
        self._turns = turns or TurnRules()
        self._expected = tuple(expected)
        self._accept_any = accept_any
        self._speed = speed
        self._handlers: dict[str, Handler] = {}
        self._classified: set[str] = set()  # expected calls whose verdict was given: a second stream needs none
        self._live: dict[str, _Connection] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._server: Server | None = None
        self._room_made = asyncio.Event()
        self._stream_ended = asyncio.Event()
        self._news = RoomNews()
        self._may_return: frozenset[str] = frozenset()  # calls that were heard when the draining began
        self.loop_watch = LoopWatch()
        self.loop_watch.on_turn.append(self._turned)
        self.on_event: list[Handler] = []
        self.others: Callable[[], int] = lambda: 0
        self.draining = False
        self.refusals: Counter[str] = Counter()  # by reason
        self.audio_gaps = 0

    @property
    def stt(self) -> Any:
        """The recogniser."""
        return self._stt

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise WireError("the audio server is not started")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def streams(self) -> int:
        """Calls being heard now."""
        return len(self._live)

    def url_for(self, call_id: str) -> str:
        """What to give to ``uuid_audio_stream`` for this call."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        kind = "wss" if self.settings.certificate else "ws"
        base = self.settings.public_url or f"{kind}://{host}:{self.port}"
        token = self.settings.token.get_secret_value()
        return call_url(base, call_id, rate_hz=self.settings.rate_hz, token=token)

    @property
    def calls(self) -> int:
        """Calls that are expected or being heard."""
        return len(self._handlers.keys() | self._live.keys())

    @property
    def room(self) -> int:
        """How many more calls can be heard, by what decodes take on this machine; none while it drains.

        ``others`` says how many streams of the same recogniser are not calls (clients that are connected).
        """
        if self.draining:
            return 0
        return max(0, min(self.settings.max_streams - self.calls, self.capacity - self._taken()))

    @property
    def may_have_room(self) -> bool:
        """Whether a call that waits for room may get it: one has to end for that."""
        return self.calls > 0

    @property
    def capacity(self) -> int:
        """How many streams can be heard at once; the recogniser's measure."""
        return int(getattr(self._stt, "capacity", _ANY_NUMBER))

    def _taken(self) -> int:
        """Streams that are open (a call in stereo has two), or will be: a call that rings has its place."""
        ringing = len(self._handlers.keys() - self._live.keys())
        batcher = getattr(self._stt, "batcher", None)
        return max(self.calls + self.others(), ringing + (batcher.calls if batcher is not None else 0))

    def behind_ms(self, event: Event) -> float | None:
        """How long ago the newest audio that was heard for a partial had come, in ms; None for other events.

        To be asked when the partial is told, once for each: partials come in the order of their audio.
        """
        came = self._arrivals.get(event.call_id)
        if came is None or not isinstance(event, Partial):
            return None
        return came.since(event.at_ms, time.monotonic()) * 1000

    def expect(self, call_id: str, handler: Handler) -> None:
        """Accept this call and hand its events to ``handler``, until :meth:`forget`.

        Raises CapacityReached when one more could not be heard: expect a call before it is dialled.
        """
        if call_id not in self._handlers and call_id not in self._live and self.room < 1:
            if self.draining:
                raise CapacityReached("no new calls: the server is being stopped")
            others = f" and {self.others()} clients are connected" if self.others() else ""
            why = f"{self.calls} calls are in progress{others}, and this machine can hear no more at once"
            raise CapacityReached(why)
        self._handlers[call_id] = handler

    def forget(self, call_id: str) -> None:
        """Expect this call no more."""
        self._handlers.pop(call_id, None)
        self._classified.discard(call_id)
        self._room_made.set()

    async def wait_for_room(self, timeout_s: float) -> None:
        """Return when a call has ended, or after ``timeout_s``: then it is worth asking again."""
        self._room_made.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._room_made.wait()

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken, ConfigError for a certificate that cannot be used."""
        tls = tls_of(self.settings)
        connections: Any = functools.partial(CallConnection, doors=self._admission.doors)
        if self.settings.host not in LOOPBACK and tls is None:
            told = "calls on %s without TLS: the token and what is said can be read on the way (server.certificate)"
            log.warning(told, self.settings.host)
        self._server = await serve(
            self._serve,
            self.settings.host,
            self.settings.port,
            process_request=self._admit,
            create_connection=connections,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else _OPEN_TIMEOUT_S,
            compression=None,  # FreeSWITCH then sends its frames as they are
            max_size=self.settings.max_message_bytes,
            max_queue=64,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=1,
            ping_interval=20,
            ping_timeout=20,
            server_header=None,
        )
        self.loop_watch.start()

    async def drain(self, within_s: float) -> bool:
        """Take no new calls, and wait until those that are heard have ended; False where some have not in time.

        Expected calls still get their stream, and a call that is heard may start it again.
        """
        self.draining = True
        self._may_return = frozenset(self._live)
        self._tell_room()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._live:
                    self._stream_ended.clear()
                    await self._stream_ended.wait()
        return not self._live

    async def stop(self) -> None:
        """Close every stream (1001) and stop listening."""
        await self.loop_watch.stop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> WebSocketAudioServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse before the handshake what may not connect; FreeSWITCH reports it as an error event."""
        try:
            path = parse_path(request.path)
        except WireError as exc:
            return self._refuse(connection, http.HTTPStatus.NOT_FOUND, "path", str(exc))
        if (refusal := self._admission.refusal(request, path.token)) is not None:
            return self._refuse(connection, *refusal)
        if not self._accept_any and path.call_id not in self._handlers:
            why = f"no call {path.call_id} is expected"
            return self._refuse(connection, http.HTTPStatus.NOT_FOUND, "unexpected", why)
        if path.call_id in self._live:
            why = f"call {path.call_id} is being heard already"
            return self._refuse(connection, http.HTTPStatus.CONFLICT, "twice", why)
        if reason := self._no_place(path.call_id):
            return self._refuse(connection, http.HTTPStatus.SERVICE_UNAVAILABLE, reason, _NO_PLACE[reason])
        return None

    def _no_place(self, call_id: str) -> str:
        """Why this call may not be heard, empty where it may: an expected one has its place already."""
        if len(self._live) >= self.settings.max_streams:
            return "full"
        if call_id in self._handlers:
            return ""
        if self.draining:
            return "" if call_id in self._may_return else "draining"
        return "" if self.room > 0 else "capacity"

    @property
    def refused(self) -> int:
        """Streams that were refused."""
        return self.refusals.total()

    def _refuse(self, connection: ServerConnection, status: http.HTTPStatus, reason: str, why: str) -> Response:
        self.refusals[reason] += 1
        log.warning("stream refused: %s", why)
        return connection.respond(status, why + "\n")

    def _turned(self, turn: Turn) -> None:
        """What the event loop takes bounds the capacity; then it is time to tell of it."""
        if (batcher := getattr(self._stt, "batcher", None)) is not None:
            batcher.loop_turned(busy_s=turn.busy_s, late_s=turn.late_s, passed_s=turn.passed_s)
        if self._live and self._news.worth_telling(capacity=self.capacity, room=self.room, now_s=time.monotonic()):
            self._tell_room()

    def _tell_room(self) -> None:
        """It is no news of one call: the calls' own handlers get none."""
        for call in list(self._live.values()):
            event = self.room_told_to(call)
            call.send(event)
            for everybodys in list(self.on_event):
                everybodys(event)

    def room_told_to(self, call: _Connection) -> Capacity:
        """How much room there is, as an event of this call."""
        return Capacity(
            call_id=call.call_id,
            at_ms=call.at_ms,
            capacity=self.capacity,
            calls=self.calls,
            room=self.room,
            draining=self.draining,
        )

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        if isinstance(connection, CallConnection):
            connection.is_known()
        path = parse_path(connection.request.path)
        if path.call_id in self._live:  # two handshakes at the same time, both let in
            self.refusals["twice"] += 1
            return await connection.close(POLICY_CLOSE, "this call is being heard already")
        if reason := self._no_place(path.call_id):
            self.refusals[reason] += 1
            return await connection.close(TRY_LATER_CLOSE, _NO_PLACE[reason])
        call = _Connection(self, connection, path)
        self._live[path.call_id] = call
        self._arrivals[path.call_id] = Arrivals(_KEPT_ARRIVALS)
        code, reason = FAILED_CLOSE, "internal error"
        try:
            code, reason = await self._hear(call)
        finally:
            self._live.pop(path.call_id, None)
            self._arrivals.pop(path.call_id, None)
            await call.close()
            self._stream_ended.set()
            if path.call_id not in self._live:  # a newer stream of the call has taken its place otherwise
                call.emit(StreamClosed(call_id=path.call_id, at_ms=call.at_ms, code=code, reason=reason))
            short = reason.encode()[:120].decode(errors="ignore")  # what a CLOSE frame can hold
            await connection.close(code if code != NO_CLOSE_FRAME else FAILED_CLOSE, short)

    async def _hear(self, call: _Connection) -> tuple[int, str]:
        """Serve one stream to its end, whatever ends it; the close code and reason, ours or the client's."""
        try:
            await call.run()
        except ConnectionClosed as exc:
            closed = exc.rcvd if exc.sent is None or exc.rcvd_then_sent else exc.sent
            if closed is None:
                return NO_CLOSE_FRAME, "lost without a close frame"
            if closed is exc.sent and closed.code not in (NORMAL_CLOSE, GOING_AWAY_CLOSE):  # too large, no pong, ...
                call.failed(WireError(closed.reason, close_code=closed.code))
            return closed.code, closed.reason
        except WireError as exc:
            call.failed(exc)
            return exc.close_code, str(exc)
        except VoicebotError as exc:
            call.failed(exc)
            return FAILED_CLOSE, str(exc)
        except Exception as exc:  # the root of a connection's task
            log.exception("call %s: its stream failed", call.call_id)
            call.failed(exc)
            return FAILED_CLOSE, f"internal error: {type(exc).__name__}"
        raise AssertionError("run() ends by an error only")

    def deliver(self, event: Event) -> None:
        """Hand an event to the call's handler and to everybody's."""
        handler = self._handlers.get(event.call_id)
        if handler is not None:
            if isinstance(event, AnswerClassified):
                self._classified.add(event.call_id)
            handler(event)
        for everybodys in list(self.on_event):
            everybodys(event)

    def came(self, call_id: str, audio: Audio) -> None:
        """Note when a call's audio arrived."""
        if (arrivals := self._arrivals.get(call_id)) is not None:
            self.audio_gaps += arrivals.fed(audio, time.monotonic()) > _GAP_S / self._speed

    def hearing(self, path: CallPath, emit: Handler) -> CallHearing:
        """New ears for one call's callee side."""
        return CallHearing(
            call_id=path.call_id,
            rate_hz=path.rate_hz,
            open_stream=functools.partial(self.stream, path.call_id),
            emit=emit,
            recognise=functools.partial(self._recognise, path.call_id),
            ear=AnswerEar(self._amd.decider if self._amd is not None else _NO_DECIDER, answer_rules(self._answer)),
            decides=self._amd is not None and path.call_id not in self._classified,
        )

    def stream(self, call_id: str, emit: Handler) -> Stream:
        """A streaming session of the engine; windows over a batch-only one."""
        if getattr(self._stt, "engine", "") == "whisper_online":
            other: Stream = self._stt.open_online_call(call_id, on_event=emit)
            return other
        if hasattr(self._stt, "process_chunk"):
            stream: Stream = self._stt.open_stream(
                call_id,
                on_event=emit,
                loop=asyncio.get_running_loop(),
                endpoint=turn_silence(self._turns),
                expected=self._expected,
            )
            return stream
        return WindowedStream(self._stt, call_id, on_event=emit)

    @property
    def idle_timeout_s(self) -> float:
        return self.settings.idle_timeout_s / self._speed

    async def _recognise(self, call_id: str, audio: Audio) -> str:
        """The words of the answer window. Raises RecognitionError when they are not there in time."""
        limit_s = self._answer.decode_timeout_s
        try:
            async with asyncio.timeout(limit_s):  # whatever the engine does, the verdict has a deadline
                return str(await transcribed(self._stt, audio, call_id=call_id))
        except TimeoutError as exc:
            raise RecognitionError(f"no transcript within {limit_s:g} s") from exc


def answer_rules(settings: AnswerSettings) -> AnswerRules:
    """When a verdict is given, out of the settings."""
    return AnswerRules(
        window_ms=round(settings.window_s * 1000),
        early=settings.early_verdict,
        early_person_from=settings.early_person_from,
        early_machine_from=settings.early_machine_from,
        early_silence_ms=settings.early_silence_ms,
        greeting_silence_ms=settings.greeting_silence_ms,
        revise_until_ms=round(settings.revise_until_s * 1000) if settings.revise else 0,
        revise_from=settings.revise_from,
    )


class _Outbox:
    """Events on their way back, bounded: the oldest that comes often makes room, then the oldest of all."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._filled = asyncio.Event()

    def put(self, event: Event) -> None:
        if len(self._events) >= OUTBOX_EVENTS:
            often = (
                i for i, waiting in enumerate(self._events) if isinstance(waiting, Partial | SpeechContinues | Capacity)
            )
            del self._events[next(often, 0)]
        self._events.append(event)
        self._filled.set()

    async def get(self) -> Event:
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        return self._events.popleft()


class _Connection:
    """One WebSocket: its dialect, its ears, its events on the way back."""

    def __init__(self, server: WebSocketAudioServer, connection: ServerConnection, path: CallPath) -> None:
        self._server = server
        self._socket = connection
        self._path = path
        self._dialect = ModAudioStream(path)
        self._outbox: _Outbox | None = None
        self._sender: asyncio.Task[None] | None = None
        self._wire_errors = 0
        self._hearing: CallHearing | None = None
        self._robot: Stream | None = None

    @property
    def call_id(self) -> str:
        return self._path.call_id

    @property
    def at_ms(self) -> int:
        return self._hearing.at_ms if self._hearing is not None else 0

    def emit(self, event: Event) -> None:
        self._server.deliver(event)
        self.send(event)

    def send(self, event: Event) -> None:
        """Send an event back, where events are sent at all."""
        if self._outbox is not None:
            self._outbox.put(event)

    def failed(self, error: Exception) -> None:
        kind = type(error).__name__
        self.emit(StreamFailed(call_id=self.call_id, at_ms=self.at_ms, error=kind, message=str(error)))

    async def run(self) -> NoReturn:
        """Take messages until the peer closes (ConnectionClosed), is silent for too long or errs too often."""
        if self._server.settings.send_events:
            self._outbox = _Outbox()
            self._sender = asyncio.create_task(self._send(self._outbox), name=f"events {self.call_id}")
        self.send(self._server.room_told_to(self))
        self._hearing = self._server.hearing(self._path, self.emit)
        if self._path.channels > 1:
            self._robot = self._server.stream(f"{self.call_id}/robot", self.emit)
        try:
            await self._take_all(self._hearing)
        except TimeoutError as exc:
            idle_s = self._server.settings.idle_timeout_s
            raise WireError(f"no audio for {idle_s:g} s", close_code=POLICY_CLOSE) from exc

    async def _take_all(self, hearing: CallHearing) -> NoReturn:
        """Raises TimeoutError after the idle time without a message, a quarter of it later at most.

        One timer for a stream, put off now and then: one for each of fifty messages a second would cost the loop more.
        """
        now_s, idle_s = asyncio.get_running_loop().time, self._server.idle_timeout_s
        async with asyncio.timeout(idle_s) as idle:
            while True:
                message = await self._socket.recv()
                if (idle.when() or 0.0) < now_s() + idle_s:
                    idle.reschedule(now_s() + idle_s * IDLE_SLACK)
                try:
                    self._take(message, hearing)
                except WireError as exc:
                    self._complain(exc)
        raise AssertionError("recv() ends by an error only")

    async def close(self) -> None:
        """Hear what was being said to its end, then stop sending."""
        try:
            if self._hearing is not None:
                await self._hearing.close()
            if self._robot is not None:
                await self._robot.afinish()
        except Exception as exc:  # the last act of a connection's task: its end is told all the same
            log.exception("call %s: its last words were not heard", self.call_id)
            self.failed(exc)
        finally:
            if self._robot is not None:
                self._robot.close()
            if self._sender is not None:
                self._sender.cancel()
                await asyncio.gather(self._sender, return_exceptions=True)
            self._outbox = None

    def _take(self, message: str | bytes, hearing: CallHearing) -> None:
        if isinstance(message, str):
            self._dialect.text(message)
        elif (audio := self._dialect.binary(message)) is not None:
            self._server.came(self.call_id, audio.callee)
            hearing.push(audio.callee)
            if self._robot is not None and audio.robot is not None:
                self._robot.process_chunk(audio.robot)

    def _complain(self, error: WireError) -> None:
        self._wire_errors += 1
        if self._wire_errors == 1:  # what breaks its dialect once mostly does so with every message
            log.warning("call %s: %s", self.call_id, error)
        self.failed(error)
        if self._wire_errors > MAX_WIRE_ERRORS:
            raise WireError(f"over {MAX_WIRE_ERRORS} malformed messages", close_code=POLICY_CLOSE) from error

    async def _send(self, outbox: _Outbox) -> None:
        while True:
            await self._socket.send(to_json(await outbox.get()))


if __name__ == "__main__":
    from V3.system.services.audio_server_self_test import main

    sys.exit(main())
