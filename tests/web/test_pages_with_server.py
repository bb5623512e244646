"""The pages against the client server itself and the shipped model: what is said is what is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from web.browser_rig import AWAY, NO_PLAYWRIGHT, Complaints, microphone_of

from V3.calls.words import fold
from V3.events import AnswerClassified, Final, Partial, StreamClosed, StreamOpened
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)
pytest.importorskip("V3.system.services.client_server", reason="the client server is not part of this version")

from playwright.sync_api import Page, expect
from web.page_steps import downloaded, lines, opened
from web.real_server import RealServer

SAID = ("allo_qui", "pas_la", "au_travail")


@pytest.fixture(scope="module")
def microphone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sentences and silence, then all over again."""
    pieces = [piece for name in SAID for piece in (silence(1.0), speech(name))]
    return microphone_of(np.concatenate([*pieces, silence(6.0)]), tmp_path_factory.mktemp("audio") / "sentences.wav")


@pytest.fixture
def server(stt: WhisperStreamingSTT) -> Iterator[RealServer]:
    server = RealServer(stt)
    server.start()
    yield server
    server.close()


def test_words_spoken_into_the_microphone_are_read(page: Page, server: RealServer) -> None:
    opened(page, server)
    page.get_by_role("button", name="Start").click()
    expect(lines(page).nth(len(SAID) - 1)).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#phase")).to_have_text("Ready")
    said = [fold(TEXTS[name]) for name in SAID]
    assert [fold(text) for text in lines(page).all_text_contents()][: len(SAID)] == said
    expect(page.locator("#rtf svg")).to_have_attribute("aria-label", re.compile("Real-time factor: last"))


@pytest.mark.parametrize("mode", ["Live", "Classic"])
def test_file_is_written_down(page: Page, server: RealServer, mode: str, microphone_wav: Path) -> None:
    opened(page, server)
    page.get_by_role("radio", name="File").check()
    page.get_by_role("radio", name=mode).check()
    page.locator("#file").set_input_files(microphone_wav)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#phase")).not_to_have_text("Ready")
    expect(page.locator("#phase")).to_have_text("Ready", timeout=30_000)
    heard = fold(" ".join(lines(page).all_text_contents()))
    if mode == "Live":
        assert heard == fold(" ".join(TEXTS[name] for name in SAID))
    else:  # cut every two seconds, in the middle of words
        assert heard.startswith("allo c est qui")
        assert heard.endswith("parler")
    srt = downloaded(page, "SRT")
    starts = [60 * int(m) + int(s) + int(ms) / 1000 for m, s, ms in re.findall(r"00:(\d+):(\d+),(\d+) -->", srt)]
    assert starts == sorted(starts)
    assert starts[0] == pytest.approx(1.0 if mode == "Live" else 0.0, abs=0.4)
    assert starts[-1] < 9.0


def test_restart_of_the_server_costs_no_words(page: Page, server: RealServer, complaints: Complaints) -> None:
    complaints.expect(*AWAY)
    opened(page, server)
    page.get_by_role("radio", name="File").check()
    page.get_by_role("radio", name="As it sounds").check()
    page.locator("#file").set_input_files(DATA / "pas_joignable.wav")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#tentative")).to_contain_text("correspondant")
    server.stop()
    expect(page.locator("#link")).to_have_attribute("data-state", "waiting")
    server.start()
    expect(page.locator("#phase")).to_have_text("Ready", timeout=40_000)
    assert fold(" ".join(lines(page).all_text_contents())) == fold(TEXTS["pas_joignable"])


def test_language_the_model_does_not_know_is_refused_in_a_sentence(page: Page, server: RealServer) -> None:
    opened(page, server)
    page.get_by_label("Language spoken").select_option("en")
    expect(page.locator("#notices")).to_contain_text("The server reports:")


class TestToken:
    @pytest.fixture
    def server(self, stt: WhisperStreamingSTT) -> Iterator[RealServer]:
        server = RealServer(stt, token="geheim")
        server.start()
        yield server
        server.close()

    @pytest.mark.parametrize("path", ["", "calls"])
    def test_missing_token_is_said_and_the_right_one_is_taken(self, page: Page, server: RealServer, path: str) -> None:
        page.goto(server.url + path)
        expect(page.locator("#link")).to_contain_text("its token is missing or wrong")
        opened(page, server, f"{path}?token=geheim")


def test_a_call_is_shown_from_its_answer_to_its_end(page: Page, server: RealServer) -> None:
    opened(page, server, "calls")
    expect(page.locator("[data-counter=streams] .value")).to_have_text(re.compile(r"0 of \d+"))
    server.hear(StreamOpened(call_id="a1b2c3d4e5", at_ms=0, rate_hz=16000))
    card = page.locator("#in-progress [data-call=a1b2c3d4e5]")
    expect(card.locator(".badge")).to_have_text("Detecting")
    expect(card.locator("h3")).to_have_text("Call a1b2c3d4")
    server.hear(Partial(call_id="a1b2c3d4e5", at_ms=900, text="<b>allô", words=(), start_ms=300))
    expect(card.locator(".open")).to_have_text("<b>allô")
    server.hear(
        AnswerClassified(
            call_id="a1b2c3d4e5",
            at_ms=2300,
            label="HUMAN",
            reason="keywords",
            confidence=0.9,
            text="allô",
            evidence=("greeting: allô (-1.0)",),
        )
    )
    expect(card.locator(".facts")).to_contain_text("Person, 90\u00a0% sure")
    server.hear(Final(call_id="a1b2c3d4e5", at_ms=2600, text="Allô.", words=(), start_ms=300, end_ms=2000))
    expect(card.locator(".heard")).to_have_text("Allô.")
    server.hear(StreamClosed(call_id="a1b2c3d4e5", at_ms=5000, code=1000, reason=""))
    expect(page.locator("#ended [data-call=a1b2c3d4e5] .badge")).to_have_text("Ended")
    expect(page.locator("#empty")).to_be_visible()
