"""What tests of pages share: the browser's complaints, what is said, and where the browser is."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from V3.audio.pcm import Audio, to_l16

if TYPE_CHECKING:  # Playwright may be missing: then the tests say so and are skipped
    from playwright.sync_api import ConsoleMessage, Page

__all__ = [
    "AWAY",
    "CHROMIUM",
    "NO_PLAYWRIGHT",
    "PATIENCE_MS",
    "SAYS",
    "SCRIPT_IN_TEXT",
    "TONE_HZ",
    "TONE_MS",
    "Complaints",
    "microphone_of",
]

NO_PLAYWRIGHT = "pages are tested where Playwright is installed: pip install playwright"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TONE_HZ = 440
TONE_MS = 3500
PATIENCE_MS = 15_000
SAYS = ("bonjour je vous appelle", "pour le rendez-vous de mardi", "merci et au revoir")
SCRIPT_IN_TEXT = "<img src=x onerror=\"document.title='owned'\"> & <b>gras</b> --> fin"
AWAY = ("ERR_CONNECTION_REFUSED", "WebSocket connection to")  # a browser says so itself when a server is away


class Complaints:
    """What the browser complained of. A test that causes some on purpose says so by ``expect``."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._expected: tuple[str, ...] = ()

    def listen(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._said.append(f"uncaught: {error}"))

    def expect(self, *parts: str) -> None:
        self._expected = parts

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._said.append(message.text)

    @property
    def unexpected(self) -> list[str]:
        return [said for said in self._said if not any(part in said for part in self._expected)]


def microphone_of(audio: Audio, path: Path) -> Path:
    """A WAV at 16 kHz for a browser's microphone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(to_l16(audio))
    return path
