"""Where tones begin and end, and what is measured of them."""

from __future__ import annotations

import numpy as np
import pytest
from audio_samples import noise, silence

from V3.audio.pcm import Audio
from V3.audio.tone_bursts import Burst, BurstTracker, SpectrumFrames


def sine(hz: float, *, seconds: float, level: float = 0.2) -> Audio:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000)).astype(np.float32)


def bursts(audio: Audio) -> list[Burst]:
    tracker = BurstTracker()
    found = [tracker.push(frame) for frame in SpectrumFrames().push(np.concatenate([audio, silence(0.3)]))]
    return [burst for burst in found if burst is not None]


@pytest.mark.parametrize("hz", [330.0, 440.0, 447.3, 1000.0, 1012.5, 2100.0])
def test_the_frequency_is_measured_between_the_bins(hz: float) -> None:
    (burst,) = bursts(np.concatenate([silence(0.2), sine(hz, seconds=0.4)]))
    assert burst.hz == pytest.approx(hz, abs=0.3)
    assert burst.second_hz is None
    assert (burst.purity, burst.drift, burst.swing) == pytest.approx((1.0, 0.0, 0.0), abs=0.01)


@pytest.mark.parametrize("start_ms", [200, 203, 211, 217])
@pytest.mark.parametrize("length_ms", [120, 250, 333])
def test_edges_are_measured_to_a_few_ms(start_ms: int, length_ms: int) -> None:
    (burst,) = bursts(np.concatenate([silence(start_ms / 1000), sine(1000, seconds=length_ms / 1000)]))
    assert abs(burst.start_ms - start_ms) <= 4
    assert abs(burst.end_ms - start_ms - length_ms) <= 4
    assert burst.duration_ms == burst.end_ms - burst.start_ms
    assert burst.sharp


def test_a_tone_that_fades_in_is_not_sharp() -> None:
    tone = sine(1000, seconds=0.6)
    tone[:3200] *= np.linspace(0, 1, 3200, dtype=np.float32)
    (burst,) = bursts(np.concatenate([silence(0.2), tone]))
    assert not burst.sharp


def test_two_tones_at_once() -> None:
    (burst,) = bursts(np.concatenate([silence(0.2), sine(1336, seconds=0.3) + sine(941, seconds=0.3, level=0.12)]))
    assert burst.pitches_hz == pytest.approx((941, 1336), abs=1.0)


def test_one_tone_after_another_without_a_gap() -> None:
    first, second = bursts(np.concatenate([silence(0.2), sine(950, seconds=0.33), sine(1400, seconds=0.33)]))
    assert (first.hz, second.hz) == pytest.approx((950, 1400), abs=1.0)
    assert abs(first.end_ms - 530) <= 10
    assert abs(second.start_ms - 530) <= 10


def test_a_gap_of_20_ms_is_bridged_and_one_of_100_ms_is_not() -> None:
    tone = sine(1000, seconds=0.3)
    assert len(bursts(np.concatenate([silence(0.2), tone, silence(0.02), tone]))) == 1
    assert len(bursts(np.concatenate([silence(0.2), tone, silence(0.1), tone]))) == 2


def test_an_octave_is_measured() -> None:
    (burst,) = bursts(np.concatenate([silence(0.2), sine(500, seconds=0.3) + sine(1000, seconds=0.3, level=0.02)]))
    assert burst.octave == pytest.approx(0.01, rel=0.1)


def test_power_is_the_mean_square() -> None:
    (burst,) = bursts(np.concatenate([silence(0.2), sine(600, seconds=0.3, level=0.2)]))
    assert burst.power == pytest.approx(0.02, rel=0.1)


def test_noise_and_tones_below_the_floor_are_no_bursts() -> None:
    assert bursts(noise(2.0, dbfs=-20.0)) == []
    assert bursts(sine(1000, seconds=0.5, level=0.003)) == []


def test_a_tone_that_goes_on_can_be_looked_at() -> None:
    tracker = BurstTracker()
    assert tracker.ongoing() is None
    for frame in SpectrumFrames().push(sine(440, seconds=1.2)):
        assert tracker.push(frame) is None
    burst = tracker.ongoing()
    assert burst is not None
    assert (burst.start_ms, burst.hz) == pytest.approx((0, 440), abs=5)
    assert tracker.ongoing_ms == pytest.approx(1180, abs=40)
