"""The page in a browser: it is clean, plays both sides together, and runs nothing that was said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from picture_cases import HOSTILE, full_report
from web.browser_rig import CHROMIUM, NO_PLAYWRIGHT, PATIENCE_MS, Complaints

from V3.picture.figure import draw_call
from V3.picture.page import call_page
from V3.picture.sides import Sides

if TYPE_CHECKING:  # Playwright may be missing: then the tests say so and are skipped
    from playwright.sync_api import Page

AWAY_S = 3.0  # into the call


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """The page of a call in which hostile words were said, its console clean."""
    if CHROMIUM is None:
        pytest.skip("the page is tested where chromium is installed: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
    tone = (9000 * np.sin(np.arange(8000 * 9) / 5)).astype(np.int16)
    report, sides = full_report(HOSTILE), Sides(tone, tone, 8000, 12)
    file = tmp_path / "call.html"
    file.write_text(call_page(report, draw_call(report, sides), sides), encoding="utf-8")
    complaints = Complaints()
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--mute-audio"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints.listen(page)
        page.on("dialog", lambda dialog: pytest.fail(f"a word ran as a script: {dialog.message}"))
        page.goto(file.as_uri())
        yield page
        browser.close()
    assert complaints.unexpected == []


def test_a_click_in_the_picture_plays_both_sides_from_there(page: Page) -> None:
    page.wait_for_function("callee.readyState === 4 && robot.readyState === 4")
    where = page.evaluate(
        """(at_s) => {
            const {left, right, from, until} = picture.dataset;
            const share = +left + (at_s * 1000 - from) / (until - from) * (right - left);
            return share * picture.getBoundingClientRect().width;
        }""",
        AWAY_S,
    )
    page.locator("#picture").click(position={"x": where, "y": 60})
    page.wait_for_function("!callee.paused && !robot.paused && callee.currentTime > 2.9 && robot.currentTime > 2.9")
    assert page.evaluate("getComputedStyle(cursor).display") == "block"
    page.evaluate("callee.pause()")
    page.wait_for_function("robot.paused")


def test_the_picture_is_shown_and_hostile_words_are_read(page: Page) -> None:
    assert page.evaluate("document.querySelector('#picture img').naturalWidth") > 1000
    assert page.locator("td", has_text="<script>alert(1)</script>").count() >= 5
    assert page.locator("script").count() == 1
