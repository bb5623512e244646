"""The calls in progress, as a page shows them: events in, plain dicts out. A core.

Bounded: ``MAX_CALLS`` are shown, and of those that have ended ``MAX_ENDED``; the oldest make room. ``now_ms`` is on any
clock that does not go back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from V3.calls.report import CallUpdate
from V3.events import (
    AnswerClassified,
    Event,
    Partial,
    SpeechEnded,
    SpeechStarted,
    StreamClosed,
    StreamOpened,
)
from V3.events import Final as Ended

__all__ = ["CallBoard", "masked"]

MAX_CALLS: Final = 500
MAX_ENDED: Final = 50
_MAX_BARGE_INS: Final = 20
_MAX_TEXT: Final = 2000
_SHOWN_DIGITS: Final = (4, 2)
_STATES: Final = {
    "DETECTING": "detecting",
    "PLAYING": "playing",
    "MESSAGE": "playing",
    "PAUSED": "listening",
    "LISTENING": "listening",
    "REPORTED": "ended",
}
"""What the page calls what the robot tells; it says nothing of the others."""


@dataclass(slots=True)
class _Call:
    id: str
    state: str
    since_ms: float
    partial: str = ""
    final: str = ""
    verdict: dict[str, Any] | None = None
    barge_ins: list[dict[str, Any]] = field(default_factory=list)
    latency_ms: dict[str, int] = field(default_factory=dict)
    number_masked: str = ""
    answered_at_ms: float = 0.0


class CallBoard:
    """Feed it every event of every call; what changed comes back as messages for the page."""

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def snapshot(self, *, now_ms: float) -> list[dict[str, Any]]:
        """All calls, the oldest first."""
        return [_shown(call, now_ms) for call in self._calls.values()]

    def dialled(self, call_id: str, number: str, *, now_ms: float) -> list[dict[str, Any]]:
        """A call was dialled; of its number only a few digits are shown."""
        call = self._calls.setdefault(call_id, _Call(call_id, "ringing", now_ms))
        call.number_masked = masked(number)
        return self._changed(call, now_ms)

    def moved(self, call_id: str, state: str, *, now_ms: float) -> list[dict[str, Any]]:
        """The robot says what a call does: playing, listening, ..."""
        call = self._calls.get(call_id)
        if call is None or call.state == "ended":
            return []
        _turn(call, state, now_ms)
        return self._changed(call, now_ms)

    def interrupted(self, call_id: str, reason: str, *, at_ms: int, now_ms: float) -> list[dict[str, Any]]:
        """The callee stopped a prompt."""
        call = self._calls.get(call_id)
        if call is None:
            return []
        call.barge_ins = [*call.barge_ins, {"reason": reason[:80], "ms": at_ms}][-_MAX_BARGE_INS:]
        return self._changed(call, now_ms)

    def told(self, update: CallUpdate, *, now_ms: float) -> list[dict[str, Any]]:
        """What the robot tells of a call: a line of its live story."""
        if update.state == "DIALLING":
            return self.dialled(update.call_id, update.number, now_ms=now_ms)
        if update.state == "BARGE-IN":
            return self.interrupted(update.call_id, update.text, at_ms=update.at_ms, now_ms=now_ms)
        state = _STATES.get(update.state)
        return self.moved(update.call_id, state, now_ms=now_ms) if state is not None else []

    def event(self, event: Event, *, now_ms: float, behind_ms: float | None = None) -> list[dict[str, Any]]:
        """Something was heard. Empty where nothing is to be shown of it.

        ``behind_ms``: how long ago the newest audio that was heard for it had come, where that is known.
        """
        call_id = event.call_id.removesuffix("/robot")
        if call_id != event.call_id:  # the robot's own side of a stereo call
            return []
        if isinstance(event, StreamOpened):
            return self._opened(call_id, now_ms)
        call = self._calls.get(call_id)
        if call is None or not _note(call, event, now_ms, behind_ms):
            return []
        return self._changed(call, now_ms)

    def _opened(self, call_id: str, now_ms: float) -> list[dict[str, Any]]:
        call = self._calls.get(call_id)
        if call is None or call.state == "ended":
            call = self._calls[call_id] = _Call(call_id, "detecting", now_ms)
        _turn(call, "detecting" if call.verdict is None else "listening", now_ms)
        call.answered_at_ms = now_ms
        return self._changed(call, now_ms)

    def _changed(self, call: _Call, now_ms: float) -> list[dict[str, Any]]:
        return [{"type": "call", "call": _shown(call, now_ms)}, *self._make_room()]

    def _make_room(self) -> list[dict[str, Any]]:
        ended = [call.id for call in self._calls.values() if call.state == "ended"]
        gone = ended[: max(0, len(ended) - MAX_ENDED)]
        gone += [call_id for call_id in self._calls if call_id not in gone][: max(0, len(self._calls) - MAX_CALLS)]
        for call_id in gone:
            del self._calls[call_id]
        return [{"type": "ended", "id": call_id} for call_id in gone]


def masked(number: str) -> str:
    """``01 99 ** ** 02``: the beginning and the end of a number, the rest hidden."""
    digits = re.sub(r"\D", "", number)
    first, last = _SHOWN_DIGITS
    if len(digits) <= first + last:
        return "*" * len(digits)
    hidden = digits[:first] + "*" * (len(digits) - first - last) + digits[-last:]
    return " ".join(hidden[start : start + 2] for start in range(0, len(hidden), 2))


def _note(call: _Call, event: Event, now_ms: float, behind_ms: float | None) -> bool:
    """Take an event; False where it changes nothing that is shown."""
    match event:
        case AnswerClassified():
            call.verdict = _verdict(event)
            call.latency_ms["verdict"] = round(now_ms - call.answered_at_ms)
            _turn(call, "listening", now_ms)
        case SpeechStarted():
            if call.verdict is None:
                return False
            _turn(call, "speaking", now_ms)
        case SpeechEnded():
            if call.verdict is None:
                return False
            _turn(call, "listening", now_ms)
        case Partial():
            call.partial = event.text[-_MAX_TEXT:]
            if behind_ms is not None:
                call.latency_ms["partial"] = round(behind_ms)
        case Ended():
            call.partial = ""
            call.final = event.text[-_MAX_TEXT:] or call.final
        case StreamClosed():
            call.partial = ""
            _turn(call, "ended", now_ms)
        case _:
            return False
    return True


def _verdict(event: AnswerClassified) -> dict[str, Any]:
    return {
        "label": event.label,
        "kind": event.kind,
        "reason": event.reason,
        "confidence": event.confidence,
        "evidence": list(event.evidence),
        "at_ms": event.at_ms,
    }


def _turn(call: _Call, state: str, now_ms: float) -> None:
    if call.state != state:
        call.state, call.since_ms = state, now_ms


def _shown(call: _Call, now_ms: float) -> dict[str, Any]:
    return {
        "id": call.id,
        "state": call.state,
        "since_ms": round(now_ms - call.since_ms),
        "partial": call.partial,
        "final": call.final,
        "verdict": call.verdict,
        "barge_ins": list(call.barge_ins),
        "latency_ms": dict(call.latency_ms),
        "number_masked": call.number_masked,
    }
