"""Callee scripts from YAML: unknown keys are refused, and every error names the file and the key.

::

    callees:
      "0601020304":
        ring_ms: 800
        progress: ringing
        rules:
          - when: answered
            after_ms: 400
            do: {say: allo.wav}
          - when: {prompt_playing_ms: 1200, nth: 1}
            do: [{say: interrupt.wav}, {silence: 500}, {hang_up: NORMAL_CLEARING}]
          - {when: answered, do: {say: {file: television.wav, level_db: -24}}}
        echo: {db: -18, delay_ms: 120}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from V3.errors import SimulatorError
from V3.simulator.callee import (
    FAINTEST_DB,
    LONGEST_ECHO_MS,
    LOUDEST_DB,
    Action,
    Beep,
    Callee,
    Dtmf,
    Echo,
    HangUp,
    Record,
    Rule,
    Say,
    Silence,
    Trigger,
    When,
)
from V3.simulator.outcomes import OUTCOMES
from V3.simulator.sound import load_sound

__all__ = ["load_callees"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _When(_Strict):
    answered: None = None
    prompt_started: int | None = Field(None, ge=1)
    prompt_playing_ms: float | None = Field(None, ge=0)
    prompt_at_ms: float | None = Field(None, ge=0)
    prompt_ended: int | None = Field(None, ge=1)
    prompt_broken: int | None = Field(None, ge=1)
    said: int | None = Field(None, ge=1)
    dtmf: str | None = None
    nth: int | None = Field(None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return {value: None} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> _When:
        if len(self.model_fields_set - {"nth"}) != 1:
            raise ValueError(f"one of {', '.join(Trigger)} is taken")
        return self

    def build(self) -> When:
        (name,) = self.model_fields_set - {"nth"}
        value = getattr(self, name)
        if name in (Trigger.PROMPT_PLAYING_MS, Trigger.PROMPT_AT_MS):
            return When(name, nth=self.nth, played_ms=value or 0.0)
        if name == Trigger.DTMF:
            return When(name, digits=value or "")
        return When(name, nth=value if value is not None else self.nth)


class _Beep(_Strict):
    hz: float = Field(1000.0, gt=0, lt=4000)
    ms: float = Field(400.0, gt=0, le=60_000)


class _Say(_Strict):
    file: str
    level_db: float = Field(0.0, ge=FAINTEST_DB, le=LOUDEST_DB)

    @model_validator(mode="before")
    @classmethod
    def _name(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value


class _Echo(_Strict):
    db: float = Field(-18.0, ge=FAINTEST_DB, le=0)
    delay_ms: float = Field(120.0, ge=0, le=LONGEST_ECHO_MS)


class _Action(_Strict):
    say: _Say | None = None
    beep: _Beep | None = None
    silence: float | None = Field(None, ge=0)
    hang_up: str | None = None
    dtmf: str | None = Field(None, pattern=r"^[0-9A-D*#]+$")
    record: Literal[True] | None = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        if value in ("hang_up", "beep"):
            return {value: "NORMAL_CLEARING" if value == "hang_up" else {}}
        return {"record": True} if value == "record" else value

    @model_validator(mode="after")
    def _one(self) -> _Action:
        if len(self.model_fields_set) != 1:
            raise ValueError("one of say, beep, silence, hang_up, dtmf, record is taken")
        return self

    def build(self, folder: Path) -> Action:
        if self.say is not None:
            load_sound(folder / self.say.file)
            return Say(folder / self.say.file, self.say.level_db)
        if self.beep is not None:
            return Beep(self.beep.hz, self.beep.ms)
        if self.silence is not None:
            return Silence(self.silence)
        if self.dtmf is not None:
            return Dtmf(self.dtmf)
        return Record() if self.record else HangUp(self.hang_up or "NORMAL_CLEARING")


class _Rule(_Strict):
    when: _When
    do: list[_Action]
    after_ms: float = Field(0.0, ge=0)
    repeat: bool = False

    @model_validator(mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:  # pydantic hands over whatever the file says
        if isinstance(value, dict) and not isinstance(value.get("do"), list):
            return {**value, "do": [value.get("do")]}
        return value


class _Callee(_Strict):
    outcome: str = "answer"
    ring_ms: float = Field(0.0, ge=0)
    progress: Literal["none", "ringing", "early_media"] = "none"
    leg: Literal["auto", "loopback", "sip"] = "auto"
    rules: list[_Rule] = []
    noise_peak: int = Field(1, ge=0, le=32767)
    hangs_up_after_ms: float | None = Field(None, ge=0)
    media: bool = True
    echo: _Echo | None = None

    @model_validator(mode="after")
    def _known(self) -> _Callee:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome {self.outcome!r}: one of {', '.join(OUTCOMES)} is taken")
        return self

    def build(self, folder: Path) -> Callee:
        rules = tuple(
            Rule(rule.when.build(), tuple(a.build(folder) for a in rule.do), rule.after_ms, rule.repeat)
            for rule in self.rules
        )
        fields = self.model_dump(exclude={"rules", "echo"})
        echo = Echo(self.echo.db, self.echo.delay_ms) if self.echo else None
        return Callee(rules=rules, echo=echo, **fields)


class _File(_Strict):
    callees: dict[str, _Callee]

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:  # an unquoted number is an int in YAML and has lost its leading zero
        if isinstance(value, dict) and isinstance(value.get("callees"), dict):
            for number in value["callees"]:
                if not isinstance(number, str):
                    raise ValueError(f"callees.{number}: quote the number, its leading zero is lost otherwise")  # noqa: TRY004 (pydantic takes ValueError)
        return value


def load_callees(path: Path | str) -> dict[str, Callee]:
    """Callees by number; sound files lie relative to the YAML file.

    Raises SimulatorError naming the file and the key for anything that cannot be followed.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(raw)
    except OSError as error:
        raise SimulatorError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SimulatorError(f"{path}: no YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise SimulatorError(f"{path}: {problems}") from error
    try:
        return {number: callee.build(path.parent) for number, callee in file.callees.items()}
    except SimulatorError as error:
        raise SimulatorError(f"{path}: {error}") from error
