"""A recogniser that says what it is told to, for tests of what is around a recogniser."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence

from V3.asr.transcript import DecodeRequest, Transcript
from V3.events import Word

__all__ = ["ScriptedRecognizer"]


class ScriptedRecognizer:
    """Answers every request with its prompt, or ``text``; buckets by length of audio.

    With ``gated=True`` every batch waits for one :meth:`let_go`; ``began`` says that one is waiting. Requests whose
    call id is in ``broken`` make their batch raise.
    """

    def __init__(self, text: str = "oui bonjour", *, gated: bool = False) -> None:
        self.text = text
        self.batches: list[list[DecodeRequest]] = []
        self.broken: set[str] = set()
        self.began = threading.Semaphore(0)
        self._gated = gated
        self._gate = threading.Semaphore(0)

    def bucket(self, request: DecodeRequest) -> Hashable:
        return request.audio.size

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        self.batches.append(list(requests))
        self.began.release()
        if self._gated:
            assert self._gate.acquire(timeout=20)
        for request in requests:
            if request.call_id in self.broken:
                raise ValueError(f"broken by {request.call_id}")
        return [self._answer(request) for request in requests]

    def wait_until_busy(self) -> None:
        assert self.began.acquire(timeout=20)

    def let_go(self, batches: int = 1) -> None:
        self._gate.release(batches)

    def _answer(self, request: DecodeRequest) -> Transcript:
        text = request.prompt or self.text
        words = tuple(
            Word(part, request.start_ms + 200 * index, request.start_ms + 200 * index + 200)
            for index, part in enumerate(text.split())
        )
        return Transcript(text, words, request.duration_ms / 1000)
