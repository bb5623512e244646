"""Texts side by side: rows without overlap, and partials as they grew."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from V3.calls.report import CallReport, PartialReport
from V3.picture.layout import Label, fitting, grown, in_rows, text_inches

SCALE = 0.0005  # half an inch a second


def reach(label: Label) -> tuple[float, float]:
    begin = label.at_ms * SCALE
    return begin, begin + max(text_inches(label.text, 7.5), (label.until_ms - label.at_ms) * SCALE)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.text("abc", max_size=20), st.integers(0, 2000)), max_size=30))
def test_texts_in_one_row_do_not_touch(parts: list[tuple[int, str, int]]) -> None:
    labels = [Label(at_ms, text, at_ms + length_ms) for at_ms, text, length_ms in sorted(parts)]
    rows = in_rows(labels, inches_per_ms=SCALE, points=7.5, most=len(labels) or 1)
    for row in set(rows):
        spans = [reach(label) for label, at in zip(labels, rows, strict=True) if at == row]
        assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))


def test_rows_are_bounded_however_many_texts_there_are() -> None:
    labels = [Label(0, "much to say at once")] * 50
    assert max(in_rows(labels, inches_per_ms=SCALE, points=7.5, most=8)) == 7


def test_a_text_longer_than_its_room_says_that_it_goes_on() -> None:
    assert fitting("rendez_vous", 10, 7) == "rendez_vous"
    assert fitting("rendez_vous", 0.3, 7) == "rend…"
    assert fitting("rendez_vous", -1, 7) == "…"


def test_partials_show_what_was_new_and_what_was_changed() -> None:
    said = [(500, 100, "oui"), (800, 100, "oui je vous"), (1100, 100, "oui je veux bien"), (3000, 2500, "non")]
    report = CallReport(call_id="c", number="1", started_at="now")
    report.partials = [PartialReport(at_ms=at, start_ms=start, text=text) for at, start, text in said]
    assert grown(report) == [
        Label(500, "oui"),
        Label(800, "je vous"),
        Label(1100, "veux bien", changed=True),
        Label(3000, "non"),
    ]


def test_a_partial_that_takes_words_back_shows_nothing_new() -> None:
    report = CallReport(call_id="c", number="1", started_at="now")
    report.partials = [PartialReport(at_ms=n, start_ms=0, text=text) for n, text in enumerate(["oui non", "oui"])]
    assert [label.text for label in grown(report)] == ["oui non"]
