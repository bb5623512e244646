"""The robot put together from its settings: recogniser, audio server, FreeSWITCH, journal. One place, one order.

``async with assembled(config) as parts`` starts them and, whatever happens inside, stops them in reverse: calls in
progress are hung up and reported first, the recogniser goes last.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from V3.calls.report import CallReport, CallUpdate
from V3.calls.scenario import Scenario
from V3.calls.turns import TurnRules
from V3.clock import Clock
from V3.config import RobotConfig, ServerSettings, config_dir
from V3.errors import CapacityReached, DialRefused
from V3.system.call_book import CallBook
from V3.system.call_metrics import CallMetrics
from V3.system.interrupted import settle_interrupted
from V3.system.journal import Journal
from V3.system.loop_watch import LoopWatch
from V3.system.retention import forget_old_calls
from V3.system.robot_freeswitch_v3 import RobotFreeSwitchV3
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import SttOptions, WhisperStreamingSTT
from V3.telephony.esl import EslClient, EslSettings
from V3.wire.mod_audio_stream import call_url

__all__ = ["Assembly", "assembled", "esl_settings", "load_stt", "settled", "turn_rules"]

log = logging.getLogger(__name__)

_ROOM_WAIT_S = 5.0  # then the machine may have more room, though no call has ended

Ended = Callable[[CallReport], None]


@dataclass(slots=True)
class Assembly:
    """The running parts. Set ``drain`` to have no more numbers dialled."""

    robot: RobotFreeSwitchV3
    esl: EslClient
    server: WebSocketAudioServer | None  # None: it is elsewhere
    metrics: CallMetrics
    drain_s: float
    drain: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def draining(self) -> bool:
        """Whether no more numbers are dialled."""
        return self.drain.is_set()

    def ready(self) -> dict[str, Any]:
        """Whether one more number can be dialled, and how many."""
        places = self.robot.places
        return {
            "ready": self.esl.connected and places.room > 0 and not self.draining,
            "draining": self.draining,
            "freeswitch": self.esl.connected,
            "calls": self.robot.calls_in_progress,
            "capacity": places.capacity,
            "room": places.room,
        }

    async def call_all(self, numbers: Iterable[str], *, at_once: int, on_end: Ended = lambda _report: None) -> None:
        """Call every number, ``at_once`` at a time; each report goes to ``on_end``. Cancelled, it hangs up all.

        A number that is refused (DialRefused: it was dialled before) is logged and left out. Where the machine can
        hear no more calls, the next number waits until one has ended. Once ``drain`` is set no more numbers are
        dialled; the calls in progress may end within ``drain_s``, then those that are left are hung up.
        """
        waiting = iter(numbers)  # one for all: a list of any length costs ``at_once`` tasks

        async def caller() -> None:
            for number in waiting:
                try:
                    report = await self._call_when_there_is_room(number)
                except DialRefused as exc:  # the calls of the others go on
                    log.warning("%s: %s", number, exc)
                    continue
                if report is None:
                    return
                on_end(report)

        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(caller(), name=f"caller {n}") for n in range(at_once)]
            bounding = group.create_task(self._end_late(callers), name="drain")
            await asyncio.wait(callers)
            bounding.cancel()

    async def _end_late(self, callers: Sequence[asyncio.Task[None]]) -> None:
        """When it drains: hang up, after a while, what has not ended."""
        await self.drain.wait()
        _, late = await asyncio.wait(callers, timeout=self.drain_s / self.robot.speed)
        for task in late:
            task.cancel()

    async def _call_when_there_is_room(self, number: str) -> CallReport | None:
        """Its report; None where it is not dialled, for no more numbers are."""
        while not self.draining:
            try:
                return await self.robot.call(number)
            except CapacityReached as exc:  # nothing was dialled: asking again dials nobody twice
                if not self.robot.places.may_have_room:
                    raise
                log.info("%s waits: %s", number, exc)
                await self._wait_for_room()
        return None

    async def _wait_for_room(self) -> None:
        """Until there may be room, or no more numbers are dialled."""
        waits = {
            asyncio.create_task(self.robot.places.wait_for_room(_ROOM_WAIT_S)),
            asyncio.create_task(self.drain.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def esl_settings(config: RobotConfig, *, speed: float = 1.0) -> EslSettings:
    """The event socket's settings out of the robot's; reconnecting keeps step with a simulated FreeSWITCH's speed."""
    settings = config.freeswitch
    return EslSettings(
        host=settings.host,
        port=settings.port,
        password=settings.password.get_secret_value(),
        reply_timeout_s=settings.reply_timeout_s,
        keepalive_s=settings.keepalive_s,
        backoff_min_s=0.2 / speed,
        backoff_max_s=5.0 / speed,
    )


