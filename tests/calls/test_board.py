"""The board of calls: what a page is shown of the events, and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.board import MAX_CALLS, MAX_ENDED, CallBoard, masked
from V3.events import (
    AnswerClassified,
    Event,
    Final,
    Partial,
    SpeechEnded,
    SpeechStarted,
    StreamClosed,
    StreamFailed,
    StreamOpened,
)


def opened(call_id: str = "a") -> StreamOpened:
    return StreamOpened(call_id=call_id, at_ms=0, rate_hz=16_000)


def closed(call_id: str = "a") -> StreamClosed:
    return StreamClosed(call_id=call_id, at_ms=9000, code=1000, reason="")


VERDICT = AnswerClassified(
    call_id="a",
    at_ms=2300,
    label="HUMAN",
    reason="keywords",
    confidence=0.9,
    text="oui",
    evidence=("oui (1.0)",),
    kind="person",
)


def test_a_call_from_its_first_sound_to_its_end() -> None:
    board = CallBoard()
    (told,) = board.event(opened(), now_ms=1000)
    assert told == {
        "type": "call",
        "call": {
            "id": "a",
            "state": "detecting",
            "since_ms": 0,
            "partial": "",
            "final": "",
            "verdict": None,
            "barge_ins": [],
            "latency_ms": {},
            "number_masked": "",
        },
    }
    assert board.event(SpeechStarted(call_id="a", at_ms=300, start_ms=240), now_ms=1300) == []  # still detecting
    (told,) = board.event(VERDICT, now_ms=3400)
    assert told["call"]["state"] == "listening"
    assert told["call"]["latency_ms"] == {"verdict": 2400}
    assert told["call"]["verdict"] == {
        "label": "HUMAN",
        "kind": "person",
        "reason": "keywords",
        "confidence": 0.9,
        "evidence": ["oui (1.0)"],
        "at_ms": 2300,
    }
    (told,) = board.event(SpeechStarted(call_id="a", at_ms=4000, start_ms=3900), now_ms=5000)
    assert told["call"]["state"] == "speaking"
    partial = Partial(call_id="a", at_ms=4500, text="je suis", words=(), start_ms=3900)
    (told,) = board.event(partial, now_ms=5600)
    assert told["call"]["latency_ms"].keys() == {"verdict"}  # nothing is told of what is not known
    (told,) = board.event(partial, now_ms=5650, behind_ms=149.6)
    assert (told["call"]["partial"], told["call"]["latency_ms"]["partial"]) == ("je suis", 150)
    board.event(SpeechEnded(call_id="a", at_ms=6000, start_ms=3900, end_ms=5400), now_ms=7000)
    final = Final(call_id="a", at_ms=6000, text="je suis là", words=(), start_ms=3900, end_ms=5400)
    (told,) = board.event(final, now_ms=7050)
    assert (told["call"]["partial"], told["call"]["final"], told["call"]["state"]) == ("", "je suis là", "listening")
    (told,) = board.event(closed(), now_ms=8000)
    assert told["call"]["state"] == "ended"
    assert board.snapshot(now_ms=8500)[0]["since_ms"] == 500


def test_what_the_robot_knows_is_shown_too() -> None:
    board = CallBoard()
    (told,) = board.dialled("a", "0199001202", now_ms=0)
    assert (told["call"]["state"], told["call"]["number_masked"]) == ("ringing", "01 99 ** ** 02")
    board.event(opened(), now_ms=4000)
    (told,) = board.moved("a", "playing", now_ms=7000)
    assert (told["call"]["state"], told["call"]["number_masked"]) == ("playing", "01 99 ** ** 02")
    (told,) = board.interrupted("a", "stop words", at_ms=4200, now_ms=8000)
    assert told["call"]["barge_ins"] == [{"reason": "stop words", "ms": 4200}]
    assert board.moved("nobody", "playing", now_ms=0) == board.interrupted("nobody", "x", at_ms=0, now_ms=0) == []


def test_the_robots_own_side_and_unknown_calls_are_not_shown() -> None:
    board = CallBoard()
    assert board.event(opened("a/robot"), now_ms=0) == []
    assert board.event(closed("b"), now_ms=0) == []
    board.event(opened("a"), now_ms=0)
    assert board.event(StreamFailed(call_id="a", at_ms=0, error="WireError", message="x"), now_ms=0) == []


def test_calls_that_have_ended_make_room() -> None:
    board = CallBoard()
    gone = []
    for number in range(MAX_ENDED + 3):
        board.event(opened(str(number)), now_ms=number)
        gone += [m["id"] for m in board.event(closed(str(number)), now_ms=number) if m["type"] == "ended"]
    assert gone == ["0", "1", "2"]
    for number in range(MAX_CALLS + 5):
        board.event(opened(f"call {number}"), now_ms=0)
    assert len(board) == MAX_CALLS


@pytest.mark.parametrize(
    ("number", "shown"),
    [("0199001202", "01 99 ** ** 02"), ("+33 1 99 00 12 02", "33 19 ** ** *0 2"), ("15", "**"), ("", "")],
)
def test_numbers_are_hidden(number: str, shown: str) -> None:
    assert masked(number) == shown


events = st.sampled_from(
    [
        opened(),
        VERDICT,
        SpeechStarted(call_id="a", at_ms=1, start_ms=0),
        SpeechEnded(call_id="a", at_ms=1, start_ms=0, end_ms=1),
        Partial(call_id="a", at_ms=1, text="x", words=(), start_ms=0),
        Final(call_id="a", at_ms=1, text="x", words=(), start_ms=0, end_ms=1),
        closed(),
    ]
)


@given(st.lists(events))
def test_any_order_of_events_is_shown(order: list[Event]) -> None:
    board = CallBoard()
    for now_ms, event in enumerate(order):
        for told in board.event(event, now_ms=now_ms):
            assert told["call"]["state"] in {"detecting", "listening", "speaking", "ended"}
