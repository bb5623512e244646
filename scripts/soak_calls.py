"""Calls for half an hour with things breaking all the time: nothing may grow, be left up, or be dialled twice.

    python scripts/soak_calls.py --minutes 30 --seed 1

The robot, the shipped model and a simulated FreeSWITCH run in one process, in real time. Callees listen, interrupt,
cough, leave, or are voicemails; every few seconds something breaks: the event socket is cut, audio streams are cut or
refused, the recogniser raises, stalls or has no memory, FreeSWITCH restarts. Exit status 1 when memory, threads,
descriptors or latency grew, a call was left up, a number was dialled twice or has no outcome, or an error of ours
shows.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import asyncio
import contextlib
import gc
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from scripts.soak.callees import callees, expected_label, kind_of, numbers, probe
from scripts.soak.faults import BreakableRecognizer, Scene, break_at_random
from scripts.soak.watch import Sample, Watch, growth, percentile
from V3.asr.model import Recognizer
from V3.calls.report import CallReport
from V3.demo import demo_config
from V3.events import Event
from V3.simulator import FreeSwitchSimulator
from V3.system.assembly import Assembly, assembled
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

SHARE: Final = 0.7  # of what can be heard at once
KNEE: Final = 40  # calls with a simulator beside them, on two cores
TELLING_S: Final = 100.0  # a shorter run says nothing of growth: caches fill
GROWN_MB, GROWN_SHARE = 25.0, 0.1
SLOWER_MS, SLOWER_SHARE = 150.0, 0.3
ENDING_S: Final = 60.0  # for calls in progress, when the time is up
FAULT_EVERY_S: Final = (1.5, 5.0)


@dataclass(slots=True)
class Ended:
    """What is kept of a call: its report would be growth of our own."""

    at_s: float
    disposition: str
    as_scripted: bool | None  # None where a fault or the callee decided otherwise
    verdict_ms: float
    breaks_ms: list[float]
    internal: str


@dataclass(slots=True)
class Soak:
    """One run and what was seen of it."""

    seconds: float
    calls: int
    seed: int
    console: Console
    began_s: float = field(default_factory=time.monotonic)
    ended: list[Ended] = field(default_factory=list)
    lags_ms: list[tuple[float, float]] = field(default_factory=list)  # of partials
    in_progress: Callable[[], int] = lambda: 0
    told_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def at_s(self) -> float:
        return time.monotonic() - self.began_s

    def wanted(self) -> bool:
        """Whether another number is to be called."""
        return self.at_s < self.seconds

    def take(self, report: CallReport) -> None:
        expected = expected_label(kind_of(report.number, self.seed))
        told = bool(expected and report.label and not report.errors)
        breaks = [b.break_confirmed_ms - b.speech_start_ms for b in report.barge_ins if b.break_confirmed_ms]
        self.ended.append(
            Ended(
                self.at_s,
                report.disposition,
                report.label == expected if told else None,
                report.verdict.at_ms if report.verdict else 0,
                [float(each) for each in breaks],
                next((error for error in report.errors if error.startswith("internal error")), ""),
            )
        )

    def progress(self, sample: Sample) -> None:
        """A line every few seconds."""
        if sample.at_s - self.told_s < min(30.0, max(5.0, self.seconds / 30)):
            return
        self.told_s = sample.at_s
        self.console.print(
            f"{sample.at_s:6.0f} s  {self.in_progress():3} calls up, {len(self.ended):5} ended, "
            f"{len(self.faults):4} faults, {sample.memory_mb:5.0f} MB, {sample.threads:3} threads, "
            f"{sample.files:4} descriptors, loop late by {sample.lag_ms:4.0f} ms"
        )


def main() -> int:
    asked = _parser().parse_args()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    recognizer = BreakableRecognizer(Recognizer.load())
    with WhisperStreamingSTT(recognizer=recognizer) as stt:  # type: ignore[arg-type]  # it is one in all but name
        calls = asked.calls or max(1, int(SHARE * min(stt.capacity, KNEE)))
        soak = Soak(asked.seconds or 60 * asked.minutes, calls, asked.seed, console)
        console.print(
            f"{calls} calls at once for {soak.seconds:g} s, seed {soak.seed}; this machine can hear {stt.capacity}"
        )
        try:
            with tempfile.TemporaryDirectory(prefix="voicebot-soak-") as folder:
                asyncio.run(_warm_up(stt, Path(folder) / "warm"))
                gc.collect()
                before = threading.active_count(), psutil.Process().num_fds()
                soak.began_s = time.monotonic()
                samples, wrong = asyncio.run(_calls(soak, stt, recognizer, Path(folder) / "soak"))
                gc.collect()
                after = threading.active_count(), psutil.Process().num_fds()
        except KeyboardInterrupt:
            console.print("stopped; its calls were hung up", style="yellow")
            return 130
    wrong += [f"{after[0] - before[0]} threads are left over"] if after[0] > before[0] else []
    wrong += [f"{after[1] - before[1]} descriptors are left over"] if after[1] > before[1] else []
    wrong += _grown(soak, samples)
    console.print(_table(soak, samples))
    for each in wrong:
        console.print(f"WRONG: {each}", style="bold red")
    if not wrong:
        console.print("nothing grew, nothing was left up, nobody was dialled twice", style="bold green")
    return 1 if wrong else 0


async def _warm_up(stt: WhisperStreamingSTT, folder: Path) -> None:
    """What a process opens once is open before anything is counted."""
    async with (
        FreeSwitchSimulator(lambda _number: probe()) as simulator,
        assembled(demo_config(port=simulator.port, reports_dir=str(folder)), stt=stt) as parts,
    ):
        await parts.call_all(("0199009998", "0199009999"), at_once=2)


async def _calls(
    soak: Soak, stt: WhisperStreamingSTT, recognizer: BreakableRecognizer, folder: Path
) -> tuple[list[Sample], list[str]]:
    """Call until the time is up; samples, and what was wrong with calls."""
    rng = random.Random(soak.seed)  # noqa: S311 - a simulation
    watch = Watch(psutil.Process(), on_sample=soak.progress)
    async with FreeSwitchSimulator(callees(soak.seed), seed=soak.seed) as simulator:
        scene = Scene(simulator, recognizer, soak.faults)
        journal = folder / "journal.jsonl"
        settings = demo_config(port=simulator.port, reports_dir=str(folder))
        async with assembled(settings, stt=stt, journal=journal) as parts:
            soak.in_progress = lambda: parts.robot.calls_in_progress
            _listen(soak, parts)
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(watch.run())
                breaking = group.create_task(break_at_random(scene, rng, every_s=FAULT_EVERY_S))
                try:
                    async with asyncio.timeout(soak.seconds + ENDING_S):
                        await parts.call_all(numbers(soak.wanted), at_once=soak.calls, on_end=soak.take)
                finally:
                    breaking.cancel()
                    watching.cancel()
            left = await _left_up(simulator, parts)
        return watch.samples, [*left, *_wrong(soak, simulator, journal)]


async def _left_up(simulator: FreeSwitchSimulator, parts: Assembly) -> list[str]:
    """Channels that are up though no call is in progress: they have the time of a lost connection to go away."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while simulator.channels():  # noqa: ASYNC110 - the simulator tells nobody
                await asyncio.sleep(0.05)
    found = [f"{channel.number} was left up ({channel.state})" for channel in simulator.channels()]
    if parts.robot.calls_in_progress:
        found.append(f"{parts.robot.calls_in_progress} calls have not ended")
    return found


