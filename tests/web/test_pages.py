"""The captions page in a browser, against a server that speaks the protocol from a script."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from web.browser_rig import AWAY, NO_PLAYWRIGHT, SAYS, SCRIPT_IN_TEXT, TONE_HZ, TONE_MS, Complaints
from web.scripted_server import BYTES_PER_MS, CSP, SPOKEN_MS, ScriptedServer

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

from playwright.sync_api import Page, expect
from web.page_steps import call, choose_file, downloaded, lines, opened, transcribed


def pitch_hz(audio: bytes) -> float:
    samples = np.frombuffer(audio[: len(audio) // 2 * 2], "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum)) * 16000 / samples.size


class TestRecording:
    def test_microphone_goes_out_at_16_khz_and_words_come_back(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#phase")).to_have_text("Listening")
        expect(lines(page)).to_have_text(list(SAYS))
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#phase")).to_have_text("Ready")
        client = server.client
        spoken = client.audio[
            : client.sizes.index(max(client.sizes)) * 3200
        ]  # the longest message is silence at the end
        assert client.sizes[:20] == [3200] * 20
        assert abs(pitch_hz(bytes(spoken)) - TONE_HZ) < 4
        assert client.configs[:2] == [
            {"type": "config", "mode": "live", "format": "int16"},
            {"type": "config", "language": "fr", "task": "transcribe"},
        ]

    def test_partial_words_are_in_doubt_until_the_final(self, page: Page, server: ScriptedServer) -> None:
        server.says = (SAYS[0],)
        opened(page, server)
        seen = page.evaluate_handle(
            """() => { const seen = []; const tentative = document.getElementById("tentative");
            new MutationObserver(() => tentative.hidden || seen.push([...tentative.querySelectorAll("span")]
              .map((span) => span.textContent))).observe(tentative, {subtree: true, childList: true, attributes: true});
            return seen; }"""
        )
        page.get_by_role("button", name="Start").click()
        expect(lines(page)).to_have_text([SAYS[0]])
        expect(page.locator("#tentative")).to_be_hidden()
        stages = seen.json_value()
        assert ["", "bonjour"] in stages
        assert ["bonjour ", "je"] in stages

    def test_classic_mode_shows_a_text_for_each_window(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        page.get_by_role("radio", name="Classic").check()
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#phase")).to_contain_text("of 2.0 s gathered")
        expect(lines(page).first).to_have_text(f"{SAYS[0]} {SAYS[1]}")
        expect(page.locator("#lines time").nth(1)).to_have_text("0:02.0")

    def test_changing_the_mode_while_listening_loses_no_words(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(lines(page)).to_have_text([SAYS[0]])
        page.get_by_role("radio", name="Classic").check()
        expect(lines(page).nth(1)).to_be_visible()
        assert [config["mode"] for config in server.client.configs if "mode" in config] == ["live", "classic"]

    def test_clear_empties_the_page_and_the_server(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(lines(page)).to_have_text([SAYS[0]])
        page.get_by_role("button", name="Clear").click()
        expect(lines(page)).to_have_text([SAYS[0]])  # the script begins anew: its clock was set back
        expect(page.locator("#lines time").first).to_have_text("0:00.0")

    def test_speed_is_shown_as_a_plot_and_in_words(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        transcribed(page, server, tone_wav)
        plot = page.locator("#rtf svg")
        expect(plot).to_have_attribute("aria-label", re.compile(r"Real-time factor: last 0\.\d\d, median .* answers\."))
        assert len(str(plot.locator("polyline").get_attribute("points")).split()) > 3
        expect(page.locator("#latency .summary")).to_contain_text("median")


class TestFiles:
    def test_file_is_transcribed_with_progress(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        opened(page, server)
        choose_file(page, tone_wav)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#progress-text")).to_have_text("100 %")
        expect(lines(page)).to_have_text(list(SAYS))
        assert abs(pitch_hz(bytes(server.client.audio[: 3 * 32000])) - TONE_HZ) < 4
        expect(page.locator("#phase")).to_have_text("Ready")

    def test_file_may_go_out_as_it_sounds(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        opened(page, server)
        choose_file(page, tone_wav, pace="real")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#tentative .open")).to_be_visible()
        assert 0 < float(page.locator("#progress").evaluate("(bar) => bar.value")) < 0.9
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#phase")).to_have_text("Ready")
        assert server.client.heard_ms < 4000

    def test_text_srt_and_webvtt_have_the_words_at_their_times(
        self, page: Page, server: ScriptedServer, tone_wav: Path
    ) -> None:
        transcribed(page, server, tone_wav)
        assert downloaded(page, "Text") == "".join(f"{text}\n" for text in SAYS)
        assert downloaded(page, "SRT") == (
            f"1\n00:00:00,000 --> 00:00:00,600\n{SAYS[0]}\n\n"
            f"2\n00:00:00,900 --> 00:00:01,500\n{SAYS[1]}\n\n"
            f"3\n00:00:01,800 --> 00:00:02,400\n{SAYS[2]}\n"
        )
        assert downloaded(page, "WebVTT").startswith(f"WEBVTT\n\n00:00:00.000 --> 00:00:00.600\n{SAYS[0]}\n\n")

    def test_copy_puts_the_text_on_the_clipboard(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        transcribed(page, server, tone_wav)
        page.get_by_role("button", name="Copy").click()
        expect(page.locator(".notice.good")).to_contain_text("copied")
        assert page.evaluate("navigator.clipboard.readText()") == "".join(f"{text}\n" for text in SAYS)

    def test_second_file_asks_before_the_captions_go(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        transcribed(page, server, tone_wav)
        page.get_by_role("button", name="Start").click()
        page.get_by_role("button", name="Cancel").click()
        expect(lines(page)).to_have_text(list(SAYS))
        page.get_by_role("button", name="Start").click()
        page.get_by_role("button", name="Clear and start").click()
        expect(page.locator("#phase")).not_to_have_text("Ready")
        expect(page.locator("#phase")).to_have_text("Ready")
        expect(lines(page)).to_have_text(list(SAYS))

    def test_what_is_no_audio_is_refused_in_a_sentence(
        self, page: Page, server: ScriptedServer, tmp_path: Path
    ) -> None:
        (tmp_path / "letter.wav").write_text("no audio at all")
        opened(page, server)
        choose_file(page, tmp_path / "letter.wav")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#notices")).to_contain_text("cannot read audio in this file")
        expect(page.get_by_role("button", name="Start")).to_be_focused()


class TestConnection:
    def test_restart_of_the_server_costs_no_audio(
        self, page: Page, server: ScriptedServer, complaints: Complaints, tone_wav: Path
    ) -> None:
        complaints.expect(*AWAY)
        server.says = (SAYS[0],)
        opened(page, server)
        choose_file(page, tone_wav, pace="real")
        page.get_by_role("button", name="Start").click()
        expect(lines(page)).to_have_text([SAYS[0]])
        server.stop()
        expect(page.locator("#link")).to_have_attribute("data-state", "waiting")
        expect(page.locator("#link")).to_contain_text("Next attempt in")
        expect(page.locator("#notices")).to_contain_text("is kept for")
        server.start()
        expect(page.locator("#link")).to_have_text("Connected")
        expect(page.locator("#phase")).to_have_text("Ready")
        assert len(server.clients) == 2
        covered_ms, silence_ms = SPOKEN_MS, 1200  # what the first line had; what ends the last one
        assert len(server.client.audio) == (TONE_MS - covered_ms + silence_ms) * BYTES_PER_MS
        first_s, second_s = page.evaluate(
            "[...document.querySelectorAll('#lines time')].slice(0, 2).map((t) => parseFloat(t.dateTime.slice(2)))"
        )
        assert (first_s, second_s) == (0, covered_ms / 1000)

    def test_token_of_the_page_is_passed_on(self, page: Page, server: ScriptedServer) -> None:
        server.token = "geheim"
        opened(page, server, "?token=geheim")
        assert server.client.query["token"] == ["geheim"]
        page.get_by_role("link", name="Calls").click()
        expect(page.locator("#link")).to_have_attribute("data-state", "open")

    def test_refused_token_is_said(self, page: Page, server: ScriptedServer, complaints: Complaints) -> None:
        complaints.expect(*AWAY)
        server.token = "geheim"
        page.goto(server.url)
        expect(page.locator("#link")).to_contain_text("refuses the connection")
        expect(page.locator("#link")).to_contain_text("?token=")

    @pytest.mark.parametrize(
        ("code", "reason", "said"),
        [
            (1008, "the token is missing or wrong", "its token is missing or wrong"),
            (1013, "the streams in progress take all", "no room for one more"),
            (1001, "the server stops", "The server is restarting"),
            (1011, "a fault", "The server closed the connection: a fault."),
        ],
    )
    def test_a_named_close_is_said(self, page: Page, server: ScriptedServer, code: int, reason: str, said: str) -> None:
        opened(page, server)
        server.drop(code, reason)
        expect(page.locator("#link")).to_contain_text(said)

    def test_idle_connection_rests_until_start(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        server.drop(1008, "no message for 120 s")
        expect(page.locator("#link")).to_contain_text("Start connects again")
        page.get_by_role("button", name="Start").click()
        expect(lines(page).first).to_have_text(SAYS[0])

    def test_disconnect_hears_the_last_words_first(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#tentative .settled")).not_to_be_empty()
        page.get_by_role("button", name="Disconnect").click()
        expect(page.locator("#link")).to_have_text("Not connected")
        expect(lines(page).first).to_contain_text("bonjour")
        expect(page.locator("#tentative")).to_be_hidden()

    def test_error_of_the_server_is_shown(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        server.tell({"type": "error", "message": "telephone-fr only transcribes"})
        expect(page.locator("#notices")).to_contain_text("The server reports: telephone-fr only transcribes")

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("NotAllowedError", "does not let this page use the microphone"),
            ("NotFoundError", "No microphone was found"),
            ("NotReadableError", "in use by another program"),
        ],
    )
    def test_microphone_that_cannot_be_had_is_said(
        self, page: Page, server: ScriptedServer, name: str, said: str
    ) -> None:
        page.add_init_script(
            f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}'); }};"
        )
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#notices")).to_contain_text(said)
        expect(page.locator("#phase")).to_have_text("Ready")


class TestSafety:
    def test_markup_in_a_transcript_stays_text(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        server.says = (SCRIPT_IN_TEXT,)
        transcribed(page, server, tone_wav)
        assert page.locator("#transcript img, #transcript b").count() == 0
        assert page.title() == "Voicebot: live captions"
        assert "&lt;img src=x onerror=" in downloaded(page, "WebVTT")
        assert downloaded(page, "SRT").count("-->") == 1

    def test_markup_in_a_call_stays_text(self, page: Page, server: ScriptedServer) -> None:
        verdict = {
            "label": SCRIPT_IN_TEXT,
            "kind": SCRIPT_IN_TEXT,
            "reason": SCRIPT_IN_TEXT,
            "evidence": [SCRIPT_IN_TEXT],
        }
        server.snapshot["calls"] = [
            call(final=SCRIPT_IN_TEXT, partial=SCRIPT_IN_TEXT, state=SCRIPT_IN_TEXT, verdict=verdict)
        ]
        opened(page, server, "calls")
        expect(page.locator(".heard")).to_contain_text("<img src=x")
        assert page.locator("main img, main b").count() == 0

    def test_policy_forbids_inline_code(self, page: Page, server: ScriptedServer, complaints: Complaints) -> None:
        """The other tests would see a breach: this one shows that there is a policy to breach."""
        complaints.expect("Content Security Policy", "inline script")
        response = page.goto(server.url)
        assert response is not None
        assert response.headers["content-security-policy"] == CSP
        page.evaluate(
            "document.head.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))"
        )
        assert page.title() == "Voicebot: live captions"
