"""What the four dialects of the client server have in common: their shape, and what they ask of whoever runs them.

A :class:`Dialect` turns one connection's messages into actions, and what was heard into more of them. It holds no
socket, task, clock or file: ``now_s`` (seconds since the epoch, from a clock that does not go back) is handed in.
The only error that leaves it is WireError: that message is lost, the connection and its state are as before.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from V3.asr.transcript import Task
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio
from V3.errors import WireError
from V3.events import Event

__all__ = [
    "Action",
    "Arrivals",
    "Clear",
    "Configure",
    "Decode",
    "Dialect",
    "Feed",
    "FrameCutter",
    "Say",
    "Tail",
    "Unpack",
    "configured",
    "json_object",
    "stamp",
]

MAX_TEXT_CHARS: Final = 16_384
TAIL_AFTER_S: Final = 1.0  # without audio for so long, what was said is taken to have ended
_TAIL_S: Final = 1.0  # of silence: longer than the endpoint of any stream
_KEPT_ARRIVALS: Final = 4096  # messages whose time of arrival is known; the oldest are forgotten beyond


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Whole 20 ms frames at 16 kHz for the connection's stream."""

    audio: Audio


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """A piece of audio at 16 kHz to be heard on its own; :meth:`Dialect.decoded` gets its text."""

    audio: Audio


@dataclass(frozen=True, slots=True)
class Unpack:
    """Bytes of a container to be decoded; :meth:`Dialect.unpacked` gets the samples."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Say:
    """A text message to the client. A newer ``partial`` may take the place of one that was not sent yet."""

    text: str
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Configure:
    """Settings of the connection that change; None leaves one as it is."""

    language: str | None = None
    task: Task | None = None
    partials: bool | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget all audio of the connection's stream."""


Action = Feed | Decode | Unpack | Say | Configure | Clear


class Dialect(ABC):
    """One connection's protocol. What a dialect has no use for stays as it is here."""

    name = ""

    def opened(self, *, now_s: float) -> list[Action]:
        """The connection is there."""
        return []

    def text(self, message: str, *, now_s: float) -> list[Action]:
        """A text message. Raises WireError."""
        raise WireError(f"text is not taken here: {message[:80]!r}")

    @abstractmethod
    def binary(self, data: bytes, *, now_s: float) -> list[Action]:
        """A binary message. Raises WireError."""

    def event(self, event: Event, *, now_s: float) -> list[Action]:
        """Something was heard in what was fed."""
        return []

    def decoded(self, audio: Audio, text: str, *, took_s: float, now_s: float) -> list[Action]:
        """What was heard in a :class:`Decode`."""
        return []

    def unpacked(self, audio: Audio, *, now_s: float) -> list[Action]:
        """Samples at 16 kHz out of what was given to :class:`Unpack`."""
        return []

    def failed(self, message: str, *, now_s: float) -> list[Action]:
        """How an error is told; nothing where the dialect has no message for it (then the connection is closed)."""
        return []

    @property
    def due_s(self) -> float | None:
        """When :meth:`tick` is to be called, if no message comes before; None: not at all."""
        return None

    def tick(self, *, now_s: float) -> list[Action]:
        """No message came for some time."""
        return []


class FrameCutter:
    """Samples of any number in, whole 20 ms frames out; the rest waits for more."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, dtype=np.float32)

    def push(self, audio: Audio) -> Audio:
        samples = np.concatenate([self._rest, audio]) if self._rest.size else audio
        whole = samples.size - samples.size % FRAME_SAMPLES
        self._rest = samples[whole:].copy()
        return samples[:whole]

    def clear(self) -> None:
        self._rest = np.zeros(0, dtype=np.float32)


class Tail:
    """The silence that ends what was said, where a client just stops sending."""

    def __init__(self) -> None:
        self.due_s: float | None = None

    def heard(self, now_s: float) -> None:
        """Audio came."""
        self.due_s = now_s + TAIL_AFTER_S

    def take(self, now_s: float) -> list[Action]:
        """Silence, once, when no audio has come for a second."""
        if self.due_s is None or now_s < self.due_s:
            return []
        self.due_s = None
        return [Feed(np.zeros(int(_TAIL_S * RATE_HZ), dtype=np.float32))]

    def clear(self) -> None:
        self.due_s = None


class Arrivals:
    """When which audio came, to say how long an answer took; of the last ``kept`` messages."""

    def __init__(self, kept: int = _KEPT_ARRIVALS) -> None:
        self._came: deque[tuple[float, float]] = deque(maxlen=kept)  # end of audio (ms), time (s)
        self._fed_ms = 0.0

    def fed(self, audio: Audio, now_s: float) -> float:
        """``audio`` at 16 kHz was fed; how many seconds later than what came before allowed."""
        length_ms = audio.size * 1000 / RATE_HZ
        late_s = now_s - self._came[-1][1] - length_ms / 1000 if self._came else 0.0
        self._fed_ms += length_ms
        self._came.append((self._fed_ms, now_s))
        return max(0.0, late_s)

    def since(self, at_ms: int, now_s: float) -> float:
        """Seconds since the audio up to ``at_ms`` had come; what lies further back than that is forgotten."""
        while len(self._came) > 1 and self._came[0][0] < at_ms:
            self._came.popleft()
        return max(0.0, now_s - self._came[0][1]) if self._came else 0.0

    def clear(self) -> None:
        self._came.clear()
        self._fed_ms = 0.0


def json_object(message: str) -> dict[str, Any]:
    """A JSON object. Raises WireError for anything else, and for a text longer than 16384 characters."""
    if len(message) > MAX_TEXT_CHARS:
        raise WireError(f"a text of {len(message)} characters; {MAX_TEXT_CHARS} are taken")
    try:
        data = json.loads(message)
    except (ValueError, RecursionError) as exc:
        raise WireError(f"text that is not JSON: {message[:80]!r}") from exc
    if not isinstance(data, dict):
        raise WireError(f"a JSON object is taken, not {message[:80]!r}")
    return data


def configured(data: dict[str, Any]) -> Configure:
    """``language`` and ``task`` of a JSON object. Raises WireError for values of another kind."""
    language, task = data.get("language"), data.get("task")
    if language is not None and not (isinstance(language, str) and language.isascii() and 2 <= len(language) <= 8):
        raise WireError(f"language is a code such as fr or en, or auto, not {str(language)[:40]!r}")
    if task not in (None, "transcribe", "translate"):
        raise WireError(f"task is transcribe or translate, not {str(task)[:40]!r}")
    return Configure(language=None if language is None else language.lower(), task=task)


def stamp(now_s: float) -> str:
    """A moment as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds")
