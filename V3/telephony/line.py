"""One call as FreeSWITCH carries it: dial, audio, prompts, breaks, hang-up, each with its traps. On the event loop.

Rules kept here, from what a real FreeSWITCH does:

- Only CHANNEL_ANSWER means answered; the job's +OK may be early media. The stream starts after it, never before.
- A prompt is played by ``sendmsg`` (event-lock): 21 ms to start, against 121-202 ms of uuid_broadcast, which also
  swallows a break sent meanwhile. It has started when PLAYBACK_START says so; a missing file gives no such event.
- A break is confirmed by PLAYBACK_STOP and sent again until it is. A prompt ended by a hang-up was not heard out.
- A prompt goes on where it was cut as ``path@@SAMPLES``, exact to the sample; SAMPLES are at the file's rate, but the
  position that PLAYBACK_STOP tells adds to them samples at the channel's. PLAYBACK events have the path without them.
- Nothing else is sent twice. Whatever is unknown after an error is asked of FreeSWITCH.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from V3.clock import Clock
from V3.errors import (
    CallEnded,
    CallTimeout,
    EslCommandFailed,
    EslError,
    EslNotConnected,
    PromptError,
    StreamError,
    VoicebotError,
)
from V3.telephony import commands
from V3.telephony.codec import EslEvent
from V3.telephony.esl import EslClient

__all__ = ["Hangup", "Line", "LineBounds", "Playback"]

log = logging.getLogger(__name__)

MAX_BREAKS = 10  # then the call is hung up: better no call than talking over a person
MAX_KILLS = 3
RECORD_REPLY_S = 1.0  # FreeSWITCH takes 11 ms
HANGUP_CONFIRM_S = 2.5  # FreeSWITCH takes 21 ms, or 1025 ms when a stream's TCP is not closed
HANGUP_DETAIL_S = 0.2
JOB_GRACE_S = 10.0  # beyond the ringing time, for the far end's answer to a CANCEL


@dataclass(frozen=True, slots=True)
class LineBounds:
    """How long each step may take, in seconds."""

    prompt_start_s: float = 1.0
    break_resend_s: float = 0.2
    reconnect_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Hangup:
    """How the channel ended: FreeSWITCH's cause, the SIP status of the far end (0 for none), who hung up."""

    cause: str
    sip_status: int = 0
    by_us: bool = False


@dataclass(slots=True, eq=False)
class Playback:
    """One prompt on its way. Times are the clock's ms; ``status`` is done, break, hangup or empty while it plays.

    ``from_ms`` is where in the file it began, ``played_ms`` how much was sent when it stopped.
    """

    path: str
    id: str
    started: asyncio.Future[float]
    stopped: asyncio.Future[str]
    from_samples: int = 0
    start_ms: float = 0.0
    stop_ms: float = 0.0
    played_ms: float = 0.0
    breaks_sent: list[float] = field(default_factory=list)

    @property
    def argument(self) -> str:
        """What ``playback`` is given."""
        return f"{self.path}@@{self.from_samples}" if self.from_samples else self.path

    @property
    def heard_out(self) -> bool:
        return self.stopped.done() and self.stopped.result() == "done"


