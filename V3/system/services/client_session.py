"""One client's dialect on one client's stream: carries out what the dialect asks for.

It may outlive its connection (a source that comes back), so it knows no socket: messages go to its outbox, and who
sends them is told when that overflows. Lives on the event loop. A message that cannot be served is told in the
dialect's own words; a dialect without words for errors ends, and the close reason says why.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from V3.asr.transcript import DecodeKind, Task
from V3.audio.pcm import RATE_HZ, Audio, quietest_sample
from V3.errors import AudioError, ConfigError, RecognitionError, StreamError, VoicebotError, WireError
from V3.events import Event, StreamFailed
from V3.system.services.client_outbox import ClientOutbox
from V3.system.services.container_stream import ContainerStream
from V3.system.services.faster_whisper_stt import Wish
from V3.wire.dialect import Action, Clear, Configure, Decode, Dialect, Feed, Say, Unpack

__all__ = ["ClientSession", "wall_s"]

log = logging.getLogger(__name__)

MAX_WIRE_ERRORS: Final = 50  # a client that breaks its dialect so often is closed
_PENDING_DECODES: Final = 4  # of one client; audio that comes faster waits
_PIECE_SAMPLES: Final = RATE_HZ
_LONG_SAMPLES: Final = 20 * RATE_HZ  # a longer recording is heard in pieces
_DECODE_TIMEOUT_S: Final = 60.0
_WALL_S: Final = time.time() - time.monotonic()


def wall_s() -> float:
    """Seconds since the epoch, on a clock that does not go back while the process lives."""
    return _WALL_S + time.monotonic()


class ClientSession:
    """One client. ``stt`` is a WhisperStreamingSTT; ``policy`` commits the words of its partials."""

    def __init__(self, stt: Any, dialect: Dialect, *, name: str, policy: str | None = None) -> None:
        self.dialect = dialect
        self.name = name
        self.outbox = ClientOutbox()
        self.over: asyncio.Future[WireError] = asyncio.get_running_loop().create_future()
        self.audio_s = 0.0
        self._heard_s = time.monotonic()
        self._taking = False
        self.wire_errors = 0
        self._stt = stt
        self._task: Task = "transcribe"
        self._prompt = ""
        self._container: ContainerStream | None = None
        self._stream = stt.open_stream(name, on_event=self._heard, loop=asyncio.get_running_loop(), policy=policy)

    async def opened(self) -> None:
        """The client is there."""
        await self._do(self.dialect.opened(now_s=wall_s()))

    async def take(self, message: str | bytes) -> None:
        """Serve one message. Raises WireError when the connection is to be closed."""
        self._taking = True
        try:
            if isinstance(message, str):
                await self._do(self.dialect.text(message, now_s=wall_s()))
            else:
                await self._do(self.dialect.binary(message, now_s=wall_s()))
        except (WireError, ConfigError, RecognitionError, AudioError, StreamError) as exc:
            self._complain(exc)
        finally:
            self._taking, self._heard_s = False, time.monotonic()

    async def tick(self) -> None:
        """No message has come for some time. Raises WireError as :meth:`take` does."""
        try:
            await self._do(self.dialect.tick(now_s=wall_s()))
        except RecognitionError as exc:
            self._complain(exc)

    @property
    def silent_s(self) -> float:
        """How long no message has come; 0 while one is being served."""
        return 0.0 if self._taking else time.monotonic() - self._heard_s

    @property
    def unpacks(self) -> bool:
        """Whether samples come out of a container, beside the messages."""
        return self._container is not None

    def end(self, error: WireError) -> None:
        """Have the connection closed with this code and reason; the first one counts."""
        if not self.over.done():
            self.over.set_result(error)

    def reattach(self) -> None:
        """A new connection takes over."""
        self.over = asyncio.get_running_loop().create_future()
        self._heard_s = time.monotonic()
        self.wire_errors = 0

    async def close(self) -> None:
        """No more messages and no more events."""
        self._stream.close()
        if self._container is not None:
            await self._container.abort()
            self._container = None

    # ---- what the dialect asks for

    async def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Say():
                    self._say(action)
                case Feed():
                    await self._feed(action.audio)
                case Decode():
                    await self._decode(action.audio)
                case Unpack():
                    await self._unpack(action.data)
                case Configure():
                    self._configure(action)
                case Clear():
                    self._stream.reset()

    def _say(self, message: Say) -> None:
        if not self.outbox.put(message):
            self.end(WireError(f"the client does not read: {len(self.outbox)} messages wait for it", close_code=1008))

    async def _feed(self, audio: Audio) -> None:
        self.audio_s += audio.size / RATE_HZ
        for start in range(0, audio.size, _PIECE_SAMPLES):
            await self._stream.calm(_PENDING_DECODES, timeout_s=_DECODE_TIMEOUT_S)
            self._stream.process_chunk(audio[start : start + _PIECE_SAMPLES])

    async def _decode(self, audio: Audio) -> None:
        self.audio_s += audio.size / RATE_HZ
        began_s = time.monotonic()
        wish = Wish(kind=DecodeKind.FINAL, language=self._stream.language, task=self._task, prompt=self._prompt)
        texts = [
            (await self._stt.transcribe_async(piece, call_id=self.name, timeout_s=_DECODE_TIMEOUT_S, wish=wish)).text
            for piece in _pieces(audio)  # one after the other: a long recording must not fill the queue of the calls
        ]
        took_s = time.monotonic() - began_s
        heard = " ".join(text for text in texts if text)
        await self._do(self.dialect.decoded(audio, heard, took_s=took_s, now_s=wall_s()))

    async def _unpack(self, data: bytes) -> None:
        if self._container is None:
            self._container = ContainerStream(self._unpacked, name=self.name)
        await self._container.feed(data)

    async def _unpacked(self, heard: Audio | AudioError) -> None:
        try:
            if isinstance(heard, AudioError):
                self._complain(heard)
            else:
                await self._do(self.dialect.unpacked(heard, now_s=wall_s()))
        except WireError as exc:
            self.end(exc)
        except VoicebotError as exc:
            self._tell(exc)

    def _configure(self, change: Configure) -> None:
        language = change.language or self._stream.language
        task = change.task or self._task
        if (language, task) != (self._stream.language, self._task):
            self._stt.check(language, task)  # nothing is changed where one of them cannot be
            self._stream.language, self._stream.task, self._task = language, task, task
        if change.partials is not None:
            self._stream.partials = change.partials
        if change.prompt is not None and self._stt.info.rolling_prompt:
            self._stream.prompt = self._prompt = change.prompt

    def _heard(self, event: Event) -> None:
        if isinstance(event, StreamFailed):
            self._tell(RecognitionError(event.message))
        for action in self.dialect.event(event, now_s=wall_s()):
            if isinstance(action, Say):
                self._say(action)
            elif isinstance(action, Configure):
                self._configure(action)

    # ---- what goes wrong

    def _complain(self, error: VoicebotError) -> None:
        self.wire_errors += 1
        log.info("client %s: %s", self.name, error)
        if self.wire_errors > MAX_WIRE_ERRORS:
            raise WireError(f"over {MAX_WIRE_ERRORS} messages that could not be served", close_code=1008) from error
        if not self._tell(error):
            raise error if isinstance(error, WireError) else WireError(str(error), close_code=1011) from error

    def _tell(self, error: VoicebotError) -> bool:
        """Tell it in the dialect's words; False where it has none."""
        told = self.dialect.failed(str(error), now_s=wall_s())
        for action in told:
            if isinstance(action, Say):
                self._say(action)
        return bool(told)


def _pieces(audio: Audio) -> Iterator[Audio]:
    """All of it, cut at the quietest spots of the second halves of what may be heard at once."""
    while audio.size > _LONG_SAMPLES:
        middle = _LONG_SAMPLES // 2
        end = middle + quietest_sample(audio[middle:_LONG_SAMPLES], block_ms=200)
        yield audio[:end]
        audio = audio[end:]
    yield audio
