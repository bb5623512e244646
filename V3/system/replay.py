"""A recorded call through today's settings, and what would be otherwise: the verdict, the words, each prompt's fate.

The callee is the recording's: a prompt that would stop sooner or later today does not change what he says next. So
each prompt is judged by itself, from where it began to where it ended or the next one began.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.calls.answer_ear import AnswerEar
from V3.calls.barge_in import Action, BargeIn, BargeInDetector, BargeInMode
from V3.calls.echo import EchoMatcher
from V3.calls.report import BargeInReport, CallReport, PromptReport
from V3.calls.turns import turn_silence
from V3.calls.words import fold_words
from V3.config import RobotConfig, config_dir
from V3.errors import AudioError, ScenarioError
from V3.events import Event, SpeechContinues
from V3.picture.facts import end_ms
from V3.picture.page import Comparison
from V3.picture.sides import Sides
from V3.system.assembly import turn_rules
from V3.system.conversation import REWIND_MS, barge_in_rules
from V3.system.prompts import Prompts
from V3.system.replay_hearing import Heard, callee_audio, hear_again
from V3.system.scenario_files import load_scenario
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import answer_rules
from V3.system.voicemail import STEP as MESSAGE_STEP

__all__ = ["Fate", "Replay", "compare", "replay_call"]

SAME_MS = 300  # apart, and still the same decision: FreeSWITCH's ticks, the recogniser's time, the hop of partials


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a prompt at ``at_ms``: stopped, resumed (paused, and it went on) or paused (to the end)."""

    what: str
    at_ms: int
    reason: str

    def __str__(self) -> str:
        return f"{self.what} at {self.at_ms / 1000:.2f} s: {self.reason}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What today's settings make of a recording; fates by the index of a prompt's first playing."""

    heard: Heard
    fates: dict[int, list[Fate]]


def replay_call(report: CallReport, sides: Sides, recogniser: Recognizer, config: RobotConfig) -> Replay:
    """Hear the recording again. Raises AudioError where the call had no audio to begin with."""
    first_frame_ms = report.moments.get("first_frame")
    if first_frame_ms is None:
        raise AudioError(f"call {report.call_id} had no audio: there is nothing to hear again")
    heard = hear_again(
        callee_audio(sides, first_frame_ms=first_frame_ms),
        ear=AnswerEar(AMDService(config_dir() / config.answer.keywords).decider, answer_rules(config.answer)),
        session=_session(report.call_id, recogniser, config),
        recogniser=recogniser,
        first_frame_ms=first_frame_ms,
    )
    return Replay(heard, _fates(report, heard.events, config))


def _session(call_id: str, recogniser: Recognizer, config: RobotConfig) -> StreamingSession:
    session = StreamingSession(
        call_id,
        hop_ms=config.stt.hop_ms,
        language=config.stt.language,
        policy=config.stt.policy,
        mel_bands=recogniser.info.mel_bands,
        endpoint=turn_silence(turn_rules(config)),
    )
    session.prompt, session.hotwords = config.stt.prompt, config.stt.hotwords
    session.expected = config.barge_in.phrases
    return session


# Prompts.


def _fates(report: CallReport, events: Sequence[Event], config: RobotConfig) -> dict[int, list[Fate]]:
    watch = _Watch(report, events, config)
    return {index: watch.over(prompt, until_ms) for index, prompt, until_ms in _playings(report)}


def _playings(report: CallReport) -> Iterator[tuple[int, PromptReport, int]]:
    """Each prompt with where its watch ends: its own end, or the next one's beginning where it was cut."""
    begun = [index for index, prompt in enumerate(report.prompts) if not prompt.from_ms]
    for index, following in itertools.pairwise([*begun, len(report.prompts)]):
        prompt, last = report.prompts[index], report.prompts[following - 1]
        if prompt.step == MESSAGE_STEP:
            continue
        until_ms = end_ms(report) if following == len(report.prompts) else report.prompts[following].start_ms
        if last.status == "done" and last.stop_ms is not None:
            until_ms = last.stop_ms
        yield index, prompt, until_ms


