"""One outgoing call from CHANNEL_OUTGOING to CHANNEL_DESTROY, in the order of FreeSWITCH 1.10.12.

Two tasks share a call: the caller's side (``run``: wait for the answer, give the originate its result, run the
application, hang up) and the callee's side (ring, then answer or refuse, then its script). An originate's result
is given at the answer, or at early media unless ``ignore_early_media``; what follows it in the trace (park, or the
rest of a hang-up) waits until the result has gone out.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from V3.simulator.audio_fork import AudioFork, ForkSettings
from V3.simulator.bus import EventBus
from V3.simulator.call_audio import CallAudio, Frame, Recording
from V3.simulator.callee import Callee
from V3.simulator.clock import FRAME_MS, SimClock, Waker
from V3.simulator.far_leg import FarLeg
from V3.simulator.faults import FaultState
from V3.simulator.leg import Leg
from V3.simulator.originate import Dialling
from V3.simulator.outcomes import OUTCOMES, Manner, cause_named, q850
from V3.simulator.playback import PlayRun
from V3.simulator.player import Player
from V3.simulator.script import ScriptRunner
from V3.simulator.sound import Sound, Timeline
from V3.simulator.tasks import TaskSet
from V3.simulator.truth import TruthBook
from V3.simulator.variables import (
    answer_variables,
    created_variables,
    dialog_variables,
    final_variables,
    media_variables,
    refusal_variables,
    sdp_variables,
)

__all__ = ["Call", "Exchange"]

LOOPBACK_LATENCY_MS = 1.0
SIP_LATENCY_MS = 20.0


@dataclass(slots=True)
class Exchange:
    """What all calls of one simulated FreeSWITCH share."""

    bus: EventBus
    clock: SimClock
    rng: random.Random
    truths: TruthBook
    faults: FaultState
    run_api: Callable[[str], Awaitable[str]]  # for api_on_answer
    on_gone: Callable[[Call], None]


class Call:
    """One originate's channel. ``result`` becomes the originate's reply; set ``replied`` once it went out."""

    def __init__(
        self, exchange: Exchange, callee: Callee, dialling: Dialling, *, near: Leg, far: Leg | None, host: str
    ) -> None:
        self._exchange = exchange
        self.clock = exchange.clock
        self.rng = exchange.rng
        self.callee = callee
        self._dialling = dialling
        self.near = near
        self._host = host
        self.far = FarLeg(far)
        self.audio = CallAudio(
            self.clock, self.rng, callee, exchange.truths.open(near.uuid, near.destination), exchange.truths
        )
        self.result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.replied = asyncio.Event()
        self.gone = asyncio.Event()
        self.tasks = TaskSet()
        self.hung = self.answered = self.early = False
        self._by = ""
        self.digits = ""  # that the callee sent
        self.fork: AudioFork | None = None
        self.recordings: dict[str, Recording] = {}
        self._waker = Waker(self.clock)
        self.player = Player(self)
        self.script = ScriptRunner(self, callee)

    # -- the caller's side ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """The whole call; returns when the channel is gone."""
        try:
            await self._announce()
            self.spawn("callee", self._callee_side())
            await self._until_established()
            if self.hung:
                await self._end_unanswered()
            else:
                await self._execute()
        finally:
            if not self.result.done():
                self.result.set_result("-ERR DESTINATION_OUT_OF_ORDER\n")
            await self.tasks.close()
            self._exchange.on_gone(self)
            self.gone.set()

    async def _announce(self) -> None:
        near, dialling = self.near, self._dialling
        near.emit("CHANNEL_OUTGOING")
        near.run_state("CS_INIT")
        await self.clock.sleep_ms(LOOPBACK_LATENCY_MS)
        near.variables |= dialling.variables
        other = self.far.leg.uuid if self.far.leg else ""
        near.variables |= created_variables(near, other_leg=other, host=self._host, early_media=not self._ignores_early)
        near.number = 2
        near.emit("CHANNEL_CREATE")
        near.emit("CHANNEL_ORIGINATE")
        near.run_state("CS_ROUTING")
        near.run_state("CS_CONSUME_MEDIA", 7)
        self.far.born()

    @property
    def _ignores_early(self) -> bool:
        return self._dialling.variables.get("ignore_early_media", "").lower() in ("true", "yes", "on", "1")

    @property
    def _established(self) -> bool:
        return self.answered or (self.early and not self._ignores_early)

    async def _until_established(self) -> None:
        """Until answered (or early media) or hung up; the time-out counts whole seconds, so up to one early."""
        start_us = self.near.created_us
        limit_ms = self._dialling.timeout_s * 1000 - (start_us % 1_000_000) / 1000
        deadline_ms = self.clock.now_ms() + limit_ms
        while not (self._established or self.hung):
            await self._waker.wait(deadline_ms)
            if not self._established and not self.hung and self.clock.now_ms() >= deadline_ms:
                self.hang_up("NO_ANSWER", by="freeswitch")
        await self.clock.sleep_ms(self.rng.uniform(0, FRAME_MS))  # originate polls its channel

    async def _end_unanswered(self) -> None:
        """The job's result and HANGUP_COMPLETE come in either order."""
        failed = f"-ERR {self.near.hangup_cause}\n"
        if job_first := self.rng.random() < 0.5:
            await self._give_result(failed)
        await self._go_down()
        if not job_first:
            await self._give_result(failed)
        self._destroy()

    async def _give_result(self, text: str) -> None:
        self.result.set_result(text)
        await self.replied.wait()

    async def _execute(self) -> None:
        await self._give_result(f"+OK {self.near.uuid}\n")
        if self.near.kind == "sip" and not self.near.codec:
            self._media_begins()
        self.near.flip_caller()
        if not self.hung:
            self.near.run_state("CS_EXECUTE", 4)
            await self.player.run(self._dialling.application, self._dialling.argument)
        await self._go_down()
        self._destroy()

    # -- the callee's side ------------------------------------------------------------------------------------------

    async def _callee_side(self) -> None:
        outcome = OUTCOMES[self.callee.outcome]
        await self.clock.sleep_ms(LOOPBACK_LATENCY_MS if self.near.kind == "loopback" else SIP_LATENCY_MS)
        if self.callee.progress == "early_media":
            self.early_media()
        elif self.callee.progress == "ringing" or outcome.manner is Manner.RING:
            self._ring()
        await self.clock.sleep_ms(self.callee.ring_ms)
        if outcome.manner is Manner.ANSWER:
            await self._answer()
        elif outcome.manner in (Manner.REFUSE, Manner.UNREACHABLE) and not self.hung:
            unreachable = outcome.manner is Manner.UNREACHABLE
            self.near.heard_from_network = self.near.heard_from_network or not unreachable
            self.near.variables |= refusal_variables(self.near, outcome, unreachable=unreachable)
            if self.far.leg is not None:
                self.far.end(self.far.begin("hangup", outcome.cause))
                self.far.hang_up(outcome.cause)
            self.hang_up(outcome.cause, by="network")

    def _first_response(self) -> None:
        if self.near.kind == "sip":
            self.near.heard_from_network = True
            self.near.callee_name = self.near.destination
            self.near.variables |= dialog_variables(self.near)

    def _media_begins(self) -> None:
        self.near.codec = "PCMU"
        self.near.variables |= media_variables()

    def _ring(self) -> None:
        if self.hung:
            return
        ring_ready = self.far.begin("ring_ready")
        self._first_response()
        self.near.progress_us = self.near.now_us()
        self.near.emit("CHANNEL_PROGRESS")
        self.near.set_call_state("RINGING")
        self.far.progressed("CHANNEL_PROGRESS")
        self.far.end(ring_ready)

    def early_media(self) -> None:
        """183, or a stream started on a ringing loopback leg."""
        if self.hung or self.early or self.answered:
            return
        self._first_response()
        if self.near.kind == "sip":
            self.near.variables |= sdp_variables()
        self.near.answer_state = "early"
        self.near.progress_media_us = self.near.now_us()
        self.near.variables["endpoint_disposition"] = "EARLY MEDIA"
        self.near.emit("CHANNEL_PROGRESS_MEDIA")
        self.near.set_call_state("EARLY")
        self.far.progressed("CHANNEL_PROGRESS_MEDIA")
        self.early = True
        self._waker.kick()

    async def _answer(self) -> None:
        if self.hung:
            return
        answering = self.far.begin("answer")
        near = self.near
        if near.kind == "sip" and not near.heard_from_network:
            self._first_response()
        if near.kind == "sip":
            near.variables |= answer_variables(near)
            near.codec = "PCMU"
        near.answer_state, near.answered_us = "answered", near.now_us()
        self.audio.answered()
        near.emit("CHANNEL_ANSWER")
        near.variables["endpoint_disposition"] = "ANSWER"
        if command := near.variables.get("api_on_answer"):
            await self._exchange.run_api(command)
        near.set_call_state("ACTIVE")
        self.far.answered()
        self.far.end(answering)
        self.answered = True
        self._waker.kick()
        self.script.answered()

    # -- the end ----------------------------------------------------------------------------------------------------

    def hang_up(self, cause: str, *, by: str) -> None:
        """CHANNEL_HANGUP at once; the rest follows at the next frame. A second call does nothing."""
        if self.hung:
            return
        self.hung, self._by = True, by
        cause = cause_named(cause)
        near = self.near
        near.number, near.answer_state, near.hangup_cause = 10, "hangup", cause
        if by == "callee" and near.kind == "sip":
            near.variables |= {
                "sip_reason": f'Q.850;cause={q850(cause)};text="{cause}"',
                "sip_term_status": "200",
                "proto_specific_hangup_cause": "sip:200",
                "sip_term_cause": str(q850(cause)),
            }
        near.emit("CHANNEL_HANGUP")
        if by == "callee" and near.kind == "sip":
            near.variables["sip_hangup_disposition"] = "recv_bye"
        self.audio.over(cause, by)
        self.player.kick()
        self._waker.kick()

    async def _go_down(self) -> None:
        """From CS_HANGUP to CHANNEL_HANGUP_COMPLETE."""
        near = self.near
        near.run_state("CS_HANGUP")
        near.hangup_us = near.now_us()
        for path in list(self.recordings):
            self.stop_recording(path)
        if (fork := self.fork) is not None:
            await fork.close()
            if self.fork is fork:
                self.stream_over()
        near.set_call_state("HANGUP")
        self.far.hang_up(near.hangup_cause)
        near.run_state("CS_REPORTING", 11)
        talked = near.kind == "sip" and bool(near.codec)
        near.variables |= final_variables(
            near, digits=self.digits, application=self.player.last_application, rtp=talked
        )
        self._closing_variables()
        near.emit("CHANNEL_HANGUP_COMPLETE")

    def _closing_variables(self) -> None:
        variables = self.near.variables
        if self.near.kind == "loopback":
            variables["is_loopback"] = "1"
        elif self._by != "callee" and "sip_hangup_disposition" not in variables:
            if self.answered or self.early:
                variables["sip_hangup_disposition"] = "send_bye"
            else:
                variables |= {"sip_hangup_disposition": "send_cancel", "sip_invite_failure_status": "487"}
                variables["sip_invite_failure_phrase"] = "CANCEL"

    def _destroy(self) -> None:
        self.far.destroy()
        self.near.number = 12
        self.near.emit("CHANNEL_DESTROY")
        self.near.run_state("CS_DESTROY")
        self.audio.truth.ended = True

    def die(self) -> None:
        """The FreeSWITCH process is gone: no event, no CLOSE."""
        if not self.hung:
            self.hung = True
            self.audio.over("", "freeswitch")
        self.audio.truth.ended = True
        if self.fork is not None:
            self.fork.abort()

    # -- stream and recordings --------------------------------------------------------------------------------------

    def start_stream(self, settings: ForkSettings) -> None:
        self.fork = AudioFork(self, settings, self._exchange.faults)
        self.near.emit("MEDIA_BUG_START", ("Media-Bug-Function", "audio_stream"), ("Media-Bug-Target", "N/A"))
        self.fork.start(self.spawn)

    def stream_event(self, kind: str, body: str) -> None:
        self.near.emit("CUSTOM", body=body, subclass=f"mod_audio_stream::{kind}")

    def stream_over(self) -> None:
        self.fork = None
        self.near.emit("MEDIA_BUG_STOP", ("Media-Bug-Function", "audio_stream"), ("Media-Bug-Target", "N/A"))

    def start_recording(self, path: str, variables: Mapping[str, str]) -> None:
        """``variables`` are the command's own, beside the channel's. Again with the same path: nothing changes."""
        if path in self.recordings:
            return
        recording = Recording(path, self.clock.now_ms(), {**self.near.variables, **variables})
        self.recordings[path] = recording
        told = [(f"Recording-Variable-{name}", value) for name, value in recording.variables.items()]
        self.near.emit("RECORD_START", ("Record-File-Path", path), *told)
        self.near.emit("MEDIA_BUG_START", ("Media-Bug-Function", "session_record"), ("Media-Bug-Target", path))

    def stop_recording(self, path: str) -> None:
        recording = self.recordings.pop(path)
        size_bytes, samples = self.audio.write_recording(recording)
        cause = "success-silence" if self.hung else "success-maxtime"  # so FreeSWITCH calls a hang-up
        self.near.variables |= {
            "record_file_size": str(size_bytes),
            "record_samples": str(samples),
            "record_seconds": str(samples // 8000),
            "record_ms": str(samples // 8),
            "record_completion_cause": cause,
        }
        told = [(f"Recording-Variable-{name}", value) for name, value in recording.variables.items()]
        names = (("Record-File-Path", path), ("Record-Completion-Cause", cause))
        self.near.emit("RECORD_STOP", *names, *told)
        self.near.emit("MEDIA_BUG_STOP", ("Media-Bug-Function", "session_record"), ("Media-Bug-Target", path))

    def far_frame(self, from_ms: float, rate_hz: int) -> Frame:
        return self.audio.far_frame(from_ms, rate_hz)

    def robot_frame(self, from_ms: float, rate_hz: int) -> Frame | None:
        """None while nothing is played: mixed and stereo streams then send nothing."""
        return self.audio.robot_frame(from_ms, rate_hz) if self.player.playing else None

    # -- what the player and the script ask for ---------------------------------------------------------------------

    @property
    def far_sends(self) -> bool:
        return self.callee.media

    @property
    def robot_audio(self) -> Timeline:
        return self.audio.robot

    def is_playing(self, run: PlayRun) -> bool:
        return self.player.playing is run

    def prompt_started(self, run: PlayRun) -> None:
        self.audio.prompt_started(run)
        self.script.prompt_started(run)

    def prompt_stopped(self, run: PlayRun, *, status: str, at_ms: float) -> None:
        self.audio.prompt_stopped(run, status=status, at_ms=at_ms)
        if status != "hangup":
            self.script.prompt_stopped(run, broken=status == "break")

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.tasks.spawn(f"{name} {self.near.destination}", work)

    async def callee_says(self, sound: Sound, file: str, *, level_db: float) -> None:
        segment = self.audio.say(sound, file, level_db=level_db)
        playing = self.far.begin("playback", file)
        self.far.playing("PLAYBACK_START", file)
        await self.clock.sleep_until_ms(segment.end_ms)
        if not self.hung:
            self.far.playing("PLAYBACK_STOP", file, ("Playback-Status", "done"))
            self.far.end(playing, response="FILE PLAYED")

    async def callee_beeps(self, sound: Sound) -> None:
        await self.clock.sleep_until_ms(self.audio.beep(sound).end_ms)

    def callee_records(self) -> None:
        self.audio.record()

    def callee_hangs_up(self, cause: str) -> None:
        if self.hung:
            return
        if self.far.leg is not None:
            self.far.end(self.far.begin("hangup", cause))
        self.far.hang_up(cause_named(cause))
        self.hang_up(cause, by="callee")

    def callee_sends_digits(self, digits: str, *, source: str = "RTP") -> None:
        self.spawn("digits", self._raise_digits(digits, source))

    def robot_sends_digits(self, digits: str) -> None:
        plain = digits.partition("@")[0]
        self.audio.truth.digits_received += plain
        self.script.digits(plain)

    async def _raise_digits(self, digits: str, source: str) -> None:
        plain, _, duration_ms = digits.partition("@")
        samples = str(int(duration_ms) * 8) if duration_ms.isdigit() else "2000"
        for digit in plain:
            await self.clock.sleep_ms(FRAME_MS)
            if self.hung:
                return
            self.digits += digit
            if source == "APP":
                self.near.variables["last_dtmf_duration"] = samples
            fields = (("DTMF-Digit", digit), ("DTMF-Duration", samples), ("DTMF-Source", source))
            self.near.emit("DTMF", *fields)
            self.player.digit(digit)
