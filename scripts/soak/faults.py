"""What is broken while calls go on, each by name, and the recogniser that can be broken."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeRequest, Transcript
from V3.simulator import Faults, FreeSwitchSimulator

__all__ = ["FAULTS", "RARE", "BreakableRecognizer", "Scene", "break_at_random"]

LASTS_S: Final = 2.0
STALL_S: Final = 5.0


class BreakableRecognizer:
    """The real one, whose decodes raise or stall on demand. Loading it again makes it well."""

    def __init__(self, real: Recognizer) -> None:
        self._real = real
        self.error: Exception | None = None
        self._well = threading.Event()
        self._well.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def bucket(self, request: DecodeRequest) -> Hashable:
        return self._real.bucket(request)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        self._well.wait(2 * STALL_S)
        if (error := self.error) is not None:
            raise error
        return self._real.decode(requests)

    def reload(self) -> None:
        self._real.reload()
        self.error = None

    async def raises(self, error: Exception, lasts_s: float) -> None:
        self.error = error
        try:
            await asyncio.sleep(lasts_s)
        finally:
            self.error = None

    async def stalls(self, lasts_s: float) -> None:
        self._well.clear()
        try:
            await asyncio.sleep(lasts_s)
        finally:
            self._well.set()


@dataclass(slots=True)
class Scene:
    """What there is to break."""

    simulator: FreeSwitchSimulator
    recognizer: BreakableRecognizer
    told: list[str] = field(default_factory=list)

    async def have(self, faults: Faults, lasts_s: float = LASTS_S) -> None:
        """Have FreeSWITCH misbehave for a while."""
        self.simulator.faults = faults
        try:
            await asyncio.sleep(lasts_s)
        finally:
            self.simulator.faults = Faults()


async def _cut_streams(scene: Scene) -> None:
    scene.simulator.cut_streams(share=0.5)


FAULTS: Final[dict[str, Callable[[Scene], Coroutine[Any, Any, None]]]] = {
    "ESL cut": lambda scene: scene.simulator.drop_connections(),
    "ESL cut again and again": lambda scene: scene.have(Faults(random_drop_rate=0.05)),
    "ESL replies late": lambda scene: scene.have(Faults(reply_delay_ms=300)),
    "audio streams cut": _cut_streams,
    "audio streams refused": lambda scene: scene.have(Faults(refuse_stream=3)),
    "slow handshakes": lambda scene: scene.have(Faults(slow_handshake_ms=900)),
    "network stall, then a burst": lambda scene: scene.have(Faults(stream_stall=(1000, 1000))),
    "breaks lost": lambda scene: scene.have(Faults(lose_break=2)),
    "recogniser raises": lambda scene: scene.recognizer.raises(RuntimeError("a decode that failed"), LASTS_S),
    "recogniser out of memory": lambda scene: scene.recognizer.raises(MemoryError("std::bad_alloc"), LASTS_S),
    "recogniser stalls": lambda scene: scene.recognizer.stalls(STALL_S),
    "FreeSWITCH restarted": lambda scene: scene.simulator.restart(down_s=1.0),
}
RARE: Final = frozenset({"FreeSWITCH restarted"})  # ends every call: once in a while


async def break_at_random(scene: Scene, rng: random.Random, *, every_s: tuple[float, float]) -> None:
    """Break one thing after the other until cancelled; each fault comes before any comes again."""
    while True:
        for name in rng.sample(list(FAULTS), len(FAULTS)):
            if name in RARE and rng.random() < 0.5:
                continue
            await asyncio.sleep(rng.uniform(*every_s))
            scene.told.append(name)
            await FAULTS[name](scene)
