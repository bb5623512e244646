"""The threads that decode, and what becomes of one that stalls or dies, and of a model that fails.

A decode longer than ``stall_s`` is given up: its callers get RecognitionTimeout, and another thread takes the place of
the one that is stuck, which ends by itself should its decode ever return. A thread that died is replaced in the same
way. A model that is out of memory, or fails or stalls again and again (:mod:`V3.asr.model_health`), is loaded again by
the thread that saw it; what comes meanwhile waits its turn, for as long as its caller has patience.

Threads know the crew and its queue, not the batcher: see there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from V3.asr.model_health import ModelHealth
from V3.asr.transcript import Decoder, DecodeRequest, Transcript
from V3.errors import ModelError, RecognitionError, RecognitionTimeout

__all__ = ["Crew", "Job", "Reloadable", "Work"]

log = logging.getLogger(__name__)

_LOOKS: Final = 8  # of the watch, in the time of a stall
_LOST: Final = 4  # threads that are stuck, for each worker: with more, the machine is beyond help


@dataclass(eq=False, slots=True)
class Job:
    """A request and where its answer goes."""

    request: DecodeRequest
    bucket: Hashable
    future: Future[Transcript] = field(default_factory=Future)
    asked_s: float = field(default_factory=time.monotonic)


class Work(Protocol):
    """Where batches come from, and are counted."""

    def take(self) -> list[Job] | None:
        """The next batch, waited for; None when there will be no more."""
        ...

    def count(self, batch: list[Job], heard: list[Transcript], *, busy_s: float) -> None:
        """A batch is done; nothing was heard when it failed."""
        ...


@runtime_checkable
class Reloadable(Protocol):
    """A recogniser whose model can be loaded again."""

    def reload(self) -> None:
        """Raises ModelError."""
        ...


@dataclass(eq=False, slots=True)
class _Worker:
    thread: threading.Thread | None = None
    batch: list[Job] = field(default_factory=list)
    began_s: float | None = None  # of the decode it is in


class Crew:
    """``workers`` threads that decode what ``work`` gives, and one that watches them."""

    def __init__(self, work: Work, recognizer: Decoder, *, workers: int, stall_s: float) -> None:
        self._work = work
        self._recognizer = recognizer
        self._stall_s = stall_s
        self._most_lost = _LOST * workers
        self._lock = threading.Lock()
        self._health = ModelHealth()
        self._loading = threading.Lock()
        self._over = threading.Event()
        self._lost: list[threading.Thread] = []
        self._names = iter(range(1 << 62))
        self.replaced = self.reloads = 0
        self._workers = [self._hired() for _ in range(workers)]
        self._watch = threading.Thread(target=self._look_after, name="decode-watch", daemon=True)
        self._watch.start()

    def end(self, timeout_s: float) -> bool:
        """The work is over (``take`` gives None): wait for the threads. False where one is still in its decode."""
        self._over.set()
        until = time.monotonic() + timeout_s
        with self._lock:
            threads = [worker.thread for worker in self._workers if worker.thread is not None]
            threads += [self._watch, *self._lost]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads if thread is not threading.current_thread())

    def _hired(self, *, loads: bool = False) -> _Worker:
        worker = _Worker()
        worker.thread = threading.Thread(
            target=self._live, args=(worker, loads), name=f"decode-{next(self._names)}", daemon=True
        )
        worker.thread.start()
        return worker

    # In the workers' threads.

    def _live(self, me: _Worker, loads: bool) -> None:  # noqa: FBT001 - a thread's arguments have no names
        if loads:
            self._load_again()
        while (batch := self._work.take()) is not None:
            with self._lock:
                me.batch, me.began_s = batch, time.monotonic()
            failure, heard = self._decode(batch)
            with self._lock:
                if me not in self._workers:
                    return  # given up meanwhile: the callers know, and another has this one's place
                busy_s = time.monotonic() - me.began_s
                me.batch, me.began_s = [], None
            self._work.count(batch, heard, busy_s=busy_s)
            _answer(batch, heard, failure)
            self._learn(failure)

    def _decode(self, batch: list[Job]) -> tuple[Exception | None, list[Transcript]]:
        try:
            heard = self._recognizer.decode([job.request for job in batch])
            if len(heard) != len(batch):
                return RecognitionError(f"{len(heard)} transcripts for {len(batch)} requests"), []
        except Exception as exc:  # noqa: BLE001 - the root of a decode: it fails these futures and no others
            return exc, []
        return None, heard

    def _learn(self, failure: Exception | None) -> None:
        with self._lock:
            if failure is None:
                self._health.heard()
                return
            load = self._health.failed(failure, now_s=time.monotonic())
        if load:
            log.error("the recogniser fails, its model is loaded again: %s", failure)
            self._load_again()

    def _load_again(self) -> None:
        if not isinstance(self._recognizer, Reloadable) or not self._loading.acquire(blocking=False):
            return
        try:
            began_s = time.monotonic()
            self._recognizer.reload()
        except ModelError as exc:
            log.error("the model could not be loaded again: %s", exc)  # noqa: TRY400 - no fault of this code
        else:
            self.reloads += 1
            log.warning("the model has been loaded again in %.1f s", time.monotonic() - began_s)
        finally:
            self._loading.release()

    # In the watch's thread.

    def _look_after(self) -> None:
        while not self._over.wait(self._stall_s / _LOOKS):
            for batch, why in self._replace():
                error = RecognitionTimeout(f"a decode was given up: {why}")
                self._work.count(batch, [], busy_s=self._stall_s)
                _answer(batch, [], error)

    def _replace(self) -> list[tuple[list[Job], str]]:
        """Put new threads where one is stuck or dead; what those were decoding, and why it will not come."""
        given_up = []
        with self._lock:
            self._lost = [thread for thread in self._lost if thread.is_alive()]
            for index, worker in enumerate(self._workers):
                why = self._fault(worker)
                if not why or len(self._lost) >= self._most_lost or self._over.is_set():
                    continue
                assert worker.thread is not None
                self._lost.append(worker.thread)
                loads = self._health.stalled(now_s=time.monotonic())
                self._workers[index] = self._hired(loads=loads)
                self.replaced += 1
                given_up.append((worker.batch, why))
                log.error("a decoding thread is replaced: %s", why)
        return given_up

    def _fault(self, worker: _Worker) -> str:
        assert worker.thread is not None
        if not worker.thread.is_alive():
            return "its thread died"
        if worker.began_s is not None and time.monotonic() - worker.began_s > self._stall_s:
            return f"it has taken over {self._stall_s:g} s"
        return ""


def _answer(batch: list[Job], heard: list[Transcript], failure: Exception | None) -> None:
    if failure is None:
        for job, transcript in zip(batch, heard, strict=True):
            job.future.set_result(transcript)
    else:
        for job in batch:
            job.future.set_exception(_named(job, failure))


def _named(job: Job, cause: Exception) -> RecognitionError:
    if isinstance(cause, RecognitionTimeout):
        return RecognitionTimeout(f"call {job.request.call_id}: {cause}")
    error = RecognitionError(f"a decode of call {job.request.call_id} failed: {cause}")
    error.__cause__ = cause
    return error
