"""A call's stream through somebody's installed ``whisper_online``, so that whole calls can be compared with ours.

Voice activity tells utterances; whisper_online decodes in a thread, a second of audio at a time, and what it commits
is a partial whose words are stable (it knows no times for single words: they share their utterance's). One call at a
time is what it was made for; with several, each decodes on its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from V3.asr.transcript import Decoder
from V3.audio.pcm import RATE_HZ, Audio
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.events import Event, Partial, SpeechEnded, SpeechStarted, StreamFailed, Word
from V3.events import Final as FinalEvent
from V3.system.services.whisper_online_stream import WhisperOnlineStream

__all__ = ["WhisperOnlineCall"]

log = logging.getLogger(__name__)

_PREROLL_FRAMES: Final = 15  # 300 ms before the voice was sure
_FINISH_TIMEOUT_S: Final = 10.0
_MAX_WAITING: Final = 60  # seconds of audio; the oldest beyond that is not decoded, and said so


class WhisperOnlineCall:
    """As :class:`~V3.system.services.speech_stream.SpeechStream`, on the event loop."""

    def __init__(self, recognizer: Decoder, call_id: str, *, language: str, on_event: Callable[[Event], None]) -> None:
        self._inner = WhisperOnlineStream(recognizer, language=language)
        self._call_id = call_id
        self._on_event = on_event
        self._voice = VoiceActivity()
        self._waiting: list[Audio] = []
        self._start_ms: int | None = None
        self._committed = ""
        self._work: asyncio.Task[None] | None = None
        self._ended: list[tuple[int, int]] = []  # utterances whose final is due
        self.partials = True

    def process_chunk(self, frame: Audio) -> tuple[str, bool]:
        """Take the next frames; the text of the current utterance so far. Finals come as events."""
        edges = self._voice.push(frame)
        self._waiting.append(frame)
        if sum(chunk.size for chunk in self._waiting) > _MAX_WAITING * RATE_HZ:
            self._waiting.pop(0)
            self._fail("audio was dropped: whisper_online is slower than the call")
        for edge in edges:
            self._edge(edge)
        if self._start_ms is None and not self._ended:  # silence is not decoded, as with whisper_streaming's own VAC
            del self._waiting[:-_PREROLL_FRAMES]
            return "", False
        due = self._ended or sum(chunk.size for chunk in self._waiting) >= RATE_HZ
        if due and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._decode(), name=f"whisper_online {self._call_id}")
        return self._committed, False

    async def afinish(self) -> str:
        """The audio has ended: decode what waits and end the utterance."""
        if self._start_ms is not None:
            self._ended.append((self._start_ms, self._voice.at_ms))
            self._start_ms = None
        try:
            async with asyncio.timeout(_FINISH_TIMEOUT_S):
                if self._work is not None:
                    await self._work
                await self._decode()
        except TimeoutError:
            self._fail(f"whisper_online: no last words within {_FINISH_TIMEOUT_S:g} s")
        return self._committed

    def close(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _edge(self, edge: VadEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            self._start_ms = edge.edge_ms
            self._on_event(SpeechStarted(call_id=self._call_id, at_ms=edge.at_ms, start_ms=edge.edge_ms))
        elif self._start_ms is not None:
            start_ms, self._start_ms = self._start_ms, None
            self._on_event(SpeechEnded(call_id=self._call_id, at_ms=edge.at_ms, start_ms=start_ms, end_ms=edge.edge_ms))
            self._ended.append((start_ms, edge.edge_ms))

    async def _decode(self) -> None:
        ended, self._ended = self._ended, []
        audio = np.concatenate(self._waiting) if self._waiting else np.zeros(0, dtype=np.float32)
        self._waiting.clear()
        try:
            text = await asyncio.to_thread(self._take, audio, bool(ended))
        except Exception as exc:  # whatever somebody's module raises is this stream's fault alone
            log.exception("call %s: whisper_online failed", self._call_id)
            return self._fail(f"whisper_online: {exc}")
        self._committed = f"{self._committed} {text}".strip()
        for start_ms, end_ms in ended:
            self._final(start_ms, end_ms)
        if self._start_ms is not None and text and self.partials:
            self._on_event(
                Partial(
                    call_id=self._call_id,
                    at_ms=self._voice.at_ms,
                    text=self._committed,
                    words=self._words(self._start_ms, self._voice.at_ms),
                    start_ms=self._start_ms,
                )
            )
        return None

    def _take(self, audio: Audio, end: bool) -> str:  # noqa: FBT001 - called through to_thread
        texts = [self._inner.process_chunk(audio)[0]] if audio.size else []
        if end:
            texts.append(self._inner.end_utterance())
        return " ".join(text for text in texts if text)

    def _final(self, start_ms: int, end_ms: int) -> None:
        text, words = self._committed, self._words(start_ms, end_ms)
        self._committed = ""
        self._on_event(
            FinalEvent(
                call_id=self._call_id, at_ms=self._voice.at_ms, text=text, words=words, start_ms=start_ms, end_ms=end_ms
            )
        )

    def _words(self, start_ms: int, end_ms: int) -> tuple[Word, ...]:
        return tuple(Word(word, start_ms, end_ms) for word in self._committed.split())

    def _fail(self, message: str) -> None:
        error: dict[str, Any] = {"error": "RecognitionError", "message": message}
        self._on_event(StreamFailed(call_id=self._call_id, at_ms=self._voice.at_ms, **error))
