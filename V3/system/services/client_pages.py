"""The pages of ``V3/web`` and the headers that keep foreign code out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from V3.system.services.client_admission import Admission

__all__ = ["WEB", "SecurityHeaders", "page_routes"]

WEB: Final = Path(__file__).resolve().parents[2] / "web"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; "
    "media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOT_MEANT: Final = PlainTextResponse("this server answers to localhost, or with a token to any name\n", 403)


class SecurityHeaders:
    """Puts the headers on every HTTP response of an application, and answers only requests that are meant for it."""

    def __init__(self, app: Any, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self._app if self._admission.is_meant(HTTPConnection(scope)) else _NOT_MEANT
        await app(scope, receive, guarded)


def page_routes(web: Path) -> list[BaseRoute]:
    """``/``, ``/calls`` and ``/web/...`` out of a folder."""

    def page(name: str) -> Any:
        async def respond(_: Request) -> Response:
            path = web / name
            if not path.is_file():
                return PlainTextResponse("this installation has no pages\n", 404)
            return FileResponse(path, headers={"Cache-Control": "no-cache"})

        return respond

    return [
        Route("/", page("index.html")),
        Route("/calls", page("calls.html")),
        Mount("/web", _NoCacheFiles(directory=web, check_dir=False)),
    ]


class _NoCacheFiles(StaticFiles):
    """Files that a browser asks about again each time: an update is seen at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
