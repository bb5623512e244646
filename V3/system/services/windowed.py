"""Streaming over a batch-only engine: the last 800 ms every 200 ms, and the whole utterance at its end.

What the audio server falls back to for an engine without ``process_chunk``. Costs more and hears less than a
streaming session: a word cut by the window's edge is misheard, so its partials are never called stable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.errors import RecognitionError
from V3.events import Event, Final, Partial, SpeechEnded, SpeechStarted, Word

__all__ = ["WindowedStream"]

log = logging.getLogger(__name__)

WINDOW_MS, HOP_MS = 800, 200
PREROLL_MS = 300
MAX_UTTERANCE_MS = 28000  # the rest of a longer one is a new utterance


class WindowedStream:
    """One call's stream. ``stt`` offers ``transcribe(audio) -> Transcript``; it runs in a thread, one at a time."""

    def __init__(self, stt: Any, call_id: str, *, on_event: Callable[[Event], None]) -> None:
        self._stt = stt
        self._call_id = call_id
        self._on_event = on_event
        self._voice = VoiceActivity()
        self._kept = np.zeros(0, dtype=np.float32)  # the utterance, or the pre-roll before one
        self._start_ms: int | None = None  # of the utterance
        self._next_ms = 0
        self._partial: asyncio.Task[None] | None = None
        self._finals: set[asyncio.Task[None]] = set()
        self._text, self._is_final = "", False
        self.partials = True

    def process_chunk(self, frame: Audio) -> tuple[str, bool]:
        """Take the next frames; the newest text and whether it is an utterance's last."""
        edges = self._voice.push(frame)
        self._kept = np.concatenate([self._kept, frame])
        for edge in edges:
            self._edge(edge)
        if self._start_ms is None:
            self._kept = self._kept[-PREROLL_MS * SAMPLES_PER_MS :]
        elif self._kept.size >= MAX_UTTERANCE_MS * SAMPLES_PER_MS:
            self._finish(self._start_ms, self._voice.at_ms)
            self._start_ms = self._voice.at_ms
        elif self.partials and self._voice.at_ms >= self._next_ms and (self._partial is None or self._partial.done()):
            self._next_ms = self._voice.at_ms + HOP_MS
            window = self._kept[-WINDOW_MS * SAMPLES_PER_MS :]
            self._partial = asyncio.create_task(self._decode(window, self._voice.at_ms, final_start_ms=None))
        text, is_final = self._text, self._is_final
        self._is_final = False
        return text, is_final

    async def afinish(self) -> str:
        """The audio has ended: decode the utterance under way; the last text."""
        if self._start_ms is not None:
            self._finish(self._start_ms, self._voice.at_ms)
            self._start_ms = None
        await asyncio.gather(*self._finals, return_exceptions=True)
        return self._text

    def close(self) -> None:
        """Drop what is under way."""
        for task in (self._partial, *self._finals):
            if task is not None:
                task.cancel()

    def _edge(self, edge: VadEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            self._start_ms = edge.edge_ms
            self._emit(SpeechStarted(call_id=self._call_id, at_ms=edge.at_ms, start_ms=edge.edge_ms))
        elif self._start_ms is not None:
            start_ms = self._start_ms
            self._emit(SpeechEnded(call_id=self._call_id, at_ms=edge.at_ms, start_ms=start_ms, end_ms=edge.edge_ms))
            self._finish(start_ms, edge.edge_ms)
            self._start_ms = None

    def _finish(self, start_ms: int, end_ms: int) -> None:
        task = asyncio.create_task(self._decode(self._kept, end_ms, final_start_ms=start_ms))
        self._finals.add(task)
        task.add_done_callback(self._finals.discard)
        self._kept = np.zeros(0, dtype=np.float32)

    async def _decode(self, audio: Audio, at_ms: int, *, final_start_ms: int | None) -> None:
        try:
            transcript = await asyncio.to_thread(self._stt.transcribe, audio)
        except RecognitionError as exc:
            log.warning("call %s: a window was not transcribed: %s", self._call_id, exc)
            return
        offset_ms = at_ms - audio.size // SAMPLES_PER_MS
        final = final_start_ms is not None
        words = tuple(
            Word(w.text, w.start_ms + offset_ms, w.end_ms + offset_ms, w.confidence, final) for w in transcript.words
        )
        self._text, self._is_final = str(transcript), final
        if final_start_ms is not None:
            self._emit(
                Final(
                    call_id=self._call_id,
                    at_ms=self._voice.at_ms,
                    text=str(transcript),
                    words=words,
                    start_ms=final_start_ms,
                    end_ms=at_ms,
                )
            )
        elif self._start_ms is not None and words:
            self._emit(
                Partial(call_id=self._call_id, at_ms=at_ms, text=str(transcript), words=words, start_ms=self._start_ms)
            )

    def _emit(self, event: Event) -> None:
        self._on_event(event)
