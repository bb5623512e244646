"""What both sides of a call hear, and the ground truth of it.

Two timelines (callee, robot) at the leg's rate; frames of the stream and recordings are rendered from them. What is
put on a timeline starts now, never in the past: frames already sent stay true.
"""

from __future__ import annotations

import random
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from V3.simulator.callee import Callee
from V3.simulator.clock import FRAME_MS, SimClock
from V3.simulator.playback import PlayRun
from V3.simulator.sound import LEG_RATE_HZ, Segment, Sound, Timeline, gain_of
from V3.simulator.truth import CallTruth, HeardPrompt, TruthBook, Utterance

__all__ = ["CallAudio", "Frame", "Recording"]

Frame: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int32]]"
NOISE_SAMPLES = 32000  # the line's noise repeats after this
PRE_BUFFER_FRAMES = 25
MAX_RECORDING_MS = 60_000.0  # of a voicemail


class Recording:
    """uuid_record: written whole when it stops. Of its variables these count:

    RECORD_STEREO: the callee left, the robot right; otherwise both in one. RECORD_PRE_BUFFER_FRAMES, 25 where it is not
    given: the robot is so many frames early against the callee, and the callee's last ones are lost.
    """

    def __init__(self, path: str, start_ms: float, variables: Mapping[str, str]) -> None:
        self.path = path
        self.start_ms = start_ms
        self.variables = {name: variables[name] for name in variables if name.startswith("RECORD_")}
        self.stereo = variables.get("RECORD_STEREO", "").lower() == "true"
        frames = variables.get("RECORD_PRE_BUFFER_FRAMES", "")
        self.early_ms = FRAME_MS * (int(frames) if frames.isdigit() else PRE_BUFFER_FRAMES) * self.stereo


