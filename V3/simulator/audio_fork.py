"""``uuid_audio_stream``: one call's audio to a WebSocket server, as mod_audio_stream sends it.

- ``start`` answers before anything is connected; refusals and time-outs come later as an error event (codes 6, 10,
  1, 11), after which the stream is gone. After a CLOSE from the server it stays, mute, until ``stop``.
- One message is one masked frame of 20 ms (or STREAM_BUFFER_SIZE) of s16le; two come together at first. ``mono`` is
  what the callee says and always flows; ``mixed`` and ``stereo`` send nothing while nothing is played.
- The metadata text is not surely first: frames of a slow handshake go before it.
- The end is CLOSE 1000 ``Normal closure``; then the server has one second to close TCP, and whoever waits for us
  (a hang-up, an ESL connection) waits that long with us.
- Pacing is absolute: a late loop sends what is due at once, as the real one does.

The WebSocket protocol itself is the sans-I/O core of the ``websockets`` library.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from V3.simulator.clock import FRAME_MS, SimClock
from V3.simulator.faults import FaultState

__all__ = ["AudioFork", "AudioSource", "ForkSettings"]

FIRST_FRAMES_MS = 44.0  # after start, the first two together
HANDSHAKE_LIMIT_MS = 1000.0
HANDSHAKE_FLOOR_S = 1.0  # in real time: the server is not sped up with us
CLOSE_LIMIT_MS = 1000.0
MAX_WAITING_FRAMES = 100  # of a handshake; the oldest are dropped
MAX_UNSENT_BYTES = 16 << 20  # towards a server that stopped reading; frames beyond are dropped


class AudioSource(Protocol):
    """What a call gives to its stream."""

    clock: SimClock
    rng: random.Random

    def far_frame(self, from_ms: float, rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]: ...

    def robot_frame(self, from_ms: float, rate_hz: int) -> np.ndarray[tuple[int], np.dtype[np.int32]] | None: ...

    def stream_event(self, kind: str, body: str) -> None: ...

    def stream_over(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ForkSettings:
    """The arguments of ``start`` and the variables it reads."""

    uuid: str
    url: str
    mix: str  # mono, mixed or stereo
    rate_hz: int
    metadata: str = ""
    message_ms: int = 20  # STREAM_BUFFER_SIZE
    heart_beat_s: float = 0.0  # STREAM_HEART_BEAT
    extra_headers: tuple[tuple[str, str], ...] = ()


class _StreamFailed(Exception):
    """The stream is over with an error event."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AudioFork:
    """One attached stream. ``start`` returns at once; ``close`` is what ``stop`` and a hang-up await."""

    def __init__(self, source: AudioSource, settings: ForkSettings, faults: FaultState) -> None:
        self._source = source
        self._clock = source.clock
        self._settings = settings
        self._faults = faults
        self._protocol = ClientProtocol(parse_uri(settings.url), max_size=16 << 20)
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING_FRAMES)
        self._part = bytearray()  # of a message longer than a frame
        self._texts: list[str] = []  # send_text before the connection stood
        self._frames_before_text: int | None = None  # metadata still to come after that many frames
        self._open = False
        self._files = 0
        self._start_ms = self._clock.now_ms()
        self._zero_ms = self._start_ms + FIRST_FRAMES_MS - 2 * FRAME_MS  # where the first frame begins
        self._framed = 0
        self.paused = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, spawn: Callable[[str, Coroutine[Any, Any, None]], asyncio.Task[None]]) -> None:
        self._tasks = [spawn("stream", self._run()), spawn("stream frames", self._pump())]

    def send_text(self, text: str) -> None:
        """Into the void when the server has closed, as the real one."""
        if self._open:
            self._send(self._protocol.send_text, text.encode())
        elif self._protocol.state is State.CONNECTING:
            self._texts.append(text)

    async def close(self, text: str = "") -> None:
        """Send ``text`` and CLOSE 1000, then wait for the server to close TCP, at most a second."""
        runner, pump = self._tasks
        pump.cancel()
        self._send_due()
        if text:
            self.send_text(text)
        was_open, self._open = self._open, False
        if self._protocol.state is State.OPEN and was_open:
            self._write(lambda: self._protocol.send_close(CloseCode.NORMAL_CLOSURE, "Normal closure"))
            await asyncio.wait((runner,), timeout=self._clock.real_s(CLOSE_LIMIT_MS))
        self.abort()

    def cut(self) -> None:
        """Fault: TCP is lost."""
        if self._writer is not None:
            self._writer.transport.abort()

    def abort(self) -> None:
        """The process is gone: no CLOSE, TCP is cut."""
        for task in self._tasks:
            task.cancel()
        if self._writer is not None:
            self._writer.transport.abort()

    async def _run(self) -> None:
        try:
            reader = await self._connect()
            self._opened()
            await self._read(reader)
        except _StreamFailed as failure:
            self._open = False
            body = {"status": "error", "message": {"code": failure.code, "error": str(failure)}}
            self._tasks[1].cancel()
            self._source.stream_event("error", _compact(body))
            self._source.stream_over()
        finally:
            if self._writer is not None:
                self._writer.transport.abort()

    async def _connect(self) -> asyncio.StreamReader:
        if self._faults.refuses_stream():
            raise _StreamFailed(6, "Connection refused (system error 111)")
        limit_s = max(HANDSHAKE_FLOOR_S, self._clock.real_s(HANDSHAKE_LIMIT_MS))
        slow_ms = self._faults.faults.slow_handshake_ms
        if slow_ms >= HANDSHAKE_LIMIT_MS:
            await self._clock.sleep_ms(HANDSHAKE_LIMIT_MS)
            raise _StreamFailed(10, "Timeout")
        await self._clock.sleep_ms(slow_ms)
        try:
            async with asyncio.timeout(limit_s):
                return await self._handshake()
        except TimeoutError:
            raise _StreamFailed(10, "Timeout") from None
        except OSError as error:
            raise _StreamFailed(6, _system_error(error)) from error

    async def _handshake(self) -> asyncio.StreamReader:
        uri = parse_uri(self._settings.url)
        reader, self._writer = await asyncio.open_connection(uri.host, uri.port)
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = self._protocol.connect()
        request.headers["Origin"] = f"http://{uri.host}:{uri.port}"
        for name, value in self._settings.extra_headers:
            request.headers[name] = value
        self._write(lambda: self._protocol.send_request(request))
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            data = await reader.read(65536)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
                break
        if self._protocol.state is not State.OPEN:
            raise _StreamFailed(6, "WebSocket upgrade failed") from self._protocol.handshake_exc
        return reader

    def _opened(self) -> None:
        self._open = True
        self._source.stream_event("connect", '{"status":"connected"}')
        for frame in self._waiting:  # what was said during the handshake goes out before the metadata
            self._send(self._protocol.send_binary, frame)
        if self._settings.metadata:
            first = bool(self._waiting) or self._source.rng.random() < 0.9
            self._frames_before_text = 0 if first else self._source.rng.randint(1, 15)
            self._metadata_if_due()
        self._waiting.clear()
        for text in self._texts:
            self.send_text(text)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        dies_ms = self._faults.faults.stream_dies_after_ms
        limit_s = None if dies_ms is None else self._clock.real_s(dies_ms)
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    self._take_messages()
                    data = await reader.read(65536)
                    if not data:
                        break
                    self._protocol.receive_data(data)
                    self._flush()
        except TimeoutError:
            raise _StreamFailed(1, "Connection reset by peer (system error 104)") from None
        except OSError as error:
            raise _StreamFailed(1, _system_error(error)) from error
        if self._protocol.close_rcvd is None and self._open:
            raise _StreamFailed(1, "Connection closed without WebSocket CLOSE (abnormal EOF)")

    def _take_messages(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response) or not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.TEXT:
                self._text_received(bytes(event.data).decode("utf-8", "replace"))
            elif event.opcode is Opcode.CLOSE and self._open:
                self._open = False
                received = self._protocol.close_rcvd
                code, reason = (received.code, received.reason) if received else (1006, "")
                body = {"status": "disconnected", "message": {"code": int(code), "reason": reason}}
                self._source.stream_event("disconnect", _compact(body))
        failure = self._protocol.parser_exc
        if isinstance(failure, ProtocolError | UnicodeDecodeError) and self._open:
            raise _StreamFailed(11, f"WebSocket protocol error (1002): {failure}")

    def _text_received(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        data = message.get("data") if isinstance(message, dict) and message.get("type") == "streamAudio" else None
        if isinstance(data, dict) and isinstance(data.get("audioData"), str):
            shown = {name: value for name, value in data.items() if name != "audioData"}
            shown["file"] = f"/tmp/{self._settings.uuid}_{self._files}.tmp.r8"  # noqa: S108 (a name in an event; no file is written)
            self._files += 1
            self._source.stream_event("play", _compact(shown))
        else:
            self._source.stream_event("json", text)

    async def _pump(self) -> None:
        """Frame k covers the 20 ms before its moment; frames 0 and 1 share theirs."""
        beat_ms = self._settings.heart_beat_s * 1000.0
        next_beat_ms = self._start_ms + beat_ms
        while True:
            await self._clock.sleep_until_ms(self._after_stall(self._zero_ms + max(2, self._framed + 1) * FRAME_MS))
            self._send_due()
            if beat_ms and self._open and self._clock.now_ms() >= next_beat_ms:
                next_beat_ms += beat_ms
                self._send(self._protocol.send_ping, b"ping")

    def _after_stall(self, at_ms: float) -> float:
        """A moment, or the end of the network's stall that it lies in."""
        begin_ms, length_ms = self._faults.faults.stream_stall or (0.0, 0.0)
        in_stall = 0 <= at_ms - self._start_ms - begin_ms < length_ms
        return self._start_ms + begin_ms + length_ms if in_stall else at_ms

    def _send_due(self) -> None:
        due = int((self._clock.now_ms() - self._zero_ms) / FRAME_MS)
        while self._framed < due and due >= 2:
            self._frame(self._zero_ms + self._framed * FRAME_MS)
            self._framed += 1

    def _frame(self, from_ms: float) -> None:
        if self.paused:
            return
        robot = self._source.robot_frame(from_ms, self._settings.rate_hz) if self._settings.mix != "mono" else None
        if self._settings.mix != "mono" and robot is None:
            return
        frame = self._source.far_frame(from_ms, self._settings.rate_hz)
        if robot is not None:
            frame = frame + robot if self._settings.mix == "mixed" else np.column_stack((frame, robot)).ravel()
        self._part += np.clip(frame, -32768, 32767).astype("<i2").tobytes()
        channels = 2 if self._settings.mix == "stereo" else 1
        wanted_bytes = self._settings.rate_hz * self._settings.message_ms // 1000 * 2 * channels
        if len(self._part) < wanted_bytes:
            return
        message, self._part = bytes(self._part), bytearray()
        if not self._open:
            if self._protocol.state is State.CONNECTING:
                self._waiting.append(message)
            return
        cut = self._faults.faults.split_bytes
        for part in (message[:cut], message[cut:]) if cut else (message,):
            self._send(self._protocol.send_binary, part)
        if self._frames_before_text is not None:
            self._frames_before_text -= 1
            self._metadata_if_due()

    def _metadata_if_due(self) -> None:
        if self._frames_before_text is not None and self._frames_before_text <= 0:
            self._frames_before_text = None
            self._send(self._protocol.send_text, self._settings.metadata.encode())

    def _send(self, send: Callable[[bytes], None], data: bytes) -> None:
        unsent = self._writer.transport.get_write_buffer_size() if self._writer else 0
        if unsent < MAX_UNSENT_BYTES:
            self._write(lambda: send(data))

    def _write(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (ConnectionClosed, InvalidHandshake, ProtocolError):
            return  # closed meanwhile: into the void
        self._flush()

    def _flush(self) -> None:
        if self._writer is None or self._writer.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)


def _system_error(error: OSError) -> str:
    number = error.errno or errno.ECONNREFUSED  # none where several addresses were tried
    return f"{os.strerror(number)} (system error {number})"


def _compact(body: Mapping[str, object]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
