"""What happens on a call's audio, as frozen values that go to callbacks and travel as JSON.

In one process they are handed to the robot as they are. They also go back on the call's WebSocket as JSON text,
which FreeSWITCH raises as ``mod_audio_stream::json``: a robot elsewhere needs nothing but its ESL connection.
Every ``at_ms`` counts audio heard since the first frame of the stream, not wall-clock time.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from V3.errors import WireError

__all__ = [
    "Alternative",
    "AnswerClassified",
    "AudioFlagged",
    "Capacity",
    "Event",
    "Final",
    "Partial",
    "SpeechContinues",
    "SpeechEnded",
    "SpeechStarted",
    "StreamClosed",
    "StreamFailed",
    "StreamOpened",
    "ToneHeard",
    "Word",
    "from_json",
    "to_json",
]


@dataclass(frozen=True, slots=True)
class Word:
    """One word. Times in ms of audio since the stream began; ``stable`` words of a partial will not change."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0
    stable: bool = True


@dataclass(frozen=True, slots=True)
class Alternative:
    """Words that may be all that was said, and how likely the audio makes them (0 to 1)."""

    text: str
    likelihood: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Root of the events of one call's audio."""

    call_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened(Event):
    """The call's audio connected."""

    rate_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    """Voice activity began at ``start_ms``; ``at_ms`` is when that was sure."""

    start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechContinues(Event):
    """Somebody speaks since ``start_ms``, so far until ``voiced_until_ms``. Comes many times a second.

    ``level_dbfs``: the loudest tenth of a second of it (0.0: not known).
    """

    start_ms: int
    voiced_until_ms: int
    level_dbfs: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded(Event):
    """Voice activity ended at ``end_ms``; ``at_ms`` is when the silence was long enough to say so."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial(Event):
    """The words of an utterance so far; the audio up to ``at_ms`` was heard for it."""

    text: str
    words: tuple[Word, ...]
    start_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Final(Event):
    """An utterance that has ended; its words change no more.

    ``suppressed``: why words were taken out, or why there are none (:class:`V3.asr.suspicion.Suppressed`).
    ``alternatives``: of a short utterance where phrases were expected, the likely ones of these and what was written.
    """

    text: str
    words: tuple[Word, ...]
    start_ms: int
    end_ms: int
    suppressed: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerClassified(Event):
    """Who answered: ``label`` is HUMAN, MACHINE or NO_ANSWER, ``kind`` says it more finely
    (:class:`V3.calls.answer.AnswerKind`); ``evidence`` are the findings behind ``reason``. ``revised``: it takes back
    the verdict before.
    """

    label: str
    reason: str
    confidence: float
    text: str
    evidence: tuple[str, ...]
    kind: str = "unknown"
    revised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneHeard(Event):
    """A signalling tone from ``start_ms`` to ``end_ms``: ``kind`` is a :class:`V3.audio.tones.ToneKind`."""

    kind: str
    start_ms: int
    end_ms: int
    hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFlagged(Event):
    """Something is wrong with the audio itself: ``finding`` is a :class:`V3.audio.health.FindingKind`; once a stream.

    The stream goes on, and what is heard in it is worth less.
    """

    finding: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFailed(Event):
    """Something went wrong on this stream; it goes on unless StreamClosed follows."""

    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity(Event):
    """How many calls the service can hear at once, how many it does, how many more it would take now.

    Told on every call's stream, first when it opens, then when that has changed; ``draining``: it takes no more at all.
    """

    capacity: int
    calls: int
    room: int
    draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamClosed(Event):
    """The call's audio ended; ``code`` is the WebSocket close code."""

    code: int
    reason: str


_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        StreamOpened,
        SpeechStarted,
        SpeechContinues,
        SpeechEnded,
        Partial,
        Final,
        AnswerClassified,
        ToneHeard,
        AudioFlagged,
        Capacity,
        StreamFailed,
        StreamClosed,
    )
}


def to_json(event: Event) -> str:
    """``{"type": "Partial", "call_id": ..., ...}`` in ASCII, so that nothing on the way can misread it."""
    return json.dumps({"type": type(event).__name__} | dataclasses.asdict(event), separators=(",", ":"))


def from_json(text: str) -> Event:
    """The event that :func:`to_json` wrote. Raises WireError for anything else, a value of another type included.

    A field that is not known is left out: the robot may be older than the audio server.
    """
    try:
        fields: Any = json.loads(text)
        kind = _KINDS[fields.pop("type")]
        return kind(**_taken(kind, fields))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as exc:
        raise WireError(f"no event of ours: {text[:80]!r} ({type(exc).__name__}: {exc})") from exc


def _taken(kind: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    types = {field.name: str(field.type) for field in dataclasses.fields(kind)}  # written out: annotations are strings
    return {name: _READERS[types[name]](value) for name, value in fields.items() if name in types}


def _exactly(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:  # True is no number of milliseconds
            raise TypeError(f"{value!r:.40} where {kind.__name__} belongs")
        return value

    return read


def _text(value: Any) -> str:
    text: str = _exactly(str)(value)
    text.encode()  # half a surrogate pair is a ValueError here: no file and no screen takes it later
    return text


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{value!r:.40} where a number belongs")
    return float(value)


def _words(value: Any) -> tuple[Word, ...]:
    return tuple(Word(**_taken(Word, word)) for word in _exactly(list)(value))


def _alternatives(value: Any) -> tuple[Alternative, ...]:
    return tuple(Alternative(**_taken(Alternative, each)) for each in _exactly(list)(value))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(text) for text in _exactly(list)(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _exactly(int),
    "bool": _exactly(bool),
    "float": _number,
    "tuple[Word, ...]": _words,
    "tuple[Alternative, ...]": _alternatives,
    "tuple[str, ...]": _texts,
}