class CallAudio:
    """The audio of one call. All times are the clock's, except in the truth (since the answer)."""

    def __init__(self, clock: SimClock, rng: random.Random, callee: Callee, truth: CallTruth, book: TruthBook) -> None:
        self._clock = clock
        self._callee = callee
        self._book = book
        self.truth = truth
        self.robot = Timeline()
        self.callee = Timeline()
        self._answer_ms = 0.0  # until the answer the truth holds clock times
        self._heard: dict[int, HeardPrompt] = {}
        noise = np.random.default_rng(rng.getrandbits(32))
        peak = callee.noise_peak if callee.media else min(1, callee.noise_peak)
        self._noise = noise.integers(-peak, peak + 1, NOISE_SAMPLES, dtype=np.int32)

    def answered(self) -> None:
        """From here on the truth counts since the answer; what was before becomes negative."""
        self._answer_ms = self._clock.now_ms()
        self.truth.answered, self.truth.answered_at_ms = True, self._answer_ms
        for prompt in self.truth.prompts:
            prompt.start_ms -= self._answer_ms
            prompt.stop_ms = None if prompt.stop_ms is None else prompt.stop_ms - self._answer_ms

    def say(self, sound: Sound, file: str, *, level_db: float = 0.0) -> Segment:
        """The callee begins to speak; heard by nobody when the far end sends no media."""
        now_ms = self._clock.now_ms()
        segment = Segment(sound, now_ms, 0.0, now_ms + sound.duration_ms)
        if self._callee.media:
            segment = self.callee.add(sound, now_ms, gain=gain_of(level_db))
        self.truth.speech.append(Utterance(file, self._since(now_ms), self._since(segment.end_ms), level_db))
        return segment

    def beep(self, sound: Sound) -> Segment:
        segment = self.callee.add(sound, self._clock.now_ms())
        self.truth.beep_start_ms = self._since(segment.start_ms)
        self.truth.beep_end_ms = self._since(segment.end_ms)
        return segment

    def record(self) -> None:
        self.truth.recorded_from_ms = self._since(self._clock.now_ms())

    def prompt_started(self, run: PlayRun) -> None:
        length_ms = run.sound.duration_ms
        prompt = HeardPrompt(run.path, self._since(run.started_ms), from_ms=run.begin_ms, file_ms=length_ms)
        self.truth.prompts.append(prompt)
        self._heard[id(run)] = prompt

    def prompt_stopped(self, run: PlayRun, *, status: str, at_ms: float) -> None:
        prompt = self._heard.pop(id(run))
        prompt.stop_ms, prompt.status = self._since(at_ms), status
        prompt.to_ms = run.sound.duration_ms if status == "done" else run.begin_ms + run.heard_ms(at_ms)

    def over(self, cause: str, by: str) -> None:
        """The call is hung up: nothing sounds any more."""
        now_ms, truth = self._clock.now_ms(), self.truth
        self.robot.cut(now_ms)
        self.callee.cut(now_ms)
        truth.hangup_cause, truth.hangup_by, truth.hangup_ms = cause, by, self._since(now_ms)
        for utterance in truth.speech:
            utterance.end_ms = min(utterance.end_ms, truth.hangup_ms)
        if truth.beep_end_ms is not None:
            truth.beep_end_ms = min(truth.beep_end_ms, truth.hangup_ms)
        if truth.recorded_from_ms is not None:
            from_ms = truth.recorded_from_ms + self._answer_ms
            length_ms = min(MAX_RECORDING_MS, now_ms - from_ms)
            kept = self._rendered(self.robot, from_ms, length_ms)
            self._book.keep_recording(truth, kept.astype("<i2").tobytes())

    def far_frame(self, from_ms: float, rate_hz: int) -> Frame:
        """20 ms of what comes from the callee: its voice, the line's noise, the echo of what the robot plays."""
        count = int(rate_hz * FRAME_MS / 1000)
        first = int(from_ms * rate_hz / 1000) % NOISE_SAMPLES
        frame = self._noise[first : first + count].copy()
        if len(frame) < count:
            frame = np.concatenate((frame, self._noise[: count - len(frame)]))
        self._mix_far(frame, from_ms, rate_hz)
        return frame

    def robot_frame(self, from_ms: float, rate_hz: int) -> Frame:
        """20 ms of what the robot plays."""
        frame = np.zeros(int(rate_hz * FRAME_MS / 1000), np.int32)
        self.robot.mix_into(frame, from_ms, rate_hz)
        return frame

    def write_recording(self, recording: Recording) -> tuple[int, int]:
        """Write the WAV (8 kHz) and return its size in bytes and its length in samples; 0 where the disk takes none."""
        length_ms = max(0.0, self._clock.now_ms() - recording.start_ms)
        kept_ms = max(0.0, length_ms - recording.early_ms)
        far = self._far_rendered(recording.start_ms, kept_ms)
        robot = self._rendered(self.robot, recording.start_ms + recording.early_ms, kept_ms)
        both = np.column_stack((far, robot)).ravel() if recording.stereo else far + robot
        path = Path(recording.path)
        try:
            with wave.open(str(path), "wb") as file:
                file.setnchannels(2 if recording.stereo else 1)
                file.setsampwidth(2)
                file.setframerate(LEG_RATE_HZ)
                file.writeframes(np.clip(both, -32768, 32767).astype("<i2").tobytes())
            return path.stat().st_size, len(far)
        except OSError:
            return 0, 0

    def _far_rendered(self, from_ms: float, length_ms: float) -> Frame:
        """What far_frame sends, in one piece."""
        count = int(length_ms * LEG_RATE_HZ / 1000)
        first = int(from_ms * LEG_RATE_HZ / 1000) % NOISE_SAMPLES
        samples = np.resize(np.roll(self._noise, -first), count)
        self._mix_far(samples, from_ms, LEG_RATE_HZ)
        return np.clip(samples, -32768, 32767)

    def _mix_far(self, frame: Frame, from_ms: float, rate_hz: int) -> None:
        """The callee's voice, and the echo of what the robot plays."""
        self.callee.mix_into(frame, from_ms, rate_hz)
        if (echo := self._callee.echo) is not None and self._callee.media:
            earlier_ms = from_ms - echo.delay_ms
            self.robot.mix_into(frame, earlier_ms, rate_hz, gain=gain_of(echo.db), heard=Sound.through_handset)

    @staticmethod
    def _rendered(timeline: Timeline, from_ms: float, length_ms: float) -> Frame:
        samples = np.zeros(max(0, int(length_ms * LEG_RATE_HZ / 1000)), np.int32)
        timeline.mix_into(samples, from_ms, LEG_RATE_HZ)
        return np.clip(samples, -32768, 32767)

    def _since(self, at_ms: float) -> float:
        return at_ms - self._answer_ms
