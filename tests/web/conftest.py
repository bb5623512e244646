"""A browser for the pages: Debian's chromium, driven by Playwright, with a microphone that plays a WAV.

Only while these tests run: Playwright's loop runs in the main thread, where others call ``asyncio.run``.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from web.browser_rig import CHROMIUM, NO_PLAYWRIGHT, PATIENCE_MS, SAYS, TONE_HZ, TONE_MS, Complaints
from web.scripted_server import ScriptedServer

if TYPE_CHECKING:  # Playwright may be missing: then the tests say so and are skipped
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def tone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone, at a rate that is not the server's."""
    path = tmp_path_factory.mktemp("audio") / "tone.wav"
    seconds = np.arange(TONE_MS * 44100 // 1000) / 44100
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
    api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    api.expect.set_options(timeout=PATIENCE_MS)
    arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with api.sync_playwright() as playwright:
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
