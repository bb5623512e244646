"""How many calls this machine hears at once before words come too late.

    python scripts/bench_capacity.py
    python scripts/bench_capacity.py --json capacity.json --plots figures
    python scripts/bench_capacity.py --model-shape small --random-weights --device cuda --compute-type float16

See scripts/bench/capacity.py for what is measured and how.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncio
import dataclasses
import functools
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated, Any, Final, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.bench.capacity import Level, conversation, measure, rising
from scripts.bench.material import DATA, load_recordings
from scripts.bench.plots import plot_capacity
from scripts.bench.random_model import SHAPES, FixedPace, write_random_model
from scripts.bench.report import Machine, write_json
from V3.asr.loading import SHIPPED_MODEL
from V3.asr.model import Recognizer
from V3.audio.pcm import Audio
from V3.config import RobotConfig
from V3.errors import ConfigError, VoicebotError
from V3.system.services.whisper_streaming_stt import SttOptions, WhisperStreamingSTT

_STEPS: Final = "10,20,40,60,80,100,130,160,200,260,340,440,560,720"
_LINES: Final = 8
_LINE_S: Final = 60.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, markup=False)
if not console.is_terminal:
    console.width = 160  # a file has no width of its own


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="folder with recordings and index.jsonl")] = DATA,
    model: Annotated[str, typer.Option(help="telephone-fr, a directory, small, ...")] = SHIPPED_MODEL,
    model_shape: Annotated[str, typer.Option(help=f"with --random-weights: {', '.join(SHAPES)}")] = "",
    random_weights: Annotated[  # noqa: FBT002
        bool, typer.Option("--random-weights", help="a model of that shape made on the spot: right cost, no words")
    ] = False,
    full_context: Annotated[  # noqa: FBT002
        bool, typer.Option("--full-context", help="windows of 30 s, as a stock checkpoint wants; else short ones")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="int8, float16, ...; default: as stored")] = "default",
    workers: Annotated[int, typer.Option(help="decodes side by side; 0: as the service decides")] = 0,
    max_batch: Annotated[int, typer.Option(help="rows of a batch; 0: as the service decides")] = 0,
    talking: Annotated[float, typer.Option(help="share of the time that a callee speaks", min=0.05, max=1.0)] = 0.4,
    limit_ms: Annotated[float, typer.Option(help="what 95 % of the partials' lags may reach")] = 500.0,
    seconds: Annotated[float, typer.Option(help="for each number of calls", min=1.0)] = 15.0,
    steps: Annotated[str, typer.Option(help="numbers of calls to try")] = _STEPS,
    json_path: Annotated[Path | None, typer.Option("--json", help="write everything to this file")] = None,
    plots: Annotated[Path | None, typer.Option(help="draw the curve into this folder")] = None,
) -> None:
    """Hear more and more calls at once, in real time, until 95 % of the partials no longer come within the limit.

    "lag" is from the last audio that a partial heard to its showing; "final" from when the end of an utterance was
    sure to its text; "stretch" is how many times rarer than every 300 ms the engine made partials to keep up. Ctrl-C
    ends it with what has been measured so far.
    """
    try:
        numbers = [int(step) for step in steps.split(",")]
        lines = [
            conversation(load_recordings(data), seconds=_LINE_S, talking=talking, seed=seed) for seed in range(_LINES)
        ]
        with ExitStack() as stack:
            recognizer = _recognizer(stack, model, model_shape if random_weights else "", device, compute_type, workers,
                                     full_context=full_context)  # fmt: skip
            options = SttOptions(max_batch=max_batch, self_test=not random_weights, workers=recognizer.info.workers)
            stt = stack.enter_context(WhisperStreamingSTT(recognizer=recognizer, options=options))
            _rise(stt, lines, numbers, seconds, limit_ms, json_path, plots)
    except ValueError as exc:
        raise typer.BadParameter(f"--steps takes whole numbers, such as {_STEPS}: {exc}") from exc
    except VoicebotError as exc:
        console.print(f"{type(exc).__name__}: {exc}")
        raise typer.Exit(1) from exc


def _recognizer(
    stack: ExitStack, model: str, shape: str, device: str, compute_type: str, workers: int, *, full_context: bool
) -> Recognizer:
    load = functools.partial(
        Recognizer.load,
        device=device,
        compute_type=compute_type,
        workers=workers,
        beam_size=RobotConfig().stt.beam_size,
    )
    if not shape:
        return load(model, audio_context="full" if full_context else "model")
    if shape not in SHAPES:
        raise ConfigError(f"--model-shape is one of {', '.join(SHAPES)}, not {shape!r}")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="random-weights-"))) / shape
    stored = compute_type if compute_type in ("int8", "float16", "float32", "int8_float16") else "int8"
    with console.status(f"making a model of shape {shape}"):
        write_random_model(
            folder, SHAPES[shape], quantization=cast("Any", stored), audio_context="full" if full_context else "auto"
        )
    return FixedPace.load(str(folder), device=device, compute_type=compute_type, workers=workers)


def _rise(
    stt: WhisperStreamingSTT, lines: Sequence[Audio], numbers: Sequence[int], seconds: float, limit_ms: float,
    json_path: Path | None, plots: Path | None,
) -> None:  # fmt: skip
    machine = Machine.of(stt.info)
    levels: dict[int, Level] = {}
    try:
        trying = rising(numbers, within=lambda calls: levels[calls].lag_p95_ms <= limit_ms)
        for calls in trying:
            levels[calls] = _measured(stt, lines, calls, seconds)
            console.print(_told(levels[calls], limit_ms))
    except KeyboardInterrupt:
        console.print("stopped: these were measured")
    ordered = [levels[calls] for calls in sorted(levels)]
    most = max((level.calls for level in ordered if level.lag_p95_ms <= limit_ms), default=0)
    console.print(_table(ordered, limit_ms))
    console.print(f"{most} calls at once with 95 % of the partials within {limit_ms:g} ms")
    console.print(f"measured on {machine}, {stt.info.workers} workers")
    if json_path is not None:
        rows = [dataclasses.asdict(level) for level in ordered]
        write_json(json_path, machine, limit_ms=limit_ms, calls_within_limit=most, levels=rows)
        console.print(f"written: {json_path}")
    if plots is not None and ordered:
        console.print(f"drawn: {plot_capacity(plots, ordered, machine, limit_ms=limit_ms)}")


def _measured(stt: WhisperStreamingSTT, lines: Sequence[Audio], calls: int, seconds: float) -> Level:
    columns = (TextColumn("{task.description:16}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{calls} calls", total=seconds + 3)
        work = measure(stt, lines, calls=calls, seconds=seconds, on_second=lambda: bar.update(task, advance=1))
        return asyncio.run(work)


def _told(level: Level, limit_ms: float) -> str:
    verdict = "within" if level.lag_p95_ms <= limit_ms else "beyond"
    return f"{level.calls:4} calls: 95 % of the partials within {level.lag_p95_ms:.0f} ms ({verdict} {limit_ms:g} ms)"


def _table(levels: Sequence[Level], limit_ms: float) -> Table:
    table = Table(title=f"Calls at once; the limit is a lag of {limit_ms:g} ms for 95 % of the partials")
    heads = ("calls", "lag 50 %", "lag 95 %", "final 95 %", "loop 95 %", "cores", "load", "stretch",
             "batch", "dropped", "failed", "MB")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="right")
    for level in levels:
        times = (level.lag_p50_ms, level.lag_p95_ms, level.final_p95_ms, level.loop_p95_ms)
        table.add_row(
            str(level.calls),
            *(f"{value:.0f} ms" for value in times),
            f"{level.cores:.2f}",
            f"{level.load:.0%}",
            f"{level.stretch:.2f}",
            f"{level.mean_batch:.1f}",
            str(level.dropped),
            str(level.failed),
            f"{level.memory_mb:.0f}",
        )
    return table


if __name__ == "__main__":
    app()
