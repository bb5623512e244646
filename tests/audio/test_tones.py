"""Tones of the telephone network on lines with noise, and sounds that are no tones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from audio_samples import TEXTS, noise, silence, speech
from hypothesis import given, settings
from hypothesis import strategies as st

from V3.audio.pcm import Audio, Resampler, from_mulaw, to_mulaw
from V3.audio.tones import Tone, ToneDetector, ToneKind

RATE_HZ = 8000


def sine(*hz: float, ms: float, fade_ms: float = 3) -> Audio:
    """One or more sinusoids at once, RMS 1, at 8 kHz."""
    time = np.arange(round(RATE_HZ * ms / 1000)) / RATE_HZ
    wave = np.sqrt(2 / len(hz)) * sum(np.sin(2 * np.pi * each * time) for each in hz)
    ramp = np.minimum(1.0, np.arange(time.size) / (RATE_HZ * fade_ms / 1000))
    return np.asarray(wave * ramp * ramp[::-1], dtype=np.float32)


def pause(ms: float) -> Audio:
    return np.zeros(round(RATE_HZ * ms / 1000), dtype=np.float32)


def cadence(hz: float, *, on_ms: float, off_ms: float, times: int) -> list[Audio]:
    return [sine(hz, ms=on_ms), pause(off_ms)] * times


def line(*parts: Audio, level_dbfs: float = -18.0, snr_db: float = 25.0, seed: int = 1) -> Audio:
    """What comes down a telephone line: parts of RMS 1 at a level, noise, mu-law, 8 kHz doubled."""
    sound = np.concatenate(parts)
    noisy = sound + np.random.default_rng(seed).normal(scale=10 ** (-snr_db / 20), size=sound.size)
    coded = from_mulaw(to_mulaw((noisy * 10 ** (level_dbfs / 20)).astype(np.float32)))
    doubler = Resampler(RATE_HZ, 2 * RATE_HZ)
    return np.concatenate([doubler.push(coded), doubler.push(coded[:0], last=True)])


def said(name: str) -> Audio:
    """A recording at 8 kHz, RMS 1, without the silence around it."""
    words = speech(name)[::2]
    heard = np.flatnonzero(np.abs(words) > 0.02)
    words = words[heard[0] : heard[-1]]
    return np.asarray(words / np.sqrt(np.mean(np.square(words))), dtype=np.float32)


def found(audio: Audio, sizes: Sequence[int] = (320,)) -> list[Tone]:
    detector, tones = ToneDetector(), list[Tone]()
    start = index = 0
    while start < audio.size:
        size = sizes[index % len(sizes)]
        tones += detector.push(audio[start : start + size])
        start, index = start + size, index + 1
    return tones


def kinds(audio: Audio) -> list[ToneKind]:
    return [tone.kind for tone in found(audio)]


SPECIAL = [sine(950, ms=330), sine(1400, ms=330), sine(1800, ms=330)]
GREETING = [said("pas_la"), pause(400)]


@pytest.mark.parametrize(("snr_db", "level_dbfs"), [(12, -20), (15, -35), (20, -6), (40, -30)])
@pytest.mark.parametrize("error", [0.98, 1.0, 1.02])
def test_progress_tones_of_440_hz_are_told_apart_by_their_cadence(
    snr_db: float, level_dbfs: float, error: float
) -> None:
    hz = 440 * error
    tones = {
        ToneKind.RINGBACK: cadence(hz, on_ms=1500, off_ms=3500, times=2),
        ToneKind.BUSY: cadence(hz, on_ms=500, off_ms=500, times=4),
        ToneKind.CONGESTION: cadence(hz, on_ms=250, off_ms=250, times=6),
        ToneKind.DIAL_TONE: [sine(hz, ms=4000)],
    }
    for kind, parts in tones.items():
        (tone,) = found(line(pause(300), *parts, level_dbfs=level_dbfs, snr_db=snr_db))
        assert tone.kind == kind
        assert tone.frequencies_hz == pytest.approx((hz,), rel=0.003)
        assert abs(tone.start_ms - 300) <= 10


@pytest.mark.parametrize("stretch", [0.87, 1.13])
def test_a_cadence_may_be_off_by_an_eighth(stretch: float) -> None:
    for kind, on_ms, off_ms in (("ringback", 1500, 3500), ("busy", 500, 500), ("congestion", 250, 250)):
        (tone,) = found(line(pause(300), *cadence(440, on_ms=on_ms * stretch, off_ms=off_ms * stretch, times=5)))
        assert tone.kind == kind


def test_progress_tones_are_known_early() -> None:
    (ring,) = found(line(pause(300), *cadence(440, on_ms=1500, off_ms=3500, times=1)))
    (busy,) = found(line(pause(300), *cadence(440, on_ms=500, off_ms=500, times=4)))
    (congestion,) = found(line(pause(300), *cadence(440, on_ms=250, off_ms=250, times=6)))
    (dial,) = found(line(pause(300), sine(440, ms=4000)))
    assert ring.at_ms <= 300 + 1500 + 280
    assert busy.at_ms <= 300 + 1500 + 140  # two beats and the pause between them
    assert congestion.at_ms <= 300 + 1250 + 140
    assert dial.at_ms <= 300 + 2000 + 140


def test_half_a_minute_of_a_tone_is_one_finding() -> None:
    assert kinds(line(pause(300), *cadence(440, on_ms=1500, off_ms=3500, times=6))) == ["ringback"]
    assert kinds(line(pause(300), *cadence(440, on_ms=500, off_ms=500, times=30))) == ["busy"]
    assert kinds(line(pause(300), *SPECIAL, pause(1000), *SPECIAL, pause(1000))) == ["special_information"]


def test_ringing_that_comes_back_later_is_found_again() -> None:
    ring = cadence(440, on_ms=1500, off_ms=3500, times=2)
    assert kinds(line(*ring, said("pas_joignable"), *ring)) == ["ringback", "ringback"]


def test_audio_that_begins_within_a_cadence() -> None:
    assert kinds(line(sine(440, ms=300), pause(3500), *cadence(440, on_ms=1500, off_ms=3500, times=1))) == ["ringback"]
    assert kinds(line(sine(440, ms=900), pause(1000))) == ["ringback"]  # too long for a beat of a busy line
    assert kinds(line(sine(440, ms=200), pause(500), *cadence(440, on_ms=500, off_ms=500, times=2))) == ["busy"]


def test_a_ring_that_the_answer_cuts_short_is_no_beep() -> None:
    rings = cadence(440, on_ms=1500, off_ms=3500, times=1)
    assert kinds(line(pause(300), *rings, sine(440, ms=700), pause(400), said("oui_bonjour"))) == ["ringback"]


def test_special_dial_tone() -> None:
    (tone,) = found(line(pause(300), sine(330, 440, ms=3000)))
    assert tone.kind == "dial_tone"
    assert tone.frequencies_hz == pytest.approx((330, 440), rel=0.003)


@pytest.mark.parametrize(
    ("tones", "gap_ms"),
    [
        (((950, 330), (1400, 330), (1800, 330)), 0),
        (((913.8, 274), (1370.6, 274), (1776.7, 380)), 4),
        (((985.2, 380), (1428.5, 380), (1776.7, 380)), 0),
        (((931, 330), (1372, 330), (1764, 330)), 30),  # 2% low
    ],
)
def test_special_information_tones(tones: Sequence[tuple[float, float]], gap_ms: float) -> None:
    parts = [part for hz, ms in tones for part in (sine(hz, ms=ms), pause(gap_ms))]
    (tone,) = found(line(pause(400), *parts, pause(300), said("pas_joignable"), snr_db=15))
    assert tone.kind == "special_information"
    assert tone.frequencies_hz == pytest.approx([hz for hz, _ms in tones], rel=0.003)
    assert abs(tone.start_ms - 400) <= 15
    assert tone.at_ms - tone.end_ms <= 140


@pytest.mark.parametrize("hz", [400, 620, 800, 950, 1000, 1400, 1633, 2000])
@pytest.mark.parametrize(("ms", "snr_db"), [(150, 20), (250, 12), (500, 15), (1400, 40)])
def test_a_beep_after_a_greeting(hz: float, ms: float, snr_db: float) -> None:
    before_ms = 1000 * sum(part.size for part in GREETING) / RATE_HZ
    (tone,) = found(line(*GREETING, sine(hz, ms=ms), pause(1000), snr_db=snr_db))
    assert tone.kind == "beep"
    assert tone.frequencies_hz == pytest.approx((hz,), rel=0.003)
    assert abs(tone.start_ms - before_ms) <= 15
    assert abs(tone.end_ms - before_ms - ms) <= 15  # what follows is the moment to speak
    assert tone.at_ms - tone.end_ms <= 260
    assert tone.confidence > 0.9


@pytest.mark.parametrize(("ms", "wait_ms"), [(200, 260), (250, 460), (350, 260), (500, 760), (800, 260)])
def test_a_beep_of_440_hz_is_not_taken_for_a_beat_of_a_busy_line(ms: float, wait_ms: int) -> None:
    (tone,) = found(line(*GREETING, sine(440, ms=ms), pause(1000)))
    assert tone.kind == "beep"
    assert tone.at_ms - tone.end_ms <= wait_ms


def test_beeps_of_two_tones() -> None:
    (at_once,) = found(line(*GREETING, sine(620, 1100, ms=400), pause(1000)))
    assert at_once.frequencies_hz == pytest.approx((620, 1100), rel=0.003)
    (in_turn,) = found(line(*GREETING, sine(800, ms=250), sine(1050, ms=250), pause(1000)))
    assert in_turn.frequencies_hz == pytest.approx((800, 1050), rel=0.003)
    assert abs(in_turn.end_ms - in_turn.start_ms - 500) <= 20


def test_of_three_beeps_in_a_row_the_last_one_counts() -> None:
    beeps = [sine(1000, ms=150), pause(100)] * 3
    (tone,) = found(line(pause(300), *beeps, pause(1000)))
    assert abs(tone.start_ms - 800) <= 15


def test_a_clipped_beep_is_a_beep() -> None:
    loud = np.clip(2 * sine(620, ms=400), -1, 1)
    assert kinds(line(*GREETING, loud, pause(1000), level_dbfs=-6)) == ["beep"]


def test_a_lost_packet_does_not_split_a_beep() -> None:
    beep = sine(1000, ms=600)
    beep[2400:2560] = beep[2240:2400]  # concealed as receivers do, by what came before, out of phase
    (tone,) = found(line(*GREETING, beep, pause(1000)))
    assert abs(tone.end_ms - tone.start_ms - 600) <= 20


def test_a_fax_that_calls() -> None:
    # nobody spoke: the first burst is enough
    (tone,) = found(line(pause(1000), *cadence(1100, on_ms=500, off_ms=3000, times=3)))
    assert tone.kind == "fax_calling"
    assert tone.at_ms <= 1000 + 500 + 280
    # after a greeting the same burst is a beep, until it comes again
    assert kinds(line(*GREETING, *cadence(1100, on_ms=500, off_ms=3000, times=3))) == ["beep", "fax_calling"]


@pytest.mark.parametrize("reversals", [0, 1])
@pytest.mark.parametrize("modulation", [0.0, 0.2])
def test_a_fax_that_answers(reversals: int, modulation: float) -> None:
    time = np.arange(26_400) / RATE_HZ  # CED, or ANSam with its phase reversals every 450 ms
    phase = np.pi * (reversals * (time // 0.45) % 2)
    wave = np.sqrt(2) * np.sin(2 * np.pi * 2100 * time + phase) * (1 + modulation * np.sin(2 * np.pi * 15 * time))
    (tone,) = found(line(pause(500), wave.astype(np.float32), pause(500)))
    assert tone.kind == "fax_answer"
    assert abs(tone.start_ms - 500) <= 15
    assert tone.at_ms <= 500 + 700 + 200


def test_dtmf_digits_are_no_beeps() -> None:
    digits = [(697, 1209), (770, 1336), (852, 1477), (941, 1336), (941, 1633)]
    for ms in (80, 200, 600):
        parts = [part for low, high in digits for part in (sine(low * 1.012, high * 0.988, ms=ms), pause(700))]
        assert found(line(*parts)) == []


@pytest.mark.parametrize("name", TEXTS)
def test_speech_is_no_tone(name: str) -> None:
    assert found(line(pause(300), said(name), pause(800))) == []


@pytest.mark.parametrize("pitch_hz", [180, 300, 430, 620])
@pytest.mark.parametrize("formants_hz", [(310, 760), (280, 2250), (750, 1300)])
def test_a_sung_vowel_is_no_beep(pitch_hz: float, formants_hz: tuple[float, float]) -> None:
    time = np.arange(6400) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.008 * np.sin(2 * np.pi * 5.5 * time))) / RATE_HZ
    vowel = np.zeros(time.size)
    for order in range(1, int(3600 / pitch_hz) + 1):
        vowel += (
            sum(1 / (1 + ((order * pitch_hz - hz) / 50) ** 2) for hz in formants_hz) * np.sin(order * phase) / order
        )
    vowel *= np.minimum(1, np.minimum(time, time[::-1]) / 0.03) / np.sqrt(np.mean(np.square(vowel)))
    assert found(line(pause(300), vowel.astype(np.float32), pause(800))) == []


def test_a_whistle_is_no_beep() -> None:
    time = np.arange(4000) / RATE_HZ
    hz = 1200 * (1 + 0.04 * time + 0.006 * np.sin(2 * np.pi * 5 * time))
    whistle = (
        np.sqrt(2) * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) * np.minimum(1, np.minimum(time, time[::-1]) / 0.05)
    )
    assert found(line(pause(300), whistle.astype(np.float32), pause(800))) == []


def test_a_melody_is_no_beep() -> None:
    scale = [523.3, 587.3, 659.3, 698.5, 784.0, 659.3, 523.3]
    notes = [part for hz in scale for part in (sine(hz, ms=300), pause(40))]
    assert found(line(pause(300), *notes, pause(1000))) == []


def test_a_string_has_an_octave_and_is_no_beep() -> None:
    time = np.arange(3200) / RATE_HZ
    string = sum(np.sin(2 * np.pi * 440 * order * time) / order for order in range(1, 5))
    assert found(line(pause(300), np.asarray(string, dtype=np.float32), pause(1000))) == []


def test_noise_hum_and_digital_silence_are_no_tones() -> None:
    time = np.arange(40_000) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * order * time) / order for order in range(1, 12))
    assert found(line(np.asarray(hum, dtype=np.float32), pause(500))) == []
    assert found(np.concatenate([noise(3.0, dbfs=-30.0), silence(1.0), noise(3.0, dbfs=-55.0), silence(1.0)])) == []


def test_a_tone_that_does_not_end_is_no_beep() -> None:
    assert found(line(pause(300), sine(1004, ms=5000), pause(1000))) == []


def test_a_tone_with_speech_right_behind_it_is_no_beep() -> None:
    assert found(line(pause(300), sine(1000, ms=300), pause(20), said("pas_joignable"))) == []


def scene() -> Audio:
    ring = cadence(440, on_ms=1500, off_ms=3500, times=1)
    return line(pause(111), *ring, *SPECIAL, pause(700), *GREETING, sine(800, ms=303), pause(700))


SCENE = scene()


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=8))
def test_chunk_sizes_make_no_difference(sizes: list[int]) -> None:
    whole = ToneDetector().push(SCENE)
    assert [tone.kind for tone in whole] == ["ringback", "special_information", "beep"]
    assert found(SCENE, sizes) == whole


def test_reset_makes_it_new() -> None:
    detector = ToneDetector()
    first = detector.push(SCENE)
    assert detector.at_ms > first[-1].at_ms
    detector.reset()
    assert detector.at_ms == 0
    assert detector.push(SCENE) == first
