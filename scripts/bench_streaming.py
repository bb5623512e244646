"""How fast, how dear and how right streaming recognition is: ours beside others, on the same audio and model.

    python scripts/bench_streaming.py --quick
    python scripts/bench_streaming.py --json bench.json --plots figures --whisper-streaming ../whisper_streaming
    python scripts/bench_streaming.py --hour --json hour.json --plots figures

See scripts/bench/accounts.py for how words are counted, and scripts/bench/clock.py for how time is.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # numpy's second thread would count as CPU time while it waits

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scripts.bench.compare import Contender, Tally, Yardstick, run_all
from scripts.bench.engines import Ours, ReTranscription, plain_transcribe
from scripts.bench.hour import run_hour
from scripts.bench.material import DATA, Call, join_calls, load_recordings
from scripts.bench.plots import plot_comparison, plot_hour
from scripts.bench.report import Machine, comparison_table, hour_table, ratios, write_json
from scripts.bench.whisper_streaming import Peer, WhisperStreaming, WhisperStreamingVac
from V3.asr.loading import SHIPPED_MODEL, find_model, load_whisper
from V3.asr.model import Recognizer
from V3.audio.pcm import RATE_HZ
from V3.config import RobotConfig
from V3.errors import VoicebotError

__all__ = ["app"]

_CALL_S: Final = 60.0
_MINUTES, _QUICK_MINUTES, _HOUR_MINUTES = 5.0, 1.0, 60.0
_OURS: Final = "ours, LocalAgreement"

DataOption = Annotated[
    Path, typer.Option(help="folder with recordings and index.jsonl (file, text, words with start_s and end_s)")
]
PeerOption = Annotated[Path | None, typer.Option(help="a checkout of ufal/whisper_streaming: it is compared too")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
console = Console(highlight=False, markup=False)
if not console.is_terminal:
    console.width = 160  # a file has no width of its own


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every measurement needs. The files of one model are loaded for our decoder, as it is configured and greedy,
    and for faster-whisper's.
    """

    recognizer: Recognizer
    greedy: Recognizer
    model: Any
    calls: list[Call]
    machine: Machine
    settings: dict[str, Any]
    json_path: Path | None
    plots: Path | None


@app.command()
def main(
    data: DataOption = DATA,
    model: Annotated[str, typer.Option(help="telephone-fr, a directory, small, ...: all use it")] = SHIPPED_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "cpu",
    compute_type: Annotated[str, typer.Option(help="int8, float16, ...; default: as stored")] = "default",
    minutes: Annotated[float | None, typer.Option(help="audio to hear [5; with --hour 60]", min=0.01)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="one minute of audio")] = False,  # noqa: FBT002
    hour: Annotated[bool, typer.Option("--hour", help="one stream for an hour, ours alone")] = False,  # noqa: FBT002
    whisper_streaming: PeerOption = None,
    chunk: Annotated[float, typer.Option(help="its --min-chunk-size, in seconds", min=0.1)] = 1.0,
    seed: Annotated[int, typer.Option(help="decides the order of utterances and the pauses")] = 1,
    json_path: Annotated[Path | None, typer.Option("--json", help="write everything to this file")] = None,
    plots: Annotated[Path | None, typer.Option(help="draw figures into this folder")] = None,
) -> None:
    """Compare streaming engines on the same calls with the same model: cost, latency of words, errors, flicker.

    Recordings are joined into calls of about a minute. Audio arrives in real time on a virtual clock; what an engine
    decodes runs for real on this machine, with one thread, and its words show when they would have. So let the machine
    do nothing else meanwhile. Needs the extra: pip install -e '.[bench]'.

    "Shown" is when a word was first right on the screen, "certain" when it would not change any more, both from its
    true end. Words that never came right are counted apart. Exit status: 0 all was measured, 1 something failed,
    130 Ctrl-C, which ends it with what has been measured so far.
    """
    total_s = 60.0 * (minutes or (_HOUR_MINUTES if hour else _QUICK_MINUTES if quick else _MINUTES))
    try:
        recordings = load_recordings(data)
        calls = join_calls(recordings, total_s=total_s, call_s=total_s if hour else _CALL_S, seed=seed)
        recognizer, greedy = (_load(model, device, compute_type, beams) for beams in (RobotConfig().stt.beam_size, 1))
        plain = _plain(model, recognizer)
        settings = {"seed": seed, "audio_s": round(sum(call.duration_s for call in calls), 1), "data": data.name}
        bench = _Bench(recognizer, greedy, plain, calls, Machine.of(recognizer.info), settings, json_path, plots)
        if hour:
            complete = _hour(bench)
        else:
            complete = _compare(bench, [*_contenders(bench), *_peers(bench, whisper_streaming, chunk)])
    except VoicebotError as exc:
        console.print(f"{type(exc).__name__}: {exc}")
        raise typer.Exit(1) from exc
    if not complete:
        raise typer.Exit(130)


