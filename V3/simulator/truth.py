"""What really happened in each call, on the simulator's own clock: what reports are checked against.

Times are milliseconds since CHANNEL_ANSWER (negative: before it, as with early media).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

__all__ = ["CallTruth", "HeardPrompt", "RecordedPart", "TruthBook", "Utterance"]

MAX_CALLS = 10_000  # the oldest are forgotten
MAX_RECORDINGS = 200  # of these many calls the recorded audio is kept too


@dataclass(slots=True)
class Utterance:
    """Something the callee said; ``file`` is the WAV's name, ``level_db`` what it was made louder by."""

    file: str
    start_ms: float
    end_ms: float
    level_db: float = 0.0


@dataclass(slots=True)
class HeardPrompt:
    """A prompt as the callee heard it; ``status`` is ``playing``, ``done``, ``break`` or ``hangup``.

    ``path`` is the file's, without an offset. Where in the file it began, and where it was cut or ended: ``from_ms``
    and ``to_ms``, of ``file_ms``.
    """

    path: str
    start_ms: float
    stop_ms: float | None = None
    status: str = "playing"
    from_ms: float = 0.0
    to_ms: float | None = None
    file_ms: float = math.inf


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """What a voicemail kept of one prompt: from where to where in its file, of ``file_ms``."""

    path: str
    from_ms: float
    to_ms: float
    file_ms: float

    @property
    def whole(self) -> bool:
        """Nothing of the file is missing: it began after the recording did, and was played to its end."""
        return self.from_ms == 0 and self.to_ms >= self.file_ms


@dataclass(slots=True)
class CallTruth:
    """One call. ``hangup_by``: ``robot``, ``callee``, ``network`` or ``freeswitch`` (timeout, shutdown, crash)."""

    uuid: str
    number: str
    answered: bool = False
    answered_at_ms: float | None = None  # on the simulator's clock
    speech: list[Utterance] = field(default_factory=list)
    prompts: list[HeardPrompt] = field(default_factory=list)
    beep_start_ms: float | None = None
    beep_end_ms: float | None = None
    digits_received: str = ""  # what the robot sent
    recorded_from_ms: float | None = None
    recording_l16: bytes = b""  # what a voicemail kept of the robot: 8 kHz mono, at most a minute
    hangup_cause: str = ""
    hangup_by: str = ""
    hangup_ms: float | None = None
    ended: bool = False

    def recorded(self) -> list[RecordedPart]:
        """What a voicemail kept of each prompt that has stopped (of one inside another: as if they took turns)."""
        if self.recorded_from_ms is None:
            return []
        from_ms = self.recorded_from_ms
        return [_kept(prompt, from_ms) for prompt in self.prompts if (prompt.stop_ms or -math.inf) > from_ms]


def _kept(prompt: HeardPrompt, recorded_from_ms: float) -> RecordedPart:
    missed_ms = max(0.0, recorded_from_ms - prompt.start_ms)
    to_ms = prompt.from_ms if prompt.to_ms is None else prompt.to_ms
    return RecordedPart(prompt.path, min(to_ms, prompt.from_ms + missed_ms), to_ms, prompt.file_ms)


class TruthBook:
    """The newest calls' truths by channel uuid."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, CallTruth] = OrderedDict()
        self._recorded: OrderedDict[str, CallTruth] = OrderedDict()

    def open(self, uuid: str, number: str) -> CallTruth:
        truth = CallTruth(uuid, number)
        self._calls[uuid] = truth
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        return truth

    def keep_recording(self, truth: CallTruth, l16: bytes) -> None:
        truth.recording_l16 = l16
        self._recorded[truth.uuid] = truth
        while len(self._recorded) > MAX_RECORDINGS:
            self._recorded.popitem(last=False)[1].recording_l16 = b""

    def of(self, uuid: str) -> CallTruth:
        """Raises KeyError for a uuid that never was a channel, or is too long ago."""
        return self._calls[uuid]

    def all(self) -> list[CallTruth]:
        return list(self._calls.values())
