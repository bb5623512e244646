"""Who is called in a soak: people who listen, interrupt, cough or leave, voicemails, busy lines, silence.

A number has the same fate on every run with the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from V3.simulator import Beep, Callee, HangUp, Rule, Say, Trigger, When

__all__ = ["KINDS", "callees", "expected_label", "kind_of", "numbers", "probe"]

ROOT: Final = Path(__file__).resolve().parents[2]
SOUNDS: Final = ROOT / "V3" / "simulator" / "sounds"
KINDS: Final = {  # and how many of them there are
    "accepts": 5,
    "interrupts": 4,
    "coughs": 2,
    "voicemail": 4,
    "silent": 1,
    "busy": 2,
    "refuses": 1,
    "leaves at once": 1,
    "leaves in detection": 2,
    "leaves in a prompt": 3,
}
_LABELS: Final = {"accepts": "HUMAN", "interrupts": "HUMAN", "coughs": "HUMAN", "voicemail": "MACHINE"}
_ANSWERED: Final = When(Trigger.ANSWERED)
_FIRST_ENDED: Final = When(Trigger.PROMPT_ENDED, nth=1)
_LONGEST_MS: Final = 16_000.0


def numbers(wanted: Callable[[], bool]) -> Iterator[str]:
    """Numbers of the range kept for fiction, each once, as long as more are wanted."""
    for n in range(10_000):
        if not wanted():
            return
        yield f"019900{n:04}"


def kind_of(number: str, seed: int) -> str:
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - a simulation
    return rng.choices(list(KINDS), weights=list(KINDS.values()))[0]


def expected_label(kind: str) -> str:
    """The verdict that a call which nothing disturbed should have; empty where either is right."""
    return _LABELS.get(kind, "")


def callees(seed: int) -> Callable[[str], Callee]:
    return lambda number: _callee(kind_of(number, seed), random.Random(f"{seed}/{number}/times"))  # noqa: S311


def probe() -> Callee:
    """Somebody who greets, and leaves when a prompt begins: what is right about such a call shows in three seconds."""
    return _answers(_greeting(), Rule(When(Trigger.PROMPT_STARTED), (HangUp(),)))


def _callee(kind: str, rng: random.Random) -> Callee:
    if kind in ("busy", "refuses"):
        return Callee(outcome="busy" if kind == "busy" else "reject", ring_ms=rng.uniform(200, 2000))
    within = When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=rng.uniform(300, 5000))
    rules = {
        "accepts": (_greeting(), _says("oui_ca_m_interesse", _FIRST_ENDED, after_ms=rng.uniform(300, 900))),
        "interrupts": (
            _greeting(),
            _says("de_la_part_de_qui", within),
            _says("ca_ne_m_interesse_pas", When(Trigger.PROMPT_ENDED), after_ms=500),
        ),
        "coughs": (_greeting(), _says("toux", within), _says("oui_ca_m_interesse", _FIRST_ENDED, after_ms=600)),
        "voicemail": (Rule(_ANSWERED, (Say(SOUNDS / "messagerie.wav"), Beep()), after_ms=rng.uniform(100, 500)),),
        "silent": (),
        "leaves at once": (Rule(_ANSWERED, (HangUp(),)),),
        "leaves in detection": (_greeting(), Rule(_ANSWERED, (HangUp(),), after_ms=rng.uniform(200, 2300))),
        "leaves in a prompt": (_greeting(), Rule(within, (HangUp(),))),
    }
    return _answers(*rules[kind], ring_ms=rng.uniform(200, 3000))


def _answers(*rules: Rule, ring_ms: float = 100.0) -> Callee:
    return Callee(rules=rules, ring_ms=ring_ms, hangs_up_after_ms=_LONGEST_MS)


def _greeting() -> Rule:
    return _says("je_vous_ecoute", _ANSWERED, after_ms=500)


def _says(name: str, when: When, *, after_ms: float = 0.0) -> Rule:
    return Rule(when, (Say(SOUNDS / f"{name}.wav"),), after_ms=after_ms)
