"""When to speak to a voicemail: after its beep, or when its greeting is over. A core: events in, decisions out.

The beep decides (its end; it is sure 160 ms later). Where none comes, ``silence_ms`` of silence after speech is taken
for the end of the greeting: some systems have no beep, or one that no detector knows. Nobody waits for longer than
``wait_ms``. A beep that comes while the message plays was the real one: the message is to begin again, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from V3.audio.tones import ToneKind
from V3.events import Event, SpeechContinues, SpeechEnded, SpeechStarted, ToneHeard

__all__ = ["DropReason", "DropRules", "MessageDrop"]


class DropReason(StrEnum):
    """Why the message begins."""

    BEEP = "beep"
    SILENCE = "silence after the greeting"


@dataclass(frozen=True, slots=True)
class DropRules:
    """wait_ms: how long to wait for the beep at most, from the verdict on. silence_ms: what ends a greeting."""

    wait_ms: int = 30_000
    silence_ms: int = 2500


class MessageDrop:
    """One voicemail. ``since_ms`` is when the waiting began, on the clock of the events."""

    def __init__(self, rules: DropRules, *, since_ms: int, speaking: bool) -> None:
        self._rules = rules
        self._give_up_ms = since_ms + rules.wait_ms
        self._silent_since_ms: int | None = None if speaking else since_ms
        self._playing = False
        self._restarted = False

    @property
    def due_ms(self) -> int:
        """When :meth:`tick` is worth calling next."""
        if self._silent_since_ms is None:
            return self._give_up_ms
        return min(self._give_up_ms, self._silent_since_ms + self._rules.silence_ms)

    def feed(self, event: Event) -> DropReason | None:
        """Take an event; the reason to begin (or to begin again) when it gives one."""
        match event:
            case ToneHeard() if event.kind == ToneKind.BEEP:
                return self.beeped()
            case SpeechStarted() | SpeechContinues():
                self._silent_since_ms = None
            case SpeechEnded():
                self._silent_since_ms = event.end_ms
            case _:
                pass
        return None

    def tick(self, now_ms: int) -> DropReason | None:
        """Time has passed: the greeting may be over."""
        silent_since_ms = self._silent_since_ms
        if self._playing or silent_since_ms is None or now_ms < silent_since_ms + self._rules.silence_ms:
            return None
        self._playing = True
        return DropReason.SILENCE

    def is_over(self, now_ms: int) -> bool:
        """Whether the waiting has come to its bound without a reason to speak."""
        return not self._playing and now_ms >= self._give_up_ms

    def beeped(self) -> DropReason | None:
        """A beep has ended."""
        if self._playing and self._restarted:
            return None
        self._restarted = self._playing
        self._playing = True
        return DropReason.BEEP
