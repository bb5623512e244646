"""Speech at its right speed, at twice and at half of it, block by block."""

from __future__ import annotations

import numpy as np
import pytest
from audio_samples import noise, silence, speech

from V3.audio.pcm import Audio, resample
from V3.audio.speech_speed import BLOCK_SAMPLES, SpeechSpeed


def judged(audio: Audio) -> SpeechSpeed:
    speed = SpeechSpeed()
    for start in range(0, audio.size - BLOCK_SAMPLES + 1, BLOCK_SAMPLES):
        speed.push(audio[start : start + BLOCK_SAMPLES])
    return speed


def announcement() -> Audio:
    return speech("pas_joignable")


def doubled(audio: Audio) -> Audio:
    """Its 8 kHz samples taken for 16 kHz, twice over so that it lasts as long."""
    return np.tile(resample(audio, from_hz=16_000, to_hz=8000), 2)


def pulses(hz: int) -> Audio:
    train = silence(4)
    train[:: 16_000 // hz] = 0.5
    return train


def test_nothing_is_known_of_nothing() -> None:
    speed = SpeechSpeed()
    assert (speed.factor(), speed.pitch_hz, speed.settled) == (1.0, 0.0, False)


def test_telephone_speech_is_right_and_soon_settled() -> None:
    speed = judged(announcement())
    assert speed.factor() == 1.0
    assert speed.settled


def test_doubled_speech_is_found_and_its_pitch_is_double_too() -> None:
    speed = judged(doubled(announcement()))
    assert speed.factor() == 2.0
    assert not speed.settled
    # samples held twice: its mirror image above 4 kHz makes the right one's pitch worth measuring
    right = judged(np.repeat(resample(announcement(), from_hz=16_000, to_hz=8000), 2))
    assert right.factor() == 1.0
    assert speed.pitch_hz == pytest.approx(2 * right.pitch_hz, rel=0.15)


def test_halved_speech_is_found() -> None:
    assert judged(resample(announcement(), from_hz=8000, to_hz=16_000)).factor() == 0.5


@pytest.mark.parametrize("hz", [100, 160, 250, 400])
def test_the_pitch_of_pulses(hz: int) -> None:
    assert judged(pulses(hz)).pitch_hz == pytest.approx(16_000 / (16_000 // hz), rel=0.04)


def test_noise_has_no_pitch() -> None:
    assert judged(noise(4, dbfs=-20)).pitch_hz == 0.0


def test_power_above_a_frequency() -> None:
    time = np.arange(32_000) / 16_000
    low, high = np.sin(2 * np.pi * 1125 * time), 0.1 * np.sin(2 * np.pi * 5125 * time)
    speed = judged((0.3 * (low + high)).astype(np.float32))
    assert speed.above_db(4500) == pytest.approx(-20, abs=0.2)
    assert speed.above_db(1000, 1250) == pytest.approx(0, abs=0.2)
    assert speed.above_db(2000, 4000) < -60


@pytest.mark.parametrize("level", [0.0, 1e-6, 0.5])
def test_silence_and_a_constant_are_no_speech(level: float) -> None:
    assert judged(silence(8) + np.float32(level)).factor() == 1.0
