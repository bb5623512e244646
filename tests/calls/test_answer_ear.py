"""The seconds after an answer as evidence: real recordings in, timing, tones, words wanted and verdicts out."""

from __future__ import annotations

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from audio_samples import noise, silence, speech
from hypothesis import given, settings
from hypothesis import strategies as st

import V3.simulator
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, SAMPLES_PER_MS, Audio
from V3.audio.tones import Tone, ToneKind
from V3.audio.vad import EdgeKind, VadEdge
from V3.calls.answer import AnswerLabel, AnswerVerdict
from V3.calls.answer_ear import AnswerEar
from V3.calls.answer_policy import AnswerRules
from V3.system.services.amd_service import AMDService
from V3.system.services.audio_files import read_audio

DECIDER = AMDService().decider
SOUNDS = Path(V3.simulator.__file__).parent / "sounds"
QUIET = AnswerRules(early=False, revise_until_ms=0)  # asked for a verdict only, it gives none by itself


@functools.cache
def recording(name: str) -> Audio:
    """One of the simulator's sounds, as a call brings it."""
    audio = read_audio(SOUNDS / f"{name}.wav")
    audio.flags.writeable = False
    return audio


def beep(hz: float = 1000.0, seconds: float = 0.4) -> Audio:
    samples = np.arange(round(RATE_HZ * seconds))
    return (0.3 * np.sin(2 * np.pi * hz * samples / RATE_HZ)).astype(np.float32)


def joined(*parts: Audio) -> Audio:
    audio = np.concatenate(parts)
    return audio[: audio.size // FRAME_SAMPLES * FRAME_SAMPLES]


def feed(ear: AnswerEar, audio: Audio, *, chunk: int = FRAME_SAMPLES) -> tuple[list[VadEdge], list[Tone]]:
    edges: list[VadEdge] = []
    tones: list[Tone] = []
    for start in range(0, audio.size, chunk):
        began, rang = ear.push(audio[start : start + chunk])
        edges, tones = edges + began, tones + rang
    return edges, tones


def looked(ear: AnswerEar, audio: Audio) -> list[tuple[int, AnswerVerdict]]:
    """Every verdict that came by itself, with its time."""
    found = []
    for start in range(0, audio.size, FRAME_SAMPLES):
        ear.push(audio[start : start + FRAME_SAMPLES])
        if (verdict := ear.look()) is not None:
            found.append((ear.at_ms, verdict))
    return found


# ---- timing


@pytest.mark.parametrize("name", ["oui_bonjour", "allo_bonjour", "oui_c_est_moi", "je_vous_ecoute"])
def test_a_short_greeting_and_silence(name: str) -> None:
    said = speech(name) if name == "oui_bonjour" else recording(name)
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, joined(silence(0.3), said, silence(1.2)))
    timing = ear.timing
    said_ms = said.size // SAMPLES_PER_MS
    assert timing.window_ms == ear.at_ms == (300 + said_ms + 1200) // 20 * 20
    assert timing.lead_ms == pytest.approx(300, abs=60)
    assert timing.first_ms == pytest.approx(said_ms, abs=80)
    assert 500 <= timing.speech_ms <= timing.first_ms
    assert timing.tail_ms == pytest.approx(1200, abs=80)
    assert timing.pause_ms == 0
    assert timing.lead_ms + timing.first_ms + timing.tail_ms == timing.window_ms  # one utterance is all there is
    assert 400 <= timing.sound_ms <= said_ms


def test_a_pause_between_two_utterances() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    said_ms = speech("oui_bonjour").size // SAMPLES_PER_MS
    feed(ear, joined(silence(0.4), speech("oui_bonjour"), silence(0.6), speech("oui_bonjour"), silence(0.1)))
    assert ear.timing.pause_ms == pytest.approx(600, abs=80)
    assert ear.timing.first_ms == pytest.approx(said_ms, abs=80)
    assert ear.timing.lead_ms == pytest.approx(400, abs=60)
    assert ear.timing.tail_ms == pytest.approx(100, abs=60)
    assert ear.timing.speech_ms == pytest.approx(2 * said_ms, abs=160)


def test_of_several_pauses_the_longest_counts_and_the_first_utterance_is_the_first() -> None:
    word = speech("oui_bonjour")
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, joined(silence(0.2), word, silence(0.9), word, silence(0.4), word, silence(1.5)))
    assert ear.timing.pause_ms == pytest.approx(900, abs=80)
    assert ear.timing.first_ms == pytest.approx(word.size // SAMPLES_PER_MS, abs=80)


def test_while_somebody_speaks_the_first_utterance_lasts_until_now() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, joined(silence(0.2), recording("messagerie")[: 2 * RATE_HZ]))
    timing = ear.timing
    assert timing.first_ms == timing.window_ms - timing.lead_ms - timing.tail_ms
    assert timing.first_ms >= 1800


