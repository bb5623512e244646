"""Messages on their way to one client, bounded: a newer partial takes the place of one that was not sent yet."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from V3.wire.dialect import Say

__all__ = ["ClientOutbox"]

MAX_MESSAGES: Final = 256
MAX_CHARS: Final = 1_048_576


class ClientOutbox:
    """Finals and answers are kept, up to a bound of messages and of characters; :meth:`put` says when it is reached."""

    def __init__(self) -> None:
        self._waiting: deque[Say] = deque()
        self._chars = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Say) -> bool:
        """Take a message; False where there is no room for it, and it is dropped."""
        if message.partial:
            self._drop_partial()
        if len(self._waiting) >= MAX_MESSAGES or self._chars + len(message.text) > MAX_CHARS:
            return False
        self._waiting.append(message)
        self._chars += len(message.text)
        self._filled.set()
        return True

    async def get(self) -> str:
        """The next text to send, waited for."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        message = self._waiting.popleft()
        self._chars -= len(message.text)
        return message.text

    def _drop_partial(self) -> None:
        for index, waiting in enumerate(self._waiting):
            if waiting.partial:
                self._chars -= len(waiting.text)
                del self._waiting[index]
                return
