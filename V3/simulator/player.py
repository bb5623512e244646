"""What a parked channel executes: the queue of ``sendmsg`` and ``uuid_broadcast``, playbacks, breaks.

The rules, as on FreeSWITCH 1.10.12:

- A queued application is taken up at the channel's next 20 ms frame. ``uuid_broadcast`` then reads five lead frames
  (100 ms; 180 ms when the far end sends nothing) before it plays. A break in that lead is lost: nothing plays that
  it could stop, and the application is no longer in the queue that ``all`` empties.
- Without event-lock a queued application runs inside the one that plays, which pauses; with it they take turns.
- A break acts at the next frame; with nothing playing it is not remembered. A ``*`` of the callee acts like one.
- A hang-up ends every playback with status ``done``; a missing file raises no PLAYBACK event at all.
"""

from __future__ import annotations

import math
import uuid as uuid_module
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from V3.simulator.clock import FRAME_MS, SimClock, Waker
from V3.simulator.leg import Leg
from V3.simulator.playback import PlayRun, prompt_sound, seek, split_offset
from V3.simulator.sound import LEG_RATE_HZ, Timeline

__all__ = ["Execute", "Player", "PlayerHost"]

LEAD_MS = 100.0  # five frames of uuid_broadcast
SILENT_LEAD_MS = 180.0  # the same with no packets from the far end to pace them
READ_AHEAD_MS = 2048  # playback_ms counts what was read from the file, in blocks of this
MAX_QUEUED = 1000  # further ones are dropped, as FreeSWITCH's own event queue does


@dataclass(frozen=True, slots=True)
class Execute:
    """One queued application."""

    application: str
    argument: str = ""
    event_uuid: str = ""
    locked: bool = False
    leads: bool = False  # by uuid_broadcast
    hangup_after: str = ""  # ``playback!user_busy::path``: hang up with that cause when it is over


class PlayerHost(Protocol):
    """What the player needs of its call."""

    near: Leg
    clock: SimClock
    hung: bool

    @property
    def robot_audio(self) -> Timeline: ...

    @property
    def far_sends(self) -> bool: ...

    def hang_up(self, cause: str, *, by: str) -> None: ...

    def prompt_started(self, run: PlayRun) -> None: ...

    def prompt_stopped(self, run: PlayRun, *, status: str, at_ms: float) -> None: ...


