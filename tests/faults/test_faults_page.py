"""The page of faults says what the tests say."""

from __future__ import annotations

from scripts.faults_table import PAGE, page_with, tables


def test_the_page_of_faults_is_what_the_tests_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_with(text, tables()) == text, "run: python scripts/faults_table.py"
    assert tables().count("\n| ") > 30
