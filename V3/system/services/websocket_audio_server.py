"""The WebSocket that mod_audio_stream sends calls' audio to: one stream per call, events to callbacks.

Rules kept here: audio may come before the metadata; what is wrong on one connection is a named error there and
nowhere else; the TCP connection is closed at once after CLOSE (or every hang-up in FreeSWITCH is a second late);
loopback unless told otherwise, and elsewhere a token; every wait ends. An engine without ``process_chunk`` is served
by windows of 800 ms every 200 ms.

Run as a script it starts, streams a bundled word to itself and prints what it heard.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import http
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a script: the package is two folders up
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from V3.audio.pcm import Audio
from V3.config import AnswerSettings, ServerSettings
from V3.errors import RecognitionError, VoicebotError, WireError
from V3.events import Event, StreamClosed, StreamFailed, to_json
from V3.system.services.amd_service import AMDService
from V3.system.services.call_hearing import CallHearing, Stream
from V3.system.services.windowed import WindowedStream
from V3.wire.mod_audio_stream import CallPath, ModAudioStream, call_url, parse_path

__all__ = ["WebSocketAudioServer"]

log = logging.getLogger(__name__)

OUTBOX_EVENTS = 256  # events waiting to go back on a WebSocket; beyond that partials are dropped
MAX_WIRE_ERRORS = 50  # a client that breaks its dialect so often is closed
NORMAL_CLOSE, POLICY_CLOSE, TRY_LATER_CLOSE = 1000, 1008, 1013

Handler = Callable[[Event], None]


class WebSocketAudioServer:
    """Hears calls. ``stt`` is a WhisperStreamingSTT, or a batch-only service.

    ``expect(call_id, handler)`` announces a call and where its events go; calls nobody announced are refused unless
    ``accept_any``. ``amd`` decides who answered; None leaves that out.
    """

    def __init__(
        self,
        stt: Any,
        *,
        amd: AMDService | None = None,
        settings: ServerSettings | None = None,
        answer: AnswerSettings | None = None,
        accept_any: bool = False,
        speed: float = 1.0,
    ) -> None:
        self._stt = stt
        self._amd = amd
        self.settings = settings or ServerSettings()
        self._answer = answer or AnswerSettings()
        self._accept_any = accept_any
        self._speed = speed
        self._handlers: dict[str, Handler] = {}
        self._live: dict[str, ServerConnection] = {}
        self._server: Server | None = None
        self.on_event: list[Handler] = []
        self.refused = 0

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
        base = self.settings.public_url or f"ws://{host}:{self.port}"
        token = self.settings.token.get_secret_value()
        return call_url(base, call_id, rate_hz=self.settings.rate_hz, token=token)

    def expect(self, call_id: str, handler: Handler) -> None:
        """Accept this call and hand its events to ``handler``, until :meth:`forget`."""
        self._handlers[call_id] = handler

    def forget(self, call_id: str) -> None:
        """Expect this call no more."""
        self._handlers.pop(call_id, None)

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        self._server = await serve(
            self._serve,
            self.settings.host,
            self.settings.port,
            process_request=self._admit,
            compression=None,  # FreeSWITCH then sends its frames as they are
            max_size=self.settings.max_message_bytes,
            max_queue=64,
            open_timeout=5,
            close_timeout=1,
            ping_interval=20,
            ping_timeout=20,
            server_header=None,
        )

    async def stop(self) -> None:
        """Close every stream (1001) and stop listening."""
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
            return self._refuse(connection, http.HTTPStatus.NOT_FOUND, str(exc))
        token = self.settings.token.get_secret_value()
        given = path.token or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and not hmac.compare_digest(token.encode(), given.encode()):
            return self._refuse(connection, http.HTTPStatus.UNAUTHORIZED, "the token is missing or wrong")
        if not self._accept_any and path.call_id not in self._handlers:
            return self._refuse(connection, http.HTTPStatus.NOT_FOUND, f"no call {path.call_id} is expected")
        if path.call_id in self._live:
            return self._refuse(connection, http.HTTPStatus.CONFLICT, f"call {path.call_id} is being heard already")
        if len(self._live) >= self.settings.max_streams:
            return self._refuse(connection, http.HTTPStatus.SERVICE_UNAVAILABLE, "all streams are taken")
        return None

    def _refuse(self, connection: ServerConnection, status: http.HTTPStatus, why: str) -> Response:
        self.refused += 1
        log.warning("stream refused: %s", why)
        return connection.respond(status, why + "\n")

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = parse_path(connection.request.path)
        if path.call_id in self._live:  # two handshakes at the same time
            return await connection.close(POLICY_CLOSE, "this call is being heard already")
        self._live[path.call_id] = connection
        call = _Connection(self, connection, path)
        code, reason = NORMAL_CLOSE, "Normal closure"
        try:
            code, reason = await call.run()
        except ConnectionClosed as exc:
            received = exc.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "lost without a close frame")
        except VoicebotError as exc:
            code, reason = getattr(exc, "close_code", 1011), str(exc)
            call.emit(StreamFailed(call_id=path.call_id, at_ms=call.at_ms, error=type(exc).__name__, message=reason))
        except Exception as exc:
            log.exception("call %s: its stream failed", path.call_id)
            code, reason = 1011, f"internal error: {type(exc).__name__}"
            call.emit(StreamFailed(call_id=path.call_id, at_ms=call.at_ms, error=type(exc).__name__, message=str(exc)))
        finally:
            self._live.pop(path.call_id, None)
            await call.close()
            call.emit(StreamClosed(call_id=path.call_id, at_ms=call.at_ms, code=code, reason=reason))
            await connection.close(code if code in (NORMAL_CLOSE, POLICY_CLOSE) or code > 1006 else 1000, reason[:100])

    def deliver(self, event: Event) -> None:
        """Hand an event to the call's handler and to everybody's."""
        handler = self._handlers.get(event.call_id)
        if handler is not None:
            handler(event)
        for everybodys in list(self.on_event):
            everybodys(event)

    def hearing(self, path: CallPath, emit: Handler) -> CallHearing:
        """New ears for one call's callee side."""
        return CallHearing(
            call_id=path.call_id,
            rate_hz=path.rate_hz,
            stream=self.stream(path.call_id, emit),
            emit=emit,
            recognise=functools.partial(self._recognise, path.call_id),
            amd=self._amd,
            window_ms=round(self._answer.window_s * 1000),
        )

    def stream(self, call_id: str, emit: Handler) -> Stream:
        """A streaming session of the engine; windows over a batch-only one."""
        if hasattr(self._stt, "process_chunk"):
            stream: Stream = self._stt.open_stream(call_id, on_event=emit, loop=asyncio.get_running_loop())
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
                return str(await self._stt.transcribe_async(audio, call_id=call_id, timeout_s=limit_s))
        except TimeoutError as exc:
            raise RecognitionError(f"no transcript within {limit_s:g} s") from exc


