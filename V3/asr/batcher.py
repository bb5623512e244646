"""The one place where decodes happen: requests of all calls, in threads, in batches.

Answer detection goes before finals, finals before partials. A batch leaves as soon as a worker is free, with the
first request and whatever else of its bucket is waiting; never on a timer. The queue is bounded: when it is full the
oldest waiting partial is dropped, and when there is none the newcomer; a newer partial of a call takes the place of
its older waiting one. What is dropped gets RecognizerOverloaded, so that nobody waits for it.

Worker threads know only the queue, not the Batcher: one that is forgotten without ``close`` ends its threads when it
is collected, or when the interpreter exits.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from V3.asr.transcript import DecodeKind, Decoder, DecodeRequest, Transcript
from V3.errors import ConfigError, RecognitionError, RecognizerClosed, RecognizerOverloaded

__all__ = ["Batcher"]

_CLOSE_TIMEOUT_S: Final = 10.0


class Batcher:
    """Hands requests to ``recognizer`` in batches of at most ``max_batch``, from ``workers`` threads.

    A CPU gains nothing from large batches (8 rows cost 8 times one) while they delay answer detection; a GPU wants
    them full.
    """

    def __init__(self, recognizer: Decoder, *, max_batch: int = 4, max_queue: int = 512, workers: int = 1) -> None:
        if min(max_batch, max_queue, workers) < 1:
            raise ConfigError(f"max_batch {max_batch}, max_queue {max_queue} and workers {workers} are at least 1")
        self._queue = _Queue(max_batch, max_queue)
        self._recognizer = recognizer
        self._threads = [
            threading.Thread(target=_work, args=(self._queue, recognizer), name=f"decode-{index}", daemon=True)
            for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()
        # daemon threads, but ended in order: killed inside CTranslate2 they would crash the interpreter's exit
        self._end = weakref.finalize(self, _shut_down, self._queue, self._threads)

    def submit(self, request: DecodeRequest) -> Future[Transcript]:
        """Queue a request. Its future gives the transcript, or raises a RecognitionError.

        Raises AudioError for audio that cannot be decoded and RecognizerClosed after :meth:`close`.
        """
        job = _Job(request, self._recognizer.bucket(request))
        for dropped in self._queue.put(job):
            _refuse(dropped, RecognizerOverloaded(f"a decode of call {dropped.request.call_id} was dropped"))
        return job.future

    def stats(self) -> dict[str, float]:
        """Counts since the start; ``queued`` is what waits now, ``busy_s`` the time spent in decodes."""
        return self._queue.stats()

    def close(self, timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
        """Fail what waits with RecognizerClosed, let batches in progress end, and end the threads.

        Raises RecognitionError when a thread has not ended after ``timeout_s``. Closing twice does nothing.
        """
        self._queue.close()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            raise RecognitionError(f"a decode has not ended after {timeout_s} s")
        self._end.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(eq=False, slots=True)
class _Job:
    request: DecodeRequest
    bucket: Hashable
    future: Future[Transcript] = field(default_factory=Future)


class _Queue:
    """What waits, by kind and in order of arrival, and the counts. All of it under one lock."""

    def __init__(self, max_batch: int, max_queue: int) -> None:
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._changed = threading.Condition()
        self._waiting: dict[DecodeKind, list[_Job]] = {kind: [] for kind in DecodeKind}
        self._closed = False
        self._counts = {"decoded": 0, "batches": 0, "dropped": 0, "failed": 0}
        self._busy_s = 0.0

    def put(self, job: _Job) -> list[_Job]:
        """Take a job; the jobs that are dropped for it (it may be among them)."""
        with self._changed:
            if self._closed:
                raise RecognizerClosed("this recogniser has been closed")
            dropped = self._displaced_by(job)
            self._waiting[job.request.kind].append(job)
            if self._size() > self._max_queue:
                dropped.append(self._make_room(job))
            self._counts["dropped"] += len(dropped)
            self._changed.notify()
        return dropped

    def take(self) -> list[_Job] | None:
        """The next batch, waiting for one; None when the queue has been closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closed or self._size() > 0)
                if self._closed:
                    return None
                # a caller that gave up has cancelled its future: it is left out
                batch = [job for job in self._next_batch() if job.future.set_running_or_notify_cancel()]
                if batch:
                    return batch

    def count(self, *, decoded: int, failed: int, busy_s: float) -> None:
        with self._changed:
            self._counts["batches"] += 1
            self._counts["decoded"] += decoded
            self._counts["failed"] += failed
            self._busy_s += busy_s

    def close(self) -> None:
        with self._changed:
            self._closed = True
            waiting = [job for jobs in self._waiting.values() for job in jobs]
            for jobs in self._waiting.values():
                jobs.clear()
            self._changed.notify_all()
        for job in waiting:
            _refuse(job, RecognizerClosed("this recogniser has been closed"))

    def stats(self) -> dict[str, float]:
        with self._changed:
            batches = self._counts["batches"]
            mean = (self._counts["decoded"] + self._counts["failed"]) / batches if batches else 0.0
            return {"queued": self._size(), **self._counts, "mean_batch": mean, "busy_s": self._busy_s}

    def _size(self) -> int:
        return sum(len(jobs) for jobs in self._waiting.values())

    def _displaced_by(self, job: _Job) -> list[_Job]:
        if job.request.kind is not DecodeKind.PARTIAL:
            return []
        partials = self._waiting[DecodeKind.PARTIAL]
        older = [waiting for waiting in partials if waiting.request.call_id == job.request.call_id]
        for waiting in older:
            partials.remove(waiting)
        return older

    def _make_room(self, newcomer: _Job) -> _Job:
        partials = self._waiting[DecodeKind.PARTIAL]
        victim = partials[0] if partials else newcomer
        self._waiting[victim.request.kind].remove(victim)
        return victim

    def _next_batch(self) -> list[_Job]:
        waiting = [job for kind in DecodeKind for job in self._waiting[kind]]
        batch = [job for job in waiting if job.bucket == waiting[0].bucket][: self._max_batch]
        for job in batch:
            self._waiting[job.request.kind].remove(job)
        return batch


def _work(queue: _Queue, recognizer: Decoder) -> None:
    """A worker's life."""
    while (batch := queue.take()) is not None:
        began = time.perf_counter()
        try:
            heard = list(zip(batch, recognizer.decode([job.request for job in batch]), strict=True))
        except Exception as exc:  # noqa: BLE001 - the root of a decode: it fails these futures and no others
            queue.count(decoded=0, failed=len(batch), busy_s=time.perf_counter() - began)
            for job in batch:
                job.future.set_exception(_failure(job, exc))
            continue
        queue.count(decoded=len(batch), failed=0, busy_s=time.perf_counter() - began)
        for job, transcript in heard:
            job.future.set_result(transcript)


def _failure(job: _Job, cause: Exception) -> RecognitionError:
    error = RecognitionError(f"a decode of call {job.request.call_id} failed: {cause}")
    error.__cause__ = cause
    return error


def _refuse(job: _Job, error: RecognitionError) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)


def _shut_down(queue: _Queue, threads: list[threading.Thread]) -> Any:
    queue.close()
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(_CLOSE_TIMEOUT_S)
