"""Streaming over a batch-only engine: the last 800 ms every 200 ms, and the whole utterance at its end.

What the audio server falls back to for an engine without ``process_chunk``. Costs more and hears less than a
streaming session: a word cut by the window's edge is misheard, so its partials are never called stable. The engine
is asked one thing at a time: a partial is left out while anything is asked, finals keep their order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from V3.asr.transcript import EMPTY_TRANSCRIPT, Transcript
from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS, Audio
from V3.audio.tape import AudioTape
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.errors import RecognitionError, RecognizerOverloaded
from V3.events import Event, Final, Partial, SpeechEnded, SpeechStarted, StreamFailed, Word

__all__ = ["WindowedStream", "transcribed"]

log = logging.getLogger(__name__)

WINDOW_MS, HOP_MS = 800, 200
PREROLL_MS = 300
IDLE_MS = 1000  # audio kept while nobody speaks: the pre-roll, and what passes before an onset is sure
MAX_UTTERANCE_MS = 28000  # the rest of a longer one is a new utterance
MAX_FINALS = 8  # utterances waiting for the engine; one more is not transcribed, and said to be
FINISH_TIMEOUT_S = 10.0


async def transcribed(stt: Any, audio: Audio, *, call_id: str) -> Transcript:
    """What ``stt`` hears, without holding up the event loop; a cancelled wait takes no thread where stt can do it."""
    direct = getattr(stt, "transcribe_async", None)
    heard: Transcript = await (
        direct(audio, call_id=call_id) if direct is not None else asyncio.to_thread(stt.transcribe, audio)
    )
    return heard


class WindowedStream:
    """One call's stream, on the event loop. ``stt`` offers ``transcribe(audio) -> Transcript``, called in a thread."""

    def __init__(self, stt: Any, call_id: str, *, on_event: Callable[[Event], None]) -> None:
        self._stt = stt
        self._call_id = call_id
        self._on_event = on_event
        self._voice = VoiceActivity()
        self._tape = AudioTape()
        self._start_ms: int | None = None  # of the utterance
        self._from = 0  # sample: where its audio begins, pre-roll included
        self._next_ms = 0
        self._turn = asyncio.Lock()
        self._partial: asyncio.Task[None] | None = None
        self._finals: set[asyncio.Task[None]] = set()
        self._ready: deque[str] = deque(maxlen=64)
        self._text = ""
        self._closed = False
        self.partials = True

    def process_chunk(self, frame: Audio) -> tuple[str, bool]:
        """Take the next frames; the newest text and whether it is an utterance's last."""
        for start in range(0, frame.size, FRAME_SAMPLES):  # edges inside a long message are found where they are
            self._take(frame[start : start + FRAME_SAMPLES])
        self._ask_partial()
        return (self._ready.popleft(), True) if self._ready else (self._text, False)

    async def afinish(self) -> str:
        """The audio has ended: decode the utterance under way; the last text. Waits 10 s at most."""
        for edge in self._voice.flush():
            self._edge(edge)
        if self._finals:
            await asyncio.wait(self._finals, timeout=FINISH_TIMEOUT_S)
        return self._ready[-1] if self._ready else self._text

    def close(self) -> None:
        """Drop what is under way."""
        self._closed = True
        for task in (self._partial, *self._finals):
            if task is not None:
                task.cancel()

    def _take(self, frame: Audio) -> None:
        self._tape.append(frame)
        for edge in self._voice.push(frame):
            self._edge(edge)
        if self._start_ms is None:
            self._tape.drop_before(self._tape.end - IDLE_MS * SAMPLES_PER_MS)
        elif self._tape.end - self._from >= MAX_UTTERANCE_MS * SAMPLES_PER_MS:
            self._finish(self._start_ms, self._voice.at_ms)
            self._start_ms = self._voice.at_ms

    def _edge(self, edge: VadEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            self._start_ms = edge.edge_ms
            self._from = max(self._from, self._tape.start, (edge.edge_ms - PREROLL_MS) * SAMPLES_PER_MS)
            self._emit(SpeechStarted(call_id=self._call_id, at_ms=edge.at_ms, start_ms=edge.edge_ms))
        elif self._start_ms is not None:
            start_ms, self._start_ms = self._start_ms, None
            self._emit(SpeechEnded(call_id=self._call_id, at_ms=edge.at_ms, start_ms=start_ms, end_ms=edge.edge_ms))
            self._finish(start_ms, edge.edge_ms)

    def _ask_partial(self) -> None:
        wanted = self.partials and not self._closed and self._voice.at_ms >= self._next_ms
        if self._start_ms is None or not wanted or self._busy:
            return
        self._next_ms = self._voice.at_ms + HOP_MS
        begin = max(self._from, self._tape.end - WINDOW_MS * SAMPLES_PER_MS)
        window = self._tape.cut(begin, self._tape.end)
        self._partial = asyncio.create_task(self._hear_partial(window, begin // SAMPLES_PER_MS, self._start_ms))
        self._partial.add_done_callback(lambda _: self._ask_partial())  # audio went on meanwhile

    @property
    def _busy(self) -> bool:
        return bool(self._finals) or (self._partial is not None and not self._partial.done())

    def _finish(self, start_ms: int, end_ms: int) -> None:
        """The utterance's audio goes to the engine; what comes after it belongs to the next one."""
        audio, begin = self._tape.cut(self._from, self._tape.end), self._from
        self._from = self._tape.end
        self._tape.drop_before(self._from)
        self._text = ""
        if len(self._finals) >= MAX_FINALS:
            self._failed(RecognizerOverloaded(f"{MAX_FINALS} utterances wait for the recogniser"))
            return self._final(EMPTY_TRANSCRIPT, 0, start_ms, end_ms)
        task = asyncio.create_task(self._hear_final(audio, begin // SAMPLES_PER_MS, start_ms, end_ms))
        self._finals.add(task)
        task.add_done_callback(self._finals.discard)
        return None

    async def _hear_partial(self, window: Audio, offset_ms: int, start_ms: int) -> None:
        at_ms = self._voice.at_ms
        heard = await self._hear(window)
        if start_ms != self._start_ms or heard is None or not heard.words:
            return  # its utterance has ended meanwhile: the Final has all of it
        self._text = heard.text
        words = _moved(heard, offset_ms, stable=False)
        self._emit(Partial(call_id=self._call_id, at_ms=at_ms, text=heard.text, words=words, start_ms=start_ms))

    async def _hear_final(self, audio: Audio, offset_ms: int, start_ms: int, end_ms: int) -> None:
        self._final(await self._hear(audio) or EMPTY_TRANSCRIPT, offset_ms, start_ms, end_ms)

    async def _hear(self, audio: Audio) -> Transcript | None:
        """None, after a StreamFailed, where the engine failed."""
        try:
            async with self._turn:
                return await transcribed(self._stt, audio, call_id=self._call_id)
        except RecognitionError as exc:
            self._failed(exc)
        except Exception as exc:  # the root of a task: whatever an engine raises
            log.exception("call %s: a window was not transcribed", self._call_id)
            self._failed(exc)
        return None

    def _final(self, heard: Transcript, offset_ms: int, start_ms: int, end_ms: int) -> None:
        if heard.text:
            self._ready.append(heard.text)
        self._emit(
            Final(
                call_id=self._call_id,
                at_ms=self._voice.at_ms,
                text=heard.text,
                words=_moved(heard, offset_ms, stable=True),
                start_ms=start_ms,
                end_ms=end_ms,
            )
        )

    def _failed(self, error: Exception) -> None:
        kind = type(error).__name__
        self._emit(StreamFailed(call_id=self._call_id, at_ms=self._voice.at_ms, error=kind, message=str(error)))

    def _emit(self, event: Event) -> None:
        self._on_event(event)


def _moved(heard: Transcript, by_ms: int, *, stable: bool) -> tuple[Word, ...]:
    return tuple(Word(w.text, w.start_ms + by_ms, w.end_ms + by_ms, w.confidence, stable) for w in heard.words)
