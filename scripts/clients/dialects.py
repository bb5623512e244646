"""The five protocols from a client's side: where to connect, what to send for audio, what an answer means. No I/O.

Each is written from what the protocol says, not from the server's code: audio is float32 at 16 kHz here.
"""

from __future__ import annotations

import io
import json
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlencode

import numpy as np

from scripts.clients.recording import WebmRecorder
from V3.audio.pcm import Audio, to_l16

__all__ = ["DIALECTS", "Answer", "ClientDialect", "Wishes"]

Kind = Literal["final", "partial", "error", "pong", "note", "nothing"]

_PING: Final = '{"type":"ping"}'


@dataclass(frozen=True, slots=True)
class Answer:
    """What a message from the server says; ``text`` are words, or what it is about."""

    kind: Kind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user may ask for. Empty is the server's default."""

    language: str = ""
    task: str = ""
    mode: str = ""
    client_id: str = ""


class ClientDialect(ABC):
    """One connection's way of speaking. ``chunks_ms`` are the messages that are taken; empty: of any length."""

    name: ClassVar[str]
    port: ClassVar[int] = 8765
    path: ClassVar[str]
    usual_ms: ClassVar[int]
    chunks_ms: ClassVar[tuple[int, ...]] = ()
    asks: ClassVar[frozenset[str]] = frozenset({"language", "task"})
    ping: ClassVar[str] = _PING
    """How to ask for a sign of life; empty: by a WebSocket ping."""
    tail_s: ClassVar[float] = 0.0
    """Silence that ends what was said, where the server does not add it."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes

    def target(self) -> str:
        """Path and query."""
        return self.path

    def opening(self) -> list[str]:
        """Messages before audio."""
        asked = {key: value for key in ("language", "task") if (value := getattr(self.wishes, key))}
        return [json.dumps({"type": "config", **asked})] if asked else []

    @abstractmethod
    def pack(self, audio: Audio) -> bytes:
        """The message for a piece of audio; may be empty."""

    def finish(self) -> bytes:
        """What is left to send at the end; may be empty."""
        return b""

    @abstractmethod
    def read(self, message: str) -> Answer:
        """What an answer means. Never raises."""


class CaptionsClient(ClientDialect):
    name, path, usual_ms = "captions", "/captions", 100
    asks = frozenset({"language", "task", "mode"})

    def opening(self) -> list[str]:
        form = {"type": "config", "format": "int16", "mode": self.wishes.mode or "live"}
        asked = {key: value for key in ("language", "task") if (value := getattr(self.wishes, key))}
        return [json.dumps(form | asked)]

    def pack(self, audio: Audio) -> bytes:
        return to_l16(audio)

    def read(self, message: str) -> Answer:
        told = _object(message)
        match told.get("type"):
            case "transcription":
                return Answer("partial" if told.get("partial") else "final", str(told.get("text", "")))
            case "connected":
                return Answer("note", f"connected, model {told.get('model')}")
            case "buffering":
                return Answer("nothing")
        return _usual(told, message)


class SourcesClient(ClientDialect):
    name, path, usual_ms = "sources", "/ws/transcription", 200

    def target(self) -> str:
        return f"{self.path}?{urlencode({'client_id': self.wishes.client_id or _new_id()})}"

    def pack(self, audio: Audio) -> bytes:
        file = io.BytesIO()
        np.save(file, audio.astype(np.float32), allow_pickle=False)
        return file.getvalue()

    def read(self, message: str) -> Answer:
        told = _object(message)
        return Answer("final", str(told.get("text", ""))) if told.get("type") == "transcript" else _usual(told, message)


class VadClient(ClientDialect):
    name, path, usual_ms = "vad", "/vad", 30
    chunks_ms = (10, 20, 30)
    asks = frozenset()
    ping = ""

    def opening(self) -> list[str]:
        return ['{"sample_rate": 16000}']

    def pack(self, audio: Audio) -> bytes:
        return to_l16(audio)

    def read(self, message: str) -> Answer:
        return Answer("final", message)


class RecorderClient(ClientDialect):
    name, path, usual_ms = "recorder", "/ajax/audio", 300

    def __init__(self, wishes: Wishes) -> None:
        super().__init__(wishes)
        self._recorder = WebmRecorder()

    def pack(self, audio: Audio) -> bytes:
        return self._recorder.push(audio)

    def finish(self) -> bytes:
        return self._recorder.finish()

    def read(self, message: str) -> Answer:
        told = _object(message)
        for kind in ("partial", "final", "error"):
            if kind in told:
                return Answer(kind, str(told[kind]))
        return _usual(told, message)


class CallClient(ClientDialect):
    """As FreeSWITCH's mod_audio_stream: a new call each time; its line goes on being silent after the last word."""

    name, port, path, usual_ms = "call", 8766, "/call/", 20
    chunks_ms = (20, 40, 60, 80, 100, 200)
    asks = frozenset()
    ping = ""
    tail_s = 1.5

    def target(self) -> str:
        return f"/call/{self.wishes.client_id or uuid.uuid4()}?rate=16000"

    def pack(self, audio: Audio) -> bytes:
        return to_l16(audio)

    def read(self, message: str) -> Answer:
        told = _object(message)
        match told.get("type"):
            case "Partial":
                return Answer("partial", str(told.get("text", "")))
            case "Final":
                return Answer("final", str(told.get("text", "")))
            case "AnswerClassified":
                verdict = f"{told.get('label')} ({told.get('kind')}) after {told.get('at_ms')} ms: {told.get('reason')}"
                return Answer("note", verdict)
            case "ToneHeard":
                return Answer("note", f"a tone: {told.get('kind')}")
            case "StreamFailed":
                return Answer("error", str(told.get("message", "")))
        return Answer("nothing")


DIALECTS: Final[dict[str, type[ClientDialect]]] = {
    dialect.name: dialect for dialect in (CaptionsClient, SourcesClient, VadClient, RecorderClient, CallClient)
}


def _new_id() -> str:
    return f"file-{uuid.uuid4().hex[:8]}"


def _object(message: str) -> dict[str, Any]:
    try:
        told = json.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _usual(told: dict[str, Any], message: str) -> Answer:
    match told.get("type"):
        case "pong":
            return Answer("pong")
        case "error":
            return Answer("error", str(told.get("message", "")))
    return Answer("error", f"an answer that is not understood: {message[:80]}")
