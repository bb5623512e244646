"""Findings about a call's audio: each kind once, after a while, and none on audio that is well."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from audio_samples import TEXTS, noise, silence, speech
from hypothesis import given, settings
from hypothesis import strategies as st

from V3.audio.health import AudioHealth, Finding, FindingKind
from V3.audio.pcm import Audio, Resampler, from_l16, from_mulaw, resample, rms_dbfs, to_l16, to_mulaw
from V3.audio.vad import VoiceActivity


def findings(audio: Audio) -> list[Finding]:
    """As a call is heard: 20 ms at a time, with voice activity."""
    health, voice = AudioHealth(), VoiceActivity()
    found: list[Finding] = []
    for start in range(0, audio.size, 320):
        chunk = audio[start : start + 320]
        voice.push(chunk)
        found += health.push(chunk, speaking=voice.speaking)
    return found


def findings_in_speech(audio: Audio, sizes: Sequence[int] = (320,)) -> list[Finding]:
    """What is found when voice activity takes all of it for speech."""
    health = AudioHealth()
    found: list[Finding] = []
    start = index = 0
    while start < audio.size:
        size = sizes[index % len(sizes)]
        found += health.push(audio[start : start + size], speaking=True)
        start += size
        index += 1
    return found


def kinds(found: Sequence[Finding]) -> list[str]:
    return [str(finding.kind) for finding in found]


def call() -> Audio:
    """16 s of several speakers at 16 kHz, with nothing above 4 kHz: a telephone call."""
    return np.concatenate([np.concatenate([speech(name), silence(0.3)]) for name in TEXTS])


def as_8_khz(audio: Audio) -> Audio:
    return resample(audio, from_hz=16_000, to_hz=8000)


def at_level(audio: Audio, dbfs: float) -> Audio:
    return (audio * 10 ** ((dbfs - rms_dbfs(audio)) / 20)).astype(np.float32)


def louder(audio: Audio, db: float) -> Audio:
    """So that its peak is at ``db``, clipped at full scale."""
    return np.asarray(np.clip(audio / np.max(np.abs(audio)) * 10 ** (db / 20), -1, 1), dtype=np.float32)


def chords(seconds: float, root_hz: float) -> Audio:
    time = np.arange(round(16_000 * seconds)) / 16_000
    steps = np.floor(time * 3) % 4  # three chords a second
    roots = root_hz * 2 ** (np.array([0, 5, 7, 4])[steps.astype(int)] / 12)
    wave = sum(np.sin(2 * np.pi * k * roots * time) / k for k in range(1, 16))
    return np.asarray(0.2 * wave * np.exp(-3 * (time * 3 % 1)), dtype=np.float32)


def tones(seconds: float, *tones_hz: float) -> Audio:
    """A cadence of 0.3 s on, 0.2 s off."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    wave = sum(np.sin(2 * np.pi * hz * time) for hz in tones_hz) / len(tones_hz)
    return (0.3 * wave * (time % 0.5 < 0.3)).astype(np.float32) + noise(seconds, dbfs=-60)


def upsampled_by_holding(audio: Audio) -> Audio:
    return np.repeat(as_8_khz(audio), 2)


def upsampled_by_lines(audio: Audio) -> Audio:
    samples = as_8_khz(audio)
    return np.interp(np.arange(2 * samples.size) / 2, np.arange(samples.size), samples).astype(np.float32)


