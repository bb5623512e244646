"""One call in progress, as the robot holds it: its line, its report, what was heard and not yet answered.

All times handed out are ms from the answer; the audio clock of a stream is shifted by the moment of its first frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import TypeVar

from V3.audio.tones import ToneKind
from V3.calls.report import (
    CallReport,
    CallUpdate,
    PartialReport,
    PromptReport,
    SpeechReport,
    VoiceReport,
    WordReport,
)
from V3.clock import Clock
from V3.events import (
    Event,
    Final,
    Partial,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    StreamClosed,
    StreamOpened,
    ToneHeard,
    Word,
)
from V3.telephony.line import Line, Playback

__all__ = ["ActiveCall"]

log = logging.getLogger(__name__)

MAX_DIGITS = 256
MAX_NOTED = 2000  # partials, and stretches of voice, in a report
MAILBOX_EVENTS = 512  # beyond that the oldest partial or progress event is dropped, then the oldest of all
_Noted = TypeVar("_Noted")
_TIMES = ("at_ms", "start_ms", "end_ms", "voiced_until_ms")


class ActiveCall:
    """What one ``RobotFreeSwitchV3.call`` knows."""

    def __init__(
        self, *, call_id: str, number: str, scenario: str, clock: Clock, on_update: Callable[[CallUpdate], None]
    ) -> None:
        self.report = CallReport(
            call_id=call_id,
            number=number,
            scenario=scenario,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        self.clock = clock
        self.line: Line | None = None
        self.state = "DIALLING"
        self.speaking = False
        self.finals: deque[Final] = deque(maxlen=64)
        self.stream_open = False
        self.stream_error = ""  # what FreeSWITCH said of a stream that did not come about
        self.keys: deque[str] = deque(maxlen=64)  # pressed and not yet taken
        self.voice_dbfs = 0.0  # how loud the callee has spoken, at the loudest while no prompt played
        self.just_beeped = False  # a beep, and nobody has spoken since
        self.began_ms = clock.now_ms()
        self._on_update = on_update
        self._mailbox: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._offset_ms = 0
        self._last_partial = ""

    @property
    def call_id(self) -> str:
        return self.report.call_id

    @property
    def answered(self) -> bool:
        return self.line is not None and self.line.answered_ms is not None

    @property
    def playing(self) -> bool:
        """Whether a prompt of ours is to be heard."""
        playback = self.line.playback if self.line is not None else None
        return playback is not None and not playback.stopped.done()

    @property
    def now_ms(self) -> int:
        """Ms since the answer; negative before it, counted from the dialling then."""
        return self.at(self.clock.now_ms())

    def at(self, clock_ms: float) -> int:
        """A moment of the clock as ms since the answer (since the dialling, while nobody answered)."""
        answered_ms = self.line.answered_ms if self.line is not None else None
        return round(clock_ms - (self.began_ms if answered_ms is None else answered_ms))

    def mark(self, name: str, at_ms: int | None = None) -> None:
        """Note a moment; the first of its name is kept."""
        self.report.moments.setdefault(name, self.now_ms if at_ms is None else at_ms)

    def update(self, state: str, text: str = "") -> None:
        """Tell the live story. Whoever listens and fails (a screen that is gone) is no fault of the call."""
        self.state = state
        update = CallUpdate(call_id=self.call_id, number=self.report.number, at_ms=self.now_ms, state=state, text=text)
        try:
            self._on_update(update)
        except Exception:  # the root of a callback
            log.exception("call %s: its live story was not taken", self.call_id)

    def post(self, event: Event) -> None:
        """Take an audio event (on the event loop)."""
        if isinstance(event, StreamOpened):
            self._offset_ms = self.now_ms
        event = self._shifted(event)
        self._note(event)
        if len(self._mailbox) >= MAILBOX_EVENTS:
            self._drop_one()
        self._mailbox.append(event)
        self._wake.set()

    def wake(self, _done: object = None) -> None:
        """Let ``next`` return: something else happened (a prompt stopped, the call ended)."""
        self._wake.set()

    async def next(self, timeout_s: float | None) -> Event | None:
        """The next audio event; None at the time-out or when :meth:`wake` was called."""
        if not self._mailbox:
            with contextlib.suppress(TimeoutError):
                async with self.clock.timeout(timeout_s):
                    await self._wake.wait()
        self._wake.clear()
        if not self._mailbox:
            return None
        event = self._mailbox.popleft()
        if self._mailbox:
            self._wake.set()
        return event

    def press(self, key: str) -> None:
        """Take a key that the callee pressed."""
        if len(self.report.digits) < MAX_DIGITS:
            self.report.digits += key
        self.keys.append(key)
        self.wake()

    def note_prompt(self, step: str, playback: Playback, *, from_ms: int = 0) -> PromptReport:
        """Begin the report of a prompt that has started; it is completed when it stops."""
        prompt = PromptReport(step=step, path=playback.path, from_ms=from_ms, start_ms=self.at(playback.start_ms))
        self.report.prompts.append(prompt)

        def stopped(done: asyncio.Future[str]) -> None:
            if not done.cancelled():
                prompt.stop_ms, prompt.status = self.at(playback.stop_ms), done.result()
                prompt.heard_out = playback.heard_out
                self.wake()

        playback.stopped.add_done_callback(stopped)
        return prompt

    def _note(self, event: Event) -> None:
        match event:
            case StreamOpened():
                self.stream_open = True
                self.mark("first_frame", event.at_ms)
            case StreamClosed():
                self.stream_open = False
            case ToneHeard() if event.kind == ToneKind.BEEP:
                self.just_beeped = True
            case SpeechStarted():
                self.speaking, self.just_beeped = True, False
                self.mark("speech_start", event.start_ms)
            case SpeechContinues() if event.level_dbfs and not self.playing:
                self.voice_dbfs = max(self.voice_dbfs or event.level_dbfs, event.level_dbfs)
            case SpeechEnded():
                self.speaking = False
                self.mark("speech_end", event.end_ms)
                self._keep(self.report.voice, VoiceReport(start_ms=event.start_ms, end_ms=event.end_ms))
            case Partial() if event.text != self._last_partial:
                self._last_partial = event.text
                partial = PartialReport(at_ms=self.now_ms, start_ms=event.start_ms, text=event.text)
                self._keep(self.report.partials, partial)
                self.update(self.state, f"« {event.text} … »")
            case Final():
                self._last_partial = ""
                if event.text:  # a noise that was no speech has none
                    self.finals.append(event)
                    self.report.transcript.append(_speech(event))
                    self.update(self.state, f"« {event.text} »")
            case _:
                pass

    @staticmethod
    def _keep(noted: list[_Noted], value: _Noted) -> None:
        if len(noted) < MAX_NOTED:
            noted.append(value)

    def _shifted(self, event: Event) -> Event:
        changes: dict[str, object] = {
            f.name: getattr(event, f.name) + self._offset_ms for f in fields(event) if f.name in _TIMES
        }
        if isinstance(event, Partial | Final):
            changes["words"] = tuple(_moved(word, self._offset_ms) for word in event.words)
        return replace(event, **changes)  # type: ignore[arg-type]  # the names are the event's own

    def _drop_one(self) -> None:
        for index, event in enumerate(self._mailbox):
            if isinstance(event, Partial | SpeechContinues):
                del self._mailbox[index]
                return
        self._mailbox.popleft()


def _moved(word: Word, by_ms: int) -> Word:
    return replace(word, start_ms=word.start_ms + by_ms, end_ms=word.end_ms + by_ms)


def _speech(event: Final) -> SpeechReport:
    words = [
        WordReport(text=w.text, start_ms=w.start_ms, end_ms=w.end_ms, confidence=round(w.confidence, 3))
        for w in event.words
    ]
    return SpeechReport(text=event.text, start_ms=event.start_ms, end_ms=event.end_ms, words=words)
