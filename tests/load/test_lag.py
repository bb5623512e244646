"""How late partials are by the stream's own clock."""

from __future__ import annotations

from V3.events import Partial, SpeechContinues, StreamOpened
from V3.load.lag import MAX_CALLS, PartialLag


def partial(at_ms: int, call_id: str = "one") -> Partial:
    return Partial(call_id=call_id, at_ms=at_ms, text="oui", words=(), start_ms=0)


def test_a_partial_is_as_late_as_its_audio_was_due_before() -> None:
    lag = PartialLag()
    lag.take(StreamOpened(call_id="one", at_ms=0, rate_hz=16000), now_ms=10_000)
    lag.take(partial(1000), now_ms=11_050)
    lag.take(partial(1300), now_ms=11_900)
    assert lag.pop("one") == [50, 600]
    assert lag.pop("one") == []


def test_frames_that_wait_for_a_busy_process_are_late_too() -> None:
    """The loop stood still for a second, then heard a second of audio at once: by its arrival it is not late at all."""
    lag = PartialLag()
    lag.take(StreamOpened(call_id="one", at_ms=0, rate_hz=16000), now_ms=0)
    lag.take(SpeechContinues(call_id="one", at_ms=1000, start_ms=0, voiced_until_ms=1000), now_ms=2000)
    lag.take(partial(1000), now_ms=2010)
    assert lag.pop("one") == [1010]


def test_calls_are_told_apart_and_forgotten_ones_do_not_pile_up() -> None:
    lag = PartialLag()
    for number in range(MAX_CALLS + 5):
        lag.take(StreamOpened(call_id=f"{number}", at_ms=0, rate_hz=16000), now_ms=number)
        lag.take(partial(100, f"{number}"), now_ms=number + 130)
    assert lag.pop("0") == []
    assert lag.pop("5") == [30]