def load_stt(config: RobotConfig) -> WhisperStreamingSTT:
    """Load the recogniser; takes from a part of a second to a minute. Raises ModelError."""
    stt = config.stt
    options = SttOptions(
        audio_context=stt.audio_context,
        cpu_threads=stt.cpu_threads,
        workers=stt.workers,
        prompt=stt.prompt,
        hotwords=stt.hotwords,
        policy=stt.policy,
        hop_ms=stt.hop_ms,
    )
    return WhisperStreamingSTT(
        stt.model, stt.device, stt.compute_type, stt.language, stt.beam_size, options=options, engine=stt.engine
    )


@contextlib.asynccontextmanager
async def assembled(
    config: RobotConfig,
    *,
    stt: WhisperStreamingSTT | None = None,
    scenario: Scenario | None = None,
    journal: Path | None = None,
    again: bool = False,
    clock: Clock | None = None,
    on_update: Callable[[CallUpdate], None] = lambda _update: None,
) -> AsyncIterator[Assembly]:
    """Start everything. ``stt`` is closed at the end only when it was loaded here; ``journal`` is a file's path,
    ``again`` dials numbers that it holds too. Calls that a robot died with are ended first.
    """
    clock = clock or Clock()
    await asyncio.to_thread(forget_old_calls, config)
    async with contextlib.AsyncExitStack() as stack:
        server = None if config.server.elsewhere else await _hearing(config, stack, stt=stt, clock=clock)
        esl = await stack.enter_async_context(EslClient(esl_settings(config, speed=clock.speed)))
        noted = stack.enter_context(Journal(journal)) if journal is not None else None
        book = CallBook(Path(config.call.reports_dir), noted, again=again, words=config.recording.transcripts)
        left = list(book.interrupted)
        robot = RobotFreeSwitchV3(
            config,
            esl=esl,
            server=server,
            audio_url=None if server else functools.partial(_url_elsewhere, config.server),
            scenario=scenario,
            book=book,
            clock=clock,
            on_update=on_update,
        )
        stack.push_async_callback(robot.stop)
        robot.remember(*left)  # one whose originate is still on its way is hung up when it comes
        await settle_interrupted(esl, book, clock=clock)
        metrics = CallMetrics()
        parts = Assembly(robot, esl, server, metrics, config.call.drain_s)
        metrics.dials(robot, esl, draining=lambda: parts.draining)
        if server is None:
            stack.push_async_callback(_watching(metrics).stop)
        else:
            metrics.hears(server)
            stack.callback(metrics.leaves, server)
        yield parts


def _watching(metrics: CallMetrics) -> LoopWatch:
    """The event loop watched, where no audio server does."""
    watch = LoopWatch()
    watch.on_turn.append(metrics.turned)
    watch.start()
    return watch


async def settled(config: RobotConfig, journal: Path) -> None:
    """End the calls that a robot died with, and nothing else. Raises an EslError without FreeSWITCH."""
    with Journal(journal) as noted:
        book = CallBook(Path(config.call.reports_dir), noted)
        if book.interrupted:
            async with EslClient(esl_settings(config)) as esl:
                await settle_interrupted(esl, book, clock=Clock())


async def _hearing(
    config: RobotConfig, stack: contextlib.AsyncExitStack, *, stt: WhisperStreamingSTT | None, clock: Clock
) -> WebSocketAudioServer:
    """The recogniser and the audio server of this process."""
    if stt is None:
        stt = await asyncio.to_thread(load_stt, config)
        stack.callback(stt.close)
    amd = AMDService(config_dir() / config.answer.keywords)
    server = WebSocketAudioServer(
        stt,
        amd=amd,
        settings=config.server,
        answer=config.answer,
        turns=turn_rules(config),
        expected=config.barge_in.phrases,
        speed=clock.speed,
    )
    return await stack.enter_async_context(server)


def turn_rules(config: RobotConfig) -> TurnRules:
    """When the callee's turn is over, out of the settings."""
    return TurnRules(**config.turns.model_dump())


def _url_elsewhere(settings: ServerSettings, call_id: str) -> str:
    token = settings.token.get_secret_value()
    return call_url(settings.elsewhere, call_id, rate_hz=settings.rate_hz, token=token)
