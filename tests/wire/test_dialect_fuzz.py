"""Every dialect under random messages: nothing but WireError escapes, and a sound client is served right after."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_captions import wav
from test_sources import npy

from V3.audio.pcm import to_l16
from V3.errors import WireError
from V3.events import Final, Partial, Word
from V3.wire.captions import Captions
from V3.wire.dialect import Action, Decode, Dialect, Feed, Say, Unpack
from V3.wire.pcm_vad import PcmVad
from V3.wire.recorder import Recorder
from V3.wire.sources import Sources

NOW_S = 1_700_000_000.0
TONE = (0.3 * np.sin(np.arange(40_000) / 5)).astype(np.float32)
DIALECTS: dict[str, tuple[Callable[[], Dialect], bytes]] = {
    "captions": (lambda: Captions(model="m"), wav(TONE)),
    "sources": (lambda: Sources("a"), npy(TONE)),
    "vad": (PcmVad, to_l16(TONE[:320])),
    "recorder": (Recorder, b"\x1a\x45\xdf\xa3"),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["type", "language", "task", "mode", "format", "chunk_duration", "sample_rate", "client_id", "x"]
)
words = st.sampled_from(["config", "clear_buffer", "ping", "live", "classic", "fr", "auto", "int16", "float32", "8000"])
texts = st.one_of(
    st.text(max_size=40),
    st.dictionaries(keys, words | json_values, max_size=5).map(json.dumps),
)
binaries = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([wav(TONE), npy(TONE), to_l16(TONE), TONE.tobytes(), b"RIFF", b"OggS", b"\x93NUMPY"]),
    st.tuples(st.sampled_from([wav(TONE[:400]), npy(TONE[:400])]), st.integers(0, 500), st.binary(max_size=9)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    ),
)
events = st.builds(
    lambda text, partial, start_ms, stable: (
        Partial(call_id="x", at_ms=900, text=text, words=(Word(text, 0, 1, stable=stable),), start_ms=start_ms)
        if partial
        else Final(call_id="x", at_ms=900, text=text, words=(Word(text, 0, 1),), start_ms=start_ms, end_ms=900)
    ),
    st.text(max_size=5),
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        texts.map(lambda message: lambda dialect, now_s: dialect.text(message, now_s=now_s)),
        binaries.map(lambda data: lambda dialect, now_s: dialect.binary(data, now_s=now_s)),
        events.map(lambda event: lambda dialect, now_s: dialect.event(event, now_s=now_s)),
        st.just(lambda dialect, now_s: dialect.tick(now_s=now_s)),
        st.just(lambda dialect, now_s: dialect.decoded(TONE, "oui", took_s=0.1, now_s=now_s)),
        st.just(lambda dialect, now_s: dialect.unpacked(TONE, now_s=now_s)),
    ),
    max_size=25,
)


def check(actions: list[Action]) -> None:
    for action in actions:
        if isinstance(action, Feed):
            assert action.audio.size % 320 == 0
        if isinstance(action, Feed | Decode):
            assert action.audio.dtype == np.float32
            assert action.audio.size > 0
            assert np.isfinite(action.audio).all()
        if isinstance(action, Say):
            action.text.encode()


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=120)
@given(steps=steps, pause_s=st.floats(0, 3))
def test_random_messages(name: str, steps: list[Callable[[Dialect, float], list[Action]]], pause_s: float) -> None:
    make, sound = DIALECTS[name]
    dialect, now_s = make(), NOW_S
    check(dialect.opened(now_s=now_s))
    for step in steps:
        now_s += pause_s
        with contextlib.suppress(WireError):
            check(step(dialect, now_s))
    check(dialect.failed("why", now_s=now_s))
    answers: list[Action] = []
    if name == "captions":
        dialect.text('{"type":"config","mode":"classic","chunk_duration":2,"format":"int16"}', now_s=now_s)
        dialect.text('{"type":"clear_buffer"}', now_s=now_s)
    if name == "vad":
        dialect.text('{"sample_rate":16000}', now_s=now_s)
        for _ in range(50):
            answers += dialect.binary(sound, now_s=now_s)
        check(answers)
        return
    answers = dialect.binary(sound, now_s=now_s)
    check(answers)
    assert isinstance(answers[-1], Decode | Feed | Unpack)
