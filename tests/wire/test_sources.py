"""The dialect of several sources: .npy in, what became certain out."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.errors import WireError
from V3.events import Final, Partial, Word
from V3.wire.dialect import Action, Configure, Feed, Say
from V3.wire.npy import audio_from_npy
from V3.wire.sources import Sources, checked_client_id

NOW_S = 1_700_000_000.0
TONE = (0.3 * np.sin(np.arange(16_000) / 5)).astype(np.float32)


def npy(array: Any, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def words(text: str, *, stable: int) -> tuple[Word, ...]:
    return tuple(Word(w, 100 * i, 100 * i + 90, stable=i < stable) for i, w in enumerate(text.split()))


def partial(text: str, *, stable: int, start_ms: int = 0) -> Partial:
    return Partial(call_id="x", at_ms=900, text=text, words=words(text, stable=stable), start_ms=start_ms)


def final(text: str, *, start_ms: int = 0) -> Final:
    return Final(call_id="x", at_ms=999, text=text, words=words(text, stable=99), start_ms=start_ms, end_ms=990)


def texts(actions: list[Action]) -> list[str]:
    return [json.loads(action.text)["text"] for action in actions if isinstance(action, Say)]


# ---- arrays


def test_what_numpy_saves_is_read() -> None:
    np.testing.assert_array_equal(audio_from_npy(npy(TONE)), TONE)
    file = io.BytesIO()
    np.lib.format.write_array(file, TONE, version=(2, 0))
    np.testing.assert_array_equal(audio_from_npy(file.getvalue()), TONE)
    assert audio_from_npy(npy(TONE[:0])).size == 0


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (npy(TONE.astype(np.float64)), "type <f8"),
        (npy(TONE.astype(">f4")), "type >f4"),
        (npy((TONE * 32767).astype(np.int16)), "type <i2"),
        (npy(np.array([{}], dtype=object), allow_pickle=True), "pickled objects are never read"),
        (npy(np.zeros(3, dtype=[("a", "<f4")])), "one plain type"),
        (npy(TONE.reshape(2, -1)), "2 dimensions"),
        (npy(np.float32(1)), "0 dimensions"),
        (npy(TONE)[:-1], "16000 samples with 63999 bytes"),
        (npy(TONE).replace(b"(16000,)", b"(99999999999,)"), "99999999999 samples"),
        (npy(np.full(9, np.inf, np.float32)), "NaN or infinity"),
        (npy(TONE * 1000), "magnitude"),
        (b"", "no .npy"),
        (TONE.tobytes(), "no .npy"),
        (b"\x93NUMPY\x09\x00\x00\x00", "version 9"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + bytes(99), "header of 2147483648 bytes"),
    ],
)
def test_anything_else_is_refused_by_name(data: bytes, named: str) -> None:
    dialect = Sources("a")
    with pytest.raises(WireError, match=named):
        dialect.binary(data, now_s=NOW_S)
    assert isinstance(dialect.binary(npy(TONE), now_s=NOW_S)[0], Feed)


@given(st.integers(0, 9999), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_damaged_arrays_are_audio_or_a_wire_error(cut: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(npy(TONE[:100]))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        audio = audio_from_npy(bytes(data[: len(data) - cut % 7]))
    except WireError:
        return
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()


# ---- transcripts


def test_only_what_is_certain_is_told_and_only_once() -> None:
    dialect = Sources("kitchen")
    assert texts(dialect.event(partial("je suis en", stable=0), now_s=NOW_S)) == []
    (said,) = dialect.event(partial("je suis au tra", stable=2), now_s=NOW_S)
    assert isinstance(said, Say)
    assert json.loads(said.text) == {
        "type": "transcript",
        "client_id": "kitchen",
        "text": "je suis",
        "timestamp": "2023-11-14T22:13:20.000+00:00",
    }
    assert texts(dialect.event(partial("je suis au travail", stable=2), now_s=NOW_S)) == []
    assert texts(dialect.event(final("je suis au travail."), now_s=NOW_S)) == ["au travail."]
    assert texts(dialect.event(final("oui", start_ms=5000), now_s=NOW_S)) == ["oui"]
    assert texts(dialect.event(final("", start_ms=9000), now_s=NOW_S)) == []


def test_a_final_that_comes_after_the_next_partial_loses_nothing() -> None:
    dialect = Sources("a")
    dialect.event(partial("un deux trois", stable=1), now_s=NOW_S)
    assert texts(dialect.event(partial("quatre cinq", stable=2, start_ms=4000), now_s=NOW_S)) == ["quatre cinq"]
    assert texts(dialect.event(final("un deux trois"), now_s=NOW_S)) == ["deux trois"]
    assert texts(dialect.event(final("quatre cinq six", start_ms=4000), now_s=NOW_S)) == ["six"]


def test_silence_ends_what_was_said_when_no_more_comes() -> None:
    dialect = Sources("a")
    dialect.binary(npy(TONE), now_s=NOW_S)
    assert dialect.tick(now_s=NOW_S + 0.9) == []
    (feed,) = dialect.tick(now_s=NOW_S + 1.1)
    assert isinstance(feed, Feed)
    assert not feed.audio.any()


# ---- names and texts


@pytest.mark.parametrize("client_id", ["a", "Speaker 1", "é-1", "x" * 128])
def test_names_of_sources(client_id: str) -> None:
    assert checked_client_id(client_id) == client_id


@pytest.mark.parametrize("client_id", [None, "", "x" * 129, "a\nb", "\x00"])
def test_names_that_are_refused(client_id: str | None) -> None:
    with pytest.raises(WireError, match="client_id") as caught:
        checked_client_id(client_id)
    assert caught.value.close_code == 1008


def test_texts() -> None:
    dialect = Sources("a")
    assert dialect.text('{"type":"config","language":"fr"}', now_s=NOW_S) == [Configure(language="fr")]
    (pong,) = dialect.text('{"type":"ping"}', now_s=NOW_S)
    assert isinstance(pong, Say)
    assert json.loads(pong.text)["type"] == "pong"
    for wrong in ("hello", "{}", '{"type":"config","task":1}'):
        with pytest.raises(WireError):
            dialect.text(wrong, now_s=NOW_S)
