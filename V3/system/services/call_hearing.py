"""One call's ears: who answered from the first seconds, then words as they are spoken.

Until the verdict the recogniser is asked every fifth of a second what was said so far, and once more for the whole
window (2.3 s); partials begin with the verdict, finals, voice activity and tones are there from the first frame. When
the recogniser is late, what was heard so far decides with timing and tones: the deadline holds. Later words and tones
may take the verdict back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.audio.tones import Tone
from V3.audio.vad import EdgeKind, VadEdge
from V3.calls.answer import AnswerVerdict
from V3.calls.answer_ear import AnswerEar
from V3.errors import RecognitionError
from V3.events import AnswerClassified, Event, Final, Partial, SpeechContinues, StreamOpened, ToneHeard

__all__ = ["CallHearing", "Stream"]

log = logging.getLogger(__name__)

CONTINUES_EVERY_MS = 60
_KEPT_FINALS = 8  # of the first seconds: what may take a verdict back


class Stream(Protocol):
    """What a streaming session offers (see WhisperStreamingSTT.open_stream)."""

    partials: bool

    def process_chunk(self, frame: Audio) -> tuple[str, bool]: ...
    async def afinish(self) -> object: ...
    def close(self) -> None: ...


class CallHearing:
    """Feed ``push`` with the callee's audio; events go to ``emit``. Lives on the event loop.

    ``ear`` decides who answered; with ``decides=False`` that is known already and it only listens for voice and tones.
    ``recognise(audio)`` says what was said, or raises RecognitionError within a bound of its own.
    """

    def __init__(
        self,
        *,
        call_id: str,
        rate_hz: int,
        open_stream: Callable[[Callable[[Event], None]], Stream],
        emit: Callable[[Event], None],
        recognise: Callable[[Audio], Awaitable[str]],
        ear: AnswerEar,
        decides: bool = True,
    ) -> None:
        self._call_id = call_id
        self._rate_hz = rate_hz
        self._emit = emit
        self._recognise = recognise
        self._ear = ear
        self._decides = decides
        self._heard_samples = 0
        self._voice_start_ms = 0
        self._next_continues_ms = 0
        self._glance: asyncio.Task[None] | None = None
        self._verdict: asyncio.Task[None] | None = None
        self._finals: deque[str] = deque(maxlen=_KEPT_FINALS)
        self._stream = open_stream(self._take_words)
        self._stream.partials = not decides

    @property
    def at_ms(self) -> int:
        """Audio heard so far."""
        return self._heard_samples // SAMPLES_PER_MS

    def push(self, audio: Audio) -> None:
        """Take the next whole frames of the callee's audio, 16 kHz."""
        if not self._heard_samples:
            self._emit(StreamOpened(call_id=self._call_id, at_ms=0, rate_hz=self._rate_hz))
        self._heard_samples += audio.size
        edges, tones = self._ear.push(audio)
        self._tell(edges, tones)
        if self._decides:
            self._think()
        self._stream.process_chunk(audio)

    async def close(self) -> None:
        """End the stream: what was being said is heard to its end; a verdict under way is dropped."""
        under_way = [task for task in (self._glance, self._verdict) if task is not None and not task.done()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        try:
            await self._stream.afinish()
        except RecognitionError as exc:
            log.warning("call %s: its last words were not recognised: %s", self._call_id, exc)
        finally:
            self._stream.close()

    def _tell(self, edges: list[VadEdge], tones: list[Tone]) -> None:
        for edge in edges:
            if edge.kind is EdgeKind.STARTED:
                self._voice_start_ms = edge.edge_ms
                self._next_continues_ms = edge.edge_ms + CONTINUES_EVERY_MS
        for tone in tones:
            self._emit(
                ToneHeard(
                    call_id=self._call_id,
                    at_ms=self.at_ms,
                    kind=str(tone.kind),
                    start_ms=tone.start_ms,
                    end_ms=tone.end_ms,
                    hz=round(tone.frequencies_hz[0], 1),
                )
            )
        voice = self._ear.voice
        if voice.speaking and voice.at_ms >= self._next_continues_ms:
            self._next_continues_ms = voice.at_ms + CONTINUES_EVERY_MS
            until_ms = voice.at_ms - voice.silence_ms
            self._emit(
                SpeechContinues(
                    call_id=self._call_id,
                    at_ms=self.at_ms,
                    start_ms=self._voice_start_ms,
                    voiced_until_ms=until_ms,
                    level_dbfs=self._ear.level_dbfs,
                )
            )

    # Who answered.

    def _think(self) -> None:
        """Ask what there is to ask, and say what is sure."""
        if self._ear.due:
            if self._verdict is None:
                self._verdict = asyncio.create_task(self._decide(), name=f"answer {self._call_id}")
            return
        if self._ear.verdict is None and (self._glance is None or self._glance.done()) and self._ear.wants_words():
            self._glance = asyncio.create_task(self._look_at_words(), name=f"words so far {self._call_id}")
        self._look()

    def _look(self) -> None:
        had = self._ear.verdict
        if (verdict := self._ear.look()) is not None:
            self._say(verdict, revised=had is not None and had.label is not verdict.label)

    async def _look_at_words(self) -> None:
        text = await self._words(self._ear.window())
        if text is not None and self._ear.verdict is None:
            self._ear.hear(text)
            if not self._ear.due:
                self._look()

    async def _decide(self) -> None:
        text = await self._words(self._ear.window())
        self._say(self._ear.decide(text), revised=False)

    async def _words(self, audio: Audio) -> str | None:
        """What was said in the audio; None where the recogniser did not say in time."""
        try:
            return await self._recognise(audio)
        except RecognitionError as exc:
            log.warning("call %s: the recogniser did not answer, the verdict goes without: %s", self._call_id, exc)
        except Exception:  # the root of a task: whatever an engine raises, the call gets its verdict
            log.exception("call %s: the recogniser failed, the verdict goes without", self._call_id)
        return None

    def _take_words(self, event: Event) -> None:
        """The stream's events, on their way: later words may take the verdict back."""
        self._emit(event)
        if isinstance(event, Final):
            self._finals.append(event.text)
        if not self._decides or self._ear.verdict is None or not self._ear.policy.wants(self._ear.at_ms):
            return
        if isinstance(event, Partial):
            self._ear.hear(" ".join([*self._finals, event.text]))
        elif isinstance(event, Final):
            self._ear.hear(" ".join(self._finals))
        else:
            return
        self._look()

    def _say(self, verdict: AnswerVerdict, *, revised: bool) -> None:
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
                kind=str(verdict.kind),
                revised=revised,
            )
        )