@pytest.mark.parametrize("audio", [silence(2.0), noise(2.0, dbfs=-65.0)], ids=["digital silence", "line noise"])
def test_where_nobody_speaks_all_of_it_is_lead_and_tail(audio: Audio) -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, audio)
    assert ear.timing.lead_ms == ear.timing.tail_ms == ear.timing.window_ms == 2000
    assert (ear.timing.speech_ms, ear.timing.first_ms, ear.timing.pause_ms, ear.timing.sound_ms) == (0, 0, 0, 0)


def test_a_steady_sound_is_counted_without_being_speech() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, joined(silence(0.5), beep(600.0, 1.5)))
    assert ear.timing.sound_ms == pytest.approx(1500, abs=20)


def test_before_any_audio_all_is_nothing() -> None:
    ear = AnswerEar(DECIDER)
    assert (ear.at_ms, ear.window().size, ear.due, ear.verdict) == (0, 0, False, None)
    assert ear.timing.window_ms == 0
    assert ear.look() is None
    assert ear.push(silence(0.0)) == ([], [])


CALL = joined(silence(0.3), recording("messagerie"), silence(0.5), beep(), silence(0.9))


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40_000), max_size=60))
def test_chunk_sizes_make_no_difference(sizes: list[int]) -> None:
    whole, parts = AnswerEar(DECIDER, QUIET), AnswerEar(DECIDER, QUIET)
    edges, tones = feed(whole, CALL)
    at, found = 0, []
    for size in [*sizes, CALL.size]:
        found.append(parts.push(CALL[at : at + size]))
        at += size
    assert [edge for began, _ in found for edge in began] == edges
    assert [tone for _, rang in found for tone in rang] == tones
    assert parts.evidence == whole.evidence
    assert np.array_equal(parts.window(), whole.window())
    assert parts.decide("Bonjour, vous êtes bien sur la") == whole.decide("Bonjour, vous êtes bien sur la")


# ---- the window


@pytest.mark.parametrize("chunk", [FRAME_SAMPLES, 333, 16_000, 100_000])
def test_the_window_is_cut_exactly(chunk: int) -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, CALL, chunk=chunk)
    assert np.array_equal(ear.window(), CALL[: 2300 * SAMPLES_PER_MS])


def test_until_it_is_full_the_window_is_all_there_is() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, CALL[:16_000])
    assert np.array_equal(ear.window(), CALL[:16_000])
    assert not ear.due


def test_the_verdict_is_due_with_the_windows_last_frame_and_until_it_is_given() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, CALL[: 2280 * SAMPLES_PER_MS])
    assert not ear.due
    ear.push(CALL[2280 * SAMPLES_PER_MS : 2300 * SAMPLES_PER_MS])
    assert ear.due
    ear.decide("Bonjour")
    assert not ear.due
    assert ear.window().size == 0  # the samples are not kept


def test_a_late_recogniser_does_not_change_what_the_timing_was_at_the_windows_end() -> None:
    audio = joined(silence(0.3), speech("oui_bonjour"), silence(1.343), recording("messagerie"))
    late, prompt = AnswerEar(DECIDER, QUIET), AnswerEar(DECIDER, QUIET)
    feed(prompt, audio[: 2300 * SAMPLES_PER_MS])
    feed(late, audio)
    assert late.timing != prompt.timing
    assert late.decide("Oui bonjour") == prompt.decide("Oui bonjour")


def test_another_window_is_kept_too() -> None:
    ear = AnswerEar(DECIDER, AnswerRules(window_ms=1010, early=False))
    feed(ear, CALL[:16_000])
    assert not ear.due
    feed(ear, CALL[16_000:17_000])
    assert ear.due
    assert ear.window().size == 1010 * SAMPLES_PER_MS


def test_without_the_recognisers_answer_what_was_heard_so_far_decides() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, CALL[: 2300 * SAMPLES_PER_MS])
    ear.hear("vous êtes bien sur la messagerie")
    verdict = ear.decide(None)
    assert verdict.text == "vous êtes bien sur la messagerie"
    assert verdict.label is AnswerLabel.MACHINE
    ear = AnswerEar(DECIDER, QUIET)
    feed(ear, CALL[: 2300 * SAMPLES_PER_MS])
    verdict = ear.decide(None)
    assert verdict.label is AnswerLabel.MACHINE  # by timing alone
    assert verdict.reason.startswith("timing: ")


# ---- tones


@pytest.mark.parametrize("hz", [425.0, 1000.0, 1400.0])
def test_a_beep_after_a_greeting_is_heard_once_and_is_a_machine(hz: float) -> None:
    ear = AnswerEar(DECIDER, AnswerRules(early=False))
    audio = joined(silence(0.3), recording("allo_bonjour"), silence(0.4), beep(hz), silence(1.0))
    heard = feed(ear, audio)[1]
    assert [tone.kind for tone in heard] == [ToneKind.BEEP]
    start_ms = 300 + recording("allo_bonjour").size // SAMPLES_PER_MS + 400
    assert heard[0].start_ms == pytest.approx(start_ms, abs=20)
    assert ear.evidence.tones == tuple(heard)
    verdict = ear.decide("Allô bonjour")
    assert (verdict.label, verdict.kind.value) == (AnswerLabel.MACHINE, "voicemail")