def _load(model: str, device: str, compute_type: str, beam_size: int) -> Recognizer:
    return Recognizer.load(model, device=device, compute_type=compute_type, cpu_threads=1, beam_size=beam_size)


def _plain(model: str, like: Recognizer) -> Any:
    info = like.info
    return load_whisper(find_model(model), device=info.device, compute_type=info.compute_type, cpu_threads=1, workers=1)


def _contenders(bench: _Bench) -> list[Contender]:
    recognizer, greedy, model = bench.recognizer, bench.greedy, bench.model
    second = np.zeros(RATE_HZ, dtype=np.float32)
    return [
        Contender(
            _OURS,
            "certain when two decodes in a row agree",
            lambda: Ours(recognizer, policy="local_agreement"),
            recognizer.self_test,
        ),
        Contender(
            "ours, AlignAtt",
            "certain when its attention is not at the end of the audio",
            lambda: Ours(recognizer, policy="align_att"),
            recognizer.self_test,
        ),
        Contender(
            "ours, greedy",
            "LocalAgreement with one hypothesis in each decode",
            lambda: Ours(greedy, policy="local_agreement"),
            greedy.self_test,
        ),
        Contender(
            "re-transcription 800/200",
            "every 200 ms the last 800 ms, the whole utterance at its end, by faster-whisper's transcribe",
            lambda: ReTranscription(model),
            lambda: plain_transcribe(model, second),
        ),
    ]


def _peers(bench: _Bench, directory: Path | None, chunk_s: float) -> list[Contender]:
    if directory is None:
        return []
    peer = Peer(directory, bench.model, chunk_s=chunk_s)
    warm = functools.partial(peer.backend.transcribe, np.zeros(RATE_HZ, dtype=np.float32))
    note = f"its own settings, chunks of {chunk_s:g} s"
    return [
        Contender("whisper_streaming", note, lambda: WhisperStreaming(peer), warm),
        Contender(
            "whisper_streaming --vac",
            f"{note}, our voice detector in place of Silero's",
            lambda: WhisperStreamingVac(peer),
            warm,
        ),
    ]


def _compare(bench: _Bench, contenders: list[Contender]) -> bool:
    tallies = [Tally(contender) for contender in contenders]
    yardstick = Yardstick(bench.recognizer, bench.model)
    seconds = bench.settings["audio_s"] * len(tallies)
    complete = True
    try:
        with _progress(seconds) as advance:
            run_all(tallies, yardstick, bench.calls, on_second=advance)
    except KeyboardInterrupt:
        complete = False
    results = [tally.result() for tally in tallies]
    console.print(comparison_table(results))
    for name, rate in yardstick.result().items():
        console.print(f"word errors, {name}: {rate:.1%}")
    for sentence in ratios(results):
        console.print(sentence)
    _write(bench, complete=complete, engines=results, whole_utterance_word_error_rate=yardstick.result())
    if bench.plots is not None and all(result.audio_s for result in results):
        _say_drawn(plot_comparison(bench.plots, results, bench.machine))
    return complete


def _hour(bench: _Bench) -> bool:
    call = bench.calls[0]
    with _progress(call.duration_s) as advance:
        result = run_hour(call, Ours(bench.recognizer, policy="local_agreement"), on_second=lambda: advance(_OURS))
    complete = result.audio_s > call.duration_s - 60.0
    console.print(hour_table(result))
    _write(bench, complete=complete, hour=result)
    if bench.plots is not None:
        _say_drawn([plot_hour(bench.plots, result, bench.machine)])
    return complete


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[str], None]]:
    """A bar of ``seconds`` of audio; what comes out is called, with who hears, after each."""
    columns = (TextColumn("{task.description:26}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=seconds)
        yield lambda name: bar.update(task, advance=1.0, description=name)


def _write(bench: _Bench, **parts: Any) -> None:
    console.print(f"measured on {bench.machine}")
    if bench.json_path is not None:
        write_json(bench.json_path, bench.machine, settings=bench.settings, **parts)
        console.print(f"written: {bench.json_path}")


def _say_drawn(paths: list[Path]) -> None:
    for path in paths:
        console.print(f"drawn: {path}")


if __name__ == "__main__":
    app()
