"""Voice activity on speech, noise and silence, in chunks of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from audio_samples import FULL_SCALE, noise, silence, speech
from hypothesis import given, settings
from hypothesis import strategies as st

from V3.audio.pcm import Audio
from V3.audio.vad import EdgeKind, VadEdge, VoiceActivity
from V3.errors import ConfigError


def edges(vad: VoiceActivity, audio: Audio, sizes: Sequence[int] = (320,)) -> list[VadEdge]:
    found: list[VadEdge] = []
    start = index = 0
    while start < audio.size:
        size = sizes[index % len(sizes)]
        found += vad.push(audio[start : start + size])
        start += size
        index += 1
    return found


def call(hiss_dbfs: float = -62.0) -> Audio:
    """1 s of line, a word of 0.64 s, 2 s of line."""
    quiet = noise(3.64, dbfs=hiss_dbfs)
    quiet[16_000 : 16_000 + speech("oui_bonjour").size] += speech("oui_bonjour")
    return quiet


def test_speech_has_one_start_and_one_end_near_the_truth() -> None:
    vad = VoiceActivity(end_ms=500)
    started, ended = edges(vad, call())
    assert (started.kind, ended.kind) == (EdgeKind.STARTED, EdgeKind.ENDED)
    assert abs(started.edge_ms - 1000) <= 80
    assert abs(ended.edge_ms - 1640) <= 100
    assert 60 <= started.at_ms - started.edge_ms <= 100
    assert ended.at_ms - ended.edge_ms == 500
    assert not vad.speaking
    assert 400 <= vad.speech_ms <= 700


@settings(max_examples=20)
@given(st.lists(st.integers(1, 2000), min_size=1, max_size=8))
def test_chunk_sizes_make_no_difference(sizes: list[int]) -> None:
    assert edges(VoiceActivity(), call(), sizes) == edges(VoiceActivity(), call())


def test_a_line_that_hisses_from_its_first_frame_is_silence() -> None:
    for dbfs in (-80.0, -70.0, -60.0, -56.0):
        vad = VoiceActivity()
        assert edges(vad, noise(4.0, dbfs=dbfs)) == []
        assert vad.speech_ms == 0


def test_digital_silence_and_dither_never_count() -> None:
    generator = np.random.default_rng(5)
    dither = (generator.integers(-2, 3, size=48_000) / FULL_SCALE).astype(np.float32)
    assert edges(VoiceActivity(), np.concatenate([silence(1.0), dither, silence(1.0)])) == []


def test_speech_after_digital_silence_is_found() -> None:
    audio = np.concatenate([silence(2.0), speech("oui_bonjour"), silence(1.0)])
    started, ended = edges(VoiceActivity(), audio)
    assert abs(started.edge_ms - 2000) <= 80
    assert ended.edge_ms > started.edge_ms


def test_faint_speech_is_found() -> None:
    audio = np.concatenate([noise(1.0, dbfs=-70.0), speech("oui_bonjour") * np.float32(0.05), silence(1.0)])
    assert [edge.kind for edge in edges(VoiceActivity(), audio)] == [EdgeKind.STARTED, EdgeKind.ENDED]


def test_a_pause_shorter_than_end_ms_does_not_end_speech() -> None:
    audio = np.concatenate([speech("oui_bonjour"), silence(0.4), speech("oui_bonjour"), silence(1.0)])
    assert len(edges(VoiceActivity(end_ms=600), audio)) == 2
    assert len(edges(VoiceActivity(end_ms=200), audio)) == 4


def test_a_click_is_no_speech() -> None:
    audio = silence(1.0)
    audio[8000] = 0.5
    assert edges(VoiceActivity(start_ms=120), audio) == []


def test_flush_ends_speech_that_is_going_on_once() -> None:
    vad = VoiceActivity()
    edges(vad, speech("oui_bonjour"))
    assert vad.speaking
    (ended,) = vad.flush()
    assert (ended.kind, ended.at_ms) == (EdgeKind.ENDED, vad.at_ms)
    assert vad.flush() == []


def test_reset_makes_it_new() -> None:
    vad = VoiceActivity()
    first = edges(vad, call())
    vad.reset()
    assert (vad.at_ms, vad.speech_ms, vad.speaking) == (0, 0, False)
    assert edges(vad, call()) == first


def test_silence_is_counted_from_the_last_voiced_frame() -> None:
    vad = VoiceActivity()
    vad.push(silence(1.0))
    assert vad.silence_ms == 1000
    edges(vad, np.concatenate([speech("oui_bonjour"), silence(0.3)]))
    assert 300 <= vad.silence_ms <= 400


@pytest.mark.parametrize("wrong", [{"aggressiveness": 4}, {"start_ms": 0}, {"end_ms": 10}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="|".join(map(str, wrong.values()))):
        VoiceActivity(**wrong)
