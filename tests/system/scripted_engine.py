"""A batch-only engine that says what it is told to, for tests of what is around an engine."""

from __future__ import annotations

import asyncio

from V3.asr.transcript import Transcript
from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.events import Word

__all__ = ["ScriptedEngine"]


class ScriptedEngine:
    """Answers with its texts in turn (the last one again and again), each word 100 ms after the other.

    An exception among the texts is raised. ``gated``: every answer waits for one :meth:`let_go`. ``heard_ms`` are the
    lengths of what it was given, ``busiest`` how many asked at once.
    """

    def __init__(self, *answers: str | Exception, gated: bool = False) -> None:
        self._answers = list(answers) or [""]
        self._gate = asyncio.Semaphore(0) if gated else None
        self.heard_ms: list[int] = []
        self.busiest = self._asking = 0

    async def transcribe_async(self, audio: Audio, *, call_id: str) -> Transcript:
        self.heard_ms.append(audio.size // SAMPLES_PER_MS)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self._asking += 1
        self.busiest = max(self.busiest, self._asking)
        try:
            if self._gate is not None:
                await self._gate.acquire()
        finally:
            self._asking -= 1
        if isinstance(answer, Exception):
            raise answer
        return Transcript(answer, tuple(Word(w, 100 * i, 100 * i + 100, 0.9) for i, w in enumerate(answer.split())))

    def let_go(self, answers: int = 1) -> None:
        assert self._gate is not None
        for _ in range(answers):
            self._gate.release()
