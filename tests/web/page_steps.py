"""What a person does on the pages, in steps that tests put together. Import it where Playwright is known to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Locator, Page, expect
from web.scripted_server import ScriptedServer

__all__ = ["ENGINE", "Served", "call", "choose_file", "downloaded", "lines", "opened", "transcribed"]

ENGINE = {"queue": 2, "batch": 4, "lag_ms": 120, "streams": 7, "capacity": 60, "refused": 0}


class Served(Protocol):
    """A server of the pages, scripted or real."""

    @property
    def url(self) -> str: ...


def opened(page: Page, server: Served, path: str = "") -> None:
    page.goto(server.url + path)
    expect(page.locator("#link")).to_have_attribute("data-state", "open")


def lines(page: Page) -> Locator:
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


def call(**changes: Any) -> dict[str, Any]:
    plain = {"id": "a1", "state": "listening", "since_ms": 4000, "partial": "", "final": "", "verdict": None}
    return {**plain, "barge_ins": [], "latency_ms": {}, "number_masked": "01 99 ** ** 02", **changes}
