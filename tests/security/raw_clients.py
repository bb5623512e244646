"""Clients that keep no rule: bytes on a TCP connection."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["bomb", "frame", "is_cut", "raw", "upgrade"]

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


@contextlib.asynccontextmanager
async def raw(port: int, data: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that said ``data``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def is_cut(reader: asyncio.StreamReader) -> bytes:
    """What came until the server ended the connection; a server that does not fails."""
    got = b""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                got += data
    return got


def upgrade(port: int, path: str, *, extensions: str = "", host: str = "", **headers: str) -> bytes:
    """The request of a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host or f'127.0.0.1:{port}'}",
        "Upgrade: websocket",
        "Connection: Upgrade",
    ]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}"]
    lines += [f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def frame(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """A whole message, masked with zeros."""
    first = bytes([0x80 | (0x40 if compressed else 0) | opcode])
    if len(payload) < 126:
        return first + bytes([0x80 | len(payload)]) + bytes(4) + payload
    if len(payload) < 65_536:
        return first + struct.pack("!BH", 0xFE, len(payload)) + bytes(4) + payload
    return first + struct.pack("!BQ", 0xFF, len(payload)) + bytes(4) + payload


def bomb(megabytes: int) -> bytes:
    """A message of zeros as permessage-deflate packs it: a thousandth of its size."""
    packer: Any = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes))
    return frame(2, packed + packer.flush(zlib.Z_SYNC_FLUSH)[:-4], compressed=True)
