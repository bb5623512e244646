"""Both pages by keyboard, for screen readers, in two languages, on a phone, in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from web.browser_rig import NO_PLAYWRIGHT, SAYS
from web.scripted_server import ScriptedServer

pytest.importorskip("playwright", reason=NO_PLAYWRIGHT)

from playwright.sync_api import Browser, Page, expect
from web.page_steps import ENGINE, call, lines, opened, transcribed


def test_everything_works_by_keyboard(page: Page, server: ScriptedServer) -> None:
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


def test_finals_are_announced_and_partials_are_not(page: Page, server: ScriptedServer) -> None:
    opened(page, server)
    log = page.locator("[role=log]")
    expect(log).to_have_attribute("aria-live", "polite")
    assert log.locator("#lines").count() == 1
    assert log.locator("#tentative").count() == 0
    expect(page.locator("#tentative")).to_have_attribute("aria-live", "off")


@pytest.mark.parametrize("path", ["", "calls"])
def test_every_control_has_a_name(page: Page, server: ScriptedServer, path: str) -> None:
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


def test_language_can_be_switched_and_is_kept(page: Page, server: ScriptedServer) -> None:
    opened(page, server)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="FR").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("h1")).to_have_text("Sous-titres en direct")
    expect(page.locator("#link")).to_have_text("Connecté")
    expect(page.get_by_role("button", name="Démarrer")).to_be_visible()
    page.reload()
    expect(page.locator("h1")).to_have_text("Sous-titres en direct")


def test_language_is_the_browsers_at_first(browser: Browser, server: ScriptedServer) -> None:
    context = browser.new_context(locale="fr-CA")
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("h1")).to_have_text("Sous-titres en direct")
    context.close()


@pytest.mark.parametrize("path", ["", "calls"])
def test_nothing_scrolls_sideways_on_a_phone(page: Page, server: ScriptedServer, path: str) -> None:
    long = "rendezvous" * 20
    wide = call(id="b2", state="what_no_page_knows_yet_but_shows", number_masked="+33 1 99 ** ** ** ** 02")
    server.snapshot |= {"calls": [call(final=long), wide], "engine": ENGINE}
    opened(page, server, path)
    for width in (320, 360, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        for language in ("FR", "EN"):
            page.get_by_role("button", name=language).click()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.evaluate(SPILLING) == []


def test_a_long_word_breaks_on_a_phone(page: Page, server: ScriptedServer, tone_wav: Path) -> None:
    server.says = ("rendezvous" * 20,)
    page.set_viewport_size({"width": 360, "height": 740})
    transcribed(page, server, tone_wav)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("#transcript").evaluate("(box) => box.scrollWidth - box.clientWidth") == 0


@pytest.mark.parametrize("path", ["", "calls"])
def test_text_stands_out_in_light_and_dark(page: Page, server: ScriptedServer, path: str) -> None:
    server.snapshot |= {"calls": [call(partial="oui")], "engine": ENGINE}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        opened(page, server, path)
        assert page.evaluate(FAINT_TEXT) == []


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


SPILLING = """() => [...document.querySelectorAll(".card")].flatMap((card) => {
  const right = card.getBoundingClientRect().right - parseFloat(getComputedStyle(card).paddingRight) + 1;
  return [...card.querySelectorAll("*")].filter((e) => e.checkVisibility() && !e.closest(".unseen, .quiet, .segments")
    && e.getBoundingClientRect().right > right).map((e) => e.textContent.slice(0, 40));
})"""

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
