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

from V3.calls.answer import AnswerKind, AnswerLabel
from V3.calls.barge_in import BargeIn
from V3.calls.echo import share_said
from V3.calls.message_drop import DropRules
from V3.calls.report import BargeInReport, CallReport, CallUpdate, VerdictReport
from V3.calls.scenario import Scenario
from V3.calls.words import fold_words
from V3.clock import Clock
from V3.config import RobotConfig
from V3.errors import (
    CallEnded,
    CallTimeout,
    CommandError,
    DialRefused,
    EslCommandFailed,
    EslError,
    EslNotConnected,
    StreamError,
    VoicebotError,
    WireError,
)
from V3.events import AnswerClassified, AudioFlagged, Capacity, Event, StreamClosed, StreamFailed, from_json
from V3.system.active_call import ActiveCall
from V3.system.call_book import CallBook
from V3.system.conversation import Conversation, barge_in_rules
from V3.system.far_server import FarServer
from V3.system.prompts import Prompts
from V3.system.scenario_files import load_scenario
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.voicemail import leave_message
from V3.telephony.codec import EslEvent
from V3.telephony.commands import audio_stream_start, checked_number, dial_string, kill
from V3.telephony.esl import EslClient
from V3.telephony.line import Line, LineBounds, Playback

__all__ = ["RobotFreeSwitchV3"]

log = logging.getLogger(__name__)

OWN_WORDS = 0.5  # of the pairs of words heard: so many of our own prompt's are its echo
SPOKEN_GRACE_S = 1.2  # after somebody spoke, for the silence that tells a person who waits, and for the words
MAX_REVISIONS = 3  # of one call's verdict; what it does then it does to the end
VERDICT_GRACE_S = 1.0  # beyond the window and the decode
HANGUP_EVENT_S = 0.3  # FreeSWITCH's event tick is 20 ms, its hang-up 21 ms
MAX_ORPHANS = 200  # kept in mind; the oldest beyond are left to FreeSWITCH's own limit
LOST_CAUSE = "LOST"  # Line's: FreeSWITCH knows nothing of the channel
HANGUP_SLACK_S = 30  # beyond the longest call, before FreeSWITCH ends it by itself
MAX_ERRORS = 50  # of a call's audio, in its report
LAST_WORDS_S = 1.0  # after the hang-up, for the last final


class _AnswerRevised(Exception):
    """A later verdict took back the one that is being followed. No error: it never leaves this module."""

    def __init__(self, label: AnswerLabel, reason: str) -> None:
        super().__init__(reason)
        self.label = label
        self.reason = reason


