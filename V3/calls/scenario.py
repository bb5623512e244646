"""What the robot says and how it goes on: a scenario as data, and its runner. A core: no clock, no sound.

A scenario is a table of steps. A step plays a prompt, then (where it has ``listen_s``) waits for the callee's words or
keys, finds an intent or reads a value in them and goes on. A wish not to be called again is understood whatever the
step listens for. The runner is a state machine: :meth:`ScenarioRunner.next` says what to do now, the robot tells what
became of it by :meth:`heard`, :meth:`pressed`, :meth:`silence` or :meth:`prompt_done`. A call out of turn raises
ScenarioError naming the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import PurePosixPath

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from V3.calls.barge_in import BargeInMode
from V3.calls.intents import IntentFinder, IntentMatch
from V3.calls.said_values import ValueKind, read_value
from V3.calls.words import fold_words
from V3.errors import ScenarioError

__all__ = ["HangUp", "Intent", "Listen", "Message", "Play", "Scenario", "ScenarioRunner", "Step", "parse_scenario"]

END = "end"  # the step name that ends a call


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Intent(_Strict):
    """Phrases (or keys) that mean one thing, the step that follows, and what the report says of the call."""

    phrases: tuple[str, ...] = ()
    keys: str = Field(default="", pattern=r"^[0-9*#]*$")
    next: str
    outcome: str = ""

    @model_validator(mode="after")
    def _something_to_find(self) -> Intent:
        if not self.phrases and not self.keys:
            raise ValueError("an intent needs phrases or keys")
        return self

    @field_validator("phrases")
    @classmethod
    def _with_words(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        if wordless := [phrase for phrase in phrases if not fold_words(phrase)]:
            raise ValueError(f"no word in {', '.join(map(repr, wordless))}: it would never be heard")
        return phrases


class Step(_Strict):
    """One prompt and what may follow it.

    prompt: a WAV's name, sought in the prompts folder. text: what it says, for people, for making it and to know its
    echo. barge_in: what may stop it: off, words, or speech (also true and false). protected_s: so much of its beginning
    nothing stops (a legal notice). listen_s: how long to wait for words; 0 does not listen. value: what to read in them
    (phone, date, time, number, amount, digits), kept in the report under the step's name; ``next`` follows once it was
    read. retries: how often silence or words without an intent ask again. retry_prompt: what is played then (the prompt
    itself otherwise). next: where to go without listening, or when retries are used up.
    """

    prompt: str = Field(min_length=1)
    text: str = ""
    barge_in: BargeInMode = BargeInMode.SPEECH
    protected_s: float = Field(default=0, ge=0, le=60)
    listen_s: float = Field(default=0, ge=0, le=60)
    value: ValueKind | None = None
    intents: dict[str, Intent] = {}
    retries: int = Field(default=1, ge=0, le=5)
    retry_prompt: str = ""
    next: str = END
    outcome: str = ""

    @field_validator("barge_in", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> object:  # YAML reads "off" and "on" as false and true
        return {True: BargeInMode.SPEECH, False: BargeInMode.OFF}[value] if isinstance(value, bool) else value

    @field_validator("prompt", "retry_prompt")
    @classmethod
    def _inside_the_folder(cls, value: str) -> str:
        return _file_inside(value)

    @model_validator(mode="after")
    def _needs_ears(self) -> Step:
        if (self.intents or self.value) and not self.listen_s:
            raise ValueError("a step with intents or a value needs listen_s above 0")
        return self


class Message(_Strict):
    """What is left on a voicemail: a WAV's name, what it says, and what the report says of the call then."""

    prompt: str = Field(min_length=1)
    text: str = ""
    outcome: str = "message_left"

    @field_validator("prompt")
    @classmethod
    def _inside_the_folder(cls, value: str) -> str:
        return _file_inside(value)


def _file_inside(value: str) -> str:
    path = PurePosixPath(value)
    expanded = any(sign in value for sign in ("@@", "${", "\\"))  # FreeSWITCH reads more than a name in these
    if path.is_absolute() or ".." in path.parts or any(ord(c) < 32 for c in value) or expanded:
        raise ValueError(f"{value!r} is not a file inside the prompts folder")
    return value


