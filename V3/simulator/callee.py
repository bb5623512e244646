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

__all__ = ["Action", "Beep", "Callee", "Dtmf", "Echo", "HangUp", "Record", "Rule", "Say", "Silence", "Trigger", "When"]

LOUDEST_DB = 20.0  # what a level may add to a file
FAINTEST_DB = -90.0  # the last bit of 16
LONGEST_ECHO_MS = 1000.0


class Trigger(StrEnum):
    """What a rule waits for."""

    ANSWERED = "answered"
    PROMPT_STARTED = "prompt_started"
    PROMPT_PLAYING_MS = "prompt_playing_ms"  # so long since it began, or began again
    PROMPT_AT_MS = "prompt_at_ms"  # so far into its file, wherever it began
    PROMPT_ENDED = "prompt_ended"  # played to its end
    PROMPT_BROKEN = "prompt_broken"  # stopped by uuid_break
    SAID = "said"  # its own utterance is over
    DTMF = "dtmf"  # the robot sent digits


@dataclass(frozen=True, slots=True)
class When:
    """``nth`` counts prompts (or own utterances, for SAID) from 1; None takes any. ``digits`` is for DTMF."""

    trigger: Trigger | str = Trigger.ANSWERED
    nth: int | None = None
    played_ms: float = 0.0  # for PROMPT_PLAYING_MS and PROMPT_AT_MS
    digits: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trigger", Trigger(self.trigger))


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a WAV file (8 or 16 kHz mono PCM16), ``level_db`` louder than it is: below 0 quieter, as side talk."""

    file: Path | str
    level_db: float = 0.0

    def __post_init__(self) -> None:
        if not FAINTEST_DB <= self.level_db <= LOUDEST_DB:
            raise SimulatorError(f"say: level_db {self.level_db:g}: from {FAINTEST_DB:g} to {LOUDEST_DB:g} is taken")


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


@dataclass(frozen=True, slots=True)
class Echo:
    """What the robot plays comes back with the callee's voice: quieter by ``db``, later, in a handset's band."""

    db: float = -18.0
    delay_ms: float = 120.0

    def __post_init__(self) -> None:
        if not FAINTEST_DB <= self.db <= 0:
            raise SimulatorError(f"echo: db {self.db:g}: from {FAINTEST_DB:g} to 0 is taken")
        if not 0 <= self.delay_ms <= LONGEST_ECHO_MS:
            raise SimulatorError(f"echo: delay_ms {self.delay_ms:g}: from 0 to {LONGEST_ECHO_MS:g} is taken")


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
    echo: Echo | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise SimulatorError(f"outcome {self.outcome!r}: one of {', '.join(OUTCOMES)} is taken")
