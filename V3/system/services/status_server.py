"""How a process is: /healthz, /readyz and /metrics, beside other routes or on a port of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from V3.config import ClientSettings
from V3.system.services.client_admission import Admission
from V3.system.services.client_http_server import HttpServer
from V3.system.services.client_pages import SecurityHeaders

__all__ = ["StatusServer", "status_routes"]

Ready = Callable[[], Mapping[str, Any]]


def status_routes(ready: Ready, registry: CollectorRegistry, admission: Admission) -> list[Route]:
    """The three; ``ready`` says in ``ready`` whether it is, and more. Only metrics want the token."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        told = ready()
        return JSONResponse(told, 200 if told["ready"] else 503)

    async def metrics(request: Request) -> Response:
        if not admission.has_token(request):
            return PlainTextResponse("the token is missing or wrong\n", 401)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


class StatusServer:
    """The three on a port of their own, for a robot without pages. Address, token and TLS are the clients'."""

    def __init__(self, settings: ClientSettings, *, ready: Ready, registry: CollectorRegistry) -> None:
        admission = Admission(settings)
        app = Starlette(routes=status_routes(ready, registry, admission))
        self._http = HttpServer(SecurityHeaders(app, admission), settings)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._http.port

    async def __aenter__(self) -> Self:
        await self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.stop()
