"""The engines that are compared, each as one stream that hears frames and wants work done.

All of them decode with the same model. What is theirs alone: when they decode, how much audio, and what they call
certain.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Final

from scripts.bench.accounts import Showing, show
from scripts.bench.clock import Job
from V3.asr.hypothesis import PolicyName
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeRequest, Transcript
from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.audio.tape import AudioTape
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.events import Final as FinalEvent
from V3.events import Partial

__all__ = ["LANGUAGE", "Ours", "ReTranscription", "plain_transcribe"]

LANGUAGE: Final = "fr"
_PREROLL_S: Final = 0.3
_WINDOW_MS, _HOP_MS = 800, 200
_IDLE_MS: Final = 1000  # audio kept while nobody speaks: pre-roll, and what passes before an onset is sure
_FINAL_RANK, _PARTIAL_RANK = 0, 1


class Ours:
    """A :class:`StreamingSession`. Its requests are queued as the batcher does: finals before partials."""

    def __init__(self, recognizer: Recognizer, *, policy: PolicyName) -> None:
        self._recognizer = recognizer
        self._session = StreamingSession("bench", language=LANGUAGE, mel_bands=recognizer.info.mel_bands, policy=policy)

    def hear(self, frame: Audio) -> None:
        self._session.push(frame)

    def end(self) -> None:
        self._session.flush()

    def wanted(self, *, idle: bool) -> list[Job]:  # noqa: ARG002 - the session knows what is in flight
        jobs: list[Job] = []
        while (request := self._session.next_request()) is not None:
            jobs.append(self._job(request))
        return jobs

    def take_shown(self, at_s: float) -> list[Showing]:
        return [_shown(event, at_s) for event in self._session.take_events() if isinstance(event, Partial | FinalEvent)]

    def holds(self) -> tuple[list[object], list[object]]:
        return [self._session], []

    def _job(self, request: DecodeRequest) -> Job:
        def deliver(transcript: Transcript) -> None:
            self._session.complete(request, transcript)

        return Job(int(request.kind), lambda: self._recognizer.decode([request])[0], deliver)


def _shown(event: Partial | FinalEvent, at_s: float) -> Showing:
    heard_ms = event.at_ms if isinstance(event, Partial) else event.end_ms
    return show(
        at_s,
        event.start_ms,
        [(word.text, word.stable) for word in event.words],
        begin_s=event.start_ms / 1000 - _PREROLL_S,
        heard_s=heard_ms / 1000 + (0.0 if isinstance(event, Partial) else _PREROLL_S),
    )


class ReTranscription:
    """The plain scheme: every 200 ms the last 800 ms, and the whole utterance at its end, by ``model.transcribe``.

    ``model`` is a faster_whisper.WhisperModel, used as its manual shows (beam 1, the language given), so each piece
    is padded to 30 s. Voice activity is ours, to the scheme's advantage: it spends nothing on silence. A partial is
    left out while anything is decoded.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._voice = VoiceActivity()
        self._tape = AudioTape()
        self._from = 0  # sample: where the utterance's audio begins
        self._start_ms: int | None = None
        self._next_ms = 0
        self._finals: list[Job] = []
        self._showings: list[tuple[int, str, bool, int, int]] = []

    def hear(self, frame: Audio) -> None:
        self._tape.append(frame)
        for edge in self._voice.push(frame):
            self._edge(edge)
        if self._start_ms is None:
            self._tape.drop_before(self._tape.end - _IDLE_MS * SAMPLES_PER_MS)

    def end(self) -> None:
        for edge in self._voice.flush():
            self._edge(edge)

    def wanted(self, *, idle: bool) -> list[Job]:
        jobs, self._finals = self._finals, []
        if jobs or not idle or self._start_ms is None or self._voice.at_ms < self._next_ms:
            return jobs
        self._next_ms = self._voice.at_ms + _HOP_MS
        begin = max(self._from, self._tape.end - _WINDOW_MS * SAMPLES_PER_MS)
        return [self._job(begin, self._start_ms, stable=False)]

    def take_shown(self, at_s: float) -> list[Showing]:
        taken, self._showings = self._showings, []
        return [
            show(at_s, line, [(text, stable)], begin_s=begin_ms / 1000, heard_s=heard_ms / 1000)
            for line, text, stable, begin_ms, heard_ms in taken
        ]

    def holds(self) -> tuple[list[object], list[object]]:
        return [self._voice, self._tape, self._finals], [self._model]

    def _edge(self, edge: VadEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            self._start_ms = edge.edge_ms
            begin = (edge.edge_ms - int(1000 * _PREROLL_S)) * SAMPLES_PER_MS
            self._from = max(self._from, self._tape.start, begin)
        elif self._start_ms is not None:
            self._finals.append(self._job(self._from, self._start_ms, stable=True))
            self._start_ms = None
            self._from = self._tape.end

    def _job(self, begin: int, line: int, *, stable: bool) -> Job:
        audio, end = self._tape.cut(begin, self._tape.end), self._tape.end

        def deliver(text: str) -> None:
            if stable or line == self._start_ms:  # else the utterance has ended meanwhile
                self._showings.append((line, text, stable, begin // SAMPLES_PER_MS, end // SAMPLES_PER_MS))

        work = functools.partial(plain_transcribe, self._model, audio)
        return Job(_FINAL_RANK if stable else _PARTIAL_RANK, work, deliver)


def plain_transcribe(model: Any, audio: Audio) -> str:
    """The text by faster-whisper's own ``transcribe``."""
    segments: Iterable[Any] = model.transcribe(audio, language=LANGUAGE, beam_size=1)[0]
    return "".join(segment.text for segment in segments).strip()
