"""Dialect B, several sources: one connection for each, .npy arrays in, transcripts back as JSON. A core.

A transcript holds the words that have become certain since the last one of its source, so the transcripts one after
another are what was said. The state may outlive a connection: a source that comes back goes on where it was.
"""

from __future__ import annotations

import json
from typing import Any, Final

from V3.errors import WireError
from V3.events import Event, Partial, Word
from V3.events import Final as Ended
from V3.wire.dialect import Action, Dialect, Feed, FrameCutter, Say, Tail, configured, json_object, stamp
from V3.wire.npy import audio_from_npy

__all__ = ["Sources", "checked_client_id"]

MAX_ID_CHARS: Final = 128
_MAX_OPEN: Final = 64  # utterances whose Final is awaited; a stream has fewer


def checked_client_id(client_id: str | None) -> str:
    """A source's name. Raises WireError (1008) where it is missing or cannot be one."""
    if not client_id:
        raise WireError("client_id is missing: /ws/transcription?client_id=ID", close_code=1008)
    if len(client_id) > MAX_ID_CHARS or not client_id.isprintable():
        raise WireError(f"a client_id is 1 to {MAX_ID_CHARS} printable characters", close_code=1008)
    return client_id


class Sources(Dialect):
    """One source."""

    name = "sources"

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self._cutter, self._tail = FrameCutter(), Tail()
        self._told: dict[int, int] = {}  # words told of each utterance that has not ended, by its beginning

    def text(self, message: str, *, now_s: float) -> list[Action]:
        data = json_object(message)
        if data.get("type") == "ping":
            return [self._say("pong", now_s)]
        if data.get("type") != "config":
            raise WireError("text is {'type':'config','language':..,'task':..} or {'type':'ping'}; audio is binary")
        return [configured(data)]

    def binary(self, data: bytes, *, now_s: float) -> list[Action]:
        frames = self._cutter.push(audio_from_npy(data))
        if not frames.size:
            return []
        self._tail.heard(now_s)
        return [Feed(frames)]

    def event(self, event: Event, *, now_s: float) -> list[Action]:
        if isinstance(event, Partial):
            certain = next((i for i, word in enumerate(event.words) if not word.stable), len(event.words))
            return self._tell(event.start_ms, event.words[:certain], now_s)
        if isinstance(event, Ended):
            said = self._tell(event.start_ms, event.words, now_s)
            self._told.pop(event.start_ms, None)
            return said
        return []

    def failed(self, message: str, *, now_s: float) -> list[Action]:
        return [self._say("error", now_s, message=message)]

    @property
    def due_s(self) -> float | None:
        return self._tail.due_s

    def tick(self, *, now_s: float) -> list[Action]:
        return self._tail.take(now_s)

    def _tell(self, start_ms: int, words: tuple[Word, ...], now_s: float) -> list[Action]:
        told = self._told.get(start_ms, 0)
        self._told[start_ms] = max(told, len(words))
        while len(self._told) > _MAX_OPEN:
            del self._told[next(iter(self._told))]
        text = " ".join(word.text for word in words[told:])
        return [self._say("transcript", now_s, text=text)] if text else []

    def _say(self, kind: str, now_s: float, **fields: Any) -> Say:
        return Say(json.dumps({"type": kind, "client_id": self.client_id, **fields, "timestamp": stamp(now_s)}))