class Player:
    """Runs one channel's applications, one task at a time."""

    def __init__(self, call: PlayerHost) -> None:
        self._call = call
        self._queue: deque[Execute] = deque()
        self._stack: list[PlayRun] = []  # the innermost playback is the last
        self._locked = False
        self._waker = Waker(call.clock)
        self._phase_ms = call.clock.now_ms()
        self.last_application = ("", "")

    @property
    def playing(self) -> PlayRun | None:
        """What the callee hears at this moment."""
        return self._stack[-1] if self._stack else None

    def kick(self) -> None:
        """Something changed (a hang-up): look at it at the next frame."""
        self._waker.kick()

    def enqueue(self, item: Execute) -> None:
        if len(self._queue) < MAX_QUEUED:
            self._queue.append(item)
        self._waker.kick()

    def interrupt(self, *, everything: bool) -> None:
        """uuid_break."""
        if everything:
            self._queue.clear()
        for run in self._stack if everything else self._stack[-1:]:
            run.broken = True
        self._waker.kick()

    def digit(self, digit: str) -> None:
        """The callee pressed a key: a ``*`` stops what plays, unless ``playback_terminators`` says otherwise."""
        variables = self._call.near.variables
        stops = variables.get("playback_terminators", "*")
        if self._stack and (stops == "any" or (stops != "none" and digit in stops)):
            variables["playback_terminator_used"] = digit
            self._stack[-1].broken = True
            self._waker.kick()

    async def run(self, application: str, argument: str) -> None:
        """The application of the originate; returns when it is over or the call is hung up."""
        await self._execute(Execute(application, argument), in_queue=False)
        if not self._call.hung:
            self._call.hang_up("NORMAL_CLEARING", by="freeswitch")

    async def _park(self) -> None:
        self._call.near.emit("CHANNEL_PARK")
        while not self._call.hung:
            if not self._queue:
                await self._waker.wait()
            await self._next_frame()
            await self._run_queue()
        self._call.near.emit("CHANNEL_UNPARK")

    async def _run_queue(self) -> None:
        while self._queue and not self._call.hung:
            item = self._queue.popleft()
            if item.leads:
                await self._lead()
                if self._call.hung:
                    return
            await self._execute(item, in_queue=True)
            if item.hangup_after:
                self._call.hang_up(item.hangup_after, by="robot")

    async def _lead(self) -> None:
        until_ms = self._call.clock.now_ms() + (LEAD_MS if self._call.far_sends else SILENT_LEAD_MS)
        while not self._call.hung and self._call.clock.now_ms() < until_ms:
            await self._waker.wait(until_ms)

    async def _next_frame(self) -> None:
        now_ms = self._call.clock.now_ms()
        frames = math.floor((now_ms - self._phase_ms) / FRAME_MS) + 1
        await self._call.clock.sleep_until_ms(self._phase_ms + frames * FRAME_MS)

    async def _execute(self, item: Execute, *, in_queue: bool) -> None:
        near, variables = self._call.near, self._call.near.variables
        before, self._locked = self._locked, self._locked or item.locked
        variables.pop("current_application_response", None)
        if in_queue:
            variables |= {"current_loop": "1", "total_loops": "1"}
        variables["current_application"] = item.application
        if item.argument:
            variables["current_application_data"] = item.argument
        self.last_application = (item.application, item.argument)
        names = [("Application", item.application)]
        names += [("Application-Data", item.argument)] if item.argument else []
        identity = ("Application-UUID", item.event_uuid or str(uuid_module.uuid4()))
        near.emit("CHANNEL_EXECUTE", *names, identity)
        response = await self._perform(item)
        if response:
            variables["current_application_response"] = response
        shown = variables.get("current_application_response", "_none_")
        near.emit("CHANNEL_EXECUTE_COMPLETE", *names, ("Application-Response", shown), identity)
        if in_queue:
            variables.pop("current_loop", None)
            variables.pop("total_loops", None)
        self._locked = before

    async def _perform(self, item: Execute) -> str:
        """The application's own work; what it leaves as its response."""
        match item.application:
            case "playback":
                return await self._play(item.argument)
            case "park":
                await self._park()
            case "sleep":
                until_ms = self._call.clock.now_ms() + (float(item.argument) if item.argument.isdigit() else 0)
                while not self._call.hung and self._call.clock.now_ms() < until_ms:
                    await self._waker.wait(until_ms)
            case "hangup":
                self._call.hang_up(item.argument or "NORMAL_CLEARING", by="robot")
            case "set":
                name, _, value = item.argument.partition("=")
                self._call.near.variables[name] = value
            case _:
                pass  # tone_detect, avmd_start and the like are taken and find nothing
        return ""

    async def _play(self, argument: str) -> str:
        path, offset_samples = split_offset(argument)
        sound = prompt_sound(path)
        if sound is None:
            return "FILE NOT FOUND"
        self._call.near.variables.pop("playback_terminator_used", None)
        now_ms = self._call.clock.now_ms()
        run = PlayRun(path, sound, now_ms, now_ms, seek(path, sound, offset_samples))
        if self._stack:
            self._pause(self._stack[-1])
        self._stack.append(run)
        segment = self._call.robot_audio.add(sound, now_ms, offset_ms=run.begin_ms)
        kind = (("Playback-File-Type", "tone_stream"),) if path.startswith("tone_stream://") else ()
        self._call.near.emit("PLAYBACK_START", *kind, ("Playback-File-Path", path))
        self._call.prompt_started(run)
        status = await self._play_until_over(run)
        stop_ms = self._call.clock.now_ms()
        if status != "done" or self._call.hung:
            segment.end_ms = min(segment.end_ms, stop_ms)
            self._call.robot_audio.cut(stop_ms)
        self._stack.pop()
        self._note_played(run, stop_ms, finished=status == "done" and not self._call.hung)
        self._call.near.emit("PLAYBACK_STOP", *kind, ("Playback-File-Path", path), ("Playback-Status", status))
        self._call.prompt_stopped(run, status="hangup" if self._call.hung else status, at_ms=stop_ms)
        if self._stack:
            self._resume(self._stack[-1])
        return "PLAYBACK ERROR" if self._call.hung else "FILE PLAYED"

    async def _play_until_over(self, run: PlayRun) -> str:
        while True:
            end_ms = run.end_ms
            if not (run.broken or self._call.hung or (self._queue and not self._locked)):
                await self._waker.wait(end_ms)
            if self._call.clock.now_ms() >= end_ms:
                return "done"
            await self._next_frame()
            if self._call.hung:
                return "done"
            if run.broken:
                return "break"
            if self._queue and not self._locked:
                await self._run_queue()

    def _pause(self, run: PlayRun) -> None:
        now_ms = self._call.clock.now_ms()
        run.played_ms = run.heard_ms(now_ms)
        self._call.robot_audio.cut(now_ms)

    def _resume(self, run: PlayRun) -> None:
        run.resumed_ms = self._call.clock.now_ms()
        if not math.isinf(run.sound.duration_ms):
            self._call.robot_audio.add(run.sound, run.resumed_ms, offset_ms=run.begin_ms + run.played_ms)

    def _note_played(self, run: PlayRun, now_ms: float, *, finished: bool) -> None:
        heard_ms = run.heard_ms(now_ms)
        heard_ms = heard_ms if finished else math.floor(heard_ms / FRAME_MS) * FRAME_MS
        read_ms = min(run.length_ms, max(1, math.ceil(heard_ms / READ_AHEAD_MS)) * READ_AHEAD_MS)
        played_samples = math.floor(heard_ms * LEG_RATE_HZ / 1000 + 0.5)  # the channel's, added to the file's own
        self._call.near.variables |= {
            "playback_last_offset_pos": str(run.offset_samples + played_samples),
            "playback_seconds": str(int(read_ms // 1000)),
            "playback_ms": str(int(read_ms)),
            "playback_samples": str(int(read_ms * run.sound.file_hz / 1000)),
        }
