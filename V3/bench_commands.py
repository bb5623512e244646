"""The command ``bench``: this machine measured, on one page. The measurements are scripts of a checkout."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.text import Text

import V3
from V3.asr.loading import SHIPPED_MODEL, find_model
from V3.errors import ConfigError, VoicebotError

if TYPE_CHECKING:  # scripts/ is there in a checkout only
    from scripts.measures.measurements import Given, Measurement
    from scripts.measures.running import Outcome

__all__ = ["add_bench_command", "stopped_by_signals"]

_ROOT: Final = Path(V3.__file__).resolve().parents[1]
_EXTRAS: Final = ("matplotlib", "psutil", "scipy")
_STYLES: Final = {"measured": "green", "failed": "red", "stopped": "yellow"}

console = Console(highlight=False)
if not console.is_terminal:
    console.width = 130  # a file has no width of its own
errors = Console(stderr=True, highlight=False)


def add_bench_command(app: typer.Typer) -> None:
    """Give ``app`` the command ``bench``."""
    app.command()(bench)


def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="small sizes: some four minutes in all")] = False,
    only: Annotated[
        str, typer.Option(help="of streaming, capacity, answer, barge-in, turns, decisions; with commas between")
    ] = "",
    out: Annotated[Path, typer.Option(help="folder for bench.html, bench.json and each measurement's files")] = Path(
        "bench"
    ),
    model: Annotated[str, typer.Option("--model", help="telephone-fr, small, large-v3-turbo, a directory ...")] = "",
    speech: Annotated[
        Path | None, typer.Option(help="recordings of yours: WAVs, index.jsonl with texts and word times", exists=True)
    ] = None,
    answered: Annotated[
        Path | None, typer.Option(help="answered calls of yours: WAVs and labels.tsv", exists=True)
    ] = None,
) -> None:
    """Measure this machine, and write one page that opens from disk: bench/bench.html.

    What a stream costs and how soon its words come, beside other engines; how
    many calls are heard at once; how well answers and interruptions are told;
    when a turn is over; what a decision costs. In full it takes half an hour or
    more, on a machine that should do nothing else meanwhile: its other work
    would be measured too.

    It works in a checkout of the project with its extra "bench" installed.
    Without recordings of yours, synthetic voices are heard: times and costs are
    then right, word errors say nothing about your callers.

    A measurement that fails is shown with its reason, and the others go on.
    Ctrl-C ends it with what has been measured. Exit status: 0 all was measured,
    1 something failed, 130 Ctrl-C.
    """
    try:
        _look_for_scripts()
        from scripts.measures.measurements import Given, chosen  # noqa: PLC0415 : there since just now

        measurements = chosen(only)
        if model:
            find_model(model)  # said now, not by each measurement
        out.mkdir(parents=True, exist_ok=True)
        outcomes = _measured(measurements, out, Given(model, speech, answered), quick=quick)
    except (VoicebotError, OSError) as exc:
        _fail(exc)
    _end(outcomes, measurements)


def _look_for_scripts() -> None:
    """Make ``scripts`` importable from wherever this is called, or say what is missing."""
    if not (_ROOT / "scripts" / "measures").is_dir():
        raise ConfigError(
            f"bench needs a checkout of the project: its measurements are in scripts/, which an installed package has "
            f"not, and {_ROOT} has none. In a checkout: pip install -e '.[bench]', then python -m V3 bench"
        )
    missing = [name for name in _EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"bench needs {', '.join(missing)}: pip install -e '.[bench]' in {_ROOT}")
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))


def _measured(measurements: Any, out: Path, given: Given, *, quick: bool) -> list[Outcome]:
    """Run one after the other, until Ctrl-C. The page is written after each, so that none is lost whatever comes."""
    from scripts.measures.page import headline, machine_facts, write_bench  # noqa: PLC0415
    from scripts.measures.running import measure  # noqa: PLC0415

    facts = machine_facts(given.model or SHIPPED_MODEL)
    began = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    console.print(Text(", ".join(f"{what}: {which}" for what, which in facts.items()), style="dim"), soft_wrap=True)
    outcomes: list[Outcome] = []
    page = write_bench(out, outcomes, facts, began=began, quick=quick)
    with stopped_by_signals(), suppress(KeyboardInterrupt):
        for number, measurement in enumerate(measurements, start=1):
            _announce(measurement, f"{number} of {len(measurements)}")
            folder = out / measurement.name
            outcome = measure(measurement, folder, given, quick=quick, show=_show, environment=_environment())
            outcomes.append(outcome)
            console.print(Text(f"{outcome.state}: ", style=_STYLES[outcome.state]) + Text(headline(outcome)))
            write_bench(out, outcomes, facts, began=began, quick=quick)
            if outcome.state == "stopped":
                break
    console.print(Text(f"\n{page}"), soft_wrap=True)
    return outcomes


def _announce(measurement: Measurement, place: str) -> None:
    console.rule(f"{place}: {measurement.name}", align="left")
    console.print(Text(measurement.asks, style="dim"))


def _show(piece: bytes) -> None:
    """What a measurement prints goes where our own lines go, as it is: its bars and colours are for this terminal."""
    console.file.flush()
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _environment() -> Mapping[str, str]:
    """A measurement writes into a pipe; where that ends at a terminal, it is told so, and how wide it is."""
    if not console.is_terminal or os.environ.get("NO_COLOR"):
        return {}
    return {"FORCE_COLOR": "1", "COLUMNS": str(console.width), "LINES": str(console.height)}


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal are as good as Ctrl-C; one that is ignored (nohup) stays so."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    changed = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)


def _end(outcomes: list[Outcome], measurements: Any) -> None:
    states = [outcome.state for outcome in outcomes]
    if "stopped" in states or len(outcomes) < len(measurements):
        errors.print("stopped", style="yellow")
        raise typer.Exit(130)
    if "failed" in states:
        failed = [outcome.measurement.name for outcome in outcomes if outcome.state == "failed"]
        errors.print(Text(f"failed: {', '.join(failed)}", style="red"))
        raise typer.Exit(1)


def _fail(error: Exception) -> NoReturn:
    errors.print(Text(f"{type(error).__name__}: {error}", style="red"), soft_wrap=True)
    raise typer.Exit(1)
