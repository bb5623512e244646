"""What was measured, as a table, as sentences and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from scripts.bench.compare import EngineResult
from scripts.bench.hour import HourResult
from V3.asr.model import RecognizerInfo
from V3.system.machine import cpu_name

__all__ = ["Machine", "comparison_table", "hour_table", "ratios", "write_json"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and with what it was measured. ``load`` is the load average when it began: other work disturbs."""

    cpu: str
    cores: int
    load: float
    python: str
    ctranslate2: str
    faster_whisper: str
    model: str
    device: str
    compute_type: str
    cpu_threads: int

    @classmethod
    def of(cls, info: RecognizerInfo) -> Machine:
        return cls(
            cpu=cpu_name(),
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 2),
            python=platform.python_version(),
            ctranslate2=version("ctranslate2"),
            faster_whisper=version("faster-whisper"),
            model=info.name,
            device=info.device,
            compute_type=info.compute_type,
            cpu_threads=info.cpu_threads,
        )

    def __str__(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.cpu_threads} thread per decode, load {self.load:.1f} when begun; "
            f"model {self.model} ({self.device}, {self.compute_type}), CTranslate2 {self.ctranslate2}, "
            f"faster-whisper {self.faster_whisper}"
        )


def comparison_table(results: Sequence[EngineResult]) -> Table:
    """One row per engine."""
    table = Table(title="The same calls, the same model; times in ms from the true end of a word")
    table.add_column("engine")
    for name in ("audio\ns", "CPU s per\ns of audio", "shown\nmedian", "shown\np95", "ever\nshown"):
        table.add_column(name, justify="right")
    for name in (
        "certain\nmedian",
        "certain\np95",
        "ever\ncertain",
        "word\nerrors",
        "flicker",
        "held by a\nstream, kB",
    ):
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(*_row(result))
    return table


def hour_table(result: HourResult) -> Table:
    """The first minutes beside the last."""
    count = int(result.first["minutes"])
    table = Table(title=f"One stream of {result.audio_s / 60:.0f} minutes: means over minutes")
    table.add_column("of a minute")
    table.add_column(f"first {count}", justify="right")
    table.add_column(f"last {count}", justify="right")
    for name, value in result.first.items():
        if name != "minutes" and name in result.last:
            table.add_row(name.replace("_", " "), f"{value:.1f}", f"{result.last[name]:.1f}")
    return table


def ratios(results: Sequence[EngineResult]) -> list[str]:
    """How each of ours compares with each of the others, in sentences. Ours are those named so."""
    heard = [result for result in results if result.cpu_s]
    ours = [result for result in heard if result.name.startswith("ours")]
    others = [result for result in heard if result not in ours]
    return [_compared(mine, other) for mine in ours for other in others]


def write_json(path: Path, machine: Machine | Mapping[str, Any], **parts: Any) -> None:
    """Everything, latencies one by one included."""
    plain = {"machine": machine, **parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(plain), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _row(result: EngineResult) -> list[str]:
    if not result.audio_s:
        return [result.name, "0", *["-"] * 10]
    return [
        result.name,
        f"{result.audio_s:.0f}",
        f"{result.cpu_s_per_audio_s:.3f}",
        _ms(result.shown.median_ms),
        _ms(result.shown.p95_ms),
        f"{result.shown_share:.1%}",
        _ms(result.certain.median_ms),
        _ms(result.certain.p95_ms),
        f"{result.certain_share:.1%}",
        f"{result.word_error_rate:.1%}",
        f"{result.flicker:.1%}",
        f"{result.held_bytes / 1000:.0f}",
    ]


def _compared(mine: EngineResult, other: EngineResult) -> str:
    times = other.cpu_s_per_audio_s / max(mine.cpu_s_per_audio_s, 1e-4)
    cost = f"costs 1/{times:.1f} of {other.name}" if times >= 1 else f"costs {1 / times:.1f} times {other.name}"
    shown = _sooner("shown", mine.shown.median_ms, other.shown.median_ms)
    certain = _sooner("certain", mine.certain.median_ms, other.certain.median_ms)
    return f"{mine.name} {cost}; {shown}, {certain}"


def _sooner(what: str, mine_ms: float | None, other_ms: float | None) -> str:
    if mine_ms is None or other_ms is None:
        return f"words {what}: not comparable"
    gained_ms = other_ms - mine_ms
    return f"words {what} {abs(gained_ms):.0f} ms {'sooner' if gained_ms >= 0 else 'later'} (median)"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
