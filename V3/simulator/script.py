"""Runs one callee's script in one call: rules wait for what happens, then act.

Moments come from the call (answer, prompts, digits) and from the clock; what the callee says is put on the call's
timeline the moment it is said, so that the stream and the ground truth agree.
"""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

from V3.simulator.callee import Beep, Callee, Dtmf, HangUp, Record, Rule, Say, Silence, Trigger
from V3.simulator.clock import SimClock
from V3.simulator.playback import PlayRun
from V3.simulator.sound import Sound, load_sound, tone

__all__ = ["CalleeActs", "ScriptRunner"]


_HEARD: Final = (Trigger.PROMPT_PLAYING_MS, Trigger.PROMPT_AT_MS)


class CalleeActs(Protocol):
    """What a callee can do in its call."""

    clock: SimClock
    hung: bool

    async def callee_says(self, sound: Sound, file: str, *, level_db: float) -> None: ...

    async def callee_beeps(self, sound: Sound) -> None: ...

    def callee_records(self) -> None: ...

    def callee_sends_digits(self, digits: str) -> None: ...

    def callee_hangs_up(self, cause: str) -> None: ...

    def is_playing(self, run: PlayRun) -> bool: ...

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> object: ...


class ScriptRunner:
    """One callee in one call. The call tells it what happens; its tasks end with the call."""

    def __init__(self, call: CalleeActs, callee: Callee) -> None:
        self._call = call
        self._callee = callee
        self._fired: set[int] = set()
        self._prompts = 0
        self._prompt_numbers: dict[int, int] = {}  # id of a run -> which prompt it is
        self._said = 0

    def answered(self) -> None:
        self._happened(Trigger.ANSWERED, None)
        if self._callee.hangs_up_after_ms is not None:
            self._call.spawn("callee's patience", self._hang_up_later(self._callee.hangs_up_after_ms))

    def prompt_started(self, run: PlayRun) -> None:
        self._prompts += 1
        self._prompt_numbers = {id(run): self._prompts, **dict(list(self._prompt_numbers.items())[:15])}
        self._happened(Trigger.PROMPT_STARTED, self._prompts)
        for index, rule in enumerate(self._callee.rules):
            if rule.when.trigger in _HEARD and self._waits(index, self._prompts):
                self._call.spawn("prompt heard", self._when_heard(index, rule, run))

    def prompt_stopped(self, run: PlayRun, *, broken: bool) -> None:
        number = self._prompt_numbers.get(id(run), self._prompts)
        self._happened(Trigger.PROMPT_BROKEN if broken else Trigger.PROMPT_ENDED, number)

    def digits(self, digits: str) -> None:
        for index, rule in enumerate(self._callee.rules):
            if rule.when.trigger is Trigger.DTMF and self._waits(index, None) and rule.when.digits in ("", digits):
                self._fire(index, rule)

    def _happened(self, trigger: Trigger, number: int | None) -> None:
        for index, rule in enumerate(self._callee.rules):
            if rule.when.trigger is trigger and self._waits(index, number):
                self._fire(index, rule)

    def _waits(self, index: int, number: int | None) -> bool:
        rule = self._callee.rules[index]
        return (rule.repeat or index not in self._fired) and rule.when.nth in (None, number)

    def _fire(self, index: int, rule: Rule) -> None:
        self._fired.add(index)
        self._call.spawn("callee's rule", self._act(rule))

    async def _when_heard(self, index: int, rule: Rule, run: PlayRun) -> None:
        skipped_ms = run.begin_ms if rule.when.trigger is Trigger.PROMPT_AT_MS else 0.0
        while (left_ms := rule.when.played_ms - skipped_ms - run.heard_ms(self._call.clock.now_ms())) > 0:
            await self._call.clock.sleep_ms(left_ms)
            if not self._call.is_playing(run):
                return
        if rule.repeat or index not in self._fired:
            self._fire(index, rule)

    async def _hang_up_later(self, after_ms: float) -> None:
        await self._call.clock.sleep_ms(after_ms)
        self._call.callee_hangs_up("NORMAL_CLEARING")

    async def _act(self, rule: Rule) -> None:
        await self._call.clock.sleep_ms(rule.after_ms)
        for action in rule.do:
            if self._call.hung:
                return
            match action:
                case Say(file, level_db):
                    await self._call.callee_says(load_sound(Path(file)), Path(file).name, level_db=level_db)
                    self._said += 1
                    self._happened(Trigger.SAID, self._said)
                case Beep(hz, ms):
                    await self._call.callee_beeps(tone(hz, ms))
                case Silence(ms):
                    await self._call.clock.sleep_ms(ms)
                case HangUp(cause):
                    self._call.callee_hangs_up(cause)
                case Dtmf(digits):
                    self._call.callee_sends_digits(digits)
                case Record():
                    self._call.callee_records()
