"""A real MediaRecorder: headless chromium's, fed by a WAV as its microphone, to the recorder's protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from audio_samples import TEXTS, silence, speech
from web.browser_rig import NO_PLAYWRIGHT, Complaints, microphone_of
from web.real_server import RealServer

from V3.calls.words import fold
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAID = ("allo_qui", "pas_la")
CHUNK_MS = 300
PAGE = """<!DOCTYPE html>
<html lang="en"><title>recorder</title><link rel="icon" href="data:,">
<script>
"use strict";
window.told = [];
async function record(url, chunkMs) {
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false},
  });
  const socket = new WebSocket(url);
  socket.onmessage = (event) => window.told.push(event.data);
  socket.onclose = (event) => { window.endedBy = `${event.code} ${event.reason}`; };
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
  const recorder = new MediaRecorder(microphone, {mimeType: "audio/webm;codecs=opus"});
  window.chunks = 0;
  recorder.ondataavailable = (event) => { window.chunks += 1; socket.send(event.data); };
  recorder.start(chunkMs);
  window.stop = () => recorder.stop();
}
</script>
"""


@pytest.fixture(scope="module")
def microphone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences and silence, then all over again."""
    pieces = [piece for name in SAID for piece in (silence(1.2), speech(name))]
    return microphone_of(np.concatenate([*pieces, silence(8.0)]), tmp_path_factory.mktemp("audio") / "sentences.wav")


@pytest.fixture
def page_url() -> Iterator[str]:
    """Somebody else's page, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join(10)


@pytest.fixture
def server(stt: WhisperStreamingSTT, page_url: str) -> Iterator[RealServer]:
    server = RealServer(stt, origins=(page_url,))
    server.start()
    yield server
    server.close()


def test_words_come_back_as_partials_and_finals(page: Page, server: RealServer, page_url: str) -> None:
    page.goto(page_url)
    page.evaluate("([url, ms]) => record(url, ms)", [server.url.replace("http", "ws") + "ajax/audio", CHUNK_MS])
    finals = f"told.filter((text) => JSON.parse(text).final).length >= {len(SAID)}"
    page.wait_for_function(finals, timeout=30_000)
    page.evaluate("stop()")
    told = [json.loads(text) for text in page.evaluate("told")]
    assert all(len(each) == 1 and each.keys() <= {"partial", "final"} for each in told)
    assert [fold(each["final"]) for each in told if "final" in each][: len(SAID)] == [fold(TEXTS[n]) for n in SAID]
    first = next(i for i, each in enumerate(told) if "final" in each)
    assert any(each.get("partial") for each in told[:first])  # words came before the sentence had ended
    assert page.evaluate("chunks") > 10
    assert page.evaluate("window.endedBy") is None


def test_a_page_of_another_origin_may_not_record(
    page: Page, stt: WhisperStreamingSTT, page_url: str, complaints: Complaints
) -> None:
    complaints.expect("WebSocket connection to", "Unexpected response code: 403")
    server = RealServer(stt)
    server.start()
    try:
        page.goto(page_url)
        failed = "([url, ms]) => record(url, ms).then(() => false, () => true)"
        assert page.evaluate(failed, [server.url.replace("http", "ws") + "ajax/audio", CHUNK_MS])
    finally:
        server.close()
