"""A client server on a real socket, and clients written from what the protocols say."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from V3.audio.pcm import Audio
from V3.calls.words import fold
from V3.config import ClientSettings
from V3.system.services.client_server import ClientServer

__all__ = ["WAIT_S", "alike", "answer", "answers", "client", "closed", "npy", "same_words", "serving", "url"]

WAIT_S = 30


@contextlib.asynccontextmanager
async def serving(stt: Any, *, web: Path | None = None, **settings: Any) -> AsyncIterator[ClientServer]:
    more: dict[str, Any] = {} if web is None else {"web": web}
    async with ClientServer(stt, settings=ClientSettings(port=0, **settings), **more) as server:
        yield server


def url(server: ClientServer, path: str = "/", **query: str) -> str:
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    return f"ws://127.0.0.1:{server.port}{path}" + (f"?{asked}" if asked else "")


def client(server: ClientServer, path: str = "/", **query: str) -> connect:
    return connect(url(server, path, **query), max_size=None, max_queue=None)  # what is not read hinders no close


async def answers(socket: ClientConnection, kind: str = "") -> AsyncIterator[dict[str, Any]]:
    """JSON answers, of one type where it is named; a silence of half a minute fails."""
    while True:
        async with asyncio.timeout(WAIT_S):
            told = json.loads(await socket.recv())
        if not kind or told.get("type") == kind:
            yield told


async def answer(socket: ClientConnection, kind: str = "") -> dict[str, Any]:
    async for told in answers(socket, kind):
        return told
    raise AssertionError("unreachable")


async def closed(socket: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closed."""
    async with asyncio.timeout(WAIT_S):
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass
    return socket.close_code, socket.close_reason


def npy(audio: Audio) -> bytes:
    file = io.BytesIO()
    np.save(file, audio)
    return file.getvalue()


def alike(heard: str, said: str) -> bool:
    """Whether most words are the same: a codec costs a small model some."""
    return difflib.SequenceMatcher(None, fold(heard).split(), fold(said).split()).ratio() >= 0.6


def same_words(heard: str, said: str) -> bool:
    """Whether they are the same words, whatever case, accents and punctuation."""
    return fold(heard) == fold(said)
