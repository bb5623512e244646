"""When the robot speaks to a voicemail: after the beep, after a silence, again once, or never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.message_drop import DropReason, DropRules, MessageDrop
from V3.events import Event, Final, SpeechContinues, SpeechEnded, SpeechStarted, ToneHeard

RULES = DropRules(wait_ms=20_000, silence_ms=2500)


def waiting(*, since_ms: int = 2000, speaking: bool = True, rules: DropRules = RULES) -> MessageDrop:
    return MessageDrop(rules, since_ms=since_ms, speaking=speaking)


def tone(kind: str = "beep", *, at_ms: int = 5000) -> ToneHeard:
    return ToneHeard(call_id="c", at_ms=at_ms, kind=kind, start_ms=at_ms - 560, end_ms=at_ms - 160, hz=1000.0)


def ended(end_ms: int) -> SpeechEnded:
    return SpeechEnded(call_id="c", at_ms=end_ms + 240, start_ms=2000, end_ms=end_ms)


def started(at_ms: int) -> SpeechStarted:
    return SpeechStarted(call_id="c", at_ms=at_ms, start_ms=at_ms - 60)


def goes_on(at_ms: int) -> SpeechContinues:
    return SpeechContinues(call_id="c", at_ms=at_ms, start_ms=2000, voiced_until_ms=at_ms)


def test_the_beep_begins_the_message() -> None:
    drop = waiting()
    assert drop.feed(goes_on(3000)) is None
    assert drop.feed(ended(4000)) is None
    assert drop.feed(tone(at_ms=5000)) is DropReason.BEEP


@pytest.mark.parametrize("kind", ["ringback", "busy", "special_information", "fax_calling", ""])
def test_another_tone_does_not(kind: str) -> None:
    assert waiting().feed(tone(kind)) is None


def test_words_do_not() -> None:
    said = Final(call_id="c", at_ms=4000, text="Laissez un message", words=(), start_ms=2000, end_ms=3800)
    drop = waiting()
    assert drop.feed(said) is None
    assert drop.due_ms == 22_000


def test_a_beep_that_was_heard_before_the_waiting_began_counts() -> None:
    assert waiting().beeped() is DropReason.BEEP


def test_silence_after_the_greeting_begins_it_where_no_beep_comes() -> None:
    drop = waiting()
    drop.feed(ended(4000))
    assert drop.due_ms == 6500
    assert drop.tick(6499) is None
    assert drop.tick(6500) is DropReason.SILENCE
    assert drop.tick(6520) is None  # once


def test_a_pause_in_the_greeting_is_not_its_end() -> None:
    drop = waiting()
    drop.feed(ended(4000))
    drop.feed(started(6000))
    assert drop.tick(7000) is None
    assert drop.due_ms == 22_000
    drop.feed(ended(9000))
    assert drop.tick(11_499) is None
    assert drop.tick(11_500) is DropReason.SILENCE


def test_speech_that_goes_on_is_speech_though_its_start_was_before_the_waiting() -> None:
    drop = waiting(speaking=False)
    drop.feed(goes_on(2100))
    assert drop.tick(4600) is None


def test_where_nobody_spoke_when_the_waiting_began_the_silence_counts_from_then() -> None:
    drop = waiting(speaking=False)
    assert drop.due_ms == 4500
    assert drop.tick(4499) is None
    assert drop.tick(4500) is DropReason.SILENCE


def test_nobody_waits_longer_than_the_bound() -> None:
    drop = waiting()
    drop.feed(goes_on(21_900))
    assert not drop.is_over(21_999)
    assert drop.is_over(22_000)


def test_the_bound_is_due_where_it_comes_before_the_silence() -> None:
    drop = waiting()
    drop.feed(ended(21_000))
    assert drop.due_ms == 22_000


def test_once_the_message_plays_the_waiting_is_not_over() -> None:
    drop = waiting()
    drop.feed(tone())
    assert not drop.is_over(60_000)


def test_a_beep_while_the_message_plays_begins_it_again_once() -> None:
    drop = waiting(speaking=False)
    assert drop.tick(4500) is DropReason.SILENCE
    assert drop.feed(tone(at_ms=6000)) is DropReason.BEEP
    assert drop.feed(tone(at_ms=8000)) is None
    assert drop.tick(60_000) is None


def test_two_beeps_begin_it_twice_and_a_third_does_not() -> None:
    drop = waiting()
    found = [drop.feed(tone(at_ms=at_ms)) for at_ms in (5000, 7000, 9000, 11_000)]
    assert found == [DropReason.BEEP, DropReason.BEEP, None, None]


def test_silence_begins_nothing_while_the_message_plays() -> None:
    drop = waiting()
    drop.feed(tone())
    drop.feed(ended(6000))
    assert drop.tick(30_000) is None


def test_what_is_told_as_the_reason() -> None:
    assert [str(reason) for reason in DropReason] == ["beep", "silence after the greeting"]


EVENTS = st.sampled_from(["started", "goes_on", "ended", "beep", "tick"])


@given(st.lists(st.tuples(st.integers(20, 3000), EVENTS), max_size=30), st.booleans())
def test_whatever_comes_it_begins_at_most_twice_and_never_in_speech(
    moments: list[tuple[int, str]], speaking: bool
) -> None:
    drop, now_ms, begun, silent_ms = waiting(speaking=speaking), 2000, 0, None if speaking else 2000
    for after_ms, kind in moments:
        now_ms += after_ms
        reason = None
        if kind == "tick":
            reason = drop.tick(now_ms)
            if reason is not None:
                assert silent_ms is not None
                assert now_ms >= silent_ms + RULES.silence_ms
        else:
            events: dict[str, Event] = {
                "started": started(now_ms),
                "goes_on": goes_on(now_ms),
                "ended": ended(now_ms),
                "beep": tone(at_ms=now_ms),
            }
            reason = drop.feed(events[kind])
            silent_ms = {"started": None, "goes_on": None, "ended": now_ms}.get(kind, silent_ms)
        begun += reason is not None
        assert drop.is_over(now_ms) == (not begun and now_ms >= 22_000)
        assert begun or drop.due_ms <= 22_000
    assert begun <= 2
