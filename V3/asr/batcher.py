"""The one place where decodes happen: requests of all calls, in threads, in batches.

Answer detection goes before finals, finals before partials. A batch leaves as soon as a worker is free, with the
first request and whatever else of its bucket is waiting; never on a timer. The queue is bounded: when it is full the
oldest waiting partial is dropped, and when there is none the newcomer; a newer partial of a call takes the place of
its older waiting one. What is dropped gets RecognizerOverloaded, so that nobody waits for it.

Under load partials are to come rarer (:attr:`Batcher.stretch`, see :mod:`V3.asr.load`), so that answer detection and
finals keep their deadlines; the log says when that begins and ends.

A worker that stalls or dies is replaced, and a model that fails is loaded again: :mod:`V3.asr.workers`. The threads
know only the queue, not the Batcher: one that is forgotten without ``close`` ends its threads when it is collected, or
when the interpreter exits.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

from V3.asr.load import LoadMeter
from V3.asr.transcript import DecodeKind, Decoder, DecodeRequest, Transcript
from V3.asr.workers import Crew, Job
from V3.errors import ConfigError, RecognitionError, RecognizerClosed, RecognizerOverloaded

__all__ = ["STALL_S", "Batcher", "OnBatch"]

log = logging.getLogger(__name__)

STALL_S: Final = 30.0  # Whisper's window on a slow machine takes this long, and no longer
_CLOSE_TIMEOUT_S: Final = 10.0
_LAG_SHARE: Final = 0.1  # of a new batch in the mean
_STRETCH_TOLD: Final = 1.2  # a stretch below it is not worth a line in the log


OnBatch = Callable[[Sequence[float], float], None]


class Batcher:
    """Hands requests to ``recognizer`` in batches of at most ``max_batch``, from ``workers`` threads.

    A CPU gains nothing from large batches (8 rows cost 8 times one) while they delay answer detection; a GPU wants
    them full. ``meter`` measures load and capacity; the streams want partials at the hop that it was made with. A
    decode that has not ended after ``stall_s`` is given up.
    """

    def __init__(
        self,
        recognizer: Decoder,
        *,
        max_batch: int = 4,
        max_queue: int = 512,
        workers: int = 1,
        meter: LoadMeter | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        if min(max_batch, max_queue, workers) < 1 or stall_s <= 0:
            raise ConfigError(
                f"max_batch {max_batch}, max_queue {max_queue} and workers {workers} are at least 1, "
                f"and stall_s {stall_s} is above 0"
            )
        self._queue = _Queue(max_batch, max_queue, meter or LoadMeter(workers=workers))
        self._recognizer = recognizer
        self._crew = Crew(self._queue, recognizer, workers=workers, stall_s=stall_s)
        # daemon threads, but ended in order: killed inside CTranslate2 they would crash the interpreter's exit
        self._end = weakref.finalize(self, _shut_down, self._queue, self._crew)

    def submit(self, request: DecodeRequest) -> Future[Transcript]:
        """Queue a request. Its future gives the transcript, or raises a RecognitionError.

        Raises AudioError for audio that cannot be decoded and RecognizerClosed after :meth:`close`.
        """
        job = Job(request, self._recognizer.bucket(request))
        for dropped in self._queue.put(job):
            _refuse(dropped, RecognizerOverloaded(f"a decode of call {dropped.request.call_id} was dropped"))
        return job.future

    def replace(self, waiting: Future[Transcript], request: DecodeRequest) -> Future[Transcript] | None:
        """Put a newer request in the place of one that still waits; ``None`` when that one has left the queue.

        The future of the older one is cancelled.
        """
        return self._queue.replace(waiting, Job(request, self._recognizer.bucket(request)))

    @property
    def on_batch(self) -> list[OnBatch]:
        """Who is told of every batch: how long each of its requests waited, and how long it took, in seconds.

        They are called from the worker's thread, and may not fail.
        """
        return self._queue.on_batch

    @property
    def stretch(self) -> float:
        """How many times rarer than wanted partials should come now; 1.0 with room to spare."""
        return self._queue.stretch

    @property
    def calls(self) -> int:
        """Streams that are open."""
        return self._queue.calls

    def loop_turned(self, *, busy_s: float, late_s: float, passed_s: float) -> None:
        """The event loop that feeds the calls was busy for ``busy_s`` of ``passed_s`` seconds, and ``late_s`` late."""
        self._queue.loop_turned(busy_s=busy_s, late_s=late_s, passed_s=passed_s)

    def heard(self, audio_s: float) -> None:
        """So much audio of calls came in."""
        self._queue.heard(audio_s)

    def call_opened(self) -> None:
        """A stream has begun: one more call that decodes are for."""
        self._queue.call_changed(opened=True)

    def call_closed(self) -> None:
        """A stream has ended."""
        self._queue.call_changed(opened=False)

    def stats(self) -> dict[str, float]:
        """Counts since the start; ``queued`` is what waits now, ``busy_s`` the time spent in decodes.

        ``lag_ms`` is the mean time lately from a request to its answer, ``load`` the busy share of the last second and
        a half, ``stretch`` what partials are stretched by, ``capacity`` how many calls fit by what they cost,
        ``crowded`` 1 while those that are open are too many; ``suppressed_REASON`` and ``redone`` count transcripts;
        ``replaced`` are threads that stalled or died, ``reloads`` how often the model was loaded again.
        """
        return {**self._queue.stats(), "replaced": self._crew.replaced, "reloads": self._crew.reloads}

    def close(self, timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
        """Fail what waits with RecognizerClosed, let batches in progress end, and end the threads.

        Raises RecognitionError when a thread has not ended after ``timeout_s``. Closing twice does nothing.
        """
        self._queue.close()
        if not self._crew.end(timeout_s):
            raise RecognitionError(f"a decode has not ended after {timeout_s} s")
        self._end.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Queue:
    """What waits, by kind and in order of arrival, and the counts. All of it under one lock."""

    def __init__(self, max_batch: int, max_queue: int, meter: LoadMeter) -> None:
        self._meter = meter
        self._told_stretch = False
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._changed = threading.Condition()
        self._waiting: dict[DecodeKind, list[Job]] = {kind: [] for kind in DecodeKind}
        self._closed = False
        self._counts = Counter(decoded=0, batches=0, dropped=0, failed=0, redone=0)
        self._busy_s = 0.0
        self._lag_s = 0.0
        self.on_batch: list[OnBatch] = []

    @property
    def stretch(self) -> float:
        return self._meter.stretch

    @property
    def calls(self) -> int:
        return self._meter.calls

    def put(self, job: Job) -> list[Job]:
        """Take a job; the jobs that are dropped for it (it may be among them)."""
        with self._changed:
            if self._closed:
                raise RecognizerClosed("this recogniser has been closed")
            dropped = self._place(job)
            if self._size() > self._max_queue:
                dropped.append(self._make_room(job))
            self._counts["dropped"] += len(dropped)
            self._changed.notify()
        return dropped

    def replace(self, future: Future[Transcript], job: Job) -> Future[Transcript] | None:
        with self._changed:
            jobs = self._waiting[job.request.kind]
            index = next((i for i, waiting in enumerate(jobs) if waiting.future is future), None)
            if index is None:
                return None
            jobs[index] = job
        future.cancel()
        future.set_running_or_notify_cancel()  # wakes whoever waits for it
        return job.future

    def call_changed(self, *, opened: bool) -> None:
        with self._changed:
            (self._meter.opened if opened else self._meter.closed)(now_s=time.monotonic())

    def heard(self, audio_s: float) -> None:
        with self._changed:
            self._meter.heard(audio_s, now_s=time.monotonic())

    def loop_turned(self, *, busy_s: float, late_s: float, passed_s: float) -> None:
        with self._changed:
            self._meter.loop_turned(busy_s=busy_s, late_s=late_s, passed_s=passed_s, now_s=time.monotonic())

    def take(self) -> list[Job] | None:
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

    def count(self, batch: list[Job], heard: list[Transcript], *, busy_s: float) -> None:
        """A batch is done; nothing was heard when it failed."""
        with self._changed:
            observers = list(self.on_batch)
            self._counts["batches"] += 1
            self._counts["decoded" if heard else "failed"] += len(batch)
            self._counts["redone"] += sum(transcript.redone for transcript in heard)
            self._counts.update(f"suppressed_{reason}" for transcript in heard for reason in transcript.suppressed)
            self._busy_s += busy_s
            now_s = time.monotonic()
            waits_s = [max(0.0, now_s - busy_s - job.asked_s) for job in batch]
            lag_s = sum(waits_s) / len(batch) + busy_s
            self._lag_s += (lag_s - self._lag_s) * _LAG_SHARE
            if heard:  # a stall or a failure says nothing of what calls cost
                self._meter.decoded([job.request.kind for job in batch], busy_s=busy_s, now_s=now_s)
            stretch, told = self._meter.stretch, self._told_stretch
            self._told_stretch = stretch > (1.0 if told else _STRETCH_TOLD)
        for observer in observers:
            observer(waits_s, busy_s)
        if self._told_stretch and not told:
            log.warning("overloaded: partials come %.1f times rarer; finals and answer detection go first", stretch)
        elif told and not self._told_stretch:
            log.warning("no longer overloaded: partials come as often as wanted")

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
            self._meter.look(now_s=time.monotonic())
            batches = self._counts["batches"]
            mean = (self._counts["decoded"] + self._counts["failed"]) / batches if batches else 0.0
            return {
                "queued": self._size(),
                **self._counts,
                "mean_batch": mean,
                "busy_s": self._busy_s,
                "lag_ms": self._lag_s * 1000,
                "load": self._meter.busy,
                "stretch": self._meter.stretch,
                "calls": self._meter.calls,
                "capacity": self._meter.capacity,
                "crowded": float(self._meter.crowded),
            }

    def _size(self) -> int:
        return sum(len(jobs) for jobs in self._waiting.values())

    def _place(self, job: Job) -> list[Job]:
        """Queue it; a partial in the place of one that its call has there already, which is dropped."""
        waiting = self._waiting[job.request.kind]
        if job.request.kind is DecodeKind.PARTIAL:
            for index, older in enumerate(waiting):
                if older.request.call_id == job.request.call_id:
                    waiting[index] = job
                    return [older]
        waiting.append(job)
        return []

    def _make_room(self, newcomer: Job) -> Job:
        partials = self._waiting[DecodeKind.PARTIAL]
        victim = partials[0] if partials else newcomer
        self._waiting[victim.request.kind].remove(victim)
        return victim

    def _next_batch(self) -> list[Job]:
        waiting = [job for kind in DecodeKind for job in self._waiting[kind]]
        batch = [job for job in waiting if job.bucket == waiting[0].bucket][: self._max_batch]
        for job in batch:
            self._waiting[job.request.kind].remove(job)
        return batch


def _refuse(job: Job, error: RecognitionError) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)


def _shut_down(queue: _Queue, crew: Crew) -> None:
    queue.close()
    crew.end(_CLOSE_TIMEOUT_S)
