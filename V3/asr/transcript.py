"""What is asked of a recogniser and what it answers: plain values without a model, so that cores can speak of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol

from V3.asr.features import Features
from V3.audio.pcm import SAMPLES_PER_MS, Audio
from V3.events import Alternative, Word

__all__ = [
    "DETECT",
    "EMPTY_TRANSCRIPT",
    "MAX_REQUEST_S",
    "DecodeKind",
    "DecodeRequest",
    "Decoder",
    "Task",
    "Transcript",
]

Task = Literal["transcribe", "translate"]
"""Write down what is said in its own language, or in English."""
MAX_REQUEST_S = 30
"""Whisper's window: longer audio must be cut before it is asked about."""
DETECT = "auto"
"""As a request's language: the model says which it is."""


class DecodeKind(IntEnum):
    """Why a decode is asked for; the smaller goes first."""

    ANSWER = 0
    FINAL = 1
    PARTIAL = 2
    FILE = 3
    """Of a recording that nobody waits for while he speaks: it takes the time that calls leave."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRequest:
    """One piece of audio to be heard: 16 kHz float32, at most 30 s.

    ``start_ms`` is when the audio begins in its stream and is added to the times of its words. ``language`` is a code
    such as "fr", or "auto" to have it detected. ``task`` "translate" asks for English.
    ``prompt`` is text that came before (its last 100 tokens count),
    ``hotwords`` are words to expect (the first 50). ``expected`` are phrases of which one may be all that is said:
    short audio is asked how likely it makes each. ``mel`` are the audio's frames where its stream has computed them
    already (:meth:`V3.asr.features.MelTape.rows`); without them the recogniser does. Two requests are equal only when
    they are the same object.
    """

    call_id: str
    kind: DecodeKind
    audio: Audio
    start_ms: int = 0
    language: str = "fr"
    task: Task = "transcribe"
    prompt: str = ""
    hotwords: str = ""
    expected: tuple[str, ...] = ()
    word_times: bool = True
    mel: Features | None = None

    @property
    def duration_ms(self) -> int:
        return self.audio.size // SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard. ``str()`` gives the text.

    ``words`` are empty when word times were not asked for. ``avg_logprob`` is per token (0.0 for no text);
    ``no_speech_prob`` is Whisper's own guess that nobody speaks. ``language_prob`` is 1.0 where the language was given.
    ``suppressed`` says why words were taken out (:class:`V3.asr.suspicion.Suppressed`); ``redone`` that the decode
    looked wrong and was made again with more context. ``alternatives``: which of the expected phrases, or else what
    was written, the audio makes likely; the likeliest first.
    """

    text: str
    words: tuple[Word, ...] = ()
    duration_s: float = 0.0
    language: str = "fr"
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    language_prob: float = 1.0
    suppressed: tuple[str, ...] = ()
    redone: bool = False
    alternatives: tuple[Alternative, ...] = ()

    def __str__(self) -> str:
        return self.text


EMPTY_TRANSCRIPT = Transcript("")


class Decoder(Protocol):
    """What hears: :class:`V3.asr.model.Recognizer`, or a script in a test."""

    def bucket(self, request: DecodeRequest) -> Hashable:
        """Requests with equal buckets may share a batch. Raises AudioError for audio that cannot be heard."""
        ...

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        """A transcript for each, in their order."""
        ...
