"""What one utterance is made of: segments of audio, each with its own growing hypothesis.

An utterance of a few seconds is one segment. A longer one is cut into several, at pauses, so that no decode ever sees
much audio; a segment that is closed gets one last decode of all its audio, and that is its text. So nothing rests on
the exactness of word times, and no text is lost or doubled at a cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from V3.asr.hypothesis import LocalAgreement, Policy, join_words, words_before
from V3.asr.suspicion import Suppressed
from V3.asr.transcript import DecodeRequest, Transcript
from V3.events import Alternative, Word

__all__ = ["Pending", "Segment", "Utterance"]


@dataclass(eq=False, slots=True)
class Segment:
    """Audio from ``start`` (a sample of the stream) on, until it is closed at ``end_ms``.

    ``done`` once its final decode was taken or has failed; ``suppressed`` says what that left out.
    """

    start: int
    policy: Policy = field(default_factory=LocalAgreement)
    end_ms: int | None = None
    done: bool = False
    suppressed: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        return self.policy.committed + self.policy.unconfirmed

    def hear(self, transcript: Transcript, *, heard_to_ms: int) -> None:
        """Take a decode of its audio up to ``heard_to_ms``.

        One that was asked for before it was closed may reach beyond its end. A decode that looped confirms nothing.
        """
        if self.done or Suppressed.LOOP in transcript.suppressed:
            return
        words = transcript.words if self.end_ms is None else words_before(transcript.words, self.end_ms)
        self.policy.insert(words, heard_to_ms=heard_to_ms)

    def close(self, end_ms: int) -> None:
        """No more audio: what was heard beyond ``end_ms`` will be heard again by the next segment."""
        self.end_ms = end_ms
        self.policy.limit(end_ms)

    def finish(self, transcript: Transcript | None) -> None:
        """Take the decode of all its audio; None when that failed: then the last partial's words stand."""
        self.policy.flush(None if transcript is None else transcript.words)
        if transcript is not None:
            self.suppressed, self.alternatives = transcript.suppressed, transcript.alternatives
        self.done = True


@dataclass(eq=False, slots=True)
class Utterance:
    """Speech that began at ``start_ms``; ``end_ms`` is None while it goes on."""

    start_ms: int
    segments: list[Segment]
    end_ms: int | None = None
    shown: tuple[Word, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words so far; stable ones will not change."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def text(self) -> str:
        return join_words(self.words)

    @property
    def done(self) -> bool:
        return self.end_ms is not None and all(segment.done for segment in self.segments)

    @property
    def suppressed(self) -> tuple[str, ...]:
        """Why words are missing, each reason once."""
        return tuple(dict.fromkeys(reason for segment in self.segments for reason in segment.suppressed))

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """What it may be as a whole: of an utterance in one piece."""
        return self.segments[0].alternatives if len(self.segments) == 1 else ()

    def final_words(self) -> tuple[Word, ...]:
        return tuple(replace(word, stable=True) for word in self.words)


@dataclass(frozen=True, slots=True)
class Pending:
    """A decode that was asked for, and whose words it will be."""

    request: DecodeRequest
    segment: Segment
    utterance: Utterance