class _Watch:
    """Barge-in over the prompts of one call, in their order: what is known of echo and voice goes on."""

    def __init__(self, report: CallReport, events: Sequence[Event], config: RobotConfig) -> None:
        self._report, self._events = report, events
        self._rules = barge_in_rules(config.barge_in)
        self._echo_dbfs = 0.0
        try:
            scenario = load_scenario(config.call.scenario)
        except ScenarioError:
            scenario = None
        known = scenario is not None and scenario.name == report.scenario
        self._scenario = scenario if known else None
        self._prompts = Prompts(config, scenario) if known and scenario is not None else None

    def over(self, prompt: PromptReport, until_ms: int) -> list[Fate]:
        detector = self._detector(prompt)
        fates: list[Fate] = []
        played_ms, since_ms, paused_at = 0.0, prompt.start_ms, 0
        for event in self._events:
            if not prompt.start_ms <= event.at_ms <= until_ms:
                continue
            due_ms = detector.due_ms
            waited = detector.tick(due_ms) if due_ms is not None and due_ms <= event.at_ms else None
            for decision in (waited, detector.feed(event)):
                if decision is None or decision.action is Action.IGNORE:
                    continue
                if decision.action is Action.RESUME:
                    detector.resumed(at_ms=decision.at_ms, prompt_start_ms=round(decision.at_ms - played_ms))
                    since_ms = decision.at_ms
                elif decision.action is Action.PAUSE:
                    paused_at, played_ms = decision.at_ms, played_ms + decision.at_ms - since_ms - REWIND_MS
                _note(fates, decision, paused_at)
        self._echo_dbfs = detector.echo_dbfs
        return fates

    def _detector(self, prompt: PromptReport) -> BargeInDetector:
        step = self._scenario.steps.get(prompt.step) if self._scenario is not None else None
        name = PurePosixPath(prompt.path).name
        spoken = None
        if self._prompts is not None and self._scenario is not None and name in self._scenario.prompts:
            found = self._prompts.find(name)
            spoken = EchoMatcher(found.text, length_ms=found.length_ms) if found.text else None
        return BargeInDetector(
            self._rules,
            prompt_start_ms=prompt.start_ms,
            mode=step.barge_in if step is not None else BargeInMode.SPEECH,
            protected_until_ms=prompt.start_ms + round((step.protected_s if step is not None else 0) * 1000),
            echo=spoken,
            echo_dbfs=self._echo_dbfs,
            voice_dbfs=self._voice_dbfs(prompt.start_ms),
        )

    def _voice_dbfs(self, before_ms: int) -> float:
        """How loud the callee spoke while no prompt played."""
        levels = [
            event.level_dbfs
            for event in self._events
            if isinstance(event, SpeechContinues) and event.level_dbfs and event.at_ms < before_ms
            if not any(p.start_ms <= event.at_ms <= (p.stop_ms or before_ms) for p in self._report.prompts)
        ]
        return max(levels, default=0.0)


def _note(fates: list[Fate], decision: BargeIn, paused_at: int) -> None:
    """A pause becomes what it is settled to be; its moment is that of the silence."""
    if fates and fates[-1].what == "paused":
        what = "resumed" if decision.action is Action.RESUME else "stopped"
        fates[-1] = Fate(what, paused_at, f"{fates[-1].reason}; {decision.reason}")
    else:
        what = "paused" if decision.action is Action.PAUSE else "stopped"
        fates.append(Fate(what, decision.at_ms, decision.reason))


# Then and now.


def compare(report: CallReport, replay: Replay) -> Comparison:
    """What was, what would be, and whether they differ."""
    rows = [_verdict_row(report, replay.heard), _words_row(report, replay.heard)]
    for index, fates in replay.fates.items():
        prompt = report.prompts[index]
        name = f"{PurePosixPath(prompt.path).stem} at {prompt.start_ms / 1000:.2f} s"
        was = [_fate(entry) for entry in _barge_ins(report, index)]
        same = [f.what for f in was] == [f.what for f in fates] and all(
            abs(one.at_ms - other.at_ms) <= SAME_MS for one, other in zip(was, fates, strict=True)
        )
        rows.append((name, _told(was), _told(fates), not same))
    return rows


def _verdict_row(report: CallReport, heard: Heard) -> tuple[str, str, str, bool]:
    was = [(v.at_ms, v.label, v.reason) for v in (*report.revised, report.verdict) if v is not None]
    now: list[tuple[int, str, str]] = []
    for at_ms, verdict in heard.verdicts:
        if not now or now[-1][1] != verdict.label:  # one put beyond doubt is the same
            now.append((at_ms, str(verdict.label), verdict.reason))
    same = [label for _, label, _ in was] == [label for _, label, _ in now]
    same = same and all(abs(one[0] - other[0]) <= SAME_MS for one, other in zip(was, now, strict=True))
    told = [
        ", then ".join(f"{label} at {at_ms / 1000:.2f} s: {reason}" for at_ms, label, reason in verdicts) or "none"
        for verdicts in (was, now)
    ]
    return ("verdict", told[0], told[1], not same)


def _words_row(report: CallReport, heard: Heard) -> tuple[str, str, str, bool]:
    was = " / ".join(speech.text for speech in report.transcript)
    now = " / ".join(event.text for event in heard.finals if event.text)
    if not report.transcript and report.voice:
        return ("words", "not kept (recording.transcripts)", now, False)
    return ("words", was, now, fold_words(was) != fold_words(now))


def _barge_ins(report: CallReport, index: int) -> list[BargeInReport]:
    """Those over the playing of this index, and over its resumptions."""
    later = [prompt.start_ms for prompt in report.prompts[index + 1 :] if not prompt.from_ms]
    until_ms = later[0] if later else end_ms(report) + 1
    return [b for b in report.barge_ins if report.prompts[index].start_ms <= b.detected_ms < until_ms]


def _fate(entry: BargeInReport) -> Fate:
    reason = entry.reason if entry.verdict in ("", entry.reason) else f"{entry.reason}; {entry.verdict}"
    return Fate(entry.outcome or "stopped", entry.detected_ms, reason)


def _told(fates: Sequence[Fate]) -> str:
    return ", then ".join(map(str, fates)) or "not interrupted"
