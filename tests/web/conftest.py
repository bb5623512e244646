"""A browser for the pages: Debian's chromium, driven by Playwright, with a microphone that plays a WAV.

Only while these tests run: Playwright's loop runs in the main thread, where others call ``asyncio.run``.
"""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripted_server import ScriptedServer

pytest.importorskip("playwright", reason="the pages are tested where Playwright is installed: pip install playwright")

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TONE_HZ = 440
PATIENCE_MS = 15_000
SAYS = ("bonjour je vous appelle", "pour le rendez-vous de mardi", "merci et au revoir")
SCRIPT_IN_TEXT = "<img src=x onerror=\"document.title='owned'\"> & <b>gras</b> --> fin"


@pytest.fixture(scope="session")
def tone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a tone, at a rate that is not the server's."""
    path = tmp_path_factory.mktemp("audio") / "tone.wav"
    seconds = np.arange(6 * 44100) / 44100
    samples = (0.4 * 32767 * np.sin(2 * np.pi * TONE_HZ * seconds)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="module")
def microphone_wav(tone_wav: Path) -> Path:
    """What the browser's microphone hears, over and over; a module of tests may have its own."""
    return tone_wav


@pytest.fixture(scope="module")
def browser(microphone_wav: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("the pages are tested where chromium is installed: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        args = [*arguments, f"--use-file-for-fake-audio-capture={microphone_wav}"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer(*SAYS)
    server.start()
    yield server
    server.close()


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


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(browser: Browser, server: ScriptedServer, complaints: Complaints) -> Iterator[Page]:
    """A page whose console stays clean: an error, a warning or a breach of the security policy fails the test.

    It asks for the server only to be closed before it: a page whose server goes away complains.
    """
    context = browser.new_context(locale="en-US", permissions=["microphone", "clipboard-read", "clipboard-write"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints.listen(page)
    yield page
    context.close()
    assert complaints.unexpected == []