class RobotFreeSwitchV3:
    """Calls people through one FreeSWITCH.

    ``esl`` is connected and ``server`` started by their owner. Without ``server`` the audio server is elsewhere
    (``python -m V3 serve``) and its events come through FreeSWITCH (mod_audio_stream::json). ``on_update`` gets each
    line of the live story, ``on_report`` what each call came to, on the event loop.
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
        self.places: WebSocketAudioServer | FarServer = server or FarServer()
        self._audio_url = audio_url or (server.url_for if server else lambda _call_id: "")
        self._scenario = scenario or load_scenario(config.call.scenario)
        _ = self._scenario.finders  # made now: the first call's first prompt would wait for them
        self._book = book or CallBook(Path(config.call.reports_dir), None, words=config.recording.transcripts)
        self._clock = clock or Clock()
        self._on_update = on_update
        self._prompts = Prompts(config, self._scenario)
        self._rules = barge_in_rules(config.barge_in)
        self._active: dict[str, ActiveCall] = {}  # by number
        self._endings: set[asyncio.Task[None]] = set()
        self.on_report: list[Callable[[CallReport], None]] = []
        self.orphans: dict[str, None] = {}  # channels that could not be seen to end, oldest first
        esl.on_connection.append(self._connection_changed)
        esl.on_event.append(self._stray_event)

    @property
    def calls_in_progress(self) -> int:
        return len(self._active)

    @property
    def speed(self) -> float:
        """Seconds of calls per second; 1 against a real FreeSWITCH."""
        return self._clock.speed

    async def call(self, number: str) -> CallReport:
        """Call one number and return what became of it.

        Raises CommandError for what is no number, DialRefused for one that was dialled before and CapacityReached when
        one more call could not be heard: nothing was dialled then, and the number may be called later. Cancelled, it
        hangs up and writes its report first.
        """
        number = checked_number(number)
        call = await self._admit(number)
        try:
            await self._dial(call)
            await self._hear(call)
            await self._follow(call, await self._classify(call))
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

    async def _admit(self, number: str) -> ActiveCall:
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
        self.places.expect(call_id, call.post)  # CapacityReached shows before the telephone rings
        self._active[number] = call
        try:
            await self._book.claim(number, call_id)
        except BaseException:
            self._let_go(call)
            raise
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
            await self._record(call)  # 11 ms; the first frame takes longer
            await self._first_frame(call)
        except (StreamError, EslError) as exc:
            if not await self._ended_soon(call):
                await self._restart_audio(call, str(exc))
            call.line.check()

    async def _record(self, call: ActiveCall) -> None:
        """Have the call recorded, where that is asked for; a call goes on without."""
        settings = self._config.recording
        if not settings.enabled or call.line is None:
            return
        path = f"{settings.folder.rstrip('/')}/{call.call_id}.wav"
        try:
            await call.line.record(path)
        except (EslError, CommandError) as exc:
            if not call.line.ended.done():
                log.warning("call %s: it is not recorded: %s", call.call_id, exc)
                call.report.errors.append(f"recording: {exc}")
        else:
            call.report.recording = path
            call.mark("recording")

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

    async def _follow(self, call: ActiveCall, label: AnswerLabel) -> None:
        """Do what the verdict asks for; a verdict that takes it back while that lasts is followed in its turn."""
        for _ in range(MAX_REVISIONS):
            try:
                return await self._do_as_told(call, label)
            except _AnswerRevised as revised:
                label = revised.label
                call.update("REVISED", f"{label}: {revised.reason}")
                await self._fall_silent(call)
        return await self._do_as_told(call, label)

    async def _do_as_told(self, call: ActiveCall, label: AnswerLabel) -> None:
        if label is AnswerLabel.HUMAN:
            await self._talk(call)
        elif label is AnswerLabel.MACHINE:
            await self._meet_machine(call)
        else:
            await self._wait(call, self._config.answer.silence_wait_s, "somebody may speak yet")

    async def _meet_machine(self, call: ActiveCall) -> None:
        """Leave a message, or let the call be hung up; an unsure verdict is given time to be taken back."""
        answer, message, verdict = self._config.answer, self._scenario.message, call.report.verdict
        assert verdict is not None
        takes_messages = verdict.kind in (AnswerKind.VOICEMAIL, AnswerKind.UNKNOWN)
        if answer.on_machine == "leave_message" and message is not None and takes_messages:
            rules = DropRules(
                wait_ms=round(answer.message_wait_s * 1000), silence_ms=round(answer.message_silence_s * 1000)
            )
            await leave_message(call, message, rules=rules, prompts=self._prompts, next_event=self._next)
        else:
            await self._wait(call, answer.revise_until_s, "not sure")

    def _is_sure(self, call: ActiveCall) -> bool:
        """Whether there is a machine beyond doubt."""
        verdict = call.report.verdict
        is_machine = verdict is not None and verdict.label == AnswerLabel.MACHINE
        return is_machine and verdict is not None and verdict.confidence >= self._config.answer.revise_from

    async def _wait(self, call: ActiveCall, until_s: float, why: str) -> None:
        """Listen until so long after the answer: the verdict may be taken back meanwhile.

        Who speaks by then is heard out, as far as a verdict may be taken back at all.
        """
        answer = self._config.answer
        if not answer.revise or call.now_ms >= 1000 * until_s or self._is_sure(call):
            return
        call.update("WAITING", why)
        latest_s = max(until_s, answer.revise_until_s)
        while not self._is_sure(call):
            if call.speaking:
                until_s = min(latest_s, max(until_s, call.now_ms / 1000 + SPOKEN_GRACE_S))
            if (left_s := until_s - call.now_ms / 1000) <= 0:
                return
            await self._next(call, left_s)

    async def _fall_silent(self, call: ActiveCall) -> None:
        """Stop the prompt that was meant for somebody else."""
        assert call.line is not None
        if (playback := call.line.playback) is not None and not playback.stopped.done():
            await call.line.stop_playing(playback)

    async def _talk(self, call: ActiveCall) -> None:
        """Follow the scenario to its end."""
        conversation = Conversation(
            call,
            self._scenario,
            settings=self._config.call,
            prompts=self._prompts,
            rules=self._rules,
            next_event=self._next,
            interrupt=self._on_barge_in_detected,
        )
        try:
            async with self._clock.timeout(self._config.call.max_duration_s):
                await conversation.run()
        except TimeoutError as exc:
            raise CallTimeout(f"the call lasted over {self._config.call.max_duration_s:g} s") from exc

    async def _on_barge_in_detected(self, call: ActiveCall, playback: Playback, barge_in: BargeIn) -> BargeInReport:
        """Stop the prompt by ``uuid_break`` and see it stopped; whether it goes on is decided later."""
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
        if playback.stopped.result() != "hangup":  # one that ended with the call confirms no break
            entry.break_confirmed_ms = call.at(playback.stop_ms)
            call.update("STOPPED", f"{entry.break_confirmed_ms - entry.speech_start_ms} ms after speech began")
        return entry

    async def _next(self, call: ActiveCall, timeout_s: float | None) -> Event | None:
        """The next event of the call's audio, seen to. Raises CallEnded, or StreamError when the audio is lost."""
        assert call.line is not None
        call.line.check()
        event = await call.next(timeout_s)
        call.line.check()
        if isinstance(event, AnswerClassified):
            self._take_verdict(call, event)
        elif isinstance(event, AudioFlagged):
            call.report.audio_flags.append(f"{event.finding}: {event.message}")
            log.warning("call %s: %s", call.call_id, event.message)
        elif isinstance(event, StreamFailed):
            _note_once(call.report.errors, f"{event.error}: {event.message}")
        elif isinstance(event, StreamClosed):
            if not await self._ended_soon(call):
                await self._restart_audio(call, f"closed ({event.code} {event.reason})")
            call.line.check()
        return event

    def _take_verdict(self, call: ActiveCall, event: AnswerClassified) -> None:
        """Note a verdict; one that takes back what the robot acts on is raised."""
        before = call.report.verdict
        verdict = VerdictReport(
            label=event.label,
            kind=event.kind,
            reason=event.reason,
            confidence=event.confidence,
            text=event.text,
            evidence=list(event.evidence),
            at_ms=call.now_ms,
        )
        if before is None:
            call.report.verdict = verdict
            call.mark("verdict")
        elif event.revised and self._is_own_echo(call, before.text, event.text):
            log.info("call %s: a verdict on our own echo is left aside: %s", call.call_id, event.reason)
        elif event.revised:
            call.report.revised.append(before)
            call.report.verdict = verdict
            raise _AnswerRevised(AnswerLabel(event.label), event.reason)
        elif before.label == event.label and event.confidence > before.confidence:  # put beyond doubt
            call.report.verdict = verdict.model_copy(update={"at_ms": before.at_ms})

    def _is_own_echo(self, call: ActiveCall, before: str, text: str) -> bool:
        """Whether what was heard since the verdict before are the words of prompts that were played meanwhile."""
        played = [self._prompts.text_of(prompt.path) for prompt in call.report.prompts]
        news = fold_words(text)[len(fold_words(before)) :]
        return share_said(" ".join(news), played) >= OWN_WORDS

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
        if event.name == "DTMF" and event["DTMF-Digit"]:
            call.press(event["DTMF-Digit"][:1])
        elif event.name == "mod_audio_stream::error":
            call.stream_error = event.text.strip()[:300]
            call.wake()
            if isinstance(self.places, FarServer) and not call.stream_open:
                self.places.stream_refused()
        elif event.name == "mod_audio_stream::json" and isinstance(self.places, FarServer):
            try:
                heard = from_json(event.text)
            except WireError as exc:
                log.warning("call %s: %s", call.call_id, exc)
                return
            self.places.take(heard)
            if not isinstance(heard, Capacity):
                call.post(heard)

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
            await self._book.settle(call)
        except Exception as exc:  # the root of a task: a fault of ours in one ending is no other call's
            log.exception("call %s: an internal error at its end", call.call_id)
            call.report.errors.append(f"internal error: {type(exc).__name__}: {exc}")
        finally:
            self._let_go(call)
            self._tell_report(call.report)
        await self._book.write(call.report)
        call.update("REPORTED", call.report.disposition)

    def _tell_report(self, report: CallReport) -> None:
        """Whoever counts and fails is no fault of the call."""
        for listener in list(self.on_report):
            try:
                listener(report)
            except Exception:  # the root of a callback
                log.exception("call %s: its report was not taken", report.call_id)

    def _let_go(self, call: ActiveCall) -> None:
        if call.line is not None:
            call.line.close()
        self.places.forget(call.call_id)
        self._active.pop(call.report.number, None)

    async def _hang_up(self, call: ActiveCall) -> None:
        line = call.line
        if line is None or not line.dialled:
            return
        try:
            # a call given up while it rings is not one that nobody answered: the cause tells them apart
            hangup = await line.hang_up("NORMAL_CLEARING" if call.answered else "ORIGINATOR_CANCEL")
        except VoicebotError as exc:
            self.remember(call.call_id)
            call.report.errors.append(f"the hang-up was not confirmed ({exc}); done when FreeSWITCH is back")
            return
        self._book.note_hangup(call, hangup)
        if hangup.cause == LOST_CAUSE and not call.answered:
            self.remember(call.call_id)  # an originate may still be on its way in a FreeSWITCH that was stuck

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

    def remember(self, *call_ids: str) -> None:
        """Keep channels in mind that nobody talks on: they are hung up when they are heard of."""
        self.orphans |= dict.fromkeys(call_ids)
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


def _note_once(notes: list[str], note: str) -> None:
    if note not in notes and len(notes) < MAX_ERRORS:
        notes.append(note)


def _dial_variables(config: RobotConfig) -> dict[str, str]:
    """The channel variables of every originate; empty ones are left out (FreeSWITCH takes none)."""
    settings = config.freeswitch
    limit_s = round(config.call.max_duration_s) + HANGUP_SLACK_S
    variables = {
        **settings.variables,  # ours come last: the safety hang-up is not to be had away
        "ignore_early_media": str(settings.ignore_early_media).lower(),
        "originate_timeout": str(settings.originate_timeout_s),
        "playback_terminators": "none",  # by default "*" stops a prompt, and looks like a break of ours
        "execute_on_answer": f"sched_hangup +{limit_s} ALLOTTED_TIMEOUT",
        "origination_caller_id_number": settings.caller_id_number,
        "origination_caller_id_name": settings.caller_id_name,
    }
    return {name: value for name, value in variables.items() if value}
