"""The page of a call: whole in one file, and words are never markup."""

from __future__ import annotations

import base64
import hashlib
import html
import re

import numpy as np
import pytest
from html_outline import Outline
from picture_cases import HOSTILE, full_report

from V3.calls.report import CallReport
from V3.picture.figure import Picture
from V3.picture.index import index_page
from V3.picture.page import call_page, table
from V3.picture.sides import Sides

PICTURE = Picture(b"png", 0.07, 0.98, -150, 9350, 1400)
SIDES = Sides(np.array([1, 2], np.int16), np.array([3, 4], np.int16), 8000, 12)


def test_words_are_text_wherever_they_stand() -> None:
    calm = Outline(call_page(full_report("calm words"), PICTURE, SIDES, comparison=[("w", "calm", "calm", True)]))
    page = call_page(full_report(HOSTILE), PICTURE, SIDES, comparison=[(HOSTILE, HOSTILE, HOSTILE, True)])
    outline = Outline(page)
    assert outline.tags == calm.tags  # whatever was said, the page has the same elements
    assert [(tag, name) for tag, name, _ in outline.attributes] == [(tag, name) for tag, name, _ in calm.attributes]
    assert any(HOSTILE in said for said in outline.said)
    assert "<script>alert" not in page


def test_nothing_is_fetched_and_only_its_own_script_runs() -> None:
    page = call_page(full_report(HOSTILE), PICTURE, SIDES)
    outline = Outline(page)
    assert all(value.startswith("data:") for _, name, value in outline.attributes if name in ("src", "href"))
    assert not [name for _, name, _ in outline.attributes if name == "style" or name.startswith("on")]
    (policy,) = [html.unescape(value) for _, name, value in outline.attributes if value.startswith("default-src")]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_both_sides_can_be_heard() -> None:
    page = call_page(full_report(), PICTURE, SIDES)
    found = re.findall(r'<audio id="(\w+)"[^>]* src="data:audio/wav;base64,([^"]+)"', page)
    assert [(name, base64.b64decode(data)[-4:]) for name, data in found] == [
        ("callee", b"\x01\x00\x02\x00"),
        ("robot", b"\x03\x00\x04\x00"),
    ]


def test_without_a_recording_it_says_how_to_have_one() -> None:
    page = call_page(full_report(), PICTURE, None)
    assert "<audio" not in page
    assert "recording.enabled" in page


@pytest.mark.parametrize("mask", [True, False])
def test_the_number_is_hidden_unless_asked_for(mask: bool) -> None:
    pages = (call_page(full_report(), PICTURE, None, mask=mask), index_page([full_report()], {}, mask=mask))
    for page in pages:
        assert ("0199001202" in page) is not mask
        assert ("01 99 ** ** 02" in page) is mask


def test_a_replay_says_what_differs() -> None:
    rows = [("verdict", "HUMAN", "HUMAN", False), ("accueil", "not interrupted", "stopped at 4.37 s", True)]
    page = call_page(full_report(), PICTURE, None, comparison=rows)
    assert "(1 of 2 differ)" in page
    assert "<tr class=mark><td>accueil</td><td>not interrupted</td><td>stopped at 4.37 s</td></tr>" in page


def test_a_table_of_nothing_is_nothing() -> None:
    assert table("Errors", ("what",), []) == ""


def busy(number: int) -> CallReport:
    return CallReport(call_id=f"c{number}", number="1", started_at=f"2026-01-0{number}T10:00:00", disposition="BUSY")


def test_an_index_counts_and_lists_newest_first() -> None:
    reports = [busy(1), full_report(), busy(3), busy(2)]
    page = index_page(reports, {"c1": "c1.html"})
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    assert rows[:3] == [
        ["disposition", "calls", "HUMAN", "no verdict"],
        ["BUSY", "3", "", "3"],
        ["ANSWERED", "1", "1", ""],
    ]
    days = ["2026-01-03", "2026-01-02", "2026-01-01", "2026-01-01"]
    began = [f"{day} 10:00:00" for day in days]
    assert [row[0] for row in rows[4:]] == [*began[:3], f'<a href="c1.html">{began[3]}</a>']


def test_words_in_an_index_are_text_too() -> None:
    calm, outline = (Outline(index_page([full_report(said)], {full_report().call_id: said})) for said in ("x", HOSTILE))
    assert outline.tags == calm.tags
    assert HOSTILE in outline.said
