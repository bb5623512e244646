"""The commands about models: ``models`` lists what is on this machine, ``convert`` makes one of a user's checkpoint."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from V3.asr.convert import convert as convert_checkpoint
from V3.asr.shelf import MODELS_FOLDER, ShelvedModel, describe, list_models
from V3.errors import VoicebotError

__all__ = ["add_model_commands", "model_table"]

_WINDOWS = {"auto": "short", "full": "30 s", None: "?"}

console = Console(highlight=False)
if not console.is_terminal:
    console.width = 130  # a file has no width of its own
errors = Console(stderr=True, highlight=False)


def add_model_commands(app: typer.Typer) -> None:
    """Give ``app`` the commands ``models`` and ``convert``."""
    app.command()(models)
    app.command()(convert)


def models(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="look here and below, instead of ./models and the downloaded ones"),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="for programs: one JSON list, sizes in bytes")] = False,
) -> None:
    """List the models on this machine: what --model takes, and whether its files are whole.

    Shown are the shipped telephone-fr, every CTranslate2 Whisper in ./models,
    and those that were downloaded by name into the Hugging Face cache; with
    FOLDERs, what is in them and below instead. No model is loaded.

    "windows" is what a decode hears: "short" is as long as the speech, "30 s"
    always 30 s, which takes a CPU much longer.
    """
    try:
        found = list_models(folders or [])
    except VoicebotError as exc:
        _fail(exc)
    if as_json:
        rows = [dataclasses.asdict(model) | {"directory": str(model.directory)} for model in found]
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    console.print(model_table(found))
    where = "" if folders else f" ({MODELS_FOLDER}/ is looked through, and what was downloaded)"
    console.print(f"use one: python -m V3 transcribe FILE --model NAME{where}", soft_wrap=True)


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="a Hugging Face directory, or an OpenAI .pt file")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the directory to make, such as models/NAME")],
    *,
    quantization: Annotated[str, typer.Option(help="int8, int8_float16, float16 or float32")] = "int8",
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a tokenizer.json; .pt files have none, so they need it")
    ] = None,
    short_context: Annotated[
        bool, typer.Option("--short-context", help="it was trained for windows shorter than 30 s (FUTO's ACFT)")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="replace the model that is at OUT")] = False,
) -> None:
    r"""Convert a Whisper checkpoint of yours for --model: fine-tuned, distilled or OpenAI's own.

    SOURCE is a Hugging Face directory (config.json, model.safetensors or its
    shards, tokenizer.json) or a .pt file of openai-whisper.

    Needed besides: pip install 'V3\[convert]', and torch for .pt files.

    int8 is small, and for CPUs; float16 is for GPUs; int8_float16 is small, and
    for GPUs; float32 is for comparisons.

    Pass --short-context only for a checkpoint that was trained so: any other
    loops or leaves out words.

    The result is loaded once, and what it makes of two bundled words ("Oui
    bonjour") is shown: judge by that.
    """
    try:
        with _signals_as_ctrl_c(), console.status("converting") as status:
            done = convert_checkpoint(
                source,
                out,
                quantization=quantization,
                tokenizer=tokenizer,
                short_context=short_context,
                force=force,
                say=lambda step: status.update(Text(step)),
            )
    except (VoicebotError, OSError) as exc:
        _fail(exc)
    except KeyboardInterrupt:
        errors.print("stopped; nothing was left behind", style="yellow")
        raise typer.Exit(130) from None
    console.print(model_table([describe(done.directory)]))
    _print_heard(done.heard)
    console.print(Text(f"use it: python -m V3 transcribe FILE --model {out}"), soft_wrap=True)
    console.print(Text(f"in config/robot.yaml: stt: {{model: {out}}}"), soft_wrap=True)


def model_table(found: list[ShelvedModel]) -> Table:
    """One row for each model."""
    table = Table()
    table.add_column("model", overflow="fold")
    for heading in ("size", "parameters", "mel bands"):
        table.add_column(heading, justify="right")
    for heading in ("languages", "numbers", "windows"):
        table.add_column(heading)
    table.add_column("files", overflow="fold")
    for model in found:
        table.add_row(
            Text(model.name),
            _size(model.size_bytes),
            "?" if model.parameters is None else f"{model.parameters / 1e6:.1f} M",
            str(model.mel_bands or "?"),
            _languages(model.languages),
            model.quantization or "?",
            _WINDOWS[model.audio_context],
            Text("; ".join(model.faults), style="red") if model.faults else Text("whole", style="green"),
        )
    return table


@contextmanager
def _signals_as_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal clean up, too: a model half-written beside its place may have gigabytes."""
    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_heard(heard: str) -> None:
    if heard:
        console.print(Text(f"in the bundled words (Oui bonjour) it hears: {heard}"))
    else:
        errors.print("it loads, but hears nothing in the bundled words (Oui bonjour)", style="yellow")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def _languages(count: int | None) -> str:
    if count is None:
        return "?"
    return "English" if count == 1 else str(count)


def _fail(error: BaseException) -> NoReturn:
    errors.print(Text(f"{type(error).__name__}: {error}", style="red"))
    raise typer.Exit(1)