class Scenario(_Strict):
    """A conversation. ``steps`` by name; ``start`` is the first; the name ``end`` hangs up. ``opt_out`` is the step for
    a wish not to be called again, where the step's own intents have none. ``message``: what is left on a voicemail.
    """

    name: str
    language: str = "fr"
    start: str
    opt_out: str = END
    message: Message | None = None
    steps: dict[str, Step] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_step_is_there(self) -> Scenario:
        if END in self.steps:
            raise ValueError(f"no step can be called {END!r}: that name hangs up")
        wanted = [("start", self.start), ("opt_out", self.opt_out)]
        for name, step in self.steps.items():
            wanted.append((f"{name}.next", step.next))
            wanted += [(f"{name}.intents.{label}.next", intent.next) for label, intent in step.intents.items()]
        missing = [(where, target) for where, target in wanted if target not in {*self.steps, END}]
        if missing:
            raise ValueError("; ".join(f"{where} names the step {t!r}, which is not there" for where, t in missing))
        return self

    @cached_property
    def finders(self) -> Mapping[str, IntentFinder]:
        """What finds the intents of each step: made once, for it takes longer than a frame of audio does."""
        return {
            name: IntentFinder({label: intent.phrases for label, intent in step.intents.items()})
            for name, step in self.steps.items()
        }

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every WAV it plays."""
        played = [p for s in self.steps.values() for p in (s.prompt, s.retry_prompt) if p]
        return tuple(dict.fromkeys([*played, *([self.message.prompt] if self.message else [])]))

    @property
    def texts(self) -> dict[str, str]:
        """What each WAV says, where the scenario tells."""
        told = {step.prompt: step.text for step in self.steps.values() if step.text}
        return told | ({self.message.prompt: self.message.text} if self.message and self.message.text else {})


def parse_scenario(text: str, *, source: str = "scenario") -> Scenario:
    """A scenario from YAML. Raises ScenarioError naming the file and each key that is wrong."""
    try:
        return Scenario.model_validate(yaml.safe_load(text))
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise ScenarioError(f"{source}: {faults}") from exc
    except (yaml.YAMLError, ValueError) as exc:  # ValueError: a date that cannot be
        raise ScenarioError(f"{source} is no YAML: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Play:
    """Play this prompt; then call prompt_done."""

    prompt: str
    barge_in: BargeInMode
    step: str
    protected_s: float = 0


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait this long for words; then call heard or silence."""

    timeout_s: float
    step: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The conversation is over."""

    outcome: str


class _State(StrEnum):
    PLAY = "PLAY"
    LISTEN = "LISTEN"
    ENDED = "ENDED"


class ScenarioRunner:
    """One call's way through a scenario. ``today`` is what "demain" and "lundi" are counted from.

    ``values`` are those read so far by step; ``opted_out``: the callee asked not to be called again.
    """

    def __init__(self, scenario: Scenario, *, today: date | None = None) -> None:
        self._scenario = scenario
        self._today = today
        self._finders = scenario.finders
        self._name = scenario.start
        self._state = _State.PLAY if scenario.start != END else _State.ENDED
        self._tries = 0
        self.outcome = ""
        self.values: dict[str, str] = {}
        self.opted_out = False

    @property
    def step(self) -> str:
        return self._name

    def next(self) -> Play | Listen | HangUp:
        """What to do now; the same answer until one of the calls below is made."""
        if self._state is _State.ENDED:
            return HangUp(self.outcome)
        step = self._scenario.steps[self._name]
        if self._state is _State.LISTEN:
            return Listen(step.listen_s, self._name)
        again = step.retry_prompt if self._tries and step.retry_prompt else step.prompt
        return Play(again, step.barge_in, self._name, step.protected_s)

    def prompt_done(self) -> None:
        """The prompt was played, or interrupted."""
        self._expect(_State.PLAY, "prompt_done")
        step = self._scenario.steps[self._name]
        if step.listen_s:
            self._state = _State.LISTEN
        else:
            self._go(step.next, step.outcome)

    def heard(self, text: str) -> str:
        """Take what the callee said and return the intent found, or an empty string."""
        self._expect(_State.LISTEN, "heard")
        step, words = self._scenario.steps[self._name], text.split()
        match = self._finders[self._name].find(words)
        if match is not None and match.opt_out:
            return self._opt_out(match)
        if step.value is not None and (value := read_value(step.value, words, today=self._today)):
            self.values[self._name] = value
            self._go(step.next, step.outcome)
            return f"value:{step.value}"
        return self._take(match.intent if match is not None else "")

    def pressed(self, key: str) -> str:
        """Take a key and return the intent it stands for; one without an intent changes nothing."""
        self._expect(_State.LISTEN, "pressed")
        intents = self._scenario.steps[self._name].intents
        label = next((name for name, intent in intents.items() if key and key in intent.keys), "")
        return self._take(label) if label else ""

    def silence(self) -> None:
        """Nothing was said in time."""
        self._expect(_State.LISTEN, "silence")
        self._try_again()

    def _take(self, label: str) -> str:
        intent = self._scenario.steps[self._name].intents.get(label)
        if intent is None:
            self._try_again()
            return ""
        self._go(intent.next, intent.outcome)
        return label

    def _opt_out(self, match: IntentMatch) -> str:
        """Whatever was asked: the number is not to be called again."""
        self.opted_out = True
        if match.intent in self._scenario.steps[self._name].intents:
            return self._take(match.intent)
        self._go(self._scenario.opt_out, "do_not_call")
        return match.intent

    def _try_again(self) -> None:
        step = self._scenario.steps[self._name]
        self._tries += 1
        if self._tries > step.retries:
            self._go(step.next, step.outcome)
        else:
            self._state = _State.PLAY

    def _go(self, name: str, outcome: str) -> None:
        self.outcome = outcome or self.outcome
        self._name, self._tries = name, 0
        self._state = _State.ENDED if name == END else _State.PLAY

    def _expect(self, state: _State, what: str) -> None:
        if self._state is not state:
            raise ScenarioError(f"{what} in step {self._name!r}: the runner is at {self._state}, not {state}")
