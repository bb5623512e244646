"""One call's ears: who answered from the first seconds, then words as they are spoken.

The answer is decided in batch on the first ``window_s`` of audio; partials begin with the verdict, finals and voice
activity are there from the first frame. When the recogniser is late, timing decides alone: the deadline holds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.audio.vad import EdgeKind, VoiceActivity
from V3.errors import RecognitionError
from V3.events import AnswerClassified, Event, SpeechContinues, StreamOpened
from V3.system.services.amd_service import AMDService, Timing

__all__ = ["CallHearing", "Stream"]

log = logging.getLogger(__name__)

CONTINUES_EVERY_MS = 250
VAD_TAIL_MS = 240  # shorter than an utterance's end: timing wants to know the silence early


class Stream(Protocol):
    """What a streaming session offers (see WhisperStreamingSTT.open_stream)."""

    partials: bool

    def process_chunk(self, frame: Audio) -> tuple[str, bool]: ...
    async def afinish(self) -> object: ...
    def close(self) -> None: ...


class CallHearing:
    """Feed ``push`` with the callee's audio; events go to ``emit``. Lives on the event loop."""

    def __init__(
        self,
        *,
        call_id: str,
        rate_hz: int,
        stream: Stream,
        emit: Callable[[Event], None],
        recognise: Callable[[Audio], Awaitable[str]],
        amd: AMDService | None,
        window_ms: int,
    ) -> None:
        self._call_id = call_id
        self._rate_hz = rate_hz
        self._stream = stream
        self._emit = emit
        self._recognise = recognise
        self._amd = amd
        self._window_samples = window_ms * SAMPLES_PER_MS
        self._window: list[Audio] = []
        self._heard_samples = 0
        self._voice = VoiceActivity(end_ms=VAD_TAIL_MS)
        self._voice_start_ms = 0
        self._lead_ms: int | None = None
        self._next_continues_ms = 0
        self._verdict: asyncio.Task[None] | None = None
        stream.partials = amd is None

    @property
    def at_ms(self) -> int:
        """Audio heard so far."""
        return self._heard_samples // SAMPLES_PER_MS

    def push(self, audio: Audio) -> None:
        """Take the next whole frames of the callee's audio, 16 kHz."""
        if not self._heard_samples:
            self._emit(StreamOpened(call_id=self._call_id, at_ms=0, rate_hz=self._rate_hz))
        self._heard_samples += audio.size
        rest = audio
        if self._amd is not None and self._verdict is None:
            rest = self._fill_window(audio, self._amd)
        self._watch_voice(rest)
        self._stream.process_chunk(audio)

    async def close(self) -> None:
        """End the stream: what was being said is heard to its end; a verdict under way is dropped."""
        if self._verdict is not None and not self._verdict.done():
            self._verdict.cancel()
            await asyncio.gather(self._verdict, return_exceptions=True)
        try:
            await self._stream.afinish()
        except RecognitionError as exc:
            log.warning("call %s: its last words were not recognised: %s", self._call_id, exc)
        finally:
            self._stream.close()

    def _fill_window(self, audio: Audio, amd: AMDService) -> Audio:
        """Take what is missing in the answer's window, ask for the verdict when it is full; what lies beyond it."""
        missing = self._window_samples - sum(part.size for part in self._window)
        self._window.append(audio[:missing])
        self._watch_voice(audio[:missing])
        if audio.size >= missing:  # timing is taken now: a message may hold a second more
            window, timing = np.concatenate(self._window), self._timing()
            self._window.clear()
            self._verdict = asyncio.create_task(self._classify(amd, window, timing), name=f"answer {self._call_id}")
        return audio[missing:]

    def _watch_voice(self, audio: Audio) -> None:
        for edge in self._voice.push(audio):
            if edge.kind is EdgeKind.STARTED:
                self._voice_start_ms = edge.edge_ms
                self._next_continues_ms = edge.edge_ms + CONTINUES_EVERY_MS
                self._lead_ms = edge.edge_ms if self._lead_ms is None else self._lead_ms
        if self._voice.speaking and self._voice.at_ms >= self._next_continues_ms:
            self._next_continues_ms += CONTINUES_EVERY_MS
            until_ms = self._voice.at_ms - self._voice.silence_ms
            self._emit(
                SpeechContinues(
                    call_id=self._call_id, at_ms=self.at_ms, start_ms=self._voice_start_ms, voiced_until_ms=until_ms
                )
            )

    async def _classify(self, amd: AMDService, window: Audio, timing: Timing) -> None:
        text = ""
        try:
            text = await self._recognise(window)
        except RecognitionError as exc:
            log.warning("call %s: the recogniser did not answer, timing decides: %s", self._call_id, exc)
        except Exception:  # the root of a task: whatever an engine raises, the call gets its verdict
            log.exception("call %s: the recogniser failed, timing decides", self._call_id)
        verdict = amd.detect(text, timing=timing)
        self._stream.partials = True
        self._emit(
            AnswerClassified(
                call_id=self._call_id,
                at_ms=self.at_ms,
                label=str(verdict.label),
                reason=verdict.reason,
                confidence=verdict.confidence,
                text=verdict.text,
                evidence=verdict.evidence,
            )
        )

    def _timing(self) -> Timing:
        window_ms = self._window_samples // SAMPLES_PER_MS
        return Timing(
            window_ms=window_ms,
            speech_ms=self._voice.speech_ms,
            lead_ms=window_ms if self._lead_ms is None else self._lead_ms,
            tail_ms=self._voice.silence_ms,
        )
