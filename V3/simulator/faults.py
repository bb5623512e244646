"""Faults on demand: what a real FreeSWITCH or the network before it can do to a robot, and nothing else.

``Faults`` is the order; ``FaultState`` counts and draws. A command is named by how its line begins
(``"bgapi originate"``, ``"api uuid_break"``, ``"sendmsg"``) and by which of its occurrences is meant (1 = first).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DropPoint", "FaultState", "Faults"]


class DropPoint(StrEnum):
    """Where in a command's handling the connection is cut."""

    BEFORE = "before"  # read, and no effect
    AFTER = "after"  # it took effect, its reply is not sent
    BODY = "body"  # it took effect, half of its reply is sent
    BETWEEN = "between"  # its reply is sent whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All off, except the crash that the real module has."""

    crash_on_early_start: bool = True  # uuid_audio_stream start on a ringing SIP leg ends the whole FreeSWITCH
    drop_before_command: tuple[str, int] | None = None
    drop_after_command: tuple[str, int] | None = None
    drop_inside_body: tuple[str, int] | None = None
    drop_between_commands: tuple[str, int] | None = None
    random_drop_rate: float = 0.0  # chance per command, the point is drawn too
    reply_delay_ms: float = 0.0  # before each reply, as on a loaded machine
    refuse_stream: int = 0  # the first n stream starts fail with code 6
    stream_dies_after_ms: float | None = None  # the stream's TCP connection is reset that long after it opened
    slow_handshake_ms: float = 0.0  # added to the WebSocket handshake; beyond 1000 ms it times out with code 10
    stream_stall: tuple[float, float] | None = None  # so long after its start, so long (ms): then all comes at once
    split_bytes: int = 0  # each message of audio comes as two, the first of so many bytes
    lose_break: int = 0  # the first n uuid_break on a channel that plays are answered +OK and do nothing


class FaultState:
    """The counters behind one ``Faults``."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self.faults = faults
        self._rng = rng
        self._seen: Counter[DropPoint] = Counter()
        self._refusals_left = faults.refuse_stream
        self._breaks_left = faults.lose_break

    def drop_point(self, line: str) -> DropPoint | None:
        """Where this command's connection is to be cut, if anywhere. Counts: call it once per command."""
        faults, hit = self.faults, None
        for point, order in (
            (DropPoint.BEFORE, faults.drop_before_command),
            (DropPoint.AFTER, faults.drop_after_command),
            (DropPoint.BODY, faults.drop_inside_body),
            (DropPoint.BETWEEN, faults.drop_between_commands),
        ):
            if order is not None and line.startswith(order[0]):
                self._seen[point] += 1
                if self._seen[point] == order[1]:
                    hit = hit or point
        if hit is None and faults.random_drop_rate and self._rng.random() < faults.random_drop_rate:
            hit = self._rng.choice(list(DropPoint))
        return hit

    def refuses_stream(self) -> bool:
        self._refusals_left -= 1
        return self._refusals_left >= 0

    def loses_break(self) -> bool:
        """Ask only for a break that would have stopped something."""
        self._breaks_left -= 1
        return self._breaks_left >= 0
