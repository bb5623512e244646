"""A recording heard as a call hears it, without a network: the product's own session, recogniser and ear.

Audio goes in 20 ms at a time; a decode is answered at once, so that times are the audio's own and the same on every
machine (the decode's time is reported beside). ``hear`` keeps what the ear knew every 20 ms, so that rules and weights
can be tried without hearing again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from scripts.answers.recordings import LabelledCall
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest
from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS
from V3.audio.tones import Tone
from V3.calls.answer import AnswerDecider, AnswerVerdict, Timing
from V3.calls.answer_ear import AnswerEar
from V3.calls.answer_policy import AnswerPolicy, AnswerRules, Evidence
from V3.events import Final, Partial

__all__ = ["Glimpse", "HeardCall", "hear", "judge"]

HEARD_MS = 6500
_EVERY_MS = 20


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What was known at one moment of the audio."""

    at_ms: int
    text: str
    timing: Timing
    tones: tuple[Tone, ...]
    speaking: bool


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A call's glimpses, and the words of its window decoded in one piece."""

    call: LabelledCall
    glimpses: tuple[Glimpse, ...]
    window_text: str
    window_timing: Timing
    decode_ms: float


class _Words:
    """All that was said so far, out of a session's events."""

    def __init__(self, session: StreamingSession, recognizer: Recognizer) -> None:
        self._session, self._recognizer = session, recognizer
        self._finals: list[str] = []
        self._partial = ""

    @property
    def text(self) -> str:
        return " ".join([*self._finals, self._partial]).strip()

    def settle(self) -> None:
        """Answer every decode the session asks for; take its events."""
        while (request := self._session.next_request()) is not None:
            self._session.complete(request, self._recognizer.decode([request])[0])
        for event in self._session.take_events():
            if isinstance(event, Partial):
                self._partial = event.text
            elif isinstance(event, Final):
                self._finals.append(event.text)
                self._partial = ""


def hear(call: LabelledCall, recognizer: Recognizer, decider: AnswerDecider, *, window_ms: int = 2300) -> HeardCall:
    """Hear the first seconds of a call."""
    ear = AnswerEar(decider, AnswerRules(window_ms=window_ms, early=False, revise_until_ms=0))
    session = StreamingSession(call.name, mel_bands=recognizer.info.mel_bands)
    words = _Words(session, recognizer)
    tones: list[Tone] = []
    glimpses: list[Glimpse] = []
    due_timing: Timing | None = None
    for start in range(0, min(call.audio.size, HEARD_MS * SAMPLES_PER_MS), FRAME_SAMPLES):
        frame = call.audio[start : start + FRAME_SAMPLES]
        tones += ear.push(frame)[1]
        session.push(frame)
        words.settle()
        if ear.wants_words():
            looked = recognizer.decode([DecodeRequest(call.name, DecodeKind.ANSWER, ear.window(), word_times=False)])
            ear.hear(looked[0].text)
        if ear.at_ms == window_ms and due_timing is None:
            due_timing = ear.timing
        if ear.at_ms % _EVERY_MS == 0 and ear.at_ms:
            text = ear.evidence.text if ear.at_ms < window_ms else words.text
            glimpses.append(Glimpse(ear.at_ms, text, ear.timing, tuple(tones), ear.voice.speaking))
    began = time.perf_counter()
    window = call.audio[: window_ms * SAMPLES_PER_MS]
    text = recognizer.decode([DecodeRequest(call.name, DecodeKind.ANSWER, window, word_times=False)])[0].text
    decode_ms = (time.perf_counter() - began) * 1000
    return HeardCall(call, tuple(glimpses), text, due_timing or ear.timing, decode_ms)


def judge(heard: HeardCall, decider: AnswerDecider, rules: AnswerRules) -> list[tuple[int, AnswerVerdict]]:
    """Every verdict of a call with its time: the first, then revisions, by the product's own policy."""
    policy = AnswerPolicy(decider, rules)
    verdicts: list[tuple[int, AnswerVerdict]] = []
    for glimpse in heard.glimpses:
        if policy.verdict is None and glimpse.at_ms >= rules.window_ms:
            window = Evidence(heard.window_text, heard.window_timing, _before(glimpse.tones, rules.window_ms))
            verdicts.append((rules.window_ms, policy.decide(window)))
        found = policy.look(Evidence(glimpse.text, glimpse.timing, glimpse.tones), news=True)
        if found is not None:
            verdicts.append((glimpse.at_ms, found))
    if not verdicts:  # a recording shorter than the window
        verdicts.append((rules.window_ms, policy.decide(Evidence(heard.window_text, heard.window_timing))))
    return verdicts


def _before(tones: tuple[Tone, ...], at_ms: int) -> tuple[Tone, ...]:
    return tuple(tone for tone in tones if tone.at_ms <= at_ms)
