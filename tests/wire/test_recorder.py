"""The recorder's dialect: containers are handed on, words come back, what was said is the prompt."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from V3.errors import WireError
from V3.events import Final, Partial
from V3.wire.dialect import Action, Clear, Configure, Feed, Say, Unpack
from V3.wire.recorder import PROMPT_CHARS, Recorder

NOW_S = 1_700_000_000.0


def final(text: str) -> Final:
    return Final(call_id="x", at_ms=999, text=text, words=(), start_ms=0, end_ms=990)


def said(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(action.text) for action in actions if isinstance(action, Say)]


def test_bytes_are_unpacked_and_their_samples_are_fed() -> None:
    dialect = Recorder()
    assert dialect.binary(b"abc", now_s=NOW_S) == [Unpack(b"abc")]
    assert dialect.binary(b"", now_s=NOW_S) == []
    assert dialect.unpacked(np.ones(300, dtype=np.float32), now_s=NOW_S) == []
    (feed,) = dialect.unpacked(np.ones(360, dtype=np.float32), now_s=NOW_S)
    assert isinstance(feed, Feed)
    assert feed.audio.size == 640
    (tail,) = dialect.tick(now_s=NOW_S + 1)
    assert isinstance(tail, Feed)
    assert not tail.audio.any()


def test_partials_and_finals() -> None:
    dialect = Recorder()
    (partial,) = dialect.event(Partial(call_id="x", at_ms=1, text="Oui", words=(), start_ms=0), now_s=NOW_S)
    assert partial == Say('{"partial": "Oui"}', partial=True)
    said_and_prompt = dialect.event(final("Oui bonjour."), now_s=NOW_S)
    assert said_and_prompt == [Say('{"final": "Oui bonjour."}'), Configure(prompt="Oui bonjour.")]
    assert dialect.event(final(""), now_s=NOW_S) == []
    dialect.event(Partial(call_id="x", at_ms=1, text="Hm", words=(), start_ms=0), now_s=NOW_S)
    assert dialect.event(final(""), now_s=NOW_S) == [Say('{"final": ""}')]


def test_the_prompt_is_the_last_200_characters_from_a_word_on() -> None:
    dialect = Recorder()
    spoken = [f"phrase numéro {n}" for n in range(40)]
    for text in spoken:
        *_, change = dialect.event(final(text), now_s=NOW_S)
    assert isinstance(change, Configure)
    assert change.prompt is not None
    assert PROMPT_CHARS - 10 < len(change.prompt) <= PROMPT_CHARS
    assert " ".join(spoken).endswith(" " + change.prompt)
    *_, change = dialect.event(final("x" * 300), now_s=NOW_S)
    assert isinstance(change, Configure)
    assert change.prompt == "x" * PROMPT_CHARS


def test_texts_and_errors() -> None:
    dialect = Recorder()
    assert dialect.text('{"language":"en"}', now_s=NOW_S) == [Configure(language="en")]
    assert dialect.text('{"type":"clear_buffer"}', now_s=NOW_S) == [Clear(), Configure(prompt="")]
    assert said(dialect.text('{"type":"ping"}', now_s=NOW_S)) == [{"type": "pong"}]
    assert said(dialect.failed("no cluster", now_s=NOW_S)) == [{"error": "no cluster"}]
    for wrong in ("", "7", '{"type":"stop"}', '{"language":[]}'):
        with pytest.raises(WireError):
            dialect.text(wrong, now_s=NOW_S)
