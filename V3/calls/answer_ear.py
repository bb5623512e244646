"""The seconds after the answer, heard as evidence: voice activity, tones and words of one call. A core.

Audio and words come in; the clock is the audio, and chunks of any size give the same evidence. What it means, and when
that is sure enough, is :class:`V3.calls.answer_policy.AnswerPolicy`'s.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS, Audio, mean_square
from V3.audio.tones import Tone, ToneDetector
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.calls.answer import AnswerDecider, AnswerVerdict, Timing
from V3.calls.answer_policy import AnswerPolicy, AnswerRules, Evidence

__all__ = ["AnswerEar"]

VAD_TAIL_MS = 240  # shorter than an utterance's end: timing wants to know the silence early
_SOUND_POWER = 10 ** (-45 / 10)  # louder than a line's noise
_LEVEL_FRAMES = 5
_MIN_SPEECH_MS = 160  # before that no word is over
_ASK_EVERY_MS = 140
_MAX_TONES = 16  # the first say what there is to say


class AnswerEar:
    """One call's evidence and verdict. Feed :meth:`push` the callee's audio and :meth:`hear` what was said so far."""

    def __init__(self, decider: AnswerDecider, rules: AnswerRules | None = None) -> None:
        self.policy = AnswerPolicy(decider, rules)
        self.voice = VoiceActivity(end_ms=VAD_TAIL_MS)
        self._tone_detector = ToneDetector()
        self._tones: list[Tone] = []
        self._text = ""
        self._news = False
        self._asked_ms = self._asked_speech_ms = 0
        self._asked_silent = False
        self._window: list[Audio] = []
        self._window_samples = self.policy.rules.window_ms * SAMPLES_PER_MS
        self._rest = np.zeros(0, dtype=np.float32)  # less than a frame
        self._timing_due: Timing | None = None
        self._lead_ms: int | None = None
        self._first_ms = 0
        self._ended_ms: int | None = None
        self._pause_ms = 0
        self._sound_samples = 0
        self._recent_powers: deque[float] = deque(maxlen=_LEVEL_FRAMES)
        self._loudest = 0.0  # power of the loudest tenth of a second since the voice began

    @property
    def at_ms(self) -> int:
        """Audio judged so far."""
        return self.voice.at_ms

    @property
    def verdict(self) -> AnswerVerdict | None:
        """The verdict as it stands."""
        return self.policy.verdict

    @property
    def due(self) -> bool:
        """Whether the window has been heard and there is no verdict: ask for its words and :meth:`decide`."""
        return self._timing_due is not None and self.verdict is None

    @property
    def timing(self) -> Timing:
        """Voice activity so far."""
        first_ms = self._first_ms
        if not first_ms and self._lead_ms is not None:
            first_ms = self.at_ms - self.voice.silence_ms - self._lead_ms
        return Timing(
            window_ms=self.at_ms,
            speech_ms=self.voice.speech_ms,
            lead_ms=self.at_ms if self._lead_ms is None else self._lead_ms,
            tail_ms=self.voice.silence_ms,
            first_ms=first_ms,
            pause_ms=self._pause_ms,
            sound_ms=self._sound_samples // SAMPLES_PER_MS,
        )

    @property
    def level_dbfs(self) -> float:
        """The loudest tenth of a second of what is being said, or was said last; 0.0 before anybody spoke."""
        return round(10 * math.log10(self._loudest), 1) if self._loudest > 0 else 0.0

    @property
    def evidence(self) -> Evidence:
        """What is known now."""
        return Evidence(self._text, self.timing, tuple(self._tones))

    def window(self) -> Audio:
        """The window's audio so far: 16 kHz float32."""
        return np.concatenate(self._window) if self._window else np.zeros(0, dtype=np.float32)

    def push(self, audio: Audio) -> tuple[list[VadEdge], list[Tone]]:
        """Take the next audio, 16 kHz float32; the edges of voice and the tones that became sure with it."""
        if self._timing_due is not None:
            return self._listen(audio)
        missing = self._window_samples - sum(part.size for part in self._window)
        self._window.append(audio[:missing])
        edges, tones = self._listen(audio[:missing])
        if audio.size >= missing:  # timing is taken now: a message may hold a second more
            self._timing_due = self.timing
            later_edges, later_tones = self._listen(audio[missing:])
            edges, tones = edges + later_edges, tones + later_tones
        return edges, tones

    def wants_words(self) -> bool:
        """Whether it is worth asking now what was said in :meth:`window`: a seventh of a second after the last time,
        and something was said since, or the speaker has just fallen silent. Saying yes counts as having asked.
        """
        if self.verdict is not None or self._timing_due is not None or self.voice.speech_ms < _MIN_SPEECH_MS:
            return False
        silent = self.voice.silence_ms >= VAD_TAIL_MS
        fresh = self.voice.speech_ms > self._asked_speech_ms or (silent and not self._asked_silent)
        if not fresh or self.at_ms < self._asked_ms + _ASK_EVERY_MS:
            return False
        self._asked_ms, self._asked_speech_ms, self._asked_silent = self.at_ms, self.voice.speech_ms, silent
        return True

    def hear(self, text: str) -> None:
        """All words said so far, partial ones included."""
        self._news = self._news or text != self._text
        self._text = text

    def look(self) -> AnswerVerdict | None:
        """A verdict, where the evidence has become sure enough; call it after a push and when words came."""
        if not self.policy.wants(self.at_ms):
            return None
        found = self.policy.look(self.evidence, news=self._news)
        self._news = False
        return found

    def decide(self, text: str | None) -> AnswerVerdict:
        """The verdict at the window's end: ``text`` is what was said in it, None what was heard so far."""
        words = self._text if text is None else text
        self._window.clear()
        return self.policy.decide(Evidence(words, self._timing_due or self.timing, tuple(self._tones)))

    def _listen(self, audio: Audio) -> tuple[list[VadEdge], list[Tone]]:
        """Frame by frame on the stream's own grid, whatever the chunks: levels depend on where a frame begins."""
        samples = np.concatenate([self._rest, audio]) if self._rest.size else audio
        whole = samples.size // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = samples[whole:].copy()
        edges: list[VadEdge] = []
        tones: list[Tone] = []
        for start in range(0, whole, FRAME_SAMPLES):
            self._hear_frame(samples[start : start + FRAME_SAMPLES], edges, tones)
        return edges, tones

    def _hear_frame(self, frame: Audio, edges: list[VadEdge], tones: list[Tone]) -> None:
        began, rang = self.voice.push(frame), self._tone_detector.push(frame)
        for edge in began:
            self._note(edge)
            if edge.kind is EdgeKind.STARTED:
                self._loudest = 0.0
        self._tones += rang[: max(0, _MAX_TONES - len(self._tones))]
        self._news = self._news or bool(rang)
        self._measure(frame)
        edges += began
        tones += rang

    def _measure(self, frame: Audio) -> None:
        power = mean_square(frame)
        self._recent_powers.append(power)
        if self.voice.speaking:
            self._loudest = max(self._loudest, sum(self._recent_powers) / len(self._recent_powers))
        self._sound_samples += frame.size if power > _SOUND_POWER else 0

    def _note(self, edge: VadEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            self._lead_ms = edge.edge_ms if self._lead_ms is None else self._lead_ms
            if self._ended_ms is not None:
                self._pause_ms = max(self._pause_ms, edge.edge_ms - self._ended_ms)
        else:
            self._ended_ms = edge.edge_ms
            if not self._first_ms and self._lead_ms is not None:
                self._first_ms = edge.edge_ms - self._lead_ms
