"""A conversation as it goes: prompts that give way and go on again, answers and keys that choose the next step.

The decisions are cores (:mod:`V3.calls.barge_in`, :mod:`V3.calls.scenario`); here they meet the call's line and clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from V3.calls.barge_in import Action, BargeIn, BargeInDetector, BargeInRules
from V3.calls.echo import EchoMatcher
from V3.calls.opt_out import find_opt_out
from V3.calls.report import BargeInReport, IgnoredReport
from V3.calls.scenario import HangUp, Listen, Play, Scenario, ScenarioRunner
from V3.calls.spoken_numbers import HESITATIONS
from V3.calls.words import Phrases, fold_words
from V3.config import BargeInSettings, CallSettings
from V3.events import Event
from V3.system.active_call import ActiveCall
from V3.system.prompts import Prompt, Prompts
from V3.telephony.line import Playback

__all__ = ["REWIND_MS", "Conversation", "barge_in_rules"]

QUIET_WAIT_S = 4.0  # how long the robot waits for the callee to finish before it speaks
UTTERANCE_MAX_S = 20.0  # how long it listens to one answer
FINAL_WAIT_S = 1.5  # the words of an utterance come this long after its end at the latest
PAUSE_MAX_S = 10.0  # beyond the bounds of the detector: a stream that fell silent in mid-word
REWIND_MS = 150  # a resumed prompt begins this much before its cut: the cut word is heard whole more often
LEAST_REST_MS = 300  # less of a prompt than this is not worth resuming

NextEvent = Callable[[ActiveCall, float | None], Awaitable[Event | None]]
Interrupt = Callable[[ActiveCall, Playback, BargeIn], Awaitable[BargeInReport]]


def barge_in_rules(settings: BargeInSettings) -> BargeInRules:
    """When a prompt gives way, out of the settings."""
    return BargeInRules(
        speech_ms=settings.speech_ms,
        pause_ms=settings.pause_ms,
        words=settings.words,
        min_confidence=settings.min_confidence,
        false_after_ms=settings.false_after_ms,
        faint_db=settings.faint_db,
        backchannels=Phrases(settings.backchannels),
        stop_words=Phrases(settings.stop_words),
    )


class Conversation:
    """One call's way through a scenario. ``interrupt`` breaks a prompt and sees it stopped."""

    def __init__(
        self,
        call: ActiveCall,
        scenario: Scenario,
        *,
        settings: CallSettings,
        prompts: Prompts,
        rules: BargeInRules,
        next_event: NextEvent,
        interrupt: Interrupt,
    ) -> None:
        assert call.line is not None
        self._call = call
        self._line = call.line
        self._settings = settings
        self._prompts = prompts
        self._rules = rules
        self._next_event = next_event
        self._interrupt = interrupt
        self._runner = ScenarioRunner(scenario, today=datetime.now().astimezone().date())
        self._echo_dbfs = 0.0  # how loud this call has echoed

    async def run(self) -> None:
        """Follow the scenario to its end; what came of it is in the report, however it ends."""
        report = self._call.report
        try:
            while not isinstance(step := self._runner.next(), HangUp):
                if isinstance(step, Play):
                    await self._play(step)
                    self._runner.prompt_done()
                else:
                    await self._listen(step)
        finally:
            said = [fold_words(speech.text) for speech in report.transcript]
            report.outcome = self._runner.outcome
            report.values = dict(self._runner.values)
            # also what was said over a goodbye, which no step listens to
            report.do_not_call = self._runner.opted_out or any(find_opt_out(words) for words in said)

    # A prompt.

    async def _play(self, step: Play) -> None:
        """Play a prompt to its end, or to the callee's interruption; a false one lets it go on where it was cut."""
        await self._wait_for_quiet()
        prompt = self._prompts.find(step.prompt)
        playback, from_ms = await self._begin(step, prompt, 0), 0.0
        detector = self._detector(step, prompt, start_ms=self._call.at(playback.start_ms))
        while (decision := await self._watch(playback, detector)) is not None:
            if decision.action is Action.IGNORE:
                self._note_ignored(decision)
                continue
            entry = await self._interrupt(self._call, playback, decision)
            from_ms += playback.played_ms - REWIND_MS
            if not await self._is_false(decision, playback, detector, entry):
                break
            if self._is_over(prompt, from_ms):
                entry.outcome = "stopped"
                break
            await self._wait_for_quiet()
            playback = await self._begin(step, prompt, from_ms)
            entry.outcome, entry.resumed_ms = "resumed", self._call.at(playback.start_ms)
            detector.resumed(at_ms=entry.resumed_ms, prompt_start_ms=round(entry.resumed_ms - from_ms))
        self._echo_dbfs = detector.echo_dbfs
        self._line.check()

    async def _begin(self, step: Play, prompt: Prompt, from_ms: float) -> Playback:
        playback = await self._line.play(prompt.path, from_samples=prompt.sample_at(from_ms))
        self._call.note_prompt(step.step, playback, from_ms=max(0, round(from_ms)))
        self._call.update(
            "PLAYING", step.prompt if from_ms <= 0 else f"{step.prompt} goes on at {from_ms / 1000:.1f} s"
        )
        return playback

    def _detector(self, step: Play, prompt: Prompt, *, start_ms: int) -> BargeInDetector:
        return BargeInDetector(
            self._rules,
            prompt_start_ms=start_ms,
            mode=step.barge_in,
            protected_until_ms=start_ms + round(step.protected_s * 1000),
            echo=EchoMatcher(prompt.text, length_ms=prompt.length_ms) if prompt.text else None,
            echo_dbfs=self._echo_dbfs,
            voice_dbfs=self._call.voice_dbfs,
        )

    async def _watch(self, playback: Playback, detector: BargeInDetector) -> BargeIn | None:
        """The next decision while the prompt plays; None when it stopped by itself."""
        while not playback.stopped.done():
            event = await self._next_event(self._call, None)
            if playback.stopped.done():
                break  # while the event was awaited: there is nothing left to interrupt
            decision = self._pressed(detector) or (detector.feed(event) if event is not None else None)
            if decision is not None:
                return decision
        return None

    async def _is_false(
        self, decision: BargeIn, playback: Playback, detector: BargeInDetector, entry: BargeInReport
    ) -> bool:
        """Whether a prompt that was paused is to go on. One that was stopped, or had just ended, is not."""
        if decision.action is Action.PAUSE and playback.stopped.result() == "break":
            self._call.update("PAUSED", decision.reason)
            settled = await self._settled(detector)
            entry.verdict, entry.text = settled.reason, settled.text or entry.text
            if settled.action is Action.RESUME:
                return True
        entry.outcome = "stopped"
        return False

    async def _settled(self, detector: BargeInDetector) -> BargeIn:
        """What a pause turns out to be: STOP or RESUME."""
        deadline_ms = self._call.now_ms + 1000 * PAUSE_MAX_S
        while (now_ms := self._call.now_ms) < deadline_ms:
            if (decision := self._pressed(detector)) is not None:
                return decision
            due_ms = min(deadline_ms, detector.due_ms or deadline_ms)
            event = await self._next_event(self._call, max(0.0, due_ms - now_ms) / 1000)
            # what was heard counts before the time that has passed
            decision = detector.feed(event) if event is not None else detector.tick(self._call.now_ms)
            if decision is not None and not (decision.action is Action.RESUME and self._call.speaking):
                return decision  # while somebody speaks again, that is to be understood first
        return BargeIn("nothing more was heard", "", now_ms, now_ms, Action.RESUME)

    def _pressed(self, detector: BargeInDetector) -> BargeIn | None:
        """A key is a decision by itself; it stays where the step that listens finds it."""
        keys = self._call.keys
        return detector.digit(keys[-1], at_ms=self._call.now_ms) if keys else None

    def _note_ignored(self, decision: BargeIn) -> None:
        ignored = self._call.report.ignored
        if len(ignored) < 200:
            ignored.append(IgnoredReport(reason=decision.reason, text=decision.text, at_ms=decision.at_ms))

    @staticmethod
    def _is_over(prompt: Prompt, from_ms: float) -> bool:
        return bool(prompt.length_ms) and prompt.length_ms - from_ms < LEAST_REST_MS

    # The callee's answer.

    async def _listen(self, step: Listen) -> None:
        """Wait for words or a key, and tell the runner. Early words of an answer may lie in the prompt's end."""
        call = self._call
        call.update("LISTENING")
        from_ms = self._answers_from_ms()
        deadline_ms = call.now_ms + 1000 * step.timeout_s
        latest_ms = deadline_ms + 1000 * UTTERANCE_MAX_S
        while not self._took_key() and not self._took_words(from_ms):
            if call.speaking:  # never cut off: the deadline moves with the speech, within its own bound
                deadline_ms = min(latest_ms, max(deadline_ms, call.now_ms + 1000 * FINAL_WAIT_S))
            left_s = (deadline_ms - call.now_ms) / 1000
            if left_s <= 0:
                return self._runner.silence()
            await self._next_event(call, left_s)
        return None

    def _took_key(self) -> bool:
        while self._call.keys:
            if intent := self._runner.pressed(self._call.keys.popleft()):
                self._call.report.intents.append(intent)
                return True
        return False

    def _took_words(self, from_ms: int) -> bool:
        while self._call.finals:
            final = self._call.finals.popleft()
            if final.end_ms < from_ms or HESITATIONS.issuperset(fold_words(final.text)):
                continue  # before the question, or "euh": the answer is still to come
            if intent := self._runner.heard(final.text):
                self._call.report.intents.append(intent)
            return True
        return False

    def _answers_from_ms(self) -> int:
        report = self._call.report
        prompt = report.prompts[-1]
        stop_ms = prompt.stop_ms if prompt.stop_ms is not None else self._call.now_ms
        from_ms = stop_ms - self._settings.reply_overlap_ms
        if report.barge_ins and report.barge_ins[-1].break_confirmed_ms == stop_ms:  # what stopped it is an answer
            return min(from_ms, report.barge_ins[-1].speech_start_ms)
        return from_ms

    async def _wait_for_quiet(self) -> None:
        """Do not begin to speak while the callee does."""
        call = self._call
        deadline_ms = call.now_ms + 1000 * QUIET_WAIT_S
        while call.speaking and call.now_ms < deadline_ms:
            await self._next_event(call, (deadline_ms - call.now_ms) / 1000)
