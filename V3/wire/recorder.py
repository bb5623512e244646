"""Dialect D, the browser's recorder: pieces of WebM, Ogg or MP4 in, partials and finals back as JSON. A core.

Decoding the container is asked for (:class:`~V3.wire.dialect.Unpack`), the samples come back to ``unpacked``. The last
200 characters that were said are the prompt of what follows.
"""

from __future__ import annotations

import json
from typing import Final

from V3.audio.pcm import Audio
from V3.errors import WireError
from V3.events import Event, Partial
from V3.events import Final as Ended
from V3.wire.dialect import (
    Action,
    Clear,
    Configure,
    Dialect,
    Feed,
    FrameCutter,
    Say,
    Tail,
    Unpack,
    configured,
    json_object,
)

__all__ = ["PROMPT_CHARS", "Recorder"]

PROMPT_CHARS: Final = 200


class Recorder(Dialect):
    """One recorder."""

    name = "recorder"

    def __init__(self) -> None:
        self._cutter, self._tail = FrameCutter(), Tail()
        self._prompt = ""
        self._shown = False

    def text(self, message: str, *, now_s: float) -> list[Action]:
        data = json_object(message)
        match data.get("type", "config"):
            case "config":
                return [configured(data)]
            case "clear_buffer":
                self._forget()
                return [Clear(), Configure(prompt="")]
            case "ping":
                return [Say(json.dumps({"type": "pong"}))]
            case other:
                raise WireError(f"type is config, clear_buffer or ping, not {str(other)[:40]!r}")

    def binary(self, data: bytes, *, now_s: float) -> list[Action]:
        return [Unpack(data)] if data else []

    def unpacked(self, audio: Audio, *, now_s: float) -> list[Action]:
        frames = self._cutter.push(audio)
        if not frames.size:
            return []
        self._tail.heard(now_s)
        return [Feed(frames)]

    def event(self, event: Event, *, now_s: float) -> list[Action]:
        if isinstance(event, Partial):
            self._shown = True
            return [Say(json.dumps({"partial": event.text}), partial=True)]
        if isinstance(event, Ended) and (event.text or self._shown):
            self._shown = False
            return [Say(json.dumps({"final": event.text})), *self._remember(event.text)]
        return []

    def failed(self, message: str, *, now_s: float) -> list[Action]:
        return [Say(json.dumps({"error": message}))]

    @property
    def due_s(self) -> float | None:
        return self._tail.due_s

    def tick(self, *, now_s: float) -> list[Action]:
        return self._tail.take(now_s)

    def _remember(self, text: str) -> list[Action]:
        if not text:
            return []
        said = f"{self._prompt} {text}".strip()
        if len(said) > PROMPT_CHARS:  # cut before a word
            said = said[-PROMPT_CHARS:].partition(" ")[2] or said[-PROMPT_CHARS:]
        self._prompt = said
        return [Configure(prompt=said)]

    def _forget(self) -> None:
        self._cutter.clear()
        self._tail.clear()
        self._prompt, self._shown = "", False
