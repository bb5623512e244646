"""How many calls one machine hears at once: real time, the real engine, N rising until words come too late.

Each call is a loop of recordings with pauses, so that a share of it is speech, begun at another place for every call.
One event loop feeds all of them 20 ms at a time, as the audio server does. A partial's **lag** is the time from the
arrival of the last audio that it heard to its showing: queue and decode. The hop comes on top: 300 ms times what it is
stretched by.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import psutil

from scripts.bench.material import Recording
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio
from V3.events import Event, Partial, SpeechEnded, StreamFailed
from V3.events import Final as FinalWords
from V3.system.services.speech_stream import SpeechStream
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["Level", "conversation", "measure", "rising"]

_FRAME_S: Final = FRAME_SAMPLES / RATE_HZ
_LINE_NOISE_DBFS: Final = -66.0
_WARM_UP_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured with ``calls`` at once. Times in ms; ``cores`` is the CPU time per second of wall clock."""

    calls: int
    partials: int
    lag_p50_ms: float
    lag_p95_ms: float
    final_p95_ms: float
    loop_p95_ms: float
    cores: float
    load: float
    stretch: float
    mean_batch: float
    dropped: int
    failed: int
    memory_mb: float


@dataclass(slots=True)
class _Times:
    """What all calls of a level gave, after the warm-up."""

    lag_ms: list[float] = field(default_factory=list)
    final_ms: list[float] = field(default_factory=list)
    loop_ms: list[float] = field(default_factory=list)
    stretch: list[float] = field(default_factory=list)
    failed: int = 0


def conversation(recordings: Sequence[Recording], *, seconds: float, talking: float, seed: int) -> Audio:
    """16 kHz samples of one callee: utterances with pauses such that ``talking`` of the time is speech."""
    rng = np.random.default_rng(seed)
    parts: list[Audio] = []
    filled = 0
    while filled < seconds * RATE_HZ:
        spoken = recordings[int(rng.integers(len(recordings)))].audio
        pause = int(spoken.size * (1 / talking - 1) * rng.uniform(0.5, 1.5))
        parts += [spoken, np.zeros(pause, dtype=np.float32)]
        filled += spoken.size + pause
    line = np.concatenate(parts)[: round(seconds * RATE_HZ) // FRAME_SAMPLES * FRAME_SAMPLES]
    noise = rng.standard_normal(line.size, dtype=np.float32) * np.float32(10 ** (_LINE_NOISE_DBFS / 20))
    return (line + noise).astype(np.float32)


class _Call:
    """One call: its audio from a place of its own on, and what its events tell."""

    def __init__(self, audio: Audio, times: _Times, *, first_frame: int) -> None:
        self._audio = audio
        self._times = times
        self._frames = audio.size // FRAME_SAMPLES
        self._at = first_frame
        self._began_s = 0.0
        self._ended_s: dict[int, float] = {}
        self.stream: SpeechStream | None = None

    def begin(self, stream: SpeechStream) -> None:
        self.stream = stream
        self._began_s = time.perf_counter()

    def feed(self) -> None:
        assert self.stream is not None
        start = self._at % self._frames * FRAME_SAMPLES
        self.stream.process_chunk(self._audio[start : start + FRAME_SAMPLES])
        self._at += 1

    def hear(self, event: Event) -> None:
        now_s = time.perf_counter()
        since_ms = (now_s - self._began_s) * 1000
        counted = since_ms > _WARM_UP_S * 1000
        match event:
            case Partial() if counted:
                self._times.lag_ms.append(since_ms - event.at_ms)
            case SpeechEnded():
                self._ended_s[event.start_ms] = now_s
            case FinalWords() if counted:
                self._times.final_ms.append((now_s - self._ended_s.pop(event.start_ms, now_s)) * 1000)
            case StreamFailed():
                self._times.failed += 1


async def measure(
    stt: WhisperStreamingSTT, lines: Sequence[Audio], *, calls: int, seconds: float, on_second: Callable[[], None]
) -> Level:
    """Hear ``calls`` at once for ``seconds`` after a warm-up of 3 s."""
    times = _Times()
    loop = asyncio.get_running_loop()
    rng = np.random.default_rng(calls)
    open_calls: list[_Call] = []
    process = psutil.Process()
    before_mb = process.memory_info().rss / 1e6
    for number in range(calls):
        line = lines[number % len(lines)]
        call = _Call(line, times, first_frame=int(rng.integers(line.size // FRAME_SAMPLES)))
        call.begin(stt.open_stream(f"call-{calls}-{number}", on_event=call.hear, loop=loop))
        open_calls.append(call)
    try:
        before, cpu_s, began_s = stt.stats(), sum(process.cpu_times()[:2]), time.perf_counter()
        memory_mb = await _feed(stt, open_calls, times, seconds + _WARM_UP_S, on_second) - before_mb
        cpu_s, wall_s = sum(process.cpu_times()[:2]) - cpu_s, time.perf_counter() - began_s
        after = stt.stats()
    finally:
        for call in open_calls:
            if call.stream is not None:
                call.stream.close()
    done = {key: float(after[key]) - float(before[key]) for key in ("decoded", "batches", "dropped", "busy_s")}
    return Level(
        calls=calls,
        partials=len(times.lag_ms),
        lag_p50_ms=_percentile(times.lag_ms, 50),
        lag_p95_ms=_percentile(times.lag_ms, 95),
        final_p95_ms=_percentile(times.final_ms, 95),
        loop_p95_ms=_percentile(times.loop_ms, 95),
        cores=cpu_s / wall_s,
        load=done["busy_s"] / wall_s / stt.info.workers,
        stretch=float(np.mean(times.stretch)) if times.stretch else 1.0,
        mean_batch=done["decoded"] / max(1.0, done["batches"]),
        dropped=int(done["dropped"]),
        failed=times.failed,
        memory_mb=memory_mb,
    )


async def _feed(
    stt: WhisperStreamingSTT, calls: Sequence[_Call], times: _Times, seconds: float, on_second: Callable[[], None]
) -> float:
    """20 ms to every call, each at its own moment of the 20 ms; the most memory seen, in MB."""
    process = psutil.Process()
    most_mb = 0.0
    began_s = time.perf_counter()
    groups = [calls[index::10] for index in range(10)]  # calls of a real line do not all speak at the same instant
    for tick in range(round(seconds / _FRAME_S)):
        for index, group in enumerate(groups):
            due_s = began_s + (tick + index / len(groups)) * _FRAME_S
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            if tick * _FRAME_S > _WARM_UP_S:
                times.loop_ms.append((time.perf_counter() - due_s) * 1000)
            for call in group:
                call.feed()
        if tick % 50 == 0:
            on_second()
            most_mb = max(most_mb, process.memory_info().rss / 1e6)
            times.stretch.append(float(stt.stats()["stretch"]))
    return most_mb


def rising(steps: Sequence[int], *, within: Callable[[int], bool]) -> Iterator[int]:
    """The numbers of calls to try: the steps until one is too many, then twice the middle between the last two."""
    good = 0
    for step in steps:
        yield step
        if within(step):
            good = step
            continue
        bad = step
        for _ in range(2):
            middle = (good + bad) // 2
            if middle <= good:
                return
            yield middle
            good, bad = (middle, bad) if within(middle) else (good, middle)
        return


def _percentile(values: Sequence[float], share: int) -> float:
    return float(np.percentile(values, share)) if values else 0.0
