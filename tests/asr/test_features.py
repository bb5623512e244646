"""Log-mel features: Whisper's own, whatever the way they were cut; each frame once."""

from __future__ import annotations

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given, settings
from hypothesis import strategies as st

from V3.asr.features import HOP_SAMPLES, Features, MelTape, assemble, log_mel, mel_filters
from V3.audio.pcm import Audio
from V3.audio.tape import AudioTape
from V3.errors import AudioError

RATE_HZ = 16000


def noise(seconds: float, *, seed: int = 0) -> Audio:
    """Something with loud and silent stretches and more than one frequency."""
    n = round(seconds * RATE_HZ)
    rng = np.random.default_rng(seed)
    tone = np.sin(np.arange(n) * 2 * np.pi * 440 / RATE_HZ) * (np.arange(n) // 4000 % 2)
    return np.asarray(0.3 * tone + rng.normal(0, 0.02, n), dtype=np.float32)


def reference(audio: Audio, frames: int, bands: int) -> Features:
    padded = np.zeros(frames * HOP_SAMPLES, dtype=np.float32)
    padded[: audio.size] = audio
    return np.asarray(FeatureExtractor(feature_size=bands)(padded, padding=0), dtype=np.float32)[:, :frames]


@pytest.mark.parametrize("bands", [80, 128])
def test_the_filters_are_whispers(bands: int) -> None:
    assert mel_filters(bands) == pytest.approx(FeatureExtractor(feature_size=bands).mel_filters, abs=1e-7)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize(("seconds", "frames"), [(2.3, 300), (1.0, 130), (0.31, 100), (5.987, 600)])
def test_features_are_those_of_whispers_extractor(bands: int, seconds: float, frames: int) -> None:
    audio = noise(seconds)
    assert log_mel(audio, bands=bands, frames=frames) == pytest.approx(reference(audio, frames, bands), abs=1e-4)


def test_silence_and_clipping_have_features_too() -> None:
    for audio in (np.zeros(RATE_HZ, dtype=np.float32), np.ones(RATE_HZ, dtype=np.float32)):
        assert log_mel(audio, bands=80, frames=200) == pytest.approx(reference(audio, 200, 80), abs=1e-4)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(1, 9000), min_size=1, max_size=8), hop=st.integers(1, 4000))
def test_however_the_audio_comes_the_window_is_the_same(cuts: list[int], hop: int) -> None:
    audio = noise(sum(cuts) / RATE_HZ, seed=3)
    tape, mel, heard = AudioTape(), MelTape(80), 0
    for cut in cuts:
        tape.append(audio[heard : heard + cut])
        heard += cut
        frames = -(-heard // HOP_SAMPLES) + 30
        window = assemble(mel.rows(tape, 0, heard), frames=frames)
        assert window == pytest.approx(reference(audio[:heard], frames, 80), abs=1e-4)


def test_a_later_window_differs_in_its_first_two_frames_only() -> None:
    audio = noise(6.0)
    tape, mel = AudioTape(), MelTape(80)
    tape.append(audio)
    start = 200 * HOP_SAMPLES
    window, alone = assemble(mel.rows(tape, start, audio.size), frames=500), reference(audio[start:], 500, 80)
    assert window[:, 2:] == pytest.approx(alone[:, 2:], abs=1e-4)


def test_each_frame_is_computed_once() -> None:
    audio = noise(4.0)
    tape, mel = AudioTape(), MelTape(80)
    computed = 0
    power = mel._power

    def counting(tape: AudioTape, first: int, last: int, end: int) -> Features:
        nonlocal computed
        computed += max(0, last - first)
        return power(tape, first, last, end)

    mel._power = counting  # type: ignore[method-assign]  # watched, not replaced
    windows = 0
    for end in range(4800, audio.size, 4800):
        tape.append(audio[tape.end : end])
        mel.rows(tape, 0, end)
        windows += 1
    assert computed <= audio.size // HOP_SAMPLES + 4 * windows  # the edge of each window is its own


def test_memory_follows_what_is_kept() -> None:
    tape, mel = AudioTape(), MelTape(80)
    for second in range(60):
        tape.append(noise(1.0, seed=second))
        start = max(0, tape.end - 3 * RATE_HZ)
        mel.rows(tape, start, tape.end)
        mel.drop_before(start)
        tape.drop_before(start)
    assert mel.kept_bytes < 2 * 400 * 80 * 4


def test_a_window_that_cannot_be_is_refused() -> None:
    tape = AudioTape()
    tape.append(noise(2.0))
    for start, end in ((1, 16000), (0, 32001), (16000, 160)):
        with pytest.raises(AudioError):
            MelTape(80).rows(tape, start, end)
