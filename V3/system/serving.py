"""``python -m V3 serve``: the audio server of the calls and the client server, side by side on one recogniser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from V3.config import RobotConfig, config_dir
from V3.errors import ConfigError
from V3.events import Event
from V3.system.assembly import Assembly, load_stt, turn_rules
from V3.system.call_metrics import CallMetrics
from V3.system.services.amd_service import AMDService
from V3.system.services.client_metrics import EngineMetrics
from V3.system.services.client_server import ClientServer
from V3.system.services.status_server import StatusServer
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["Serving", "from_environment", "serving", "status_server", "watched"]

_CHECKPOINTS: Final = {
    **{name: name for name in ("tiny", "base", "small", "medium", "large-v1", "large-v2", "large-v3")},
    **{f"{name}.en": f"{name}.en" for name in ("tiny", "base", "small", "medium")},
    "large": "large-v3",
    "turbo": "large-v3-turbo",
    "large-v3-turbo": "large-v3-turbo",
}


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs; None for a server that was left out."""

    stt: WhisperStreamingSTT
    calls: WebSocketAudioServer | None
    clients: ClientServer | None
    metrics: CallMetrics
    drain_s: float

    def ready(self) -> dict[str, Any]:
        """Whether one more call can be heard, where no client server tells it."""
        server = self.calls
        if server is None:
            return {"ready": False}
        told = {"calls": server.calls, "capacity": server.capacity, "room": server.room}
        return {"ready": server.room > 0, "draining": server.draining, **told}

    async def drain(self) -> bool:
        """Take no new calls and clients; wait until the calls have ended, and files that are being transcribed.

        False where they have not within ``drain_s``. Clients are served meanwhile, and told at the end: they come back.
        """
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(part.drain(self.drain_s)) for part in (self.calls, self.clients) if part is not None
            ]
        return all(task.result() for task in waits)


@contextlib.asynccontextmanager
async def serving(
    config: RobotConfig,
    *,
    calls: bool = True,
    clients: bool = True,
    on_event: Callable[[Event], None] = lambda _event: None,
    stt: WhisperStreamingSTT | None = None,
) -> AsyncIterator[Serving]:
    """Start both servers, or one; stop clients first, then calls, then the recogniser (where it was loaded here).

    Raises ModelError, ConfigError (a language the model does not hear) and OSError (an address that is taken).
    """
    async with contextlib.AsyncExitStack() as stack:
        if stt is None:
            stt = await asyncio.to_thread(load_stt, config)
            stack.callback(stt.close)
        stt.check(config.stt.language)
        audio_server = await stack.enter_async_context(_hearing(config, stt)) if calls else None
        client_server = None
        metrics = CallMetrics()
        if audio_server is not None:
            metrics.hears(audio_server)
            stack.callback(metrics.leaves, audio_server)
        if clients:
            taken = None if audio_server is None else (lambda: audio_server.calls)
            client_server = ClientServer(stt, settings=config.clients, calls=taken, registry=metrics.registry)
            await stack.enter_async_context(client_server)
        if audio_server is not None:
            audio_server.on_event.append(on_event)
            if client_server is not None:
                server, audio_server.others = client_server, lambda: server.clients
                server.calls_room = lambda: audio_server.room
                server.monitor.behind_ms = audio_server.behind_ms
                audio_server.on_event.append(client_server.monitor.take)
        yield Serving(stt, audio_server, client_server, metrics, config.server.drain_s)


@contextlib.asynccontextmanager
async def watched(parts: Assembly, config: RobotConfig) -> AsyncIterator[ClientServer]:
    """The client server beside a robot that calls: its page of calls shows what the robot does, too.

    Hand the robot's live story to ``monitor.tell``. Raises ConfigError where calls are heard elsewhere, and OSError.
    """
    server = parts.server
    if server is None:
        raise ConfigError("the pages need the recogniser in this process, and the audio server is elsewhere")
    async with ClientServer(
        server.stt, settings=config.clients, calls=lambda: server.calls, registry=parts.metrics.registry
    ) as clients:
        server.others = lambda: clients.clients
        clients.calls_room = lambda: server.room
        clients.also_draining = lambda: parts.draining
        clients.monitor.behind_ms = server.behind_ms
        server.on_event.append(clients.monitor.take)
        try:
            yield clients
        finally:
            server.on_event.remove(clients.monitor.take)


def status_server(
    config: RobotConfig, port: int, *, of: Assembly | Serving, stt: WhisperStreamingSTT | None
) -> StatusServer:
    """/healthz, /readyz and /metrics on a port of their own, at the clients' address and with their token."""
    if stt is not None:
        EngineMetrics(stt.stats, of.metrics.registry)
    settings = config.clients.model_copy(update={"port": port})
    return StatusServer(settings, ready=of.ready, registry=of.metrics.registry)


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings of ``stt`` that other servers' environment names: WHISPER_MODEL_PATH and WHISPER_LAN.

    A checkpoint's file name (``turbo.pt``, in any folder) stands for the model of that name; a CTranslate2 folder and
    names of models are taken as they are. Raises ConfigError for another ``.pt`` file.
    """
    found: dict[str, Any] = {}
    if given := environ.get("WHISPER_MODEL_PATH", "").strip():
        found["model"] = _model(given)
    if language := environ.get("WHISPER_LAN", "").strip().lower():
        found["language"] = language
    return found


def _hearing(config: RobotConfig, stt: WhisperStreamingSTT) -> WebSocketAudioServer:
    amd = AMDService(config_dir() / config.answer.keywords)
    settings = config.server.model_copy(update={"send_events": True})
    return WebSocketAudioServer(
        stt,
        amd=amd,
        settings=settings,
        answer=config.answer,
        turns=turn_rules(config),
        expected=config.barge_in.phrases,
        accept_any=True,
    )


def _model(given: str) -> str:
    name = PurePath(given).name
    if not name.endswith(".pt"):
        return _CHECKPOINTS.get(given, given)
    if (known := _CHECKPOINTS.get(name.removesuffix(".pt"))) is not None:
        return known
    raise ConfigError(
        f"WHISPER_MODEL_PATH: {name} is no checkpoint known by name ({', '.join(_CHECKPOINTS)}); convert yours once "
        "with `python -m V3 convert` and give the folder"
    )
