"""One server for every client but telephone calls: captions, sources, PCM, recorders, pages and the HTTP API.

A Starlette application that uvicorn runs in the event loop it is started in, beside the audio server of the calls and
on the same recogniser. Each dialect is one file of V3/wire; what is here is the same for all of them: who may connect,
how many, what a refusal is called, and the end. A client that is refused hears why in the close reason, except a page
of a foreign origin, which is refused before the handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from V3.calls.board import CallBoard
from V3.config import ClientSettings
from V3.errors import WireError
from V3.system.services.call_monitor import CallMonitor
from V3.system.services.client_admission import Admission
from V3.system.services.client_connection import close_socket, serve_session
from V3.system.services.client_http_server import HttpServer
from V3.system.services.client_metrics import ClientMetrics, EngineMetrics
from V3.system.services.client_pages import WEB, SecurityHeaders, page_routes
from V3.system.services.client_session import ClientSession
from V3.system.services.source_book import SourceBook
from V3.system.services.status_server import status_routes
from V3.system.services.transcription_api import TranscriptionApi
from V3.wire.captions import Captions
from V3.wire.dialect import Dialect
from V3.wire.pcm_vad import PcmVad, checked_rate
from V3.wire.recorder import Recorder
from V3.wire.sources import Sources, checked_client_id

__all__ = ["PATHS", "ClientServer"]

log = logging.getLogger(__name__)

PATHS: Final = {"/captions": "captions", "/ws/transcription": "sources", "/vad": "vad", "/ajax/audio": "recorder"}
GOING_AWAY_CLOSE, POLICY_CLOSE, TRY_LATER_CLOSE = 1001, 1008, 1013
_STOP_TIMEOUT_S: Final = 4.0


class ClientServer:
    """Serves clients. ``stt`` is a WhisperStreamingSTT, shared with the audio server of the calls.

    ``calls`` says how many telephone calls are expected or heard, None that this server hears none: they come first, so
    clients leave ``kept_for_calls`` of the machine to them. ``calls_room`` says how many more calls there can be.
    ``board`` is what the page of calls shows, ``registry`` what /metrics tells. ``web`` is the folder of the pages.
    """

    def __init__(
        self,
        stt: Any,
        *,
        settings: ClientSettings | None = None,
        calls: Callable[[], int] | None = None,
        board: CallBoard | None = None,
        registry: CollectorRegistry | None = None,
        web: Path = WEB,
    ) -> None:
        self.settings = settings or ClientSettings()
        self._stt = stt
        self._calls = calls
        self._admission = Admission(self.settings)
        self._sources = SourceBook(self.settings.rejoin_s)
        self._sessions: set[ClientSession] = set()
        self._names = itertools.count(1)
        self._stopping = False
        self._draining = False
        self.also_draining: Callable[[], bool] = lambda: False
        self.calls_room: Callable[[], int] = lambda: 0
        self._all_gone = asyncio.Event()
        self.refused = 0
        self.registry = registry or CollectorRegistry(auto_describe=False)
        self.metrics = ClientMetrics(self.registry)
        EngineMetrics(stt.stats, self.registry)
        self.monitor = CallMonitor(board or CallBoard(), self._engine)
        self._uploads = TranscriptionApi(stt, self.settings, self._admission, self.metrics, room=lambda: self.room)
        self._http = HttpServer(SecurityHeaders(self._app(web), self._admission), self.settings)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._http.port

    @property
    def draining(self) -> bool:
        """Whether no new clients are taken: this server drains, or the robot beside it (``also_draining``)."""
        return self._draining or self.also_draining()

    @property
    def clients(self) -> int:
        """WebSocket clients that are connected."""
        return len(self._sessions)

    @property
    def room(self) -> int:
        """How many more clients can be heard, by what decodes take on this machine; none while it drains."""
        if self.draining:
            return 0
        capacity, open_streams = int(self._stt.capacity), int(self._stt.stats()["calls"])
        if self._calls is None:
            return max(0, capacity - max(open_streams, self.clients))
        calls = self._calls()
        free = max(0, int(capacity * self.settings.kept_for_calls) - calls)  # what calls have not taken of their share
        return max(0, capacity - free - max(open_streams, calls + self.clients))

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken, ConfigError for a certificate that cannot be used."""
        await self._http.start()
        self.monitor.start()

    async def drain(self, within_s: float) -> bool:
        """Take no new clients and files, and wait for files under way; False where they are not done in time."""
        self._draining = True
        return await self._uploads.done(within_s)

    async def stop(self) -> None:
        """Close every client (1001) and stop listening."""
        self._stopping = True
        for session in list(self._sessions):
            session.end(WireError("the server stops", close_code=GOING_AWAY_CLOSE))
        await self.monitor.stop()
        if self._sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await self._all_gone.wait()
        await self._http.stop()
        await self._sources.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _app(self, web: Path) -> Starlette:
        routes: list[BaseRoute] = [WebSocketRoute(path, self._endpoint(name)) for path, name in PATHS.items()]
        routes += [
            WebSocketRoute("/", self._endpoint(self.settings.root)),
            WebSocketRoute("/ws/calls", self._serve_monitor),
            WebSocketRoute("/{rest:path}", self._refuse_path),
            *status_routes(self._ready, self.registry, self._admission),
            Route("/v1/audio/transcriptions", self._uploads.transcribe, methods=["POST"]),
            *page_routes(web),
        ]
        return Starlette(routes=routes)

    # ---- WebSockets

    def _endpoint(self, name: str) -> Callable[[WebSocket], Any]:
        async def endpoint(socket: WebSocket) -> None:
            await self._admit(socket, lambda: self._serve(socket, name))

        return endpoint

    async def _serve_monitor(self, socket: WebSocket) -> None:
        await self._admit(socket, lambda: self.monitor.serve(socket))

    async def _refuse_path(self, socket: WebSocket) -> None:
        await socket.accept()
        taken = ", ".join([*PATHS, "/ws/calls"])
        await self._refuse(socket, "path", f"unknown path: {taken} and / are taken")

    async def _admit(self, socket: WebSocket, serve: Callable[[], Any]) -> None:
        """Let in who may come in, and count it out again."""
        if not (self._admission.is_meant(socket) and self._admission.may_come_from(socket)):
            self._count_refusal("origin", "a page of a foreign origin")
            await socket.send_denial_response(PlainTextResponse("pages of this origin may not connect\n", 403))
            return
        await socket.accept()
        if not self._admission.has_token(socket):
            await self._refuse(socket, "token", "the token is missing or wrong")
        elif self._stopping or self.draining:
            await self._refuse(socket, "stopping", "the server stops", code=GOING_AWAY_CLOSE)
        elif why := self._admission.enter(address := socket.client.host if socket.client else ""):
            await self._refuse(socket, "full", why, code=TRY_LATER_CLOSE)
        else:
            try:
                await serve()
            finally:
                self._admission.leave(address)

    async def _serve(self, socket: WebSocket, name: str) -> None:
        if name == "sources":
            await self._sources.take_over(socket.query_params.get("client_id", ""))
        try:
            session = self._session(socket, name)
        except WireError as exc:
            return await self._refuse(socket, "request", str(exc), code=exc.close_code)
        if session is None:
            why = "the streams in progress take all that this machine can hear"
            return await self._refuse(socket, "capacity", why, code=TRY_LATER_CLOSE)
        self._sessions.add(session)
        self.metrics.clients.labels(name).inc()
        self.metrics.opened.labels(name).inc()
        audio_s, faults = session.audio_s, session.wire_errors
        try:
            await serve_session(socket, session, idle_timeout_s=self.settings.idle_timeout_s)
        finally:
            self._sessions.discard(session)
            if self._stopping and not self._sessions:
                self._all_gone.set()
            self.metrics.clients.labels(name).dec()
            self.metrics.audio_s.labels(name).inc(session.audio_s - audio_s)
            self.metrics.faults.labels(name).inc(session.wire_errors - faults)
            await self._leave(session)
        return None

    async def _leave(self, session: ClientSession) -> None:
        """A source is kept for a while; everyone else is over."""
        if isinstance(session.dialect, Sources) and self.settings.rejoin_s and not self._stopping:
            self._sources.leave(session.dialect.client_id)
            return
        if isinstance(session.dialect, Sources):
            self._sources.forget(session.dialect.client_id)
        await session.close()

    def _session(self, socket: WebSocket, name: str) -> ClientSession | None:
        """What serves this client; None where the machine can hear no more. Raises WireError for a wrong query."""
        dialect = self._dialect(socket, name)
        if isinstance(dialect, Sources):
            if self._sources.connected(dialect.client_id):
                raise WireError(f"client_id {dialect.client_id} is connected already", close_code=POLICY_CLOSE)
            if (session := self._sources.resume(dialect.client_id)) is not None:
                return session
        if self.room < 1 and not self._sources.make_room():
            return None
        policy = "align_att" if name == "sources" else None
        session = ClientSession(self._stt, dialect, name=f"{name}-{next(self._names)}", policy=policy)
        if isinstance(dialect, Sources):
            self._sources.begin(dialect.client_id, session)
        return session

    def _dialect(self, socket: WebSocket, name: str) -> Dialect:
        settings, query = self.settings, socket.query_params
        match name:
            case "sources":
                return Sources(checked_client_id(query.get("client_id")))
            case "vad":
                rate_hz = checked_rate(query.get("rate", "16000"))
                return PcmVad(rate_hz=rate_hz, aggressiveness=settings.vad_aggressiveness)
            case "recorder":
                return Recorder()
        return Captions(
            model=self._stt.info.name, chunk_duration_s=settings.chunk_duration_s, min_chunk_s=settings.min_chunk_s
        )

    async def _refuse(self, socket: WebSocket, reason: str, why: str, *, code: int = POLICY_CLOSE) -> None:
        self._count_refusal(reason, why)
        await close_socket(socket, code, why)

    def _count_refusal(self, reason: str, why: str) -> None:
        self.refused += 1
        self.metrics.refused.labels(reason).inc()
        log.warning("client refused: %s", why)

    # ---- HTTP

    def _ready(self) -> dict[str, Any]:
        """Whether one more call or client can be heard, and how many."""
        stats, room, calls_room = self._stt.stats(), self.room, self.calls_room()
        return {
            "ready": max(room, calls_room) > 0 and not self.draining and not self._stopping,
            "draining": self.draining,
            "model": stats["model"],
            "device": stats["device"],
            "capacity": int(stats["capacity"]),
            "crowded": bool(stats["crowded"]),
            "streams": int(stats["calls"]),
            "calls": self._calls() if self._calls is not None else 0,
            "calls_room": calls_room,
            "room": room,
        }

    def _engine(self) -> dict[str, Any]:
        """The counters that the page of calls shows."""
        stats = self._stt.stats()
        return {
            "queue": int(stats["queued"]),
            "batch": round(float(stats["mean_batch"]), 2),
            "lag_ms": round(float(stats["lag_ms"])),
            "streams": int(stats["calls"]),
            "capacity": int(stats["capacity"]),
            "refused": self.refused,
        }