def test_a_beep_takes_the_verdict_back() -> None:
    ear = AnswerEar(DECIDER, AnswerRules())
    audio = joined(silence(0.3), recording("allo_bonjour"), silence(2.2), beep(), silence(0.6))
    found = looked(ear, audio)
    assert [verdict.label for _, verdict in found] == [AnswerLabel.HUMAN, AnswerLabel.MACHINE]
    assert found[0][0] < 2300 < found[1][0] <= audio.size // SAMPLES_PER_MS
    assert found[1][1].reason.startswith("tone: beep of 1000 Hz")


def test_no_more_than_the_first_tones_are_kept() -> None:
    ear = AnswerEar(DECIDER, QUIET)
    heard = feed(ear, joined(*[part for _ in range(20) for part in (beep(700.0, 0.3), silence(1.5))]))[1]
    assert len(heard) > 16
    assert ear.evidence.tones == tuple(heard[:16])


# ---- early verdicts, on real voices


def test_a_person_who_says_a_word_of_theirs_is_answered_half_a_second_after_it() -> None:
    ear = AnswerEar(DECIDER)
    audio = joined(silence(0.3), recording("allo_bonjour"), silence(1.0))
    end_ms = 300 + recording("allo_bonjour").size // SAMPLES_PER_MS
    ear.hear("Allô bonjour")
    (at_ms, verdict), *more = looked(ear, audio)
    assert verdict.label is AnswerLabel.HUMAN
    assert end_ms <= at_ms <= end_ms + 480
    assert more == []


def test_a_voicemail_that_names_itself_is_known_while_it_speaks() -> None:
    ear = AnswerEar(DECIDER)
    feed(ear, joined(silence(0.3), recording("messagerie"))[: 1500 * SAMPLES_PER_MS])
    ear.hear("Bonjour vous êtes bien sur la messagerie")
    verdict = ear.look()
    assert verdict is not None
    assert verdict.label is AnswerLabel.MACHINE


def test_words_are_news_once() -> None:
    ear = AnswerEar(DECIDER)
    feed(ear, joined(silence(0.3), recording("messagerie"))[: 1000 * SAMPLES_PER_MS])
    assert ear.look() is None
    ear.hear("vous êtes bien sur la messagerie")
    assert ear.look() is not None  # between two looks


# ---- when to ask for words


def asked(audio: Audio, *, ear: AnswerEar | None = None) -> list[int]:
    ear = ear or AnswerEar(DECIDER, QUIET)
    times = []
    for start in range(0, audio.size, FRAME_SAMPLES):
        ear.push(audio[start : start + FRAME_SAMPLES])
        if ear.wants_words():
            times.append(ear.at_ms)
    return times


def test_words_are_wanted_a_seventh_of_a_second_apart_while_somebody_speaks() -> None:
    times = asked(joined(silence(0.3), recording("messagerie")))
    assert times[0] == pytest.approx(460, abs=40)  # 160 ms of speech: before that no word is over
    assert all(140 <= later - sooner <= 200 for sooner, later in pairwise(times))
    assert times[-1] < 2300


def test_and_once_more_when_they_fall_silent() -> None:
    said = recording("allo_bonjour")
    times = asked(joined(silence(0.3), said, silence(1.2)))
    end_ms = 300 + said.size // SAMPLES_PER_MS
    after = [at_ms for at_ms in times if at_ms >= end_ms + 200]  # so long the silence must be
    assert len(after) == 1
    assert after[0] <= end_ms + 300


@pytest.mark.parametrize("audio", [silence(2.0), noise(2.0, dbfs=-60.0)], ids=["silence", "noise"])
def test_words_are_not_wanted_where_nobody_speaks(audio: Audio) -> None:
    assert asked(audio) == []


def test_nor_once_there_is_a_verdict() -> None:
    ear = AnswerEar(DECIDER)
    audio = joined(silence(0.3), recording("messagerie"))
    assert len(asked(audio[:16_000], ear=ear)) >= 3
    ear.hear("vous êtes bien sur la messagerie")
    assert ear.look() is not None
    assert asked(audio[16_000:], ear=ear) == []


def test_edges_are_told_as_voice_activity_tells_them() -> None:
    edges = feed(AnswerEar(DECIDER, QUIET), joined(silence(0.3), recording("allo_bonjour"), silence(0.5)))[0]
    assert [edge.kind for edge in edges] == [EdgeKind.STARTED, EdgeKind.ENDED]
    assert edges[1].at_ms - edges[1].edge_ms == 240