class Line:
    """One channel. ``uuid`` is ours and unique; ``notify`` gets every event of the channel after it was taken in."""

    def __init__(
        self,
        esl: EslClient,
        *,
        uuid: str,
        clock: Clock,
        bounds: LineBounds | None = None,
        notify: Callable[[EslEvent], None] = lambda _event: None,
    ) -> None:
        self.uuid = uuid
        self.breaks_resent = 0
        self.answered_ms: float | None = None
        self._esl = esl
        self._clock = clock
        self._bounds = bounds or LineBounds()
        self._notify = notify
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Hangup] = loop.create_future()
        self._playback: Playback | None = None
        self._killing = False
        self._ended_by_us: bool | None = None  # None: the end has not begun
        self._dialled = False
        self._created = False
        self._job: asyncio.Task[None] | None = None
        self._resync: asyncio.Task[None] | None = None
        self._stop_listening = esl.listen(uuid, self._take)
        esl.on_connection.append(self._connection_changed)

    @property
    def dialled(self) -> bool:
        """True once an originate was sent: the number may have rung."""
        return self._dialled

    @property
    def playback(self) -> Playback | None:
        """The prompt that is playing, or was the last to."""
        return self._playback

    def close(self) -> None:
        """Stop following the channel."""
        self._stop_listening()
        with contextlib.suppress(ValueError):
            self._esl.on_connection.remove(self._connection_changed)
        for task in (self._job, self._resync):
            if task is not None and not task.done():
                task.cancel()
            elif task is not None and not task.cancelled() and task.exception() is not None:
                log.warning("call %s: %s", self.uuid, task.exception())

    async def dial(self, endpoint: str, variables: Mapping[str, str], *, ring_s: float) -> None:
        """Originate and return at the answer. Raises CallEnded with the cause, or an EslError: never dials twice."""
        text = commands.originate(endpoint, {"origination_uuid": self.uuid, **variables})
        limit_s = ring_s + JOB_GRACE_S
        if await self._api(commands.uuid_exists(self.uuid)) == "true":
            raise EslCommandFailed("originate", f"FreeSWITCH has a channel {self.uuid} already; nothing was dialled")
        self._job = asyncio.create_task(self._originate(text, limit_s), name=f"originate {self.uuid}")
        try:
            async with self._clock.timeout(limit_s):
                await asyncio.wait((self._job, self._answered, self.ended), return_when=asyncio.FIRST_COMPLETED)
                if self._job.done():
                    self._job.result()
                await self._until(self._answered)
        except TimeoutError as exc:
            raise CallTimeout(f"neither answered nor ended within {limit_s:g} s") from exc

    async def _originate(self, text: str, limit_s: float) -> None:
        """Send the originate and take its job's result in; goes on in the background when the answer comes first."""
        self._dialled = True
        try:
            uuid = commands.ok_or_raise("originate", await self._esl.bgapi(text, timeout_s=limit_s))
        except EslCommandFailed as exc:
            with contextlib.suppress(TimeoutError):  # CHANNEL_HANGUP_COMPLETE says more, and may come after the job
                async with self._clock.timeout(HANGUP_DETAIL_S if self._created else 0):
                    await asyncio.shield(self.ended)
            self._end(Hangup(commands.failure_cause(exc.reason) or "ORIGINATE_FAILED"))
        except EslError as exc:
            if not exc.outcome_unknown:
                self._dialled = False
                raise
            log.warning("call %s: %s; asking FreeSWITCH whether it is up", self.uuid, exc)
            await self._ask()
        else:
            if uuid != self.uuid:  # FreeSWITCH had a channel of our uuid: this one answers to nobody
                await self._esl.api(commands.kill(uuid))
                raise EslCommandFailed("originate", f"the uuid {self.uuid} was taken; the stray {uuid} was hung up")

    async def start_audio(self, url: str, metadata: Mapping[str, str]) -> None:
        """Ask for the callee's audio at ``url``. +OK says nothing yet: the server says when frames come."""
        if not self._answered.done():
            raise StreamError("an audio stream before the answer can kill FreeSWITCH")
        rate_hz = 8000 if "rate=8000" in url else 16000
        text = commands.audio_stream_start(self.uuid, url, rate_hz=rate_hz, metadata=metadata)
        commands.ok_or_raise("uuid_audio_stream start", await self._api(text))

    async def restart_audio(self, url: str, metadata: Mapping[str, str]) -> None:
        """Stop what is left of a stream (after a CLOSE it stays attached) and start it anew."""
        await self._api(commands.audio_stream_stop(self.uuid), slow=True)  # -ERR: nothing was left
        await self.start_audio(url, metadata)

    async def record(self, path: str) -> None:
        """Have FreeSWITCH write the call, stereo, until it ends. Raises an EslError or CommandError."""
        text = commands.record_start(self.uuid, path)
        commands.ok_or_raise("uuid_record", await self._esl.api(text, timeout_s=RECORD_REPLY_S))

    async def play(self, path: str, *, from_samples: int = 0) -> Playback:
        """Play a file, from a sample of it on, and return once it has started.

        Raises PromptError within the bound, or CallEnded.
        """
        self.check()
        loop = asyncio.get_running_loop()
        playback = Playback(path, str(uuids.uuid4()), loop.create_future(), loop.create_future(), from_samples)
        text = commands.execute(self.uuid, "playback", playback.argument, event_uuid=playback.id)
        await self._esl.wait_connected(self._bounds.reconnect_s)
        self.check()
        self._playback = playback
        try:
            await self._esl.message(text)
            async with self._clock.timeout(self._bounds.prompt_start_s):
                await self._until(playback.started)
        except TimeoutError as exc:
            self._playback = None
            await self._esl.api(commands.stop_playback(self.uuid))
            raise PromptError(f"{path} did not start within {self._bounds.prompt_start_s:g} s") from exc
        except VoicebotError:
            self._playback = None  # nobody waits for it any more
            raise
        return playback

    async def stop_playing(self, playback: Playback) -> None:
        """Break a prompt that was seen to start, and see it stop. Raises CallTimeout when it cannot be stopped."""
        for _ in range(MAX_BREAKS):
            if playback.stopped.done():
                return
            if playback.breaks_sent:
                self.breaks_resent += 1
                log.warning("call %s: the break was not confirmed, sent again", self.uuid)
            await self._send_break(playback)
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(self._bounds.break_resend_s):
                    await asyncio.shield(playback.stopped)
        if not playback.stopped.done():
            raise CallTimeout(f"{playback.path} could not be stopped by {MAX_BREAKS} breaks")

    async def _send_break(self, playback: Playback) -> None:
        sent_ms = self._clock.now_ms()
        try:
            await self._esl.api(commands.stop_playback(self.uuid), timeout_s=self._bounds.break_resend_s)
        except EslNotConnected as exc:
            log.warning("call %s: break: %s", self.uuid, exc)
            await self._esl.wait_connected(self._bounds.reconnect_s)
            return  # not sent: the next attempt does, unless the prompt has ended meanwhile
        except EslError as exc:
            log.warning("call %s: break: %s", self.uuid, exc)
        playback.breaks_sent.append(sent_ms)

    async def hang_up(self, cause: str = "NORMAL_CLEARING") -> Hangup:
        """End the call and see it end. Raises CallTimeout or an EslError when FreeSWITCH cannot be brought to it."""
        self._killing = True
        error: EslError | None = None
        for _ in range(MAX_KILLS):
            if self.ended.done():
                return self.ended.result()
            try:
                await self._kill(cause)
            except EslError as exc:
                error = exc
        if self.ended.done():
            return self.ended.result()
        raise error or CallTimeout(f"channel {self.uuid} is still up after {MAX_KILLS} uuid_kill")

    async def _kill(self, cause: str) -> None:
        await self._api(commands.kill(self.uuid, cause))
        try:
            async with self._clock.timeout(HANGUP_CONFIRM_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            await self._ask()  # not sent again before FreeSWITCH says the channel is still there

    async def _api(self, command: str, *, slow: bool = False) -> str:
        """Send once, when there is a connection: one that is away is waited for, within the bound."""
        await self._esl.wait_connected(self._bounds.reconnect_s)
        return await self._esl.api(command, slow=slow)

    async def _ask(self, playback: Playback | None = None) -> None:
        """Ask FreeSWITCH what became of the channel, and of a prompt whose events may be lost; take that in."""
        dump = await self._api(f"uuid_dump {self.uuid}")
        if dump.startswith("-ERR"):
            self._end(Hangup("LOST", by_us=self._killing))
            return
        lines = (line.partition(": ") for line in dump.splitlines())
        state = {name: unquote(value) for name, _, value in lines}
        if state.get("Answer-State") == "answered":
            self._answer()
        if playback is not None and playback is self._playback:
            self._take_played(playback, state)

    def _take_played(self, playback: Playback, state: Mapping[str, str]) -> None:
        """A prompt whose events were missed: the channel tells which file it plays, and whether that has ended."""
        if state.get("variable_current_application_data") != playback.argument:
            return
        if not playback.started.done():
            playback.start_ms = self._clock.now_ms()
            playback.started.set_result(playback.start_ms)
        if "variable_current_application_response" in state and not playback.stopped.done():
            played_ms = state.get("variable_playback_ms", "")
            now_ms = self._clock.now_ms()
            playback.stop_ms = min(now_ms, playback.start_ms + int(played_ms)) if played_ms.isdigit() else now_ms
            playback.played_ms = playback.stop_ms - playback.start_ms
            playback.stopped.set_result("break" if playback.breaks_sent else "done")

    async def _until(self, future: asyncio.Future[float] | asyncio.Future[None]) -> None:
        """Wait for ``future`` or the end of the call, whichever comes first. Raises CallEnded."""
        await asyncio.wait((future, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            future.result()
        else:
            self.check()

    def check(self) -> None:
        """Raise CallEnded when the channel has ended."""
        if self.ended.done():
            raise CallEnded(self.ended.result().cause)

    def _connection_changed(self, up: bool) -> None:  # noqa: FBT001 - the callback's shape
        """Events may have been missed while the connection was away: ask."""
        if up and self._dialled and not self.ended.done():
            if self._resync is not None:
                self._resync.cancel()  # what it would be told is older
            # The prompt of now: one begun on the new connection has its events, and the channel may still tell of an
            # earlier playing of the same file.
            asking = self._ask_quietly(self._playback)
            self._resync = asyncio.create_task(asking, name=f"ask {self.uuid}")

    async def _ask_quietly(self, playback: Playback | None) -> None:
        try:
            await self._ask(playback)
        except EslError as exc:
            log.warning("call %s: its state could not be asked: %s", self.uuid, exc)

    def _take(self, event: EslEvent) -> None:
        match event.name:
            case "CHANNEL_CREATE":
                self._created = True
            case "CHANNEL_ANSWER":
                self._answer()
            case "PLAYBACK_START" | "PLAYBACK_STOP" | "CHANNEL_EXECUTE_COMPLETE":
                self._take_playback(event)
            case "CHANNEL_HANGUP":
                self._end_began()
            case "CHANNEL_HANGUP_COMPLETE":
                self._end_began()
                status = event["variable_sip_term_status"]
                bye = event["variable_sip_hangup_disposition"]  # who was first, where SIP tells
                by_us = bye == "send_bye" or (bye != "recv_bye" and bool(self._ended_by_us))
                self._end(Hangup(event["Hangup-Cause"], int(status) if status.isdigit() else 0, by_us))
        self._notify(event)

    def _take_playback(self, event: EslEvent) -> None:
        playback, now_ms = self._playback, self._clock.now_ms()
        if playback is None or playback.stopped.done():
            return
        if event.name == "CHANNEL_EXECUTE_COMPLETE":
            if event["Application-UUID"] == playback.id and not playback.started.done():
                why = event["Application-Response"] or "nothing was played"
                playback.started.set_exception(PromptError(f"{playback.path}: {why}"))
        elif event["Playback-File-Path"] == playback.path:
            if event.name == "PLAYBACK_START" and not playback.started.done():
                playback.start_ms = now_ms
                playback.started.set_result(now_ms)
            elif event.name == "PLAYBACK_STOP" and playback.started.done():
                playback.stop_ms = now_ms
                playback.played_ms = _played_ms(playback, event)
                playback.stopped.set_result("hangup" if event["Hangup-Cause"] else event["Playback-Status"] or "done")

    def _answer(self) -> None:
        if not self._answered.done():
            self.answered_ms = self._clock.now_ms()
            self._answered.set_result(None)

    def _end_began(self) -> None:
        """A channel that is ending already is not ended by a hang-up of ours that comes after."""
        if self._ended_by_us is None:
            self._ended_by_us = self._killing

    def _end(self, hangup: Hangup) -> None:
        if self.ended.done():
            return
        self.ended.set_result(hangup)
        playback = self._playback
        if playback is not None and not playback.stopped.done():
            playback.stop_ms = self._clock.now_ms()
            playback.played_ms = playback.stop_ms - playback.start_ms
            playback.stopped.set_result("hangup")


def _played_ms(playback: Playback, event: EslEvent) -> float:
    """How much of the file was sent, by the position that PLAYBACK_STOP tells; by the clock where it tells none."""
    position, rate = event["variable_playback_last_offset_pos"], event["Channel-Write-Codec-Rate"]
    if not position.isdigit() or int(position) < playback.from_samples:
        return playback.stop_ms - playback.start_ms
    rate_hz = int(rate) if rate.isdigit() and int(rate) else 8000
    return (int(position) - playback.from_samples) * 1000 / rate_hz
