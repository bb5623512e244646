"""The robot: one coroutine per call. Dial, hear who answered, talk, be interrupted, hang up, report.

``call`` reads from top to bottom as a call goes. Whatever happens in it, the channel is hung up and seen to be, the
report is written, and the number is not dialled again. A channel that FreeSWITCH could not be asked about is kept
in mind and hung up when the connection is back; FreeSWITCH itself ends it after ``max_duration_s`` (sched_hangup),
should this process be gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid as uuids
from collections.abc import Callable
from pathlib import Path

from V3.calls.answer import AnswerLabel
from V3.calls.barge_in import BargeIn, BargeInDetector, BargeInRules
from V3.calls.report import BargeInReport, CallReport, CallUpdate, VerdictReport
from V3.calls.scenario import HangUp, Listen, Play, Scenario, ScenarioRunner
from V3.calls.words import Phrases
from V3.clock import Clock
from V3.config import RobotConfig, config_dir
from V3.errors import (
    CallEnded,
    CallTimeout,
    DialRefused,
    EslCommandFailed,
    EslError,
    EslNotConnected,
    StreamError,
    VoicebotError,
    WireError,
)
from V3.events import AnswerClassified, AudioFlagged, Event, StreamClosed, StreamFailed, from_json
from V3.system.active_call import ActiveCall
from V3.system.call_book import CallBook
from V3.system.scenario_files import load_scenario
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.telephony.codec import EslEvent
from V3.telephony.commands import audio_stream_start, checked_number, dial_string, kill
from V3.telephony.esl import EslClient
from V3.telephony.line import Line, LineBounds, Playback

__all__ = ["RobotFreeSwitchV3"]

log = logging.getLogger(__name__)

QUIET_WAIT_S = 4.0  # how long the robot waits for the callee to finish before it speaks
UTTERANCE_MAX_S = 20.0  # how long it listens to one answer
FINAL_WAIT_S = 1.5  # the words of an utterance come this long after its end at the latest
VERDICT_GRACE_S = 1.0  # beyond the window and the decode
HANGUP_EVENT_S = 0.3  # FreeSWITCH's event tick is 20 ms, its hang-up 21 ms
MAX_ORPHANS = 200  # kept in mind; the oldest beyond are left to FreeSWITCH's own limit
LOST_CAUSE = "LOST"  # Line's: FreeSWITCH knows nothing of the channel
HANGUP_SLACK_S = 30  # beyond the longest call, before FreeSWITCH ends it by itself
LAST_WORDS_S = 1.0  # after the hang-up, for the last final


class RobotFreeSwitchV3:
    """Calls people through one FreeSWITCH.

    ``esl`` is connected and ``server`` started by their owner. Without ``server`` the audio server is elsewhere
    (``python -m V3 serve``) and its events come through FreeSWITCH (mod_audio_stream::json). ``on_update`` gets each
    line of the live story, on the event loop.
    """

    def __init__(
        self,
        config: RobotConfig,
        *,
        esl: EslClient,
        server: WebSocketAudioServer | None = None,
        audio_url: Callable[[str], str] | None = None,
        scenario: Scenario | None = None,
        book: CallBook | None = None,
        clock: Clock | None = None,
        on_update: Callable[[CallUpdate], None] = lambda _update: None,
    ) -> None:
        if server is None and audio_url is None:
            raise VoicebotError("the robot needs an audio server, or the URL of one elsewhere")
        self._config = config
        self._esl = esl
        self._server = server
        self._audio_url = audio_url or (server.url_for if server else lambda _call_id: "")
        self._scenario = scenario or load_scenario(config.call.scenario)
        self._book = book or CallBook(Path(config.call.reports_dir), None)
        self._clock = clock or Clock()
        self._on_update = on_update
        self._rules = BargeInRules(
            speech_ms=config.barge_in.speech_ms,
            words=config.barge_in.words,
            min_confidence=config.barge_in.min_confidence,
            backchannels=Phrases(config.barge_in.backchannels),
            stop_words=Phrases(config.barge_in.stop_words),
        )
        self._active: dict[str, ActiveCall] = {}  # by number
        self._endings: set[asyncio.Task[None]] = set()
        self.orphans: dict[str, None] = {}  # channels that could not be seen to end, oldest first
        esl.on_connection.append(self._connection_changed)
        esl.on_event.append(self._stray_event)

    @property
    def calls_in_progress(self) -> int:
        return len(self._active)

    async def call(self, number: str) -> CallReport:
        """Call one number and return what became of it.

        Raises CommandError for what is no number, DialRefused for one that was dialled before and CapacityReached when
        one more call could not be heard: nothing was dialled then, and the number may be called later. Cancelled, it
        hangs up and writes its report first.
        """
        number = checked_number(number)
        call = self._admit(number)
        try:
            await self._dial(call)
            await self._hear(call)
            if await self._classify(call) is AnswerLabel.HUMAN:
                await self._talk(call)
        except CallEnded:
            call.update("ENDED")
        except VoicebotError as exc:
            if not (isinstance(exc, EslCommandFailed | StreamError) and await self._ended_soon(call)):
                call.report.errors.append(f"{type(exc).__name__}: {exc}")
                call.update("FAILED", str(exc))
        except Exception as exc:  # the root of a call: a fault of ours ends this call and no other
            log.exception("call %s: an internal error", call.call_id)
            call.report.errors.append(f"internal error: {type(exc).__name__}: {exc}")
            call.update("FAILED", str(exc))
        except asyncio.CancelledError:
            call.report.errors.append("cancelled: the robot is stopping")
            raise
        finally:
            await self._see_to_the_end(call)
        return call.report

    async def stop(self) -> None:
        """Wait for the endings of calls that were cancelled. Cancel the tasks of ``call`` first."""
        while self._endings:
            await asyncio.gather(*self._endings, return_exceptions=True)
        with contextlib.suppress(ValueError):
            self._esl.on_connection.remove(self._connection_changed)
            self._esl.on_event.remove(self._stray_event)

    # The steps of a call.

    def _admit(self, number: str) -> ActiveCall:
        if number in self._active:
            raise DialRefused("this number is being called right now")
        call_id = str(uuids.uuid4())
        call = ActiveCall(
            call_id=call_id,
            number=number,
            scenario=self._scenario.name,
            clock=self._clock,
            on_update=self._on_update,
        )
        dial_string(self._config.freeswitch.dial_string, number)  # a bad one shows before anything is written,
        audio_stream_start(call_id, self._audio_url(call_id))  # and a bad address of ours before anybody is rung up
        if self._server is not None:
            self._server.expect(call_id, call.post)  # CapacityReached shows before the telephone rings
        try:
            self._book.claim(number, call_id)
        except BaseException:
            if self._server is not None:
                self._server.forget(call_id)
            raise
        self._active[number] = call
        return call

    async def _dial(self, call: ActiveCall) -> None:
        call.update("DIALLING")
        bounds = self._config.call
        call.line = Line(
            self._esl,
            uuid=call.call_id,
            clock=self._clock,
            bounds=LineBounds(
                prompt_start_s=bounds.prompt_start_timeout_s,
                break_resend_s=bounds.break_resend_ms / 1000,
                reconnect_s=bounds.reconnect_wait_s,
            ),
            notify=lambda event: self._channel_event(call, event),
        )
        call.line.ended.add_done_callback(call.wake)
        settings = self._config.freeswitch
        endpoint = dial_string(settings.dial_string, call.report.number)
        await call.line.dial(endpoint, _dial_variables(self._config), ring_s=settings.originate_timeout_s)
        call.mark("ring_ms", round((call.line.answered_ms or 0) - call.began_ms))
        call.mark("answer", 0)
        call.update("ANSWERED")

    async def _hear(self, call: ActiveCall) -> None:
        """Start the callee's audio and see its first frame; start it once more when it does not come."""
        assert call.line is not None
        try:
            await call.line.start_audio(self._audio_url(call.call_id), {"call_id": call.call_id})
            await self._first_frame(call)
        except (StreamError, EslError) as exc:
            if not await self._ended_soon(call):
                await self._restart_audio(call, str(exc))
            call.line.check()

    async def _first_frame(self, call: ActiveCall) -> None:
        assert call.line is not None
        deadline_ms = call.now_ms + 1000 * self._config.call.stream_timeout_s
        while not call.stream_open:
            if call.stream_error:
                raise StreamError(f"FreeSWITCH could not connect the audio stream: {call.stream_error}")
            left_s = (deadline_ms - call.now_ms) / 1000
            if left_s <= 0:
                raise StreamError(f"no audio within {self._config.call.stream_timeout_s:g} s of the start")
            call.line.check()
            await call.next(left_s)  # not self._next: the end of the stream before is no news here

    async def _restart_audio(self, call: ActiveCall, why: str) -> None:
        """The one restart a call has. Raises StreamError when it was used up or does not help."""
        assert call.line is not None
        if call.report.stream_restarts:
            raise StreamError(f"the audio stream was lost again: {why}")
        log.warning("call %s: the audio stream is started once more: %s", call.call_id, why)
        call.report.stream_restarts += 1
        call.report.errors.append(f"audio stream restarted: {why}")
        call.stream_open, call.stream_error = False, ""
        try:
            await call.line.restart_audio(self._audio_url(call.call_id), {"call_id": call.call_id})
            await self._first_frame(call)
        except EslError as exc:
            raise StreamError(f"the audio stream could not be started again: {exc}") from exc

    async def _classify(self, call: ActiveCall) -> AnswerLabel:
        """Wait for the verdict on who answered."""
        call.update("DETECTING")
        answer = self._config.answer
        bound_s = answer.window_s + answer.decode_timeout_s + VERDICT_GRACE_S
        deadline_ms = call.now_ms + 1000 * (bound_s + self._config.call.stream_timeout_s)
        while call.report.verdict is None:
            left_s = (deadline_ms - call.now_ms) / 1000
            if left_s <= 0:
                raise CallTimeout(f"no verdict on who answered within {bound_s:g} s of audio")
            await self._next(call, left_s)
        label = AnswerLabel(call.report.verdict.label)
        call.update("VERDICT", f"{label}: {call.report.verdict.reason}")
        return label

    async def _talk(self, call: ActiveCall) -> None:
        """Follow the scenario to its end."""
        runner = ScenarioRunner(self._scenario)
        try:
            async with self._clock.timeout(self._config.call.max_duration_s):
                while not isinstance(step := runner.next(), HangUp):
                    if isinstance(step, Play):
                        await self._play(call, step)
                        runner.prompt_done()
                    elif (text := await self._listen(call, step)) is None:
                        runner.silence()
                    elif intent := runner.heard(text):
                        call.report.intents.append(intent)
        except TimeoutError as exc:
            raise CallTimeout(f"the call lasted over {self._config.call.max_duration_s:g} s") from exc
        finally:
            call.report.outcome = runner.outcome

    async def _play(self, call: ActiveCall, step: Play) -> None:
        """Play a prompt to its end, or to the callee's interruption."""
        assert call.line is not None
        await self._wait_for_quiet(call)
        playback = await call.line.play(self._prompt_path(step.prompt))
        prompt = call.note_prompt(step.step, playback)
        call.update("PLAYING", step.prompt)
        detector = BargeInDetector(self._rules, prompt_start_ms=prompt.start_ms)
        while not playback.stopped.done():
            event = await self._next(call, None)
            if playback.stopped.done():
                break  # while the event was awaited: there is nothing left to interrupt
            if event is not None and step.barge_in and (barge_in := detector.feed(event)) is not None:
                await self._on_barge_in_detected(call, playback, barge_in)
        call.line.check()

    async def _on_barge_in_detected(self, call: ActiveCall, playback: Playback, barge_in: BargeIn) -> None:
        """Stop the prompt by ``uuid_break`` and see it stopped."""
        assert call.line is not None
        entry = BargeInReport(
            reason=barge_in.reason,
            text=barge_in.text,
            speech_start_ms=barge_in.speech_start_ms,
            detected_ms=call.now_ms,
        )
        call.report.barge_ins.append(entry)
        call.update("BARGE-IN", barge_in.reason)
        try:
            await call.line.stop_playing(playback)
        finally:
            if playback.breaks_sent:
                entry.break_sent_ms = call.at(playback.breaks_sent[0])
            call.report.breaks_resent = call.line.breaks_resent
        if playback.stopped.result() == "hangup":
            return  # it ended with the call: that confirms no break
        entry.break_confirmed_ms = call.at(playback.stop_ms)
        call.update("STOPPED", f"{entry.break_confirmed_ms - entry.speech_start_ms} ms after speech began")

    async def _listen(self, call: ActiveCall, step: Listen) -> str | None:
        """The callee's answer, or None when nothing was said in time. Early words of it may lie in the prompt's end."""
        call.update("LISTENING")
        from_ms = self._answers_from_ms(call)
        deadline_ms = call.now_ms + 1000 * step.timeout_s
        latest_ms = deadline_ms + 1000 * UTTERANCE_MAX_S
        while True:
            while call.finals:
                final = call.finals.popleft()
                if final.end_ms >= from_ms and final.text:
                    return final.text
            if call.speaking:  # never cut off: the deadline moves with the speech, within its own bound
                deadline_ms = min(latest_ms, max(deadline_ms, call.now_ms + 1000 * FINAL_WAIT_S))
            left_s = (deadline_ms - call.now_ms) / 1000
            if left_s <= 0:
                return None
            await self._next(call, left_s)

    def _answers_from_ms(self, call: ActiveCall) -> int:
        prompt = call.report.prompts[-1]
        stop_ms = prompt.stop_ms if prompt.stop_ms is not None else call.now_ms
        return stop_ms - self._config.call.reply_overlap_ms

    async def _wait_for_quiet(self, call: ActiveCall) -> None:
        """Do not begin to speak while the callee does."""
        deadline_ms = call.now_ms + 1000 * QUIET_WAIT_S
        while call.speaking and call.now_ms < deadline_ms:
            await self._next(call, (deadline_ms - call.now_ms) / 1000)

    async def _next(self, call: ActiveCall, timeout_s: float | None) -> Event | None:
        """The next event of the call's audio, seen to. Raises CallEnded, or StreamError when the audio is lost."""
        assert call.line is not None
        call.line.check()
        event = await call.next(timeout_s)
        call.line.check()
        if isinstance(event, AnswerClassified) and call.report.verdict is None:
            call.report.verdict = VerdictReport(
                label=event.label,
                reason=event.reason,
                confidence=event.confidence,
                text=event.text,
                evidence=list(event.evidence),
                at_ms=call.now_ms,
            )
            call.mark("verdict")
        elif isinstance(event, AudioFlagged):
            call.report.audio_flags.append(f"{event.finding}: {event.message}")
            log.warning("call %s: %s", call.call_id, event.message)
        elif isinstance(event, StreamFailed):
            call.report.errors.append(f"{event.error}: {event.message}")
        elif isinstance(event, StreamClosed):
            if not await self._ended_soon(call):
                await self._restart_audio(call, f"closed ({event.code} {event.reason})")
            call.line.check()
        return event

    async def _ended_soon(self, call: ActiveCall) -> bool:
        """Whether the call has ended: what fails on a channel often tells of a hang-up whose event is on its way."""
        if call.line is None:
            return False
        with contextlib.suppress(TimeoutError, EslNotConnected):
            await self._esl.wait_connected(self._config.call.reconnect_wait_s)
            async with self._clock.timeout(HANGUP_EVENT_S):
                await asyncio.shield(call.line.ended)
        return call.line.ended.done()

    def _channel_event(self, call: ActiveCall, event: EslEvent) -> None:
        """What else FreeSWITCH tells of the channel."""
        if event.name == "DTMF" and len(call.report.digits) < 256:
            call.report.digits += event["DTMF-Digit"][:1]
        elif event.name == "mod_audio_stream::error":
            call.stream_error = event.text.strip()[:300]
            call.wake()
        elif event.name == "mod_audio_stream::json" and self._server is None:
            try:
                call.post(from_json(event.text))
            except WireError as exc:
                log.warning("call %s: %s", call.call_id, exc)

    def _prompt_path(self, name: str) -> str:
        folder = self._config.freeswitch.prompts_dir or str(config_dir() / "scenarios" / "prompts")
        return f"{folder.rstrip('/')}/{name}"

    # The end of a call.

    async def _see_to_the_end(self, call: ActiveCall) -> None:
        """End the call even when this is cancelled meanwhile."""
        ending = asyncio.create_task(self._end(call), name=f"end {call.call_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.shield(ending)

    async def _end(self, call: ActiveCall) -> None:
        try:
            await self._hang_up(call)
            await self._last_words(call)
            self._book.settle(call)
        except Exception as exc:  # the root of a task: a fault of ours in one ending is no other call's
            log.exception("call %s: an internal error at its end", call.call_id)
            call.report.errors.append(f"internal error: {type(exc).__name__}: {exc}")
        finally:
            self._let_go(call)
        await self._book.write(call.report)
        call.update("REPORTED", call.report.disposition)

    def _let_go(self, call: ActiveCall) -> None:
        if call.line is not None:
            call.line.close()
        if self._server is not None:
            self._server.forget(call.call_id)
        self._active.pop(call.report.number, None)

    async def _hang_up(self, call: ActiveCall) -> None:
        line = call.line
        if line is None or not line.dialled:
            return
        try:
            # a call given up while it rings is not one that nobody answered: the cause tells them apart
            hangup = await line.hang_up("NORMAL_CLEARING" if call.answered else "ORIGINATOR_CANCEL")
        except VoicebotError as exc:
            self._remember(call.call_id)
            call.report.errors.append(f"the hang-up was not confirmed ({exc}); done when FreeSWITCH is back")
            return
        self._book.note_hangup(call, hangup)
        if hangup.cause == LOST_CAUSE and not call.answered:
            self._remember(call.call_id)  # an originate may still be on its way in a FreeSWITCH that was stuck

    async def _last_words(self, call: ActiveCall) -> None:
        """The words under way at the hang-up: the end of the stream brings them, if it is here."""
        if self._server is None:
            return
        deadline_ms = call.now_ms + 1000 * LAST_WORDS_S
        while call.stream_open and call.now_ms < deadline_ms:
            await call.next((deadline_ms - call.now_ms) / 1000)

    def _stray_event(self, event: EslEvent) -> None:
        """A call given up for lost comes up after all: nobody would talk on it."""
        if event.uuid in self.orphans and event.name in ("CHANNEL_CREATE", "CHANNEL_ANSWER"):
            self._spawn_orphans_end()
        elif event.name == "CHANNEL_DESTROY":
            self.orphans.pop(event.uuid, None)

    def _remember(self, call_id: str) -> None:
        self.orphans[call_id] = None
        while len(self.orphans) > MAX_ORPHANS:
            del self.orphans[next(iter(self.orphans))]

    def _connection_changed(self, up: bool) -> None:  # noqa: FBT001 - the callback's shape
        if up and self.orphans:
            self._spawn_orphans_end()

    def _spawn_orphans_end(self) -> None:
        task = asyncio.create_task(self._kill_orphans(), name="orphans")
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _kill_orphans(self) -> None:
        """Hang up what was left up. One that FreeSWITCH does not know (yet) stays in mind: it may still come up."""
        for call_id in list(self.orphans):
            try:
                reply = await self._esl.api(kill(call_id))
            except EslNotConnected:
                return
            except EslError as exc:
                log.warning("channel %s: %s", call_id, exc)
            else:
                if reply.startswith("+OK"):
                    self.orphans.pop(call_id, None)


def _dial_variables(config: RobotConfig) -> dict[str, str]:
    """The channel variables of every originate; empty ones are left out (FreeSWITCH takes none)."""
    settings = config.freeswitch
    limit_s = round(config.call.max_duration_s) + HANGUP_SLACK_S
    variables = {
        **settings.variables,  # ours come last: the safety hang-up is not to be had away
        "ignore_early_media": str(settings.ignore_early_media).lower(),
        "originate_timeout": str(settings.originate_timeout_s),
        "execute_on_answer": f"sched_hangup +{limit_s} ALLOTTED_TIMEOUT",
        "origination_caller_id_number": settings.caller_id_number,
        "origination_caller_id_name": settings.caller_id_name,
    }
    return {name: value for name, value in variables.items() if value}
