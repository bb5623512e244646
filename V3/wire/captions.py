"""Dialect A, live captions: WAV or raw PCM in, JSON back. A core.

Classic mode answers every binary message once: with the transcription of all audio since the last one, as soon as
there are ``chunk_duration_s`` of it, and else with what is buffered; so a loop of one send and one wait never waits
for ever. When a client sends no more, the rest is transcribed after as long again, or skipped if it is shorter than
``min_chunk_s``. Live mode feeds a stream, and every partial and final is told.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import numpy as np

from V3.audio.pcm import RATE_HZ, Audio
from V3.errors import WireError
from V3.events import Event, Partial
from V3.events import Final as Ended
from V3.wire.dialect import (
    Action,
    Arrivals,
    Clear,
    Decode,
    Dialect,
    Feed,
    FrameCutter,
    Say,
    Tail,
    configured,
    json_object,
    stamp,
)
from V3.wire.raw_pcm import SampleFormat, WavOrPcm

__all__ = ["Captions"]

_FORMATS: Final[dict[str, SampleFormat]] = {
    **dict.fromkeys(("int16", "s16le", "pcm16", "pcm_s16le", "l16"), "int16"),
    **dict.fromkeys(("float32", "f32le", "pcm_f32le"), "float32"),
}


class Captions(Dialect):
    """One captions client."""

    name = "captions"

    def __init__(self, *, model: str, chunk_duration_s: float = 2.0, min_chunk_s: float = 0.5) -> None:
        self._model = model
        self._chunk_s = chunk_duration_s
        self._min_s = min_chunk_s
        self._live = False
        self._input = WavOrPcm()
        self._buffer: list[Audio] = []
        self._buffered = 0  # samples
        self._chunk_due_s: float | None = None
        self._heard_s = 0.0  # of audio transcribed in classic mode
        self._cutter, self._tail, self._arrivals = FrameCutter(), Tail(), Arrivals()
        self._shown = False

    def opened(self, *, now_s: float) -> list[Action]:
        return [_say("connected", now_s, message="connected to the voicebot's captions", model=self._model)]

    def text(self, message: str, *, now_s: float) -> list[Action]:
        data = json_object(message)
        match data.get("type"):
            case "config":
                return self._configure(data)
            case "clear_buffer":
                self._forget()
                return [Clear()]
            case "ping":
                return [_say("pong", now_s)]
            case other:
                raise WireError(f"type is config, clear_buffer or ping, not {str(other)[:40]!r}")

    def binary(self, data: bytes, *, now_s: float) -> list[Action]:
        audio = self._input.push(data)
        if self._live:
            return self._feed(audio, now_s)
        self._buffer.append(audio)
        self._buffered += audio.size
        if self._buffered >= self._chunk_s * RATE_HZ:
            return self._take_chunk()
        self._chunk_due_s = now_s + self._chunk_s
        # what cannot be told apart yet is counted too: an answer of 0 s would look like a fault
        buffered_s = self._buffered / RATE_HZ + self._input.undecided_s
        return [_say("buffering", None, buffered=round(buffered_s, 3), needed=self._chunk_s)]

    def event(self, event: Event, *, now_s: float) -> list[Action]:
        if isinstance(event, Partial):
            self._shown = True
            return [self._transcription(event.text, event.start_ms, event.at_ms, now_s, partial=True)]
        if isinstance(event, Ended) and (event.text or self._shown):
            self._shown = False
            return [self._transcription(event.text, event.start_ms, event.end_ms, now_s, partial=False)]
        return []

    def decoded(self, audio: Audio, text: str, *, took_s: float, now_s: float) -> list[Action]:
        duration_s = audio.size / RATE_HZ
        start_s, self._heard_s = self._heard_s, self._heard_s + duration_s
        return [_transcription(text, now_s, duration_s=duration_s, took_s=took_s, start_s=start_s)]

    def failed(self, message: str, *, now_s: float) -> list[Action]:
        return [_say("error", now_s, message=message)]

    @property
    def due_s(self) -> float | None:
        return self._tail.due_s if self._live else self._chunk_due_s

    def tick(self, *, now_s: float) -> list[Action]:
        if self._live:
            return self._tail.take(now_s)
        if self._chunk_due_s is None or now_s < self._chunk_due_s:
            return []
        return self._take_chunk()

    def _take_chunk(self) -> list[Action]:
        """All that is buffered; nothing where that is less than is worth a decode: it is skipped."""
        audio = np.concatenate(self._buffer) if self._buffer else np.zeros(0, dtype=np.float32)
        self._drop_buffer()
        if audio.size < self._min_s * RATE_HZ:
            return []
        return [Decode(audio)]

    def _feed(self, audio: Audio, now_s: float) -> list[Action]:
        frames = self._cutter.push(audio)
        if not frames.size:
            return []
        self._arrivals.fed(frames, now_s)
        self._tail.heard(now_s)
        return [Feed(frames)]

    def _configure(self, data: dict[str, Any]) -> list[Action]:
        change, live = configured(data), self._wanted_mode(data)
        chunk_s, form = _chunk_duration(data.get("chunk_duration"), self._chunk_s), _format(data)
        self._chunk_s = chunk_s  # nothing is changed before all was read
        if form is not None:
            self._input.declare(form)
        if live == self._live:
            return [change]
        rest = self._cutter.push(np.concatenate([np.zeros(0, dtype=np.float32), *self._buffer]))
        self._forget()
        self._live = live
        return [replace(change, partials=live), Clear(), *([Feed(rest)] if live and rest.size else [])]

    def _wanted_mode(self, data: dict[str, Any]) -> bool:
        mode = data.get("mode", "live" if self._live else "classic")
        if mode not in ("classic", "live"):
            raise WireError(f"mode is classic or live, not {str(mode)[:40]!r}")
        return bool(mode == "live")

    def _transcription(self, text: str, start_ms: int, end_ms: int, now_s: float, *, partial: bool) -> Say:
        took_s = self._arrivals.since(end_ms, now_s)
        duration_s = max(0, end_ms - start_ms) / 1000
        return _transcription(
            text, now_s, duration_s=duration_s, took_s=took_s, start_s=start_ms / 1000, partial=partial
        )

    def _forget(self) -> None:
        self._drop_buffer()
        self._input.clear()
        self._heard_s = 0.0
        self._cutter.clear()
        self._tail.clear()
        self._arrivals.clear()
        self._shown = False

    def _drop_buffer(self) -> None:
        self._buffer.clear()
        self._buffered = 0
        self._chunk_due_s = None


def _chunk_duration(value: Any, now: float) -> float:
    if value is None:
        return now
    if type(value) not in (int, float) or not 0.5 <= value <= 28:  # NaN is in no range
        raise WireError(f"chunk_duration is 0.5 to 28 seconds, not {str(value)[:40]!r}")
    return float(value)


def _format(data: dict[str, Any]) -> SampleFormat | None:
    value = data.get("format")
    if value is None:
        return None
    if not isinstance(value, str) or value.lower() not in _FORMATS:
        raise WireError(f"format is int16 or float32, not {str(value)[:40]!r}")
    return _FORMATS[value.lower()]


def _transcription(
    text: str, now_s: float, *, duration_s: float, took_s: float, start_s: float, partial: bool = False
) -> Say:
    fields = {
        "text": text,
        "duration": round(duration_s, 3),
        "processing_time": round(took_s, 4),
        "rtf": round(took_s / duration_s, 4) if duration_s else 0.0,
        "start": round(start_s, 3),
        "end": round(start_s + duration_s, 3),
    }
    said = _say("transcription", now_s, **fields, **({"partial": True} if partial else {}))
    return replace(said, partial=partial)


def _say(kind: str, now_s: float | None, **fields: Any) -> Say:
    moment = {} if now_s is None else {"timestamp": stamp(now_s)}
    return Say(json.dumps({"type": kind, **fields, **moment}))
