"""The dialogues of an evaluation, planned from a seed: who says what, when, how loudly, and with what echo.

In each a person answers, the robot plays one long prompt, and one thing happens while it plays. ``wants_stop`` says
what is right: a true interruption stops the prompt for good; after anything else it goes on to its end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from scripts.barge.sounds import DialogueSound
from V3.calls.scenario import Scenario, Step
from V3.errors import ConfigError
from V3.simulator import Callee, Echo, Rule, Say, When
from V3.simulator.sound import load_sound
from V3.system.scenario_files import load_scenario

__all__ = ["MAX_DIALOGUES", "PROMPT", "SHARES", "Dialogue", "Kind", "numbers_of", "plan", "scenario"]

PROMPT: Final = "rendez_vous_repete.wav"  # the longest of config/scenarios/prompts
MAX_DIALOGUES: Final = 10_000  # numbers of the range kept for fiction: 01 99 00 xx xx
LISTEN_S: Final = 2.0  # after the prompt, for the words of an interruption
ECHO_LEVELS_DB: Final = (-12.0, -18.0, -24.0, -30.0)
_ECHO_DELAYS_MS: Final = (60.0, 250.0)
_SIDE_TALK_DB: Final = (-28.0, -20.0)
_VOICE_DB: Final = (-6.0, 2.0)  # people do not all speak up
_EARLIEST_MS: Final = 700.0
_ROOM_MS: Final = 2500.0  # from a sound's end to the prompt's: for a stop, or a pause and going on
_PATIENCE_MS: Final = 60_000.0


class Kind(StrEnum):
    """What happens while the prompt plays."""

    INTERRUPTION = "interruption"
    STOP_WORD = "stop_word"
    ECHO_INTERRUPTION = "interruption_in_echo"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    ECHO = "echo"
    SIDE_TALK = "side_talk"
    SILENCE = "silence"

    @property
    def wants_stop(self) -> bool:
        return self in (Kind.INTERRUPTION, Kind.STOP_WORD, Kind.ECHO_INTERRUPTION)

    @property
    def sounds(self) -> str:
        """The kind of sound that is uttered; empty: none."""
        return {Kind.ECHO_INTERRUPTION: "interruption", Kind.ECHO: "", Kind.SILENCE: ""}.get(self, str(self))

    @property
    def has_echo(self) -> bool:
        return self in (Kind.ECHO, Kind.ECHO_INTERRUPTION)


SHARES: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.INTERRUPTION: 50,
        Kind.STOP_WORD: 26,
        Kind.ECHO_INTERRUPTION: 20,
        Kind.BACKCHANNEL: 44,
        Kind.NOISE: 20,
        Kind.ECHO: 22,
        Kind.SIDE_TALK: 12,
        Kind.SILENCE: 6,
    }
)
"""How many of 200 dialogues are of each kind."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One call. ``at_ms``: how far into the prompt it is when ``sound`` begins, ``level_db`` louder than its file."""

    number: str
    kind: Kind
    greeting: DialogueSound
    greets_after_ms: float
    ring_ms: float
    noise_peak: int
    sound: DialogueSound | None = None
    at_ms: float = 0.0
    level_db: float = 0.0
    echo: Echo | None = None

    @property
    def condition(self) -> str:
        """What tells dialogues of one kind apart: the level of echo or side talk, else what is uttered."""
        if self.echo is not None:
            return f"{self.echo.db:g} dB"
        if self.kind is Kind.SIDE_TALK:
            loudest = 4 * math.ceil(self.level_db / 4)
            return f"{loudest - 4:g} to {loudest:g} dB"
        return self.sound.text if self.sound else ""

    def callee(self) -> Callee:
        """The same as a simulator's callee."""
        rules = [Rule(When("answered"), (Say(self.greeting.path),), self.greets_after_ms)]
        if self.sound is not None:
            when = When("prompt_at_ms", played_ms=self.at_ms)  # also in a prompt that was paused and goes on
            rules.append(Rule(when, (Say(self.sound.path, self.level_db),)))
        return Callee(
            rules=tuple(rules),
            ring_ms=self.ring_ms,
            noise_peak=self.noise_peak,
            echo=self.echo,
            hangs_up_after_ms=_PATIENCE_MS,
        )


