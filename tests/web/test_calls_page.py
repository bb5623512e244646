"""The page of calls in a browser, against a server that tells calls from a script."""

from __future__ import annotations

import pytest
from web.browser_rig import AWAY, NO_PLAYWRIGHT, Complaints
from web.scripted_server import ScriptedServer

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

from playwright.sync_api import Page, expect
from web.page_steps import ENGINE, call, opened


def test_a_call_from_ringing_to_its_end(page: Page, server: ScriptedServer) -> None:
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


def test_counters_of_the_engine(page: Page, server: ScriptedServer) -> None:
    server.snapshot["engine"] = ENGINE
    opened(page, server, "calls")
    expect(page.locator("[data-counter=streams] .value")).to_have_text("7 of 60")
    server.tell({"type": "engine", **ENGINE, "lag_ms": 1340, "queue": 9})
    expect(page.locator("[data-counter=lag_ms] .value")).to_have_text("1,340\u00a0ms")
    plot = page.locator("[data-counter=queue] svg")
    expect(plot).to_have_attribute("aria-label", "In the queue: now 9, worst 9 in the last 2 s.")


def test_reconnects_and_drops_what_is_gone(page: Page, server: ScriptedServer, complaints: Complaints) -> None:
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