def _listen(soak: Soak, parts: Assembly) -> None:
    server = parts.server
    assert server is not None

    def hear(event: Event) -> None:
        if (behind_ms := server.behind_ms(event)) is not None:
            soak.lags_ms.append((soak.at_s, behind_ms))

    server.on_event.append(hear)


def _wrong(soak: Soak, simulator: FreeSwitchSimulator, journal: Path) -> list[str]:
    twice = [number for number, times in Counter(simulator.dialled).items() if times > 1]
    found = [f"{number} was dialled twice" for number in twice]
    found += [f"the simulator: {failure!r}" for failure in simulator.failures]
    found += [f"{ended.internal}" for ended in soak.ended if ended.internal]
    with Journal(journal) as noted:
        found += [f"{number} has no outcome" for number in noted.interrupted.values()]
        found += [f"{number} is not in the journal" for number in set(simulator.dialled) if not noted.dialled(number)]
    reports = len(list(journal.parent.glob("*.json")))
    if reports != len(soak.ended):
        found.append(f"{len(soak.ended)} calls left {reports} reports")
    return found


# ---- what came out


def _grown(soak: Soak, samples: list[Sample]) -> list[str]:
    if soak.seconds < TELLING_S:
        return []
    found = []
    before, after = growth([sample.memory_mb for sample in samples])
    if after - before > max(GROWN_MB, GROWN_SHARE * before):
        found.append(f"memory grew from {before:.0f} to {after:.0f} MB")
    for what, values in _latencies(soak).items():
        early, late = growth(values)  # medians: what a fault delays is no growth
        if late > early + max(SLOWER_MS, SLOWER_SHARE * early):
            found.append(f"{what} grew from {early:.0f} to {late:.0f} ms")
    return found


def _latencies(soak: Soak) -> dict[str, list[float]]:
    """In order of time."""
    return {
        "time to verdict": [ended.verdict_ms for ended in soak.ended if ended.verdict_ms],
        "speech to break": [each for ended in soak.ended for each in ended.breaks_ms],
        "partial lag": [lag_ms for _, lag_ms in soak.lags_ms],
    }


def _table(soak: Soak, samples: list[Sample]) -> Table:
    table = Table(title=f"{len(soak.ended)} calls, {len(soak.faults)} faults", title_style="bold")
    for heading in ("what", "second quarter", "last quarter", "most"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, unit, values in (
        ("memory", " MB", [sample.memory_mb for sample in samples]),
        ("threads", "", [float(sample.threads) for sample in samples]),
        ("descriptors", "", [float(sample.files) for sample in samples]),
        ("event loop late", " ms", [sample.lag_ms for sample in samples]),
        *((f"{what}, median", " ms", values) for what, values in _latencies(soak).items()),
    ):
        if values:
            before, after = growth(values)
            table.add_row(what, f"{before:.0f}{unit}", f"{after:.0f}{unit}", f"{max(values):.0f}{unit}")
    for what, values in _latencies(soak).items():
        if values:
            told = f"p95 {percentile(values, 0.95):.0f} ms, median {statistics.median(values):.0f} ms"
            table.add_row(what, "", told, f"{len(values)} of them")
    for name, count in Counter(ended.disposition for ended in soak.ended).most_common():
        table.add_row(name, "", "", str(count))
    judged = [ended.as_scripted for ended in soak.ended if ended.as_scripted is not None]
    table.add_row("verdicts as scripted", "", "", f"{sum(judged)} of {len(judged)}")
    for name, count in Counter(soak.faults).most_common():
        table.add_row(f"fault: {name}", "", "", str(count))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0] if __doc__ else None,
        epilog="A run under 100 s cannot tell growth from caches that fill; all else is looked at.",
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seconds", type=float, default=0.0, help="the same in seconds; wins")
    parser.add_argument("--calls", type=int, default=0, help="calls at once (default: 70 %% of what fits, at most 28)")
    parser.add_argument("--seed", type=int, default=1, help="who is called and what breaks (default: 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