def scenario() -> Scenario:
    """One long prompt, then listen, then hang up."""
    welcome = load_scenario("rendez_vous.yaml").steps["accueil"].text
    step = Step(
        prompt=PROMPT, text=f"Pardon, je n'ai pas bien compris. {welcome}", listen_s=LISTEN_S, retries=0, next="end"
    )
    return Scenario(name="barge_in", start="prompt", steps={"prompt": step})


def numbers_of(dialogues: int) -> dict[Kind, int]:
    """How many dialogues of each kind: by the shares, each at least once; the largest remainders get what is left."""
    if not len(SHARES) <= dialogues <= MAX_DIALOGUES:
        raise ConfigError(f"{dialogues} dialogues: from {len(SHARES)} to {MAX_DIALOGUES} can be planned")
    whole = sum(SHARES.values())
    exact = {kind: dialogues * share / whole for kind, share in SHARES.items()}
    numbers = {kind: max(1, math.floor(share)) for kind, share in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: exact[kind] - numbers[kind], reverse=True)
    left = dialogues - sum(numbers.values())
    for kind in by_remainder[: max(0, left)]:
        numbers[kind] += 1
    for _ in range(-left):  # the ones given to small kinds come from the largest
        numbers[max(numbers, key=lambda kind: numbers[kind])] -= 1
    return numbers


def plan(dialogues: int, sounds: Sequence[DialogueSound], *, prompt_ms: float, seed: int) -> list[Dialogue]:
    """So many dialogues in a mixed order. Raises ConfigError for a number that cannot be, or a kind without sounds."""
    rng = np.random.default_rng(seed)
    of_kind: dict[str, list[DialogueSound]] = {}
    for sound in sounds:
        of_kind.setdefault(sound.kind, []).append(sound)
    wanted = numbers_of(dialogues)
    missing = {kind.sounds for kind in wanted if kind.sounds} | {"greeting"}
    if missing := missing - of_kind.keys():
        raise ConfigError(f"no sounds of {', '.join(sorted(missing))}")
    decks = {kind: _deck(members, rng) for kind, members in sorted(of_kind.items())}
    kinds = [kind for kind, count in wanted.items() for _ in range(count)]
    echoes = dict.fromkeys(wanted, 0)
    planned = []
    for number, index in enumerate(rng.permutation(len(kinds))):
        kind = kinds[int(index)]
        echo = None
        if kind.has_echo:
            level_db = ECHO_LEVELS_DB[echoes[kind] % len(ECHO_LEVELS_DB)]
            echoes[kind] += 1
            echo = Echo(level_db, round(float(rng.uniform(*_ECHO_DELAYS_MS))))
        said = next(decks[kind.sounds]) if kind.sounds else None
        planned.append(_dialogue(f"019900{number:04d}", kind, said, echo, of_kind["greeting"], prompt_ms, rng))
    return planned


def _dialogue(
    number: str, kind: Kind, sound: DialogueSound | None, echo: Echo | None, greetings: Sequence[DialogueSound],
    prompt_ms: float, rng: np.random.Generator,
) -> Dialogue:  # fmt: skip
    speaker = sound.speaker if sound and kind is not Kind.SIDE_TALK else ""  # another one speaks beside the callee
    own = [greeting for greeting in greetings if greeting.speaker == speaker] or greetings
    greeting = own[int(rng.integers(len(own)))]
    length_ms = load_sound(sound.path).duration_ms if sound else 0.0
    latest_ms = max(_EARLIEST_MS, prompt_ms - length_ms - _ROOM_MS)
    lowest_db, highest_db = _SIDE_TALK_DB if kind is Kind.SIDE_TALK else _VOICE_DB
    at_ms, level_db = float(rng.uniform(_EARLIEST_MS, latest_ms)), float(rng.uniform(lowest_db, highest_db))
    return Dialogue(
        number=number,
        kind=kind,
        greeting=greeting,
        greets_after_ms=round(float(rng.uniform(200, 700))),
        ring_ms=round(float(rng.uniform(100, 2500))),
        noise_peak=int(rng.integers(1, 25)),
        sound=sound,
        at_ms=round(at_ms) if sound else 0.0,
        level_db=round(level_db, 1) if sound else 0.0,
        echo=echo,
    )


def _deck(sounds: Sequence[DialogueSound], rng: np.random.Generator) -> Iterator[DialogueSound]:
    """All of them in a drawn order, then again in another."""
    own = np.random.default_rng(rng.integers(1 << 32))
    while True:
        for index in own.permutation(len(sounds)):
            yield sounds[int(index)]
