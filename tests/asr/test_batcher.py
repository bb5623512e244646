"""Batches of many callers: order, buckets, bounds, failures, and threads that end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import pytest
from scripted_recognizer import ScriptedRecognizer

from V3.asr.batcher import Batcher
from V3.asr.load import LoadMeter
from V3.asr.transcript import DecodeKind, DecodeRequest, Transcript
from V3.errors import ConfigError, RecognitionError, RecognizerClosed, RecognizerOverloaded

ANSWER, FINAL, PARTIAL = DecodeKind.ANSWER, DecodeKind.FINAL, DecodeKind.PARTIAL

pytestmark = pytest.mark.usefixtures("no_thread_left")
WAIT_S = 20


def request(call_id: str, kind: DecodeKind = FINAL, *, samples: int = 320) -> DecodeRequest:
    return DecodeRequest(call_id, kind, np.zeros(samples, dtype=np.float32), prompt=call_id)


def busy(batcher: Batcher, recognizer: ScriptedRecognizer) -> Future[Transcript]:
    """Keep the worker busy, so that what follows waits in the queue."""
    future = batcher.submit(request("first", ANSWER))
    recognizer.wait_until_busy()
    return future


def decoded(recognizer: ScriptedRecognizer) -> list[list[str]]:
    return [[item.call_id for item in batch] for batch in recognizer.batches]


def test_a_request_is_answered_without_waiting_for_others() -> None:
    with Batcher(ScriptedRecognizer()) as batcher:
        assert batcher.submit(request("a")).result(WAIT_S).text == "a"


def test_answer_detection_before_finals_before_partials_each_in_order_of_arrival() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=1) as batcher:
        busy(batcher, recognizer)
        futures = [
            batcher.submit(request(f"{kind.name}-{index}", kind))
            for index, kind in enumerate((PARTIAL, FINAL, ANSWER, PARTIAL, FINAL, ANSWER))
        ]
        recognizer.let_go(7)
        for future in futures:
            future.result(WAIT_S)
    assert [batch[0] for batch in decoded(recognizer)[1:]] == [
        "ANSWER-2",
        "ANSWER-5",
        "FINAL-1",
        "FINAL-4",
        "PARTIAL-0",
        "PARTIAL-3",
    ]


def test_what_waits_goes_together_by_bucket_up_to_max_batch() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=3) as batcher:
        busy(batcher, recognizer)
        futures = [batcher.submit(request(f"s{index}")) for index in range(4)]
        futures += [batcher.submit(request(f"l{index}", samples=640)) for index in range(2)]
        recognizer.let_go(4)
        assert [future.result(WAIT_S).text for future in futures] == ["s0", "s1", "s2", "s3", "l0", "l1"]
    assert decoded(recognizer) == [["first"], ["s0", "s1", "s2"], ["s3"], ["l0", "l1"]]


def test_a_newer_partial_of_a_call_takes_the_place_of_its_waiting_one() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer) as batcher:
        busy(batcher, recognizer)
        older, other = batcher.submit(request("a", PARTIAL)), batcher.submit(request("b", PARTIAL))
        newer = batcher.submit(request("a", PARTIAL))
        with pytest.raises(RecognizerOverloaded, match="call a"):
            older.result(0)
        recognizer.let_go(2)
        assert (other.result(WAIT_S).text, newer.result(WAIT_S).text) == ("b", "a")
    assert batcher.stats()["dropped"] == 1


def test_a_partial_that_waits_is_renewed_in_its_place() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=1) as batcher:
        busy(batcher, recognizer)
        older, other = batcher.submit(request("a", PARTIAL)), batcher.submit(request("b", PARTIAL))
        newer = batcher.replace(older, DecodeRequest("a", PARTIAL, np.zeros(640, dtype=np.float32), prompt="newer"))
        assert newer is not None
        assert older.cancelled()
        recognizer.let_go(3)
        assert (newer.result(WAIT_S).text, other.result(WAIT_S).text) == ("newer", "b")
    assert decoded(recognizer) == [["first"], ["a"], ["b"]]


def test_a_partial_that_is_being_decoded_is_not_renewed() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer) as batcher:
        running = busy(batcher, recognizer)
        assert batcher.replace(running, request("first", ANSWER)) is None
        recognizer.let_go()
        assert running.result(WAIT_S).text == "first"


def test_the_place_in_the_queue_survives_a_newer_partial() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=1) as batcher:
        busy(batcher, recognizer)
        for call_id in ("a", "b"):
            batcher.submit(request(call_id, PARTIAL))
        last = batcher.submit(request("a", PARTIAL)), batcher.submit(request("b", PARTIAL))
        recognizer.let_go(3)
        assert [future.result(WAIT_S).text for future in last] == ["a", "b"]
    assert decoded(recognizer) == [["first"], ["a"], ["b"]]


def test_what_is_suppressed_or_done_again_is_counted() -> None:
    class Doubtful(ScriptedRecognizer):
        def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
            return [Transcript("", suppressed=("loop", "too_fast"), redone=True) for _ in requests]

    with Batcher(Doubtful()) as batcher:
        for _ in range(2):
            batcher.submit(request("a")).result(WAIT_S)
        stats = batcher.stats()
    assert (stats["suppressed_loop"], stats["suppressed_too_fast"], stats["redone"]) == (2, 2, 2)


def test_overload_stretches_partials_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class Slow(LoadMeter):
        @property
        def stretch(self) -> float:
            return 2.0

    with caplog.at_level("WARNING"), Batcher(ScriptedRecognizer(), meter=Slow(workers=1)) as batcher:
        for _ in range(3):
            batcher.submit(request("a", PARTIAL)).result(WAIT_S)
        assert batcher.stretch == 2.0
        assert batcher.stats()["stretch"] == 2.0
    assert [record.message for record in caplog.records] == [
        "overloaded: partials come 2.0 times rarer; finals and answer detection go first"
    ]


def test_calls_that_are_open_are_counted() -> None:
    with Batcher(ScriptedRecognizer()) as batcher:
        batcher.call_opened()
        batcher.call_opened()
        batcher.call_closed()
        stats = batcher.stats()
        assert stats["calls"] == 1
        assert stats["capacity"] >= 1


def test_a_full_queue_drops_the_oldest_partial_and_never_a_final_for_one() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_queue=3, max_batch=8) as batcher:
        busy(batcher, recognizer)
        partials = [batcher.submit(request(f"p{index}", PARTIAL)) for index in range(2)]
        finals = [batcher.submit(request(f"f{index}")) for index in range(2)]
        assert isinstance(partials[0].exception(0), RecognizerOverloaded)
        finals.append(batcher.submit(request("f2", ANSWER)))
        assert isinstance(partials[1].exception(0), RecognizerOverloaded)
        refused = [batcher.submit(request("late", kind)) for kind in (PARTIAL, FINAL)]
        assert all(isinstance(future.exception(0), RecognizerOverloaded) for future in refused)
        assert batcher.stats()["queued"] == 3
        recognizer.let_go(2)
        assert sorted(future.result(WAIT_S).text for future in finals) == ["f0", "f1", "f2"]


def test_a_decode_that_raises_fails_its_own_futures_only_and_the_worker_goes_on() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    recognizer.broken = {"bad"}
    with Batcher(recognizer) as batcher:
        busy(batcher, recognizer)
        bad, beside = batcher.submit(request("bad")), batcher.submit(request("beside"))
        good = batcher.submit(request("good", samples=640))
        recognizer.let_go(3)
        for future in (bad, beside):
            error = future.exception(WAIT_S)
            assert isinstance(error, RecognitionError)
            assert isinstance(error.__cause__, ValueError)
            assert "broken by bad" in str(error)
        assert good.result(WAIT_S).text == "good"
    assert batcher.stats()["failed"] == 2


def test_a_recognizer_that_answers_too_few_fails_the_batch_and_the_worker_goes_on() -> None:
    class Forgetful(ScriptedRecognizer):
        def decode(self, requests: object) -> list[Transcript]:
            return []

    with Batcher(Forgetful()) as batcher:
        for _ in range(2):
            assert isinstance(batcher.submit(request("a")).exception(WAIT_S), RecognitionError)


def test_a_cancelled_request_is_not_decoded() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer) as batcher:
        busy(batcher, recognizer)
        cancelled, kept = batcher.submit(request("x")), batcher.submit(request("y"))
        assert cancelled.cancel()
        recognizer.let_go(2)
        assert kept.result(WAIT_S).text == "y"
        with pytest.raises(CancelledError):
            cancelled.result(0)
    assert decoded(recognizer) == [["first"], ["y"]]


def test_a_queue_of_cancelled_requests_only_is_waited_out() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer) as batcher:
        busy(batcher, recognizer)
        assert batcher.submit(request("x")).cancel()
        recognizer.let_go(2)
        assert batcher.submit(request("y")).result(WAIT_S).text == "y"


def test_close_fails_what_waits_and_lets_the_batch_in_progress_end() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    batcher = Batcher(recognizer)
    running = busy(batcher, recognizer)
    waiting = batcher.submit(request("waiting"))
    recognizer.let_go()
    batcher.close()
    assert running.result(WAIT_S).text == "first"
    assert waiting.done()
    if waiting.exception() is not None:  # unless the worker was quicker than close
        assert isinstance(waiting.exception(), RecognizerClosed)
    with pytest.raises(RecognizerClosed):
        batcher.submit(request("late"))
    batcher.close()


def test_close_says_when_a_decode_does_not_end() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    batcher = Batcher(recognizer)
    running = busy(batcher, recognizer)
    waiting = batcher.submit(request("waiting"))
    with pytest.raises(RecognitionError, match="has not ended"):
        batcher.close(timeout_s=0.0)
    assert isinstance(waiting.exception(0), RecognizerClosed)
    recognizer.let_go()
    running.result(WAIT_S)
    batcher.close()


def test_a_forgotten_batcher_ends_its_threads() -> None:
    batcher = Batcher(ScriptedRecognizer(), workers=3)
    batcher.submit(request("a")).result(WAIT_S)
    del batcher  # the fixture looks for its threads


def test_several_workers_decode_side_by_side() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=1, workers=2) as batcher:
        futures = [batcher.submit(request(name)) for name in ("a", "b")]
        recognizer.wait_until_busy()
        recognizer.wait_until_busy()  # both are in decode at once: none was let go yet
        recognizer.let_go(2)
        assert {future.result(WAIT_S).text for future in futures} == {"a", "b"}


def test_stats_count_what_happened() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    with Batcher(recognizer, max_batch=4) as batcher:
        assert batcher.stats()["mean_batch"] == 0.0
        first = busy(batcher, recognizer)
        futures = [batcher.submit(request(f"s{index}")) for index in range(3)]
        assert batcher.stats()["queued"] == 3
        recognizer.let_go(2)
        for future in (first, *futures):
            future.result(WAIT_S)
        stats = batcher.stats()
    assert (stats["queued"], stats["decoded"], stats["batches"], stats["mean_batch"]) == (0, 4, 2, 2.0)
    assert stats["busy_s"] > 0.0


def test_many_callers_at_once_all_get_their_own_answer() -> None:
    answers: dict[str, str] = {}
    with Batcher(ScriptedRecognizer(), workers=2, max_queue=2000) as batcher:

        def caller(name: str) -> None:
            for index in range(50):
                asked = f"{name}-{index}"
                answers[asked] = batcher.submit(request(asked, samples=320 * (1 + index % 3))).result(WAIT_S).text

        threads = [threading.Thread(target=caller, args=(f"c{index}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
    assert len(answers) == 400
    assert all(asked == answer for asked, answer in answers.items())


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"max_queue": 0}, {"workers": 0}])
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Batcher(ScriptedRecognizer(), **wrong)


def test_the_time_from_request_to_answer_is_told() -> None:
    recognizer = ScriptedRecognizer()
    with Batcher(recognizer) as batcher:
        assert batcher.stats()["lag_ms"] == 0
        batcher.submit(request("a")).result(WAIT_S)
        assert batcher.stats()["lag_ms"] > 0
