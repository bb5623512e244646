"""Events to JSON and back; anything else is a WireError."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3 import events
from V3.errors import WireError
from V3.events import (
    Alternative,
    AnswerClassified,
    AudioFlagged,
    Capacity,
    Event,
    Final,
    Partial,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    StreamClosed,
    StreamFailed,
    StreamOpened,
    ToneHeard,
    Word,
    from_json,
    to_json,
)

TEXTS = st.text(max_size=40)
MS = st.integers(-(10**12), 10**12)
SHARES = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.lists(st.builds(Word, TEXTS, MS, MS, SHARES, st.booleans()), max_size=4).map(tuple)
COMMON = {"call_id": TEXTS, "at_ms": MS}
BY_KIND: dict[type[Event], st.SearchStrategy[Event]] = {
    StreamOpened: st.builds(StreamOpened, **COMMON, rate_hz=MS),
    SpeechStarted: st.builds(SpeechStarted, **COMMON, start_ms=MS),
    SpeechContinues: st.builds(SpeechContinues, **COMMON, start_ms=MS, voiced_until_ms=MS, level_dbfs=SHARES),
    SpeechEnded: st.builds(SpeechEnded, **COMMON, start_ms=MS, end_ms=MS),
    Partial: st.builds(Partial, **COMMON, text=TEXTS, words=WORDS, start_ms=MS),
    Final: st.builds(
        Final,
        **COMMON,
        text=TEXTS,
        words=WORDS,
        start_ms=MS,
        end_ms=MS,
        alternatives=st.lists(st.builds(Alternative, TEXTS, SHARES), max_size=3).map(tuple),
    ),
    AnswerClassified: st.builds(
        AnswerClassified,
        **COMMON,
        label=TEXTS,
        reason=TEXTS,
        confidence=SHARES,
        text=TEXTS,
        evidence=st.lists(TEXTS, max_size=3).map(tuple),
        kind=TEXTS,
        revised=st.booleans(),
    ),
    ToneHeard: st.builds(ToneHeard, **COMMON, kind=TEXTS, start_ms=MS, end_ms=MS, hz=SHARES),
    AudioFlagged: st.builds(AudioFlagged, **COMMON, finding=TEXTS, message=TEXTS),
    Capacity: st.builds(Capacity, **COMMON, capacity=MS, calls=MS, room=MS, draining=st.booleans()),
    StreamFailed: st.builds(StreamFailed, **COMMON, error=TEXTS, message=TEXTS),
    StreamClosed: st.builds(StreamClosed, **COMMON, code=MS, reason=TEXTS),
}
ANY = st.one_of(*BY_KIND.values())
SPOKEN = Final(call_id="c", at_ms=1200, text="Allô ?", words=(Word("Allô ?", 300, 700, 0.9),), start_ms=300, end_ms=700)


def spoiled(**changes: object) -> str:
    return json.dumps(json.loads(to_json(SPOKEN)) | changes)


def without(key: str) -> str:
    return json.dumps({k: v for k, v in json.loads(to_json(SPOKEN)).items() if k != key})


def test_every_kind_of_event_is_tested_here() -> None:
    kinds = {v for v in vars(events).values() if isinstance(v, type) and issubclass(v, Event) and v is not Event}
    assert kinds == set(BY_KIND)


@given(ANY)
def test_an_event_survives_the_way_there_and_back(event: Event) -> None:
    assert from_json(to_json(event)) == event


@given(ANY)
def test_it_travels_as_one_line_of_ascii(event: Event) -> None:
    text = to_json(event)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["type"] == type(event).__name__


def test_what_it_looks_like() -> None:
    assert to_json(SPOKEN) == (
        '{"type":"Final","call_id":"c","at_ms":1200,"text":"All\\u00f4 ?","words":[{"text":"All\\u00f4 ?",'
        '"start_ms":300,"end_ms":700,"confidence":0.9,"stable":true}],"start_ms":300,"end_ms":700,"suppressed":[],"alternatives":[]}'
    )


@pytest.mark.parametrize("newer", [spoiled(more=1), spoiled(words=[dataclasses.asdict(SPOKEN.words[0]) | {"loud": 1}])])
def test_what_a_newer_server_adds_is_left_out(newer: str) -> None:
    assert from_json(newer) == SPOKEN


def test_events_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPOKEN.text = "x"  # type: ignore[misc]  # that is what is tested


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oui bonjour",
        "null",
        "3",
        "[]",
        "{}",
        '{"type":"Final"}',
        '{"type":"Event","call_id":"c","at_ms":0}',
        '{"type":["Final"]}',
        '{"status":"connected"}',  # what the module itself says
        "[" * 100_000,
        without("text"),
        without("type"),
        spoiled(type="Word"),
        spoiled(at_ms="1200"),
        spoiled(at_ms=12.5),
        spoiled(at_ms=True),
        spoiled(text=None),
        spoiled(call_id=7),
        spoiled(text="\ud83d"),  # half a surrogate pair
        spoiled(alternatives=["oui"]),
        spoiled(alternatives=[{"text": "oui"}]),
        spoiled(alternatives=[{"text": "oui", "likelihood": "high"}]),
        spoiled(words="oui"),
        spoiled(words=["oui"]),
        spoiled(words={"text": "oui"}),
        spoiled(words=[{"text": "oui", "start_ms": 1}]),
        spoiled(words=[{"text": "oui", "start_ms": 1, "end_ms": "2"}]),
        spoiled(words=[{"text": "oui", "start_ms": 1, "end_ms": 2, "confidence": "high"}]),
        spoiled(words=[{"text": "oui", "start_ms": 1, "end_ms": 2, "confidence": float("nan")}]),
        spoiled(words=[{"text": "oui", "start_ms": 1, "end_ms": 2, "confidence": 10**400}]),
        '{"type":"AnswerClassified","call_id":"c","at_ms":0,"label":"HUMAN","reason":"","confidence":1,"text":"",'
        '"evidence":"allo"}',
    ],
)
def test_anything_else_is_refused_by_one_error(text: str) -> None:
    with pytest.raises(WireError, match="no event of ours"):
        from_json(text)


def test_a_word_may_leave_out_what_has_a_default_and_a_share_may_be_written_as_an_integer() -> None:
    event = from_json(spoiled(words=[{"text": "oui", "start_ms": 1, "end_ms": 2, "confidence": 1}]))
    assert isinstance(event, Final)
    assert event.words == (Word("oui", 1, 2, 1.0, stable=True),)


def test_a_verdict_of_a_robot_that_knows_no_kinds_is_taken_and_one_revised_by_a_number_is_not() -> None:
    older = '{"type":"AnswerClassified","call_id":"c","at_ms":0,"label":"HUMAN","reason":"r","confidence":1,"text":"",'
    event = from_json(older + '"evidence":["opener: allo (-1.6)"]}')
    assert isinstance(event, AnswerClassified)
    assert (event.kind, event.revised, event.evidence) == ("unknown", False, ("opener: allo (-1.6)",))
    with pytest.raises(WireError, match="bool"):
        from_json(older + '"evidence":[],"revised":1}')


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | TEXTS, st.lists).map(json.dumps))
def test_only_wire_errors_escape(text: str) -> None:
    with pytest.raises(WireError):
        from_json(text)


@given(ANY, st.integers(0, 400), st.text(max_size=3))
def test_a_damaged_event_is_an_event_or_a_wire_error(event: Event, at: int, junk: str) -> None:
    text = to_json(event)
    with contextlib.suppress(WireError):
        assert isinstance(from_json(text[:at] + junk + text[at + 1 :]), Event)


def test_the_error_shows_the_beginning_only() -> None:
    with pytest.raises(WireError) as caught:
        from_json(spoiled(words="x" * 10_000))
    assert len(str(caught.value)) < 300
