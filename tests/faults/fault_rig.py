"""A short call to break things in: a person answers, one prompt plays, and gives way to an interruption."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from robot_rig import NUMBER, Rig, person, rigged, says, until
from robot_scenes import mid_prompt, notice, scripted

from V3.simulator import Callee, Faults, Rule
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["INTERRUPTS", "NOBODY", "assert_settled", "faulty", "in_state", "works_again"]

NOBODY = "0199001298"  # no such number: a call that ends at once
INTERRUPTS = says("de_la_part_de_qui", when=mid_prompt(500), after_ms=0)


@contextlib.asynccontextmanager
async def faulty(
    stt: WhisperStreamingSTT,
    folder: Path,
    *rules: Rule,
    callee: Callee | Mapping[str, Callee] | None = None,
    faults: Faults | None = None,
    speed: float = 4.0,  # the bounds of a call shrink with it: a busy machine needs them
    heard: str = "oui bonjour",
    **sections: Any,
) -> AsyncIterator[Rig]:
    """A robot with a journal, whose recogniser hears ``heard`` in whatever is said."""
    if "call" not in sections:
        sections["call"] = notice(folder)
    _, engine = scripted(stt, heard)
    with engine:
        rigging = rigged(
            engine,
            folder,
            callee or person(*rules),
            faults=faults,
            speed=speed,
            journal=folder / "journal.jsonl",
            **sections,
        )
        async with rigging as rig:
            yield rig


def assert_settled(rig: Rig, folder: Path) -> None:
    """Once all has ended: nobody was dialled twice, nothing is up, every number's fate is known."""
    assert [number for number, times in Counter(rig.simulator.dialled).items() if times > 1] == []
    assert rig.simulator.channels() == []
    assert rig.parts.robot.calls_in_progress == 0
    with Journal(folder / "journal.jsonl") as journal:
        assert journal.interrupted == {}
        assert NUMBER not in rig.simulator.dialled or journal.dialled(NUMBER)


async def works_again(rig: Rig) -> None:
    """The next call goes as it should."""
    assert (await rig.call(NOBODY)).disposition == "INVALID_NUMBER"


async def in_state(rig: Rig, state: str) -> str:
    """Wait until the first call is in this state; its id."""
    await until(lambda: any(update.state == state for update in rig.updates))
    return rig.updates[0].call_id