class _Connection:
    """One WebSocket: its dialect, its ears, its events on the way back."""

    def __init__(self, server: WebSocketAudioServer, connection: ServerConnection, path: CallPath) -> None:
        self._server = server
        self._socket = connection
        self._path = path
        self._dialect = ModAudioStream(path)
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX_EVENTS)
        self._sender: asyncio.Task[None] | None = None
        self._wire_errors = 0
        self._hearing = server.hearing(path, self.emit)
        self._robot: Stream | None = None
        if path.channels > 1:
            self._robot = server.stream(f"{path.call_id}/robot", self.emit)

    @property
    def at_ms(self) -> int:
        return self._hearing.at_ms

    def emit(self, event: Event) -> None:
        self._server.deliver(event)
        if self._sender is not None and not self._outbox.full():
            self._outbox.put_nowait(to_json(event))

    async def run(self) -> tuple[int, str]:
        """Take messages until the peer closes (ConnectionClosed), or is silent for too long."""
        if self._server.settings.send_events:
            self._sender = asyncio.create_task(self._send(), name=f"events {self._path.call_id}")
        while True:
            try:
                async with asyncio.timeout(self._server.idle_timeout_s):
                    message = await self._socket.recv()
            except TimeoutError as exc:
                raise WireError(f"no audio for {self._server.settings.idle_timeout_s:g} s", close_code=1008) from exc
            try:
                self._take(message)
            except WireError as exc:
                self._complain(exc)

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            self._sender = None
        await self._hearing.close()
        if self._robot is not None:
            self._robot.close()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._dialect.text(message)
        elif (audio := self._dialect.binary(message)) is not None:
            self._hearing.push(audio.callee)
            if self._robot is not None and audio.robot is not None:
                self._robot.process_chunk(audio.robot)

    def _complain(self, error: WireError) -> None:
        self._wire_errors += 1
        log.warning("call %s: %s", self._path.call_id, error)
        call_id, at_ms = self._path.call_id, self.at_ms
        self.emit(StreamFailed(call_id=call_id, at_ms=at_ms, error=type(error).__name__, message=str(error)))
        if self._wire_errors > MAX_WIRE_ERRORS:
            raise WireError(f"over {MAX_WIRE_ERRORS} malformed messages", close_code=POLICY_CLOSE) from error

    async def _send(self) -> None:
        while True:
            await self._socket.send(await self._outbox.get())