def wideband(audio: Audio, *, seed: int) -> Audio:
    """With breath above 4 kHz that follows the voice, as a good microphone hears it."""
    envelope = np.convolve(np.abs(audio), np.hanning(320) / 160, mode="same")
    breath = np.fft.rfft(envelope * noise(audio.size / 16_000, dbfs=0, seed=seed))
    breath[: breath.size // 2] = 0
    return np.asarray(audio + 0.2 * np.fft.irfft(breath, audio.size), dtype=np.float32)


def test_a_telephone_call_is_well_however_it_was_upsampled() -> None:
    companded = from_mulaw(to_mulaw(as_8_khz(call())))
    assert findings(call()) == []
    assert findings(Resampler(8000, 16_000).push(companded, last=True)) == []
    # cheap upsamplers leave mirror images above 4 kHz, and softphones hiss
    assert findings(upsampled_by_holding(call())) == []
    assert findings(upsampled_by_lines(call())) == []
    assert findings(call() + noise(17, dbfs=-45)[: call().size]) == []


def test_high_voices_with_sound_above_4_khz_are_well() -> None:
    # three speakers of 170 to 225 Hz: neither the band nor the pitch tells them from a man at twice his speed
    for seed, names in enumerate([("au_travail",), ("pas_la",), ("oui_bonjour", "au_travail", "pas_la")]):
        voices = np.tile(np.concatenate([speech(name) for name in names]), 5)
        assert findings(wideband(voices, seed=seed)) == []
        hurried = resample(voices, from_hz=16_000, to_hz=12_500)  # as high, small and fast as a child
        assert findings(wideband(hurried, seed=seed)) == []


def test_8_khz_samples_sent_as_16_khz_are_found_once_within_5_s_and_say_what_to_do() -> None:
    (found,) = findings(np.tile(as_8_khz(call()), 4))
    assert found.kind is FindingKind.WRONG_RATE
    assert found.at_ms <= 5000
    assert found.measured["factor"] == 2.0
    assert found.measured["pitch_hz"] > 150
    assert "rate=8000" in found.message


def test_a_lines_mu_law_and_its_noise_do_not_hide_the_wrong_rate() -> None:
    line = as_8_khz(call()) + noise(9, dbfs=-50)[: call().size // 2]
    assert kinds(findings(from_mulaw(to_mulaw(line)))) == ["wrong_rate"]


def test_16_khz_samples_sent_as_8_khz_are_found() -> None:
    (found,) = findings(Resampler(8000, 16_000).push(from_l16(to_l16(call()))))
    assert found.kind is FindingKind.WRONG_RATE
    assert found.at_ms <= 6000
    assert found.measured["factor"] == 0.5
    assert "rate=16000" in found.message


def test_too_little_speech_says_nothing_about_the_rate() -> None:
    wrong = as_8_khz(call())
    assert findings(wrong[:40_000]) == []
    assert [found for start in range(0, 120_000, 40_000) for found in findings(wrong[start : start + 40_000])] == []


@pytest.mark.parametrize(
    "audio",
    [
        noise(20, dbfs=-20),
        noise(20, dbfs=-20) * (np.arange(320_000) % 4000 < 2000).astype(np.float32),  # four bursts a second
        chords(20, 220),
        chords(20, 600),
        tones(20, 440),
        tones(20, 400, 5000),
        tones(20, 950, 1400, 1800),
        silence(20),
    ],
    ids=["noise", "bursts", "chords", "high chords", "tone", "two tones", "no such number", "silence"],
)
def test_what_is_no_speech_has_no_rate_even_if_taken_for_speech(audio: Audio) -> None:
    assert "wrong_rate" not in kinds(findings_in_speech(audio))


def test_nobody_speaking_has_no_rate_and_no_level() -> None:
    health = AudioHealth()
    for audio in (np.tile(as_8_khz(call()), 2), louder(call(), 12), at_level(call(), -50)):
        assert health.push(audio, speaking=False) == []


def test_clipped_speech_is_found_once() -> None:
    (found,) = findings(np.tile(louder(call(), 12), 2))
    assert found.kind is FindingKind.CLIPPING
    assert found.measured["clipped_share"] > 0.005
    assert "gain" in found.message


def test_a_lines_clipping_is_found_though_mu_law_ends_below_full_scale() -> None:
    line = from_mulaw(to_mulaw(louder(as_8_khz(call()), 12)))
    assert np.max(np.abs(line)) < 0.99
    assert kinds(findings(Resampler(8000, 16_000).push(line))) == ["clipping"]


def test_loud_speech_and_a_short_clipped_bit_are_well() -> None:
    assert findings(louder(call(), 0)) == []
    shout = louder(call(), -6)
    shout[48_000:64_000] = louder(call(), 20)[48_000:64_000]  # one second
    assert findings(shout) == []


def test_another_encoding_taken_for_l16_is_clipping_and_no_wrong_rate() -> None:
    swapped = np.frombuffer(to_l16(call()), dtype="<i2").byteswap().tobytes()
    octets = to_mulaw(as_8_khz(call()))
    for data in (swapped, octets[: len(octets) // 2 * 2]):
        (found,) = findings(from_l16(data))
        assert found.kind is FindingKind.CLIPPING
        assert "little-endian" in found.message


@pytest.mark.parametrize("offset", [0.03, -0.03, 0.3])
def test_an_offset_is_found_with_its_sign(offset: float) -> None:
    quiet = at_level(call(), -30)
    found = findings(quiet + np.float32(offset))
    assert kinds(found) == ["dc_offset"]
    assert found[0].measured["mean"] == pytest.approx(offset, rel=0.05)
    assert f"{offset:+.3f}" in found[0].message


def test_an_offset_is_found_where_nobody_speaks() -> None:
    (found,) = findings(noise(10, dbfs=-60) + np.float32(0.02))
    assert (found.kind, found.at_ms) == (FindingKind.DC_OFFSET, 4000)


def test_small_short_or_alternating_offsets_are_well() -> None:
    assert findings(noise(10, dbfs=-60) + np.float32(0.004)) == []
    jolt = noise(10, dbfs=-60)
    jolt[32_000:80_000] += np.float32(0.1)  # three seconds
    assert findings(jolt) == []
    rumble = 0.1 * np.sin(2 * np.pi * 0.4 * np.arange(160_000) / 16_000)
    assert findings(rumble.astype(np.float32)) == []


def test_clipped_speech_has_a_mean_of_its_own_that_is_no_offset() -> None:
    one_sided = np.abs(louder(speech("pas_joignable"), 0))
    assert float(one_sided.mean()) > 0.03
    assert "dc_offset" not in kinds(findings_in_speech(one_sided))


def test_faint_speech_is_found_and_normal_speech_is_not() -> None:
    (found,) = findings(np.tile(at_level(speech("pas_joignable"), -50), 3))
    assert found.kind is FindingKind.TOO_QUIET
    assert found.measured["loudest_dbfs"] < -46
    assert "gain" in found.message
    assert findings(np.tile(at_level(speech("pas_joignable"), -40), 3)) == []


def test_one_loud_word_ends_the_matter_of_faintness() -> None:
    faint = np.tile(at_level(speech("pas_joignable"), -50), 3)
    assert findings(np.concatenate([speech("au_travail"), faint])) == []


def test_a_line_that_only_hisses_is_not_faint_speech() -> None:
    assert findings(noise(20, dbfs=-62)) == []


def test_several_findings_of_one_stream() -> None:
    both = np.concatenate([silence(5), louder(np.tile(as_8_khz(call()), 2), -3)]) + np.float32(0.05)
    assert kinds(findings(both)) == ["dc_offset", "wrong_rate"]


@settings(max_examples=15)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=6))
def test_chunk_sizes_make_no_difference(sizes: list[int]) -> None:
    wrong = as_8_khz(call())
    assert findings_in_speech(wrong, sizes) == findings_in_speech(wrong)


def test_findings_cannot_be_changed() -> None:
    (found,) = findings(noise(5, dbfs=-60) + np.float32(0.02))
    with pytest.raises(TypeError):
        found.measured["mean"] = 0.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        found.at_ms = 0  # type: ignore[misc]


def test_memory_is_bounded() -> None:
    health = AudioHealth()
    for _ in range(20):
        health.push(noise(3, dbfs=-25), speaking=True)
    assert len(pickle.dumps(health)) < 48_000
