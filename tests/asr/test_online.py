"""The streaming state machine with scripted decodes: no model, no thread, no clock."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from audio_samples import TEXTS, noise, silence, speech
from hypothesis import given, settings
from hypothesis import strategies as st

from V3.asr.features import assemble, log_mel
from V3.asr.hypothesis import PolicyName
from V3.asr.online import OnlineASRProcessor, StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest, Transcript
from V3.audio.pcm import Audio, resample
from V3.errors import ConfigError, RecognitionError, RecognizerOverloaded
from V3.events import Alternative, AudioFlagged, Event, Final, Partial, SpeechEnded, SpeechStarted, StreamFailed, Word

FRAME = 320


def frames(audio: Audio, size: int = FRAME) -> Iterator[Audio]:
    for start in range(0, audio.size, size):
        yield audio[start : start + size]


def beeps(count: int, *, word_s: float = 0.3, gap_s: float = 0.0) -> Audio:
    """Voice-like bursts: a buzz with a moving formant, which webrtcvad takes for speech."""
    seconds = np.arange(round(16_000 * word_s)) / 16_000
    buzz = np.sign(np.sin(2 * np.pi * 120 * seconds)) * np.sin(2 * np.pi * (500 + 600 * seconds) * seconds)
    word = (0.3 * np.hanning(seconds.size) ** 0.25 * buzz).astype(np.float32)
    return np.concatenate([np.concatenate([word, silence(gap_s)]) for _ in range(count)])


def heard(request: DecodeRequest, *texts: str, step_ms: int = 300) -> Transcript:
    words = tuple(
        Word(text, request.start_ms + index * step_ms, request.start_ms + (index + 1) * step_ms)
        for index, text in enumerate(" ".join(texts).split())
    )
    return Transcript(" ".join(word.text for word in words), words, request.duration_ms / 1000)


Decode = Callable[[DecodeRequest], Transcript]


def seconds_heard(request: DecodeRequest) -> Transcript:
    """A model that says one word per 300 ms of loud audio: "m0", "m1", ... numbered by their time in the stream."""
    blocks = request.audio[: request.audio.size // 4800 * 4800].reshape(-1, 4800)
    loud = [index for index, block in enumerate(blocks) if float(np.max(np.abs(block), initial=0.0)) > 0.05]
    words = tuple(
        Word(f"m{index}", request.start_ms + index * 300, request.start_ms + index * 300 + 300) for index in loud
    )
    return Transcript(" ".join(word.text for word in words), words, request.duration_ms / 1000)


def answer_all(session: StreamingSession, decode: Decode) -> list[DecodeRequest]:
    asked = []
    while (request := session.next_request()) is not None:
        asked.append(request)
        session.complete(request, decode(request))
    return asked


def run(
    session: StreamingSession, audio: Audio, decode: Decode, *, size: int = FRAME
) -> tuple[list[Event], list[DecodeRequest]]:
    events: list[Event] = []
    asked: list[DecodeRequest] = []
    for frame in frames(audio, size):
        session.push(frame)
        asked += answer_all(session, decode)
        events += session.take_events()
    session.flush()
    asked += answer_all(session, decode)
    return events + session.take_events(), asked


def one_word() -> Audio:
    return np.concatenate([silence(1.0), speech("oui_bonjour"), silence(1.5)])


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def finals(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Final)]


def test_an_utterance_in_order() -> None:
    events, asked = run(StreamingSession("c"), one_word(), lambda request: heard(request, "oui bonjour"))
    assert kinds(events) == ["SpeechStarted", "Partial", "Partial", "SpeechEnded", "Final"]
    started, first, second, ended, final = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert isinstance(final, Final)
    assert isinstance(first, Partial)
    assert isinstance(second, Partial)
    assert abs(started.start_ms - 1000) <= 80
    assert abs(ended.end_ms - 1640) <= 100
    assert (final.start_ms, final.end_ms) == (started.start_ms, ended.end_ms)
    assert [word.stable for word in first.words] == [False]  # "bonjour" lies beyond what was heard
    assert [word.stable for word in second.words] == [True, True]
    assert [word.stable for word in final.words] == [True, True]
    assert {event.call_id for event in events} == {"c"}
    assert [request.kind for request in asked] == [DecodeKind.PARTIAL] * (len(asked) - 1) + [DecodeKind.FINAL]


def test_decodes_begin_with_the_preroll_and_end_with_the_tail() -> None:
    _, asked = run(StreamingSession("c", preroll_ms=200), one_word(), lambda request: heard(request, "oui"))
    final = asked[-1]
    assert abs(final.start_ms - 800) <= 80
    assert abs(final.start_ms + final.duration_ms - 1940) <= 120
    assert np.array_equal(final.audio, one_word()[final.start_ms * 16 : final.start_ms * 16 + final.audio.size])


def test_silence_and_hiss_cost_no_decode() -> None:
    audio = np.concatenate([silence(3.0), noise(5.0, dbfs=-60.0), silence(2.0)])
    events, asked = run(StreamingSession("c"), audio, lambda request: heard(request, "sous-titres"))
    assert (events, asked) == ([], [])


def test_the_silence_after_speech_costs_at_most_one_partial() -> None:
    session = StreamingSession("c", endpoint_ms=3000)
    _, asked = run(
        session, np.concatenate([speech("oui_bonjour"), silence(2.9)]), lambda request: heard(request, "oui")
    )
    partial_ends = [r.start_ms + r.duration_ms for r in asked if r.kind is DecodeKind.PARTIAL]
    assert len([end for end in partial_ends if end > 700]) <= 1


def test_partials_come_a_hop_apart_and_hold_the_newest_audio() -> None:
    _, asked = run(StreamingSession("c", hop_ms=200), speech("pas_joignable"), seconds_heard)
    partials = [request for request in asked if request.kind is DecodeKind.PARTIAL]
    ends = [request.start_ms + request.duration_ms for request in partials]
    assert len(ends) > 20
    assert all(after - before >= 200 for before, after in pairwise(ends))


def test_one_partial_in_flight_at_a_time_and_the_next_has_all_audio_since() -> None:
    session = StreamingSession("c")
    audio = speech("au_travail")
    session.push(audio[:9600])
    first = session.next_request()
    assert first is not None
    session.push(audio[9600:22_400])
    assert session.next_request() is None
    session.complete(first, heard(first, "je suis"))
    second = session.next_request()
    assert second is not None
    assert second.start_ms + second.duration_ms == 1400


def test_a_final_goes_before_a_partial_and_while_one_is_in_flight() -> None:
    session = StreamingSession("c")
    session.push(speech("oui_bonjour"))
    partial = session.next_request()
    assert partial is not None
    session.push(silence(0.6))
    session.push(speech("au_travail"))
    final = session.next_request()
    assert final is not None
    assert final.kind is DecodeKind.FINAL
    assert session.next_request() is None  # the partial is still in flight
    session.complete(partial, heard(partial, "oui"))
    following = session.next_request()
    assert following is not None
    assert following.kind is DecodeKind.PARTIAL


def test_a_partial_that_comes_back_after_its_utterance_shows_nothing() -> None:
    session = StreamingSession("c")
    session.push(speech("oui_bonjour"))
    late = session.next_request()
    assert late is not None
    session.push(silence(0.8))
    session.take_events()
    session.complete(late, heard(late, "oui bonjour"))
    assert session.take_events() == []


def test_finals_keep_the_order_of_their_utterances() -> None:
    session = StreamingSession("c", partials=False)
    session.push(np.concatenate([speech("oui_bonjour"), silence(1.0), speech("allo_qui"), silence(1.0)]))
    first, second = session.next_request(), session.next_request()
    assert first is not None
    assert second is not None
    session.take_events()
    session.complete(second, heard(second, "deux"))
    assert session.take_events() == []
    assert session.unfinished
    session.complete(first, heard(first, "un"))
    assert finals(session.take_events()) == ["un", "deux"]
    assert not session.unfinished


def test_repeats_in_utterances_of_their_own_survive() -> None:
    audio = np.concatenate([speech("oui_bonjour"), silence(0.7)] * 3)
    events, _ = run(StreamingSession("c"), audio, lambda request: heard(request, "oui oui"))
    assert finals(events) == ["oui oui"] * 3


def test_the_tail_after_the_last_hop_is_decoded_when_the_stream_ends() -> None:
    session = StreamingSession("c", hop_ms=300)
    audio = speech("au_travail")[: 16_000 + 250 * 16]
    _, asked = run(session, audio, seconds_heard)
    assert asked[-1].kind is DecodeKind.FINAL
    assert asked[-1].start_ms + asked[-1].duration_ms == 1250
    assert not session.speaking


def test_a_failed_partial_is_missed_and_a_failed_final_keeps_its_words() -> None:
    session = StreamingSession("c")
    session.push(speech("oui_bonjour")[:5120])
    first = session.next_request()
    assert first is not None
    session.fail(first, RecognizerOverloaded("full"))
    session.push(speech("oui_bonjour")[5120:])
    second = session.next_request()
    assert second is not None
    session.complete(second, heard(second, "oui bonjour"))
    session.push(silence(1.0))
    assert kinds(session.take_events()) == ["SpeechStarted", "Partial", "SpeechEnded"]
    final = session.next_request()
    assert final is not None
    session.fail(final, RecognitionError("broken"))
    failed, kept = session.take_events()
    assert isinstance(failed, StreamFailed)
    assert (failed.error, failed.message) == ("RecognitionError", "broken")
    assert isinstance(kept, Final)
    assert kept.text == "oui bonjour"
    assert all(word.stable for word in kept.words)


def test_what_the_final_decode_hears_after_the_committed_words_is_the_final() -> None:
    def decode(request: DecodeRequest) -> Transcript:
        return heard(request, "oui bonjour" if request.kind is DecodeKind.PARTIAL else "Oui, bonjour madame.")

    events, _ = run(StreamingSession("c"), one_word(), decode)
    assert finals(events) == ["oui bonjour madame."]


def test_noise_that_is_no_speech_ends_with_an_empty_final() -> None:
    events, _ = run(StreamingSession("c"), one_word(), heard)
    assert kinds(events) == ["SpeechStarted", "SpeechEnded", "Final"]
    assert finals(events) == [""]


def test_without_partials_only_finals_are_decoded_and_it_can_be_changed() -> None:
    session = StreamingSession("c", partials=False)
    events, asked = run(session, one_word(), lambda request: heard(request, "oui"))
    assert kinds(events) == ["SpeechStarted", "SpeechEnded", "Final"]
    assert [request.kind for request in asked] == [DecodeKind.FINAL]
    session.partials = True
    events, _ = run(session, one_word(), lambda request: heard(request, "oui"))
    assert "Partial" in kinds(events)


def test_the_prompt_and_language_go_with_every_request() -> None:
    session = StreamingSession("c", language="en")
    session.prompt = "Dupont"
    session.push(speech("oui_bonjour"))
    request = session.next_request()
    assert request is not None
    assert (request.call_id, request.language, request.prompt) == ("c", "en", "Dupont")


def test_reset_forgets_everything_and_ignores_what_was_in_flight() -> None:
    session = StreamingSession("c")
    session.push(speech("oui_bonjour"))
    stale = session.next_request()
    assert stale is not None
    session.reset()
    session.complete(stale, heard(stale, "vieux"))
    session.fail(stale, RecognitionError("late"))
    assert (session.at_ms, session.speaking, session.take_events()) == (0, False, [])
    events, _ = run(session, one_word(), lambda request: heard(request, "oui"))
    assert finals(events) == ["oui"]


def test_long_speech_is_cut_in_its_pauses_and_every_word_is_heard_once() -> None:
    audio = np.concatenate([beeps(40, word_s=0.6, gap_s=0.3), silence(1.0)])
    events, asked = run(StreamingSession("c", partials=False), audio, seconds_heard)
    assert max(request.duration_ms for request in asked) <= 7000
    assert len(finals(events)) == 1
    pieces = sorted((request.start_ms, request.start_ms + request.duration_ms) for request in asked)
    assert all(before[1] == after[0] for before, after in pairwise(pieces))  # no gap, no overlap
    loud = np.flatnonzero(np.abs(audio) > 0.05)
    assert pieces[0][0] * 16 <= loud[0]
    assert loud[-1] <= pieces[-1][1] * 16


def test_speech_without_a_pause_is_cut_at_the_window_and_after_a_minute_into_finals() -> None:
    audio = np.concatenate([beeps(300), silence(1.0)])
    events, asked = run(StreamingSession("c", max_window_s=12.0), audio, seconds_heard)
    assert max(request.duration_ms for request in asked) <= 12_300
    assert kinds(events).count("SpeechStarted") == kinds(events).count("SpeechEnded") == 1
    ended = [event for event in events if isinstance(event, Final)]
    assert len(ended) == 2
    assert ended[0].end_ms == ended[1].start_ms
    closed = [request for request in asked if request.kind is DecodeKind.FINAL]
    assert closed[-1].start_ms + closed[-1].duration_ms >= 90_000


def test_partials_of_a_long_utterance_carry_all_its_words_and_stable_ones_stay() -> None:
    audio = np.concatenate([beeps(20, word_s=0.6, gap_s=0.3), silence(1.0)])
    events, _ = run(StreamingSession("c"), audio, seconds_heard)
    partials = [event for event in events if isinstance(event, Partial)]
    stable: list[str] = []
    for partial in partials:
        now = [word.text for word in partial.words if word.stable]
        assert now[: len(stable)] == stable
        stable = now
    (final,) = [event for event in events if isinstance(event, Final)]
    assert [word.text for word in final.words][: len(stable)] == stable
    assert len(final.words) > 40
    assert [word.start_ms for word in final.words] == sorted(word.start_ms for word in final.words)


def known_words(request: DecodeRequest, *, count: int) -> Transcript:
    """A perfect model of speech in which word k is spoken from 300k to 300k + 300 ms: those it hears half of."""
    end_ms = request.start_ms + request.duration_ms
    words = tuple(
        Word(f"m{k}", 300 * k, 300 * k + 300) for k in range(count) if request.start_ms <= 300 * k + 150 < end_ms
    )
    return Transcript(" ".join(word.text for word in words), words, request.duration_ms / 1000)


@pytest.mark.parametrize("partials", [True, False])
@pytest.mark.parametrize("gap_s", [0.0, 0.02])
def test_however_long_speech_is_cut_every_word_comes_once(partials: bool, gap_s: float) -> None:
    audio = np.concatenate([beeps(250, word_s=0.3 - gap_s, gap_s=gap_s), silence(1.0)])
    events, _ = run(StreamingSession("c", partials=partials), audio, lambda request: known_words(request, count=250))
    assert " ".join(finals(events)).split() == [f"m{k}" for k in range(250)]


def test_a_partial_that_was_in_flight_over_a_cut_doubles_nothing() -> None:
    """Partials come back 600 ms late and finals 2 s, so that cuts happen while partials are away."""
    session = StreamingSession("c")
    events: list[Event] = []
    away: list[tuple[int, DecodeRequest]] = []
    for frame in frames(np.concatenate([beeps(100), silence(3.0)])):
        session.push(frame)
        for due_ms, request in [late for late in away if late[0] <= session.at_ms]:
            away.remove((due_ms, request))
            session.complete(request, known_words(request, count=100))
        while (asked := session.next_request()) is not None:
            away.append((session.at_ms + (2000 if asked.kind is DecodeKind.FINAL else 600), asked))
        events += session.take_events()
    assert " ".join(finals(events)).split() == [f"m{k}" for k in range(100)]
    for partial in events:
        if isinstance(partial, Partial):
            numbers = [int(word.text[1:]) for word in partial.words]
            assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("count", range(38, 46))
def test_speech_that_ends_around_a_cut_is_heard_whole(count: int) -> None:
    audio = np.concatenate([beeps(count), silence(1.0)])
    session = StreamingSession("c", partials=False, max_window_s=12.0)
    events, _ = run(session, audio, lambda request: known_words(request, count=count))
    assert " ".join(finals(events)).split() == [f"m{k}" for k in range(count)]


def test_the_shortest_speech_is_decoded() -> None:
    audio = np.concatenate([silence(0.5), beeps(1, word_s=0.06), silence(1.0)])
    events, asked = run(StreamingSession("c"), audio, lambda request: heard(request, "hm"))
    assert (asked[-1].kind, finals(events)) == (DecodeKind.FINAL, ["hm"])


def test_the_preroll_never_reaches_into_the_utterance_before() -> None:
    audio = np.concatenate([speech("oui_bonjour"), silence(0.6), speech("allo_qui"), silence(1.0)])
    _, (first, second) = run(StreamingSession("c", preroll_ms=1000, partials=False), audio, seconds_heard)
    assert second.start_ms == first.start_ms + first.duration_ms


@settings(max_examples=15)
@given(st.lists(st.integers(1, 24_000), min_size=1, max_size=6), st.sampled_from([100, 300, 500]))
def test_chunk_sizes_change_no_final(sizes: list[int], hop_ms: int) -> None:
    audio = np.concatenate([silence(0.5), speech("allo_qui"), silence(0.9), speech("oui_bonjour"), silence(1.0)])
    expected, _ = run(StreamingSession("c", partials=False), audio, seconds_heard)
    session = StreamingSession("c", hop_ms=hop_ms, partials=False)
    start, events = 0, list[Event]()
    while start < audio.size:
        size = sizes[start % len(sizes)]
        session.push(audio[start : start + size])
        answer_all(session, seconds_heard)
        events += session.take_events()
        start += size
    session.flush()
    answer_all(session, seconds_heard)
    events += session.take_events()
    assert [(e.text, e.start_ms, e.end_ms) for e in events if isinstance(e, Final)] == [
        (e.text, e.start_ms, e.end_ms) for e in expected if isinstance(e, Final)
    ]


def test_finals_that_nobody_fetches_are_bounded_and_the_loss_is_said() -> None:
    session = StreamingSession("c", partials=False)
    for _ in range(40):
        session.push(np.concatenate([speech("oui_bonjour"), silence(0.6)]))
    events = session.take_events()
    assert kinds(events).count("StreamFailed") == kinds(events).count("Final") == 8
    assert len(answer_all(session, lambda request: heard(request, "oui"))) == 32
    assert finals(session.take_events()) == ["oui"] * 32


def test_an_idle_session_keeps_little_after_hours_of_silence_and_talk() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        session = StreamingSession("c", partials=False)
        for _ in range(5):
            run(session, np.concatenate([beeps(30, word_s=0.6, gap_s=0.1), silence(20.0)]), seconds_heard)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 500_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "wrong", [{"hop_ms": 10}, {"endpoint_ms": 100}, {"preroll_ms": 2000}, {"max_window_s": 29.0}, {"max_window_s": 1.0}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        StreamingSession("c", **wrong)  # type: ignore[arg-type]


class Script:
    """A recogniser for OnlineASRProcessor that says numbered words by the loud parts of what it is given."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.calls = 0

    def transcribe(self, audio: Audio, init_prompt: str = "") -> Sequence[Word]:
        self.calls += 1
        self.longest_s = max(self.longest_s, audio.size / 16_000)
        return [
            Word(f"{round(float(block[0]) * 100)}", index * 1000, (index + 1) * 1000)
            for index, block in enumerate(audio[: audio.size // 16_000 * 16_000].reshape(-1, 16_000))
        ]


def numbered(count: int) -> Audio:
    """One second each of the levels 0.01, 0.02, ...: Script says "1 2 ..."."""
    return np.repeat(np.arange(1, count + 1, dtype=np.float32) / 100, 16_000)


def test_the_interface_of_whisper_streaming() -> None:
    online = OnlineASRProcessor(Script())
    online.init(offset=5.0)
    assert online.process_iter() == (None, None, "")
    online.insert_audio_chunk(numbered(2))
    assert online.process_iter() == (None, None, "")
    online.insert_audio_chunk(numbered(3)[32_000:])
    assert online.process_iter() == (5.0, 7.0, "1 2")
    online.insert_audio_chunk(numbered(4)[48_000:])
    assert online.finish() == (7.0, 9.0, "3 4")
    assert online.finish() == (None, None, "")


def test_a_long_stream_loses_and_doubles_nothing_and_its_buffer_stays_short() -> None:
    script = Script()
    online = OnlineASRProcessor(script, trim_after_s=12.0)
    texts = []
    for chunk in frames(numbered(90), 16_000):
        online.insert_audio_chunk(chunk)
        texts.append(online.process_iter()[2])
    texts.append(online.finish()[2])
    assert " ".join(filter(None, texts)).split() == [str(number) for number in range(1, 91)]
    assert script.longest_s <= 13.0


def test_a_burst_longer_than_a_window_is_taken_in_pieces() -> None:
    script = Script()
    online = OnlineASRProcessor(script)
    online.insert_audio_chunk(numbered(60))
    beg, end, text = online.finish()
    assert (beg, end) == (0.0, 60.0)
    assert text.split() == [str(number) for number in range(1, 61)]
    assert script.longest_s <= 28.0


@pytest.mark.parametrize("pushed", [320, 4800, 16000])
def test_requests_carry_the_features_of_their_audio(pushed: int) -> None:
    """Each frame was computed once in the stream; the first two of a later window hear what came before it."""
    session = StreamingSession("c", mel_bands=80)
    audio = np.concatenate([silence(1.0), speech("pas_joignable"), silence(1.0), speech("au_travail"), silence(1.0)])
    asked: list[DecodeRequest] = []
    for start in range(0, audio.size, pushed):
        session.push(audio[start : start + pushed])
        while (request := session.next_request()) is not None:
            asked.append(request)
            session.complete(request, Transcript(""))
    assert len({request.start_ms for request in asked}) >= 2
    for request in asked:
        frames = request.audio.size // 160 + 30
        assert request.mel is not None
        mine, alone = assemble(request.mel, frames=frames), log_mel(request.audio, bands=80, frames=frames)
        assert mine[:, 2:] == pytest.approx(alone[:, 2:], abs=1e-4)


def test_an_utterance_at_the_very_beginning_loses_nothing() -> None:
    session = StreamingSession("c", mel_bands=80)
    session.push(np.concatenate([speech("au_travail"), silence(1.0)]))
    request = session.next_request()
    assert request is not None
    assert request.start_ms <= 60


# ---- the final decode on trial


def trial_of(session: StreamingSession, silent_ms: int) -> DecodeRequest | None:
    """What is asked for after half a second of speech, whose partial was heard, and so much silence."""
    talking(session, 0.6)
    while (partial := session.next_request()) is not None:
        session.complete(partial, heard(partial, "oui"))
    session.push(silence(silent_ms / 1000))
    return session.next_request()


def test_a_silence_that_lasts_makes_the_trial_the_final_without_another_decode() -> None:
    session = StreamingSession("c", endpoint_ms=500)
    trial = trial_of(session, 300)
    assert trial is not None
    assert trial.kind is DecodeKind.FINAL
    session.complete(trial, heard(trial, "oui bonjour"))
    shown = [event.text for event in session.take_events() if isinstance(event, Partial)]
    assert shown[-1] == "oui bonjour"
    session.push(silence(0.3))
    assert session.next_request() is None
    assert kinds(session.take_events()) == ["SpeechEnded", "Final"]


def test_a_trial_still_in_flight_at_the_end_is_the_final_when_it_comes() -> None:
    session = StreamingSession("c")
    trial = trial_of(session, 600)
    assert trial is not None
    assert session.next_request() is None
    assert session.unfinished
    session.complete(trial, heard(trial, "oui bonjour"))
    assert finals(session.take_events()) == ["oui bonjour"]


def test_speech_that_goes_on_makes_the_trial_one_more_partial() -> None:
    session = StreamingSession("c", endpoint_ms=500)
    trial = trial_of(session, 300)
    assert trial is not None
    talking(session, 0.6)
    session.complete(trial, heard(trial, "oui bonjour"))
    session.push(silence(1.0))
    asked = answer_all(session, lambda request: heard(request, "oui bonjour madame"))
    assert asked[-1].kind is DecodeKind.FINAL
    assert asked[-1].duration_ms > trial.duration_ms
    assert finals(session.take_events()) == ["oui bonjour madame"]


def test_a_trial_that_fails_is_made_again_at_the_end() -> None:
    session = StreamingSession("c")
    trial = trial_of(session, 300)
    assert trial is not None
    session.fail(trial, RecognizerOverloaded("busy"))
    session.push(silence(0.5))
    assert [event for event in session.take_events() if isinstance(event, StreamFailed)] == []
    asked = answer_all(session, lambda request: heard(request, "oui"))
    assert [request.kind for request in asked] == [DecodeKind.FINAL]
    assert finals(session.take_events()) == ["oui"]


def test_a_partial_in_flight_is_overtaken_by_the_trial() -> None:
    session = StreamingSession("c")
    talking(session, 0.9)
    partial = session.next_request()
    assert partial is not None
    session.push(silence(0.3))
    trial = session.next_request()
    assert trial is not None
    session.complete(trial, heard(trial, "oui bonjour"))
    session.take_events()
    session.complete(partial, heard(partial, "houx"))
    assert session.take_events() == []


# ---- how much silence ends an utterance, by its words


class Endpoint:
    """Says how much silence ends an utterance, and keeps what it was asked."""

    def __init__(self, ms: int) -> None:
        self.ms = ms
        self.asked: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> int:
        self.asked.append(list(words))
        return self.ms


def silence_until_the_end(session: StreamingSession, text: str, *, limit_ms: int = 3000) -> int:
    """Silence after what is being said, frame by frame, with a recogniser that hears ``text``; ms until it ended."""
    for at_ms in range(20, limit_ms + 20, 20):
        session.push(silence(0.02))
        answer_all(session, lambda request: heard(request, text))
        if "SpeechEnded" in kinds(session.take_events()):
            return at_ms
    return limit_ms


@pytest.mark.parametrize(("ms", "lasts_ms"), [(360, 360), (1200, 1200), (500, 500), (0, 240)])
def test_the_words_say_how_much_silence_ends_an_utterance(ms: int, lasts_ms: int) -> None:
    endpoint = Endpoint(ms)
    session = StreamingSession("c", endpoint_ms=500, endpoint=endpoint)
    talking(session, 0.6)
    # the trial that the words come from is heard some frames of silence after the voice: never before its 240 ms
    assert silence_until_the_end(session, "oui bonjour") == pytest.approx(lasts_ms, abs=60)
    assert endpoint.asked == [["oui", "bonjour"]]


def test_without_words_the_usual_silence_ends_it() -> None:
    endpoint = Endpoint(1200)
    session = StreamingSession("c", endpoint_ms=500, endpoint=endpoint)
    talking(session, 0.6)
    assert silence_until_the_end(session, "") == pytest.approx(500, abs=60)
    assert endpoint.asked == []


def test_where_the_words_are_late_the_usual_silence_ends_it() -> None:
    session = StreamingSession("c", endpoint_ms=500, endpoint=Endpoint(1200))
    talking(session, 0.6)
    session.push(silence(0.7))  # nobody has answered the trial
    assert "SpeechEnded" in kinds(session.take_events())


def test_speech_that_resumes_forgets_what_its_words_said_of_the_silence() -> None:
    """ "Euh ..." then more: its new words say how much silence ends it, and until they are known the usual one does."""
    endpoint = Endpoint(1200)
    session = StreamingSession("c", endpoint_ms=500, endpoint=endpoint)
    talking(session, 0.6)
    for _ in range(45):  # 900 ms: over without those words
        session.push(silence(0.02))
        answer_all(session, lambda request: heard(request, "euh"))
    assert "SpeechEnded" not in kinds(session.take_events())
    talking(session, 0.6)
    endpoint.ms = 360
    assert silence_until_the_end(session, "euh oui") == pytest.approx(360, abs=60)
    assert endpoint.asked[0] == ["euh"]
    assert endpoint.asked[-1] == ["euh", "oui"]

    talking(session, 0.6)  # another utterance, whose words nobody tells
    session.push(silence(0.7))
    assert "SpeechEnded" in kinds(session.take_events())


def test_words_of_a_trial_that_speech_overtook_say_nothing_of_the_silence() -> None:
    endpoint = Endpoint(1200)
    session = StreamingSession("c", endpoint_ms=500, endpoint=endpoint)
    trial = trial_of(session, 300)
    assert trial is not None
    talking(session, 0.6)
    session.complete(trial, heard(trial, "attendez"))
    assert endpoint.asked == []


def test_a_reset_forgets_the_silence_too() -> None:
    session = StreamingSession("c", endpoint_ms=500, endpoint=Endpoint(1200))
    trial = trial_of(session, 300)
    assert trial is not None
    session.complete(trial, heard(trial, "attendez"))
    session.reset()
    talking(session, 0.6)
    session.push(silence(0.7))
    assert "SpeechEnded" in kinds(session.take_events())


# ---- load, language, suppression


def talking(session: StreamingSession, seconds: float) -> None:
    for frame in frames(beeps(round(seconds / 0.3))):
        session.push(frame)


def test_under_load_partials_come_rarer_and_finals_as_ever() -> None:
    def kinds(stretch: float) -> list[DecodeKind]:
        session = StreamingSession("c")
        session.stretch = stretch
        _, asked = run(session, np.concatenate([beeps(10), silence(1.0)]), seconds_heard)
        return [request.kind for request in asked]

    wanted, stretched = kinds(1.0), kinds(3.0)
    assert wanted.count(DecodeKind.PARTIAL) >= 2 * stretched.count(DecodeKind.PARTIAL) > 0
    assert wanted.count(DecodeKind.FINAL) == stretched.count(DecodeKind.FINAL) == 1


def test_a_partial_that_waits_can_be_renewed_with_what_was_heard_since() -> None:
    session = StreamingSession("c")
    talking(session, 0.9)
    older = session.next_request()
    assert older is not None
    assert session.renewal() is None  # nothing is newer
    talking(session, 0.6)
    renewal = session.renewal()
    assert renewal is not None
    assert renewal[0] is older
    newer = renewal[1]
    assert (newer.start_ms, newer.duration_ms) == (older.start_ms, older.duration_ms + 600)
    session.take_events()
    session.renewed(newer)
    session.complete(older, heard(older, "trop tard"))
    assert session.take_events() == []
    session.complete(newer, heard(newer, "oui bonjour"))
    assert [event.text for event in session.take_events() if isinstance(event, Partial)] == ["oui bonjour"]


def test_a_partial_of_an_utterance_that_has_ended_is_not_renewed() -> None:
    session = StreamingSession("c")
    talking(session, 0.9)
    assert session.next_request() is not None
    session.push(silence(1.0))
    assert session.renewal() is None


def test_a_detected_language_is_kept_once_it_is_sure() -> None:
    likely = iter([0.3, 0.9])

    def detecting(request: DecodeRequest) -> Transcript:
        if request.language != "auto":
            return heard(request, "oui")
        return replace(heard(request, "oui"), language="es", language_prob=next(likely))

    session = StreamingSession("c", language="auto")
    _, asked = run(session, np.concatenate([beeps(6), silence(1.0)]), detecting)
    assert [request.language for request in asked][:3] == ["auto", "auto", "es"]
    assert session.language == "es"
    session.reset()
    assert session.language == "auto"


def test_prompt_and_hotwords_go_with_every_request_from_now_on() -> None:
    session = StreamingSession("c")
    session.hotwords = "mutuelle"
    talking(session, 0.9)
    first = session.next_request()
    assert first is not None
    session.complete(first, heard(first, "oui"))
    session.prompt = "Bonjour."
    session.push(silence(1.0))
    final = session.next_request()
    assert final is not None
    assert [(each.prompt, each.hotwords) for each in (first, final)] == [("", "mutuelle"), ("Bonjour.", "mutuelle")]


def test_finals_bring_what_was_expected_and_partials_do_not_ask() -> None:
    asked: list[DecodeRequest] = []

    def weighing(request: DecodeRequest) -> Transcript:
        asked.append(request)
        found = (Alternative("Arrêtez.", 0.6),) if request.expected else ()
        return replace(heard(request, "arrêtez"), alternatives=found)

    session = StreamingSession("c")
    session.expected = ("arrêtez",)
    session.partials = False  # nobody is spoken to yet
    events, _ = run(session, np.concatenate([beeps(3), silence(1.0)]), weighing)
    assert [event.alternatives for event in events if isinstance(event, Final)] == [()]
    session.partials = True
    events, _ = run(session, np.concatenate([beeps(3), silence(1.0)]), weighing)
    assert [event.alternatives for event in events if isinstance(event, Final)] == [(Alternative("Arrêtez.", 0.6),)]
    assert {request.kind for request in asked if request.expected} == {DecodeKind.FINAL}
    assert DecodeKind.PARTIAL in {request.kind for request in asked}


def test_a_partial_that_looped_confirms_nothing_and_a_final_says_what_was_left_out() -> None:
    def looping(request: DecodeRequest) -> Transcript:
        return replace(heard(request, "merci"), suppressed=("loop",))

    session = StreamingSession("c")
    events, _ = run(session, np.concatenate([beeps(6), silence(1.0)]), looping)
    assert not [event for event in events if isinstance(event, Partial)]
    assert [(event.text, event.suppressed) for event in events if isinstance(event, Final)] == [("merci", ("loop",))]


@pytest.mark.parametrize("policy", ["local_agreement", "align_att"])
def test_either_policy_gives_the_same_finals_and_stable_words_that_only_grow(policy: PolicyName) -> None:
    session = StreamingSession("c", policy=policy)
    events, _ = run(session, np.concatenate([beeps(20), silence(1.0)]), seconds_heard)
    stable: list[str] = []
    for event in events:
        if isinstance(event, Partial):
            now = [word.text for word in event.words if word.stable]
            assert now[: len(stable)] == stable
            stable = now
    assert stable
    final = next(event for event in events if isinstance(event, Final))
    assert [word.text for word in final.words][: len(stable)] == stable


# ---- audio in which something is wrong


def test_8_khz_samples_sent_as_16_khz_are_named_once_and_right_ones_never() -> None:
    """Five recordings one after the other, as they should be heard and at double speed."""
    right = np.concatenate([np.concatenate([speech(name), silence(0.4)]) for name in TEXTS])
    wrong = resample(right, from_hz=16_000, to_hz=8000)

    def flags(audio: Audio) -> list[str]:
        session = StreamingSession("c", partials=False)
        for frame in frames(audio):
            session.push(frame)
        return [event.finding for event in session.take_events() if isinstance(event, AudioFlagged)]

    assert flags(np.concatenate([wrong, wrong])) == ["wrong_rate"]
    assert flags(np.concatenate([right, right])) == []


def test_clipped_speech_is_named() -> None:
    session = StreamingSession("c", partials=False)
    for frame in frames(np.clip(40 * np.concatenate([speech("pas_joignable"), speech("pas_joignable")]), -1, 1)):
        session.push(frame)
    assert "clipping" in [event.finding for event in session.take_events() if isinstance(event, AudioFlagged)]
