"""The pages in a browser, against a server that speaks the protocols from a script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web.browser_rig import AWAY, NO_PLAYWRIGHT, SAYS, SCRIPT_IN_TEXT, TONE_HZ, Complaints
from web.scripted_server import CSP, SPOKEN_MS, Client, ScriptedServer

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

from playwright.sync_api import Browser, Page, expect

ENGINE = {"queue": 2, "batch": 4, "lag_ms": 120, "streams": 7, "capacity": 60, "refused": 0}


def opened(page: Page, server: ScriptedServer, path: str = "") -> None:
    page.goto(server.url + path)
    expect(page.locator("#link")).to_have_attribute("data-state", "open")


def lines(page: Page) -> Any:
    return page.locator("#lines .line p")


def choose_file(page: Page, path: Path, *, pace: str = "fast") -> None:
    page.get_by_role("radio", name="File").check()
    page.locator("#file").set_input_files(path)
    page.locator(f"[name=pace][value={pace}]").check()


def transcribed(page: Page, server: ScriptedServer, path: Path) -> None:
    opened(page, server)
    choose_file(page, path)
    page.get_by_role("button", name="Start").click()
    expect(lines(page)).to_have_text(list(server.says))
    expect(page.locator("#phase")).to_have_text("Ready")


def downloaded(page: Page, name: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


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
    def test_restart_of_the_server_costs_no_words(
        self, page: Page, server: ScriptedServer, complaints: Complaints
    ) -> None:
        complaints.expect(*AWAY)
        opened(page, server)
        page.get_by_role("button", name="Start").click()
        expect(lines(page)).to_have_text([SAYS[0]])
        server.stop()
        expect(page.locator("#link")).to_have_attribute("data-state", "waiting")
        expect(page.locator("#link")).to_contain_text("Next attempt in")
        expect(page.locator("#notices")).to_contain_text("is kept for")
        server.start()
        expect(page.locator("#link")).to_have_text("Connected")
        expect(lines(page).nth(1)).to_be_visible()
        assert len(server.clients) == 2
        first_s, second_s = page.evaluate(
            "[...document.querySelectorAll('#lines time')].slice(0, 2).map((t) => parseFloat(t.dateTime.slice(2)))"
        )
        assert second_s >= first_s + SPOKEN_MS / 1000  # the new connection hears from where the first line ended

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


class TestEverybody:
    def test_everything_works_by_keyboard(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        press = page.keyboard.press
        tab_until(page, "document.activeElement.name === 'source'")
        press("ArrowRight")
        expect(page.locator("#file")).to_be_visible()
        press("ArrowLeft")
        tab_until(page, "document.activeElement.id === 'language'")
        press("ArrowDown")
        tab_until(page, "document.activeElement.id === 'transcript'")
        tab_until(page, "document.activeElement.id === 'toggle'")
        press("Enter")
        expect(lines(page).first).to_have_text(SAYS[0])
        expect(page.locator("#toggle")).to_be_focused()
        press("Enter")
        expect(page.locator("#phase")).to_have_text("Ready")
        assert server.client.configs[-1]["language"] == "en"
        tab_until(page, "document.activeElement.dataset.format === 'srt'")
        with page.expect_download() as download:
            press("Enter")
        assert download.value.suggested_filename == "captions.srt"

    def test_finals_are_announced_and_partials_are_not(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        log = page.locator("[role=log]")
        expect(log).to_have_attribute("aria-live", "polite")
        assert log.locator("#lines").count() == 1
        assert log.locator("#tentative").count() == 0
        expect(page.locator("#tentative")).to_have_attribute("aria-live", "off")

    @pytest.mark.parametrize("path", ["", "calls"])
    def test_every_control_has_a_name(self, page: Page, server: ScriptedServer, path: str) -> None:
        server.snapshot["calls"] = [call()]
        opened(page, server, path)
        controls = page.locator(
            "button:visible, select:visible, input:visible, [role=meter]:visible, a:visible, summary:visible"
        )
        names = controls.evaluate_all(
            """(all) => all.map((one) =>
              one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent)"""
        )
        assert len(names) > 4
        assert all(name.strip() for name in names)

    def test_language_can_be_switched_and_is_kept(self, page: Page, server: ScriptedServer) -> None:
        opened(page, server)
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.get_by_role("button", name="FR").click()
        expect(page.locator("html")).to_have_attribute("lang", "fr")
        expect(page.locator("h1")).to_have_text("Sous-titres en direct")
        expect(page.locator("#link")).to_have_text("Connecté")
        expect(page.get_by_role("button", name="Démarrer")).to_be_visible()
        page.reload()
        expect(page.locator("h1")).to_have_text("Sous-titres en direct")

    def test_language_is_the_browsers_at_first(self, browser: Browser, server: ScriptedServer) -> None:
        context = browser.new_context(locale="fr-CA")
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("h1")).to_have_text("Sous-titres en direct")
        context.close()

    @pytest.mark.parametrize("path", ["", "calls"])
    def test_nothing_scrolls_sideways_on_a_phone(self, page: Page, server: ScriptedServer, path: str) -> None:
        long = "rendezvous" * 20
        server.snapshot |= {"calls": [call(final=long)], "engine": ENGINE}
        opened(page, server, path)
        for width in (320, 360, 390, 768):
            page.set_viewport_size({"width": width, "height": 844})
            for language in ("FR", "EN"):
                page.get_by_role("button", name=language).click()
                assert page.evaluate("document.documentElement.scrollWidth") == width

    def test_a_long_word_breaks_on_a_phone(self, page: Page, server: ScriptedServer, tone_wav: Path) -> None:
        server.says = ("rendezvous" * 20,)
        page.set_viewport_size({"width": 360, "height": 740})
        transcribed(page, server, tone_wav)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.locator("#transcript").evaluate("(box) => box.scrollWidth - box.clientWidth") == 0

    @pytest.mark.parametrize("path", ["", "calls"])
    def test_text_stands_out_in_light_and_dark(self, page: Page, server: ScriptedServer, path: str) -> None:
        server.snapshot |= {"calls": [call(partial="oui")], "engine": ENGINE}
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            opened(page, server, path)
            assert page.evaluate(FAINT_TEXT) == []


class TestCalls:
    def test_a_call_from_ringing_to_its_end(self, page: Page, server: ScriptedServer) -> None:
        server.snapshot["engine"] = ENGINE
        opened(page, server, "calls")
        expect(page.locator("#empty")).to_contain_text("python -m V3 call")
        server.tell({"type": "call", "call": call(state="ringing", since_ms=5300)})
        card = page.locator("#in-progress [data-call=a1]")
        expect(card.locator(".badge")).to_have_text("Ringing")
        expect(card.locator("h3")).to_have_text("01 99 ** ** 02")
        expect(page.locator("#empty")).to_be_hidden()
        server.tell({"type": "call", "call": call(state="detecting", since_ms=2300, partial="allô")})
        expect(card.locator(".open")).to_have_text("allô")
        verdict = {
            "label": "HUMAN",
            "kind": "short_greeting",
            "reason": "keywords",
            "confidence": 0.93,
            "evidence": ["greeting: allô (-1.0)"],
            "at_ms": 2300,
        }
        interrupted = [{"reason": "stop word: attendez", "ms": 7300}]
        latency = {"verdict": 2410, "partial": 310}
        now = call(
            state="playing", since_ms=0, final="allô oui", verdict=verdict, barge_ins=interrupted, latency_ms=latency
        )
        server.tell({"type": "call", "call": now})
        expect(card.locator(".facts")).to_contain_text("Person")
        expect(card.locator(".facts")).to_contain_text("Person, 93\u00a0% sure")
        expect(card.locator(".facts")).to_contain_text("at 0:07.3 (stop word: attendez)")
        expect(card.locator(".facts")).to_contain_text("Verdict 2,410\u00a0ms · Words 310\u00a0ms")
        expect(page.locator("#announcer")).to_have_text("01 99 ** ** 02: Person, 93\u00a0% sure")
        expect(card.locator(".evidence")).to_be_hidden()
        card.locator("summary").click()
        expect(card.locator(".evidence")).to_contain_text("greeting: allô (-1.0)")
        expect(card.locator(".legend li").first).to_contain_text("Ringing 3.")
        expect(card.locator(".legend li").nth(1)).to_contain_text("Detecting 2.")
        assert card.locator(".course span").count() == 3
        server.tell({"type": "call", "call": now | {"state": "ended", "since_ms": 0}})
        expect(page.locator("#ended [data-call=a1] .badge")).to_have_text("Ended")
        expect(card).to_have_count(0)
        expect(page.locator("#empty")).to_be_visible()

    def test_counters_of_the_engine(self, page: Page, server: ScriptedServer) -> None:
        server.snapshot["engine"] = ENGINE
        opened(page, server, "calls")
        expect(page.locator("[data-counter=streams] .value")).to_have_text("7 of 60")
        server.tell({"type": "engine", **ENGINE, "lag_ms": 1340, "queue": 9})
        expect(page.locator("[data-counter=lag_ms] .value")).to_have_text("1,340\u00a0ms")
        plot = page.locator("[data-counter=queue] svg")
        expect(plot).to_have_attribute("aria-label", "In the queue: now 9, worst 9 in the last 2 s.")

    def test_reconnects_and_drops_what_is_gone(
        self, page: Page, server: ScriptedServer, complaints: Complaints
    ) -> None:
        complaints.expect(*AWAY)
        server.snapshot["calls"] = [call(), call(id="b2")]
        opened(page, server, "calls")
        expect(page.locator("#in-progress .call")).to_have_count(2)
        server.stop()
        expect(page.locator("#notices")).to_contain_text("out of date")
        server.snapshot["calls"] = [call(id="b2")]
        server.start()
        expect(page.locator("#in-progress .call")).to_have_count(1)
        expect(page.locator("#ended .call")).to_have_count(1)
        expect(page.locator("#notices .notice")).to_have_count(0)


class TestServer:
    """The script itself: what the browser tests lean on."""

    def test_live_partials_then_a_final(self) -> None:
        client = Client({})
        client.text({"type": "config", "mode": "live"})
        answers = [answer for _ in range(9) for answer in client.binary(bytes(3200), ("un deux trois",))]
        assert [answer.get("partial", False) for answer in answers] == [True] * (len(answers) - 1) + [False]
        assert (answers[-1]["start"], answers[-1]["end"]) == (0.0, 0.6)

    def test_classic_answers_every_message(self) -> None:
        client = Client({})
        answers = [client.binary(bytes(32000), ("un",)) for _ in range(2)]
        assert [answer[0]["type"] for answer in answers] == ["buffering", "transcription"]


def call(**changes: Any) -> dict[str, Any]:
    plain = {"id": "a1", "state": "listening", "since_ms": 4000, "partial": "", "final": "", "verdict": None}
    return {**plain, "barge_ins": [], "latency_ms": {}, "number_masked": "01 99 ** ** 02", **changes}


def tab_until(page: Page, condition: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(condition):
            outline = page.evaluate(
                "[document.activeElement, document.activeElement.nextElementSibling]"
                ".some((e) => e && getComputedStyle(e).outlineStyle !== 'none')"
            )
            assert outline, f"no visible focus where {condition}"
            return
    raise AssertionError(f"the Tab key does not reach {condition}")


FAINT_TEXT = """() => {
  const rgb = (css) => css.match(/[\\d.]+/g).map(Number);
  const part = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = (e) => { for (; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  } return [255, 255, 255]; };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.matches(".skip, .brand")
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())).map((e) => {
      const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
      return [e.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
    }).filter(([, contrast]) => contrast < 4.5);
}"""
