"""Callees as scripts: what a simulated person, voicemail or dead number does.

A callee either never answers (``outcome``), or answers and then follows its rules: each rule waits for something
that happens in the call (``When``) and then does a list of actions one after the other. Frozen data only; the
script is run by script.py and read from YAML by callee_yaml.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from V3.errors import SimulatorError
from V3.simulator.outcomes import OUTCOMES

__all__ = ["Action", "Beep", "Callee", "Dtmf", "HangUp", "Record", "Rule", "Say", "Silence", "Trigger", "When"]


class Trigger(StrEnum):
    """What a rule waits for."""

    ANSWERED = "answered"
    PROMPT_STARTED = "prompt_started"
    PROMPT_PLAYING_MS = "prompt_playing_ms"
    PROMPT_ENDED = "prompt_ended"  # played to its end
    PROMPT_BROKEN = "prompt_broken"  # stopped by uuid_break
    SAID = "said"  # its own utterance is over
    DTMF = "dtmf"  # the robot sent digits


@dataclass(frozen=True, slots=True)
class When:
    """``nth`` counts prompts (or own utterances, for SAID) from 1; None takes any. ``digits`` is for DTMF."""

    trigger: Trigger | str = Trigger.ANSWERED
    nth: int | None = None
    played_ms: float = 0.0  # for PROMPT_PLAYING_MS
    digits: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trigger", Trigger(self.trigger))


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a WAV file (8 or 16 kHz mono PCM16)."""

    file: Path | str


@dataclass(frozen=True, slots=True)
class Beep:
    hz: float = 1000.0
    ms: float = 400.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Wait within a list of actions."""

    ms: float


@dataclass(frozen=True, slots=True)
class HangUp:
    cause: str = "NORMAL_CLEARING"


@dataclass(frozen=True, slots=True)
class Dtmf:
    digits: str


@dataclass(frozen=True, slots=True)
class Record:
    """Keep what the robot says from now on (a voicemail)."""


Action: TypeAlias = Say | Beep | Silence | HangUp | Dtmf | Record


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires once, or every time with ``repeat``; the actions begin ``after_ms`` later."""

    when: When
    do: tuple[Action, ...]
    after_ms: float = 0.0
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """One number. Raises SimulatorError for an outcome that is not known."""

    outcome: str = "answer"  # a key of OUTCOMES
    ring_ms: float = 0.0  # before the outcome
    progress: Literal["none", "ringing", "early_media"] = "none"  # nothing, 180 or 183 while it rings
    leg: Literal["auto", "loopback", "sip"] = "auto"  # auto: as the dial string says
    rules: tuple[Rule, ...] = ()
    noise_peak: int = 1  # of the line; a real silent line has 0 or 1
    hangs_up_after_ms: float | None = None  # since the answer
    media: bool = True  # False: the far end sends no RTP

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise SimulatorError(f"outcome {self.outcome!r}: one of {', '.join(OUTCOMES)} is taken")
