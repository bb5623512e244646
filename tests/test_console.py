"""The calls on screen: lines where there is no terminal, rows in one; words are never markup."""

from __future__ import annotations

import io

from rich.console import Console

from V3.calls.report import BargeInReport, CallReport, CallUpdate, VerdictReport
from V3.console import LiveCalls, report_table

TRICKY = "[red]0199[/bold] [link=x]"  # rich would raise for a tag that closes nothing


def screen(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200, force_terminal=terminal, color_system=None), out


def update(state: str, text: str = "", *, number: str = "0199", at_ms: int = 1500) -> CallUpdate:
    return CallUpdate(call_id="c", number=number, at_ms=at_ms, state=state, text=text)


def test_without_a_terminal_each_update_is_a_line() -> None:
    console, out = screen()
    with LiveCalls(console, {"0199": "somebody"}) as calls:
        calls.update(update("VERDICT", "HUMAN: opener"))
        calls.update(update("LISTENING", f"« {TRICKY} »", number=TRICKY))
    first, second = out.getvalue().splitlines()
    assert first.split() == ["1.50", "s", "0199", "somebody", "VERDICT", "HUMAN:", "opener"]
    assert second.count(TRICKY) == 2


def test_numbers_are_hidden_where_asked_for() -> None:
    console, out = screen()
    with LiveCalls(console, mask=True) as calls:
        calls.update(update("DIALLING", number="0199001202"))
    console.print(report_table([CallReport(call_id="c", number="0199001202", started_at="now")], mask=True))
    assert out.getvalue().count("01 99 ** ** 02") == 2
    assert "0199001202" not in out.getvalue()


def test_in_a_terminal_each_call_has_a_row_with_what_was_last_said() -> None:
    console, out = screen(terminal=True)
    with LiveCalls(console, {TRICKY: TRICKY}) as calls:
        calls.update(update("VERDICT", "HUMAN: opener", number=TRICKY))
        calls.update(update("PLAYING", "« oui »", number=TRICKY))
        calls.update(update("PLAYING", f"« {TRICKY} »", number=TRICKY))
    last = out.getvalue().rpartition("calls in progress")[2]
    assert "PLAYING" in last
    assert "HUMAN: opener" in last
    assert f"« {TRICKY} »" in last
    assert "« oui »" not in last


def test_the_table_of_reports() -> None:
    out = io.StringIO()
    verdict = VerdictReport(label="HUMAN", reason=TRICKY, confidence=1, text="", evidence=[], at_ms=2380)
    barge_in = BargeInReport(
        reason="r", text="t", speech_start_ms=3000, detected_ms=3400, break_sent_ms=3401, break_confirmed_ms=3425
    )
    lost = BargeInReport(reason="r", text="t", speech_start_ms=1, detected_ms=2)
    full = CallReport(
        call_id="c",
        started_at="now",
        number=TRICKY,
        disposition="ANSWERED",
        verdict=verdict,
        barge_ins=[barge_in, lost],
        errors=[TRICKY],
    )
    bare = CallReport(call_id="c", started_at="now", number="0198", disposition="BUSY", hangup_cause="USER_BUSY")
    Console(file=out, width=300, color_system=None).print(report_table([full, bare]))
    text = out.getvalue()
    assert text.count(TRICKY) == 3
    assert all(part in text for part in ("2380 ms", "425 ms, not confirmed", "USER_BUSY", "BUSY"))
