"""Decoding threads that stall, die or fail: who waits is told, another takes the place, the model is loaded again."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from scripted_recognizer import ScriptedRecognizer

from V3.asr.batcher import Batcher
from V3.asr.transcript import DecodeKind, DecodeRequest, Transcript
from V3.errors import ConfigError, ModelError, RecognitionError, RecognitionTimeout

pytestmark = pytest.mark.usefixtures("no_thread_left")
WAIT_S = 20
STALL_S = 0.1


def request(call_id: str) -> DecodeRequest:
    return DecodeRequest(call_id, DecodeKind.FINAL, np.zeros(320, dtype=np.float32), prompt=call_id)


class Mortal(ScriptedRecognizer):
    """Each decode does what is next in its list: raise it, wait for the gate (``"stall"``), or answer."""

    def __init__(self, *fates: BaseException | str, loads: Sequence[Exception | None] = ()) -> None:
        super().__init__()
        self.fates = list(fates)
        self.loads = list(loads)
        self.loaded = 0
        self.gate = threading.Event()

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        fate = self.fates.pop(0) if self.fates else ""
        if isinstance(fate, BaseException):
            raise fate
        if fate == "stall":
            assert self.gate.wait(WAIT_S)
        return super().decode(requests)

    def reload(self) -> None:
        fate = self.loads.pop(0) if self.loads else None
        if fate is not None:
            raise fate
        self.loaded += 1


def test_a_decode_that_stalls_is_given_up_and_another_thread_goes_on() -> None:
    recognizer = Mortal("stall")
    with Batcher(recognizer, stall_s=STALL_S) as batcher:
        stuck = batcher.submit(request("stuck"))
        error = stuck.exception(WAIT_S)
        assert isinstance(error, RecognitionTimeout)
        assert "call stuck: a decode was given up: it has taken over 0.1 s" in str(error)
        assert batcher.submit(request("next")).result(WAIT_S).text == "next"
        stats = batcher.stats()
        assert (stats["replaced"], stats["reloads"], stats["failed"]) == (1, 0, 1)
        recognizer.gate.set()  # the stuck one returns: nobody hears of it, and its thread ends
    assert batcher.stats()["decoded"] == 1


def test_what_waits_behind_a_stall_is_decoded_after_it() -> None:
    recognizer = Mortal("stall")
    with Batcher(recognizer, max_batch=1, stall_s=STALL_S) as batcher:
        batcher.submit(request("stuck"))
        waiting = [batcher.submit(request(name)) for name in ("a", "b")]
        assert [future.result(WAIT_S).text for future in waiting] == ["a", "b"]
        recognizer.gate.set()


def test_a_second_stall_in_a_row_loads_the_model_again() -> None:
    recognizer = Mortal("stall", "stall")
    with Batcher(recognizer, stall_s=STALL_S) as batcher:
        for name in ("one", "two"):
            assert isinstance(batcher.submit(request(name)).exception(WAIT_S), RecognitionTimeout)
        assert batcher.submit(request("three")).result(WAIT_S).text == "three"
        assert (recognizer.loaded, batcher.stats()["replaced"]) == (1, 2)
        recognizer.gate.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced_and_its_callers_are_told() -> None:
    with Batcher(Mortal(SystemExit(1)), stall_s=STALL_S) as batcher:
        error = batcher.submit(request("a")).exception(WAIT_S)
        assert isinstance(error, RecognitionTimeout)
        assert "its thread died" in str(error)
        assert batcher.submit(request("b")).result(WAIT_S).text == "b"


def test_out_of_memory_fails_its_batch_and_loads_the_model_again() -> None:
    recognizer = Mortal(MemoryError("bad allocation"))
    with Batcher(recognizer) as batcher:
        error = batcher.submit(request("a")).exception(WAIT_S)
        assert isinstance(error, RecognitionError)
        assert isinstance(error.__cause__, MemoryError)
        assert batcher.submit(request("b")).result(WAIT_S).text == "b"
        assert (recognizer.loaded, batcher.stats()["reloads"]) == (1, 1)


def test_a_model_that_cannot_be_loaded_again_fails_its_callers_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recognizer = Mortal(MemoryError(), MemoryError(), loads=[ModelError("no memory")])
    with Batcher(recognizer) as batcher:
        for name in ("a", "b"):
            assert isinstance(batcher.submit(request(name)).exception(WAIT_S), RecognitionError)
        assert batcher.submit(request("c")).result(WAIT_S).text == "c"
        assert batcher.stats()["reloads"] == 0
    assert "could not be loaded again: no memory" in caplog.text


def test_a_recognizer_without_reload_goes_on_as_it_is() -> None:
    recognizer = ScriptedRecognizer()
    recognizer.broken = {"bad"}
    with Batcher(recognizer) as batcher:
        for _ in range(7):
            assert isinstance(batcher.submit(request("bad")).exception(WAIT_S), RecognitionError)
        assert batcher.submit(request("good")).result(WAIT_S).text == "good"


def test_threads_that_are_stuck_are_bounded() -> None:
    recognizer = Mortal(*["stall"] * 20)
    with Batcher(recognizer, stall_s=0.02) as batcher:
        for n in range(4):
            assert isinstance(batcher.submit(request(f"{n}")).exception(WAIT_S), RecognitionTimeout)
        last = batcher.submit(request("last"))  # its thread is the fifth that is stuck: it is not replaced,
        recognizer.fates.clear()
        recognizer.gate.set()
        assert last.result(WAIT_S).text == "last"  # and answers when its decode ends after all
        assert batcher.stats()["replaced"] == 4


def test_a_time_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="stall_s"):
        Batcher(ScriptedRecognizer(), stall_s=0)
