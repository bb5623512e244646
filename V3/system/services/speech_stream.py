"""SpeechStream: one call's streaming session, tied to the batcher that is shared by all calls.

All methods of one stream are called from one thread (with ``loop``: that loop's thread). Only finished decodes cross
threads, through an inbox; they are taken at the next frame, or, with a loop, as soon as they arrive. Nothing here
waits for a decode except ``finish`` and a stream made with ``wait_s``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from typing import Final as Constant

from V3.asr.batcher import Batcher
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest, Task, Transcript
from V3.audio.pcm import RATE_HZ, as_frame
from V3.errors import RecognitionError, RecognitionTimeout, RecognizerClosed, VoicebotError
from V3.events import Event, Final, Partial, SpeechStarted

__all__ = ["OnEvent", "SpeechStream"]

OnEvent = Callable[[Event], None]

_KEPT_FINALS: Constant = 2000  # utterances that ``finish`` can still tell: the oldest are forgotten beyond
_BURST_SAMPLES: Constant = RATE_HZ  # a long frame is taken in pieces, so that its finals are fetched as they fall due
_COUNTED_SAMPLES: Constant = RATE_HZ // 2
_FINISH_TIMEOUT_S: Constant = 10.0


class SpeechStream:
    """Speech of one call as it arrives. Made by ``WhisperStreamingSTT.open_stream``.

    ``on_event`` gets every SpeechStarted, Partial, SpeechEnded, Final and StreamFailed, in order. ``wait_s`` makes
    :meth:`process_chunk` wait that long for the decodes a frame caused (None: never).
    """

    def __init__(
        self,
        batcher: Batcher,
        session: StreamingSession,
        *,
        on_event: OnEvent | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        wait_s: float | None = None,
    ) -> None:
        self._batcher = batcher
        self._session = session
        self._on_event = on_event
        self._loop = loop
        self._wait_s = wait_s
        self._closed = False
        self._forget()
        self._uncounted_samples = 0
        self._is_call = session.final_kind is not DecodeKind.FILE
        if self._is_call:
            batcher.call_opened()

    @property
    def call_id(self) -> str:
        return self._session.call_id

    @property
    def at_ms(self) -> int:
        """Audio heard since the stream began."""
        return self._session.at_ms

    @property
    def speech_ms(self) -> int:
        """Voiced audio heard so far."""
        return self._session.speech_ms

    @property
    def partials(self) -> bool:
        """Whether words are shown before an utterance ends. May be changed at any time."""
        return self._session.partials

    @partials.setter
    def partials(self, wanted: bool) -> None:
        self._session.partials = wanted

    @property
    def prompt(self) -> str:
        """Text that came before what is being said. May be changed at any time, as may ``hotwords``."""
        return self._session.prompt

    @prompt.setter
    def prompt(self, text: str) -> None:
        self._session.prompt = text

    @property
    def hotwords(self) -> str:
        """Words to expect."""
        return self._session.hotwords

    @hotwords.setter
    def hotwords(self, words: str) -> None:
        self._session.hotwords = words

    @property
    def language(self) -> str:
        """The language spoken; "auto" until it is detected. May be changed at any time, as may ``task``."""
        return self._session.language

    @language.setter
    def language(self, code: str) -> None:
        self._session.speak(code)

    @property
    def task(self) -> Task:
        """Transcribe, or translate to English."""
        return self._session.task

    @task.setter
    def task(self, wanted: Task) -> None:
        self._session.task = wanted

    @property
    def pending(self) -> int:
        """Decodes that were asked for and are not answered."""
        return len(self._futures)

    async def calm(self, most: int, timeout_s: float = _FINISH_TIMEOUT_S) -> None:
        """Wait until at most so many decodes are pending: for audio that comes faster than it is spoken.

        Needs a stream with a loop. Raises RecognitionTimeout.
        """
        until = time.monotonic() + timeout_s
        while len(self._futures) > most:
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise RecognitionTimeout(f"{self.pending} decodes of {self.call_id} are not done after {timeout_s:g} s")
            await self._next_arrival(left_s)
            self._pump()

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        """Take 20 ms (or a multiple) of float32 in [-1, 1] or L16 bytes at 16 kHz.

        Returns ``(text, is_final)``: the text of each utterance once with True when it has ended, else what is known
        of the current one so far. Raises AudioError for a bad frame (the stream is as before) and RecognizerClosed.
        """
        if self._closed:
            raise RecognizerClosed(f"the stream of call {self.call_id} has been closed")
        audio = as_frame(frame)
        self._count(audio.size)
        for start in range(0, audio.size, _BURST_SAMPLES):
            self._session.push(audio[start : start + _BURST_SAMPLES])
            self._pump()
            if self._wait_s is not None:
                self._wait(lambda: bool(self._futures), self._wait_s)
        return self._ready.popleft() if self._ready else (self._partial_text, False)

    def _count(self, samples: int) -> None:
        """Audio is what the capacity is measured by; told twice a second, not for every frame."""
        self._uncounted_samples += samples
        if self._is_call and self._uncounted_samples >= _COUNTED_SAMPLES:
            self._batcher.heard(self._uncounted_samples / RATE_HZ)
            self._uncounted_samples = 0

    def finish(self, timeout_s: float = _FINISH_TIMEOUT_S) -> Transcript:
        """The audio has ended: decode the rest of it; all text since the stream began (or was reset) comes back.

        Waits at most ``timeout_s``; an utterance whose decode is not there by then keeps its last partial's words.
        """
        self._session.flush()
        self._pump()
        self._wait(lambda: self._session.unfinished, timeout_s)
        return self._transcript()

    async def afinish(self, timeout_s: float = _FINISH_TIMEOUT_S) -> Transcript:
        """:meth:`finish` without holding up the event loop."""
        self._session.flush()
        self._pump()
        until = time.monotonic() + timeout_s
        while self._session.unfinished and self._futures:
            left_s = until - time.monotonic()
            if left_s <= 0:
                self._give_up(timeout_s)
                break
            await self._next_arrival(left_s)
            self._pump()
        return self._transcript()

    async def _next_arrival(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        for future in self._futures.values():
            future.add_done_callback(lambda _: _post(loop, arrived.set))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await arrived.wait()

    def reset(self) -> None:
        """As freshly opened: clock at 0, no text, decodes in flight forgotten."""
        for future in self._futures.values():
            future.cancel()
        self._session.reset()
        self._forget()

    def close(self) -> None:
        """No more frames and no more events; decodes that have not begun are cancelled. Use ``finish`` before it."""
        if self._is_call and not self._closed:
            self._batcher.call_closed()
        self._closed = True
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()

    def _forget(self) -> None:
        self._inbox: deque[tuple[DecodeRequest, Future[Transcript]]] = deque()
        self._futures: dict[DecodeRequest, Future[Transcript]] = {}
        self._finals: deque[Final] = deque(maxlen=_KEPT_FINALS)
        self._ready: deque[tuple[str, bool]] = deque(maxlen=_KEPT_FINALS)
        self._partial_text = ""

    def _pump(self) -> None:
        """Decodes back into the session, new ones out, events to whoever listens."""
        while self._inbox:
            self._settle(*self._inbox.popleft())
        self._session.stretch = self._batcher.stretch
        self._renew()
        while (request := self._session.next_request()) is not None:
            self._ask(request)
        for event in self._session.take_events():
            self._note(event)
            if self._on_event is not None and not self._closed:
                self._on_event(event)

    def _ask(self, request: DecodeRequest) -> None:
        try:
            future = self._batcher.submit(request)
        except VoicebotError as exc:
            self._session.fail(request, exc)
            return
        self._await(request, future)

    def _await(self, request: DecodeRequest, future: Future[Transcript]) -> None:
        self._futures[request] = future
        future.add_done_callback(functools.partial(self._arrived, request))

    def _renew(self) -> None:
        """A partial that still waits in the queue is given the newest audio, and keeps its place there."""
        renewal = self._session.renewal()
        if renewal is None:
            return
        older, newer = renewal
        future = self._futures.get(older)
        if future is None or future.running() or future.done():
            return
        replacing = self._batcher.replace(future, newer)
        if replacing is not None:
            del self._futures[older]
            self._session.renewed(newer)
            self._await(newer, replacing)

    def _arrived(self, request: DecodeRequest, future: Future[Transcript]) -> None:
        """In the decoding thread, mostly: leave the result where the stream's own thread finds it."""
        if future.cancelled():
            return
        self._inbox.append((request, future))
        if self._loop is not None:
            _post(self._loop, self._wake)

    def _wake(self) -> None:
        if not self._closed:
            self._pump()

    def _settle(self, request: DecodeRequest, future: Future[Transcript]) -> None:
        if self._futures.pop(request, None) is None:
            return
        error = future.exception()
        if error is None:
            self._session.complete(request, future.result())
        else:
            self._session.fail(request, error if isinstance(error, Exception) else RecognitionError(repr(error)))

    def _wait(self, wanted: Callable[[], bool], timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while wanted() and self._futures:
            left_s = until - time.monotonic()
            concurrent.futures.wait(
                self._futures.values(), timeout=max(0.0, left_s), return_when=concurrent.futures.FIRST_COMPLETED
            )
            self._settle_done()
            self._pump()
            if left_s <= 0:
                self._give_up(timeout_s)

    def _settle_done(self) -> None:
        """A future wakes its waiters before it calls back: take what is done without waiting for the inbox."""
        for request, future in list(self._futures.items()):
            if future.done():
                self._settle(request, future)

    def _give_up(self, timeout_s: float) -> None:
        error = RecognitionTimeout(f"no transcript for call {self.call_id} after {timeout_s:g} s")
        for request, future in list(self._futures.items()):
            future.cancel()
            del self._futures[request]
            self._session.fail(request, error)
        self._pump()

    def _note(self, event: Event) -> None:
        if isinstance(event, Partial):
            self._partial_text = event.text
        elif isinstance(event, SpeechStarted):
            self._partial_text = ""
        elif isinstance(event, Final):
            self._finals.append(event)
            self._partial_text = ""
            if event.text:
                self._ready.append((event.text, True))

    def _transcript(self) -> Transcript:
        spoken = [final for final in self._finals if final.text]
        return Transcript(
            text=" ".join(final.text for final in spoken),
            words=tuple(word for final in spoken for word in final.words),
            duration_s=self.at_ms / 1000,
            language=self._session.language,
        )


def _post(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is left to tell
        loop.call_soon_threadsafe(call)
