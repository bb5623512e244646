"""The page of a load: it stands alone, shows every figure, and what it is told is text."""

from __future__ import annotations

import re
import sys

import pytest
from load_cases import record, report, step

from V3.errors import ConfigError
from V3.picture.load_page import load_page
from V3.picture.load_plots import draw_knee, draw_spreads, draw_time

STEPS = (step(5, record(), record(1800)), step(10, record(2600), record(2500), refused=2))


def test_a_load_of_steps_shows_the_knee() -> None:
    page = load_page(report(*STEPS))
    assert "the knee is at 5 calls; 10: time to verdict 2595 ms, over 2450" in page
    assert page.count("<img") == 4  # the knee, the spreads, both steps over time
    assert "Latencies of the canary" in page
    assert "a processor, 2 cores" in page


def test_one_step_has_no_knee() -> None:
    page = load_page(report(STEPS[0]))
    assert page.count("<img") == 2
    assert "knee" not in page


def test_it_needs_nothing_from_anywhere() -> None:
    page = load_page(report(*STEPS))
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "<script" not in page


def test_what_it_is_told_is_text() -> None:
    page = load_page(report(step(5, record(fault="<img src=x onerror=alert(1)>"))))
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_a_load_that_was_stopped_at_once_has_a_page() -> None:
    stopped = report(step(5)).model_copy(update={"stopped": True})
    assert "Stopped before its end" in load_page(stopped)


@pytest.mark.parametrize("draw", [lambda: draw_knee(report(*STEPS)), lambda: draw_spreads(report(*STEPS)),
                                  lambda: draw_time(STEPS[1])])  # fmt: skip
def test_pictures_are_pngs(draw: object) -> None:
    assert draw().startswith(b"\x89PNG")  # type: ignore[operator]


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"V3\[load\]"):
        load_page(report(*STEPS))
