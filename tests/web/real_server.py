"""The client server itself for the browser tests, on the shipped model, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from V3.calls.board import CallBoard
from V3.config import ClientSettings
from V3.events import Event
from V3.system.services.client_server import ClientServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["RealServer"]

WAIT_S = 20.0


class RealServer:
    """Started, stopped and started again on the same port, as :class:`web.scripted_server.ScriptedServer` is."""

    def __init__(self, stt: WhisperStreamingSTT, **settings: Any) -> None:
        self._stt = stt
        self._settings = settings
        self._port = 0
        self._server: ClientServer | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="real-server", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        self._run(self._start())

    def stop(self) -> None:
        self._run(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def hear(self, event: Event) -> None:
        """An event of a telephone call, as the audio server tells them."""
        self._run(self._hear(event))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _start(self) -> None:
        settings = ClientSettings(port=self._port, **self._settings)
        self._server = ClientServer(self._stt, settings=settings, board=CallBoard())
        await self._server.start()
        self._port = self._server.port

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def _hear(self, event: Event) -> None:
        assert self._server is not None
        self._server.monitor.take(event)
