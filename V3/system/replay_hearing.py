"""A recorded callee heard again, by today's ears: verdicts, words and voice activity, on the clock of the call.

The same cores as in a call (``AnswerEar``, ``StreamingSession``), fed frame by frame; the recogniser is asked at once
and takes no time, so what comes out is the rules' doing alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest, Transcript
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio, from_l16, resample
from V3.audio.vad import EdgeKind, VadEdge
from V3.calls.answer import AnswerVerdict
from V3.calls.answer_ear import AnswerEar
from V3.events import Event, Final, Partial, SpeechContinues
from V3.picture.sides import Sides
from V3.system.services.call_hearing import CONTINUES_EVERY_MS

__all__ = ["Heard", "Recogniser", "callee_audio", "hear_again"]

MAX_FINALS = 8  # of the first seconds: what may take a verdict back
_TIMES = ("at_ms", "start_ms", "end_ms", "voiced_until_ms")


class Recogniser(Protocol):
    """What decodes."""

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard: events, and verdicts with their moments; ms after the answer."""

    events: tuple[Event, ...]
    verdicts: tuple[tuple[int, AnswerVerdict], ...]

    @property
    def finals(self) -> list[Final]:
        return [event for event in self.events if isinstance(event, Final)]


def callee_audio(sides: Sides, *, first_frame_ms: int) -> Audio:
    """The callee's side at 16 kHz from the first frame of the stream on; what was not yet recorded then is silence."""
    audio = resample(from_l16(sides.callee.astype("<i2").tobytes()), from_hz=sides.rate_hz, to_hz=RATE_HZ)
    missing = (sides.from_ms - first_frame_ms) * RATE_HZ // 1000
    if missing > 0:
        return np.concatenate([np.zeros(missing, dtype=np.float32), audio])
    return audio[-missing:]


def hear_again(
    audio: Audio, *, ear: AnswerEar, session: StreamingSession, recogniser: Recogniser, first_frame_ms: int
) -> Heard:
    """Hear all of it."""
    hearing = _Hearing(ear, session, recogniser)
    for start in range(0, audio.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        hearing.push(audio[start : start + FRAME_SAMPLES])
    hearing.finish()
    events = sorted((_shifted(event, first_frame_ms) for event in hearing.events), key=lambda event: event.at_ms)
    return Heard(tuple(events), tuple((at_ms + first_frame_ms, verdict) for at_ms, verdict in hearing.verdicts))


class _Hearing:
    """``V3.system.services.call_hearing.CallHearing`` without a loop, for a recogniser that answers at once."""

    def __init__(self, ear: AnswerEar, session: StreamingSession, recogniser: Recogniser) -> None:
        self.events: list[Event] = []
        self.verdicts: list[tuple[int, AnswerVerdict]] = []
        self._ear, self._session, self._recogniser = ear, session, recogniser
        self._session.partials = False
        self._finals: list[str] = []
        self._voice_start_ms = self._next_continues_ms = 0

    def push(self, frame: Audio) -> None:
        edges, _ = self._ear.push(frame)
        self._tell(edges)
        self._think()
        self._session.push(frame)
        self._settle()

    def finish(self) -> None:
        self._session.flush()
        self._settle()

    def _tell(self, edges: list[VadEdge]) -> None:
        for edge in edges:
            if edge.kind is EdgeKind.STARTED:
                self._voice_start_ms, self._next_continues_ms = edge.edge_ms, edge.edge_ms + CONTINUES_EVERY_MS
        voice = self._ear.voice
        if voice.speaking and voice.at_ms >= self._next_continues_ms:
            self._next_continues_ms = voice.at_ms + CONTINUES_EVERY_MS
            continues = SpeechContinues(
                call_id=self._session.call_id,
                at_ms=voice.at_ms,
                start_ms=self._voice_start_ms,
                voiced_until_ms=voice.at_ms - voice.silence_ms,
                level_dbfs=self._ear.level_dbfs,
            )
            self.events.append(continues)

    def _think(self) -> None:
        if self._ear.due:
            self._say(self._ear.decide(self._words()))
            return
        if self._ear.verdict is None and self._ear.wants_words():
            self._ear.hear(self._words())
        self._look()

    def _words(self) -> str:
        request = DecodeRequest(self._session.call_id, DecodeKind.ANSWER, self._ear.window(), word_times=False)
        return self._recogniser.decode([request])[0].text

    def _look(self) -> None:
        if (verdict := self._ear.look()) is not None:
            self._say(verdict)

    def _say(self, verdict: AnswerVerdict) -> None:
        self._session.partials = True
        self.verdicts.append((self._ear.at_ms, verdict))

    def _settle(self) -> None:
        while (request := self._session.next_request()) is not None:
            self._session.complete(request, self._recogniser.decode([request])[0])
        for event in self._session.take_events():
            self.events.append(event)
            if isinstance(event, Partial | Final):
                self._hear_words(event)

    def _hear_words(self, event: Partial | Final) -> None:
        """Words after the verdict may take it back."""
        if self._ear.verdict is None or not self._ear.policy.wants(self._ear.at_ms):
            return
        if isinstance(event, Final):
            self._finals = [*self._finals, event.text][-MAX_FINALS:]
        self._ear.hear(" ".join(self._finals if isinstance(event, Final) else [*self._finals, event.text]))
        self._look()


def _shifted(event: Event, by_ms: int) -> Event:
    changes: dict[str, object] = {f.name: getattr(event, f.name) + by_ms for f in fields(event) if f.name in _TIMES}
    if isinstance(event, Partial | Final):
        changes["words"] = tuple(
            replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms) for word in event.words
        )
    return replace(event, **changes)  # type: ignore[arg-type]  # the names are the event's own
