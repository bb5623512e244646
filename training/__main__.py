"""Run one step of the recipe: ``python -m training STEP --help``.

In this order (WORK is a folder of yours, some GB):
  corpus WORK              texts: training and held-out
  synthesis WORK           the texts spoken, 8 kHz, with word times
  train WORK               weights, with checkpoints; run again to go on
  heads WORK               alignment heads by word-time error
  export WORK OUT          a CTranslate2 directory
  evaluate MODEL FOLDER... figures as JSON
  card WORK OUT            the model card
  smoke                    all of it, tiny, in a minute
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

_HELP: Final = (__doc__ or "").replace("In this order", "\b\nIn this order")  # \b: click keeps the lines that follow

app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)

_SHIPPED: Final = Path(__file__).resolve().parent.parent / "V3" / "models" / "telephone-fr"
Work = Annotated[Path, typer.Argument(help="folder for corpus, clips and checkpoints")]
Tokenizer = Annotated[Path, typer.Option(help="tokenizer.json; weights go on only with the one they were trained with")]


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _emphasis(told: str) -> dict[str, float]:
    """``backchannel=4,stop=2`` as a table."""
    try:
        return {
            name.strip(): float(times) for name, _, times in (part.partition("=") for part in told.split(",") if part)
        }
    except ValueError:
        raise typer.BadParameter(f"{told!r}: CATEGORY=TIMES, with commas between") from None


@app.command()
def corpus(work: Work, utterances: int = 60_000, held_out: int = 1500, seed: int = 1) -> None:
    """Draw the texts."""
    from training.corpus import generate, write_corpus  # noqa: PLC0415 : each step loads what it needs

    counts = write_corpus(work / "corpus_train.jsonl", generate(utterances, seed=seed))
    write_corpus(work / "corpus_held.jsonl", generate(held_out, seed=seed, held_out=True))
    _write(work / "corpus.json", counts | {"seed": seed})
    typer.echo(json.dumps(counts, ensure_ascii=False))


@app.command()
def synthesis(work: Work, seed: int = 1, processes: int = os.cpu_count() or 1) -> None:
    """Speak the texts; goes on where it was stopped."""
    from training.corpus import read_corpus  # noqa: PLC0415
    from training.synthesis import synthesize  # noqa: PLC0415

    for name, folder, held_out in (("corpus_held", "held", True), ("corpus_train", "clips", False)):
        texts = read_corpus(work / f"{name}.jsonl")
        for shard, seconds in synthesize(work / folder, texts, seed=seed, held_out=held_out, processes=processes):
            typer.echo(f"{folder} {shard}: {seconds / 60:.0f} min of speech")


@app.command()
def train(
    work: Work,
    steps: Annotated[int, typer.Option(help="step to end at, counted from the first")] = 12_000,
    cooldown: int = 1500,
    learning_rate: float = 1.5e-3,
    run: Annotated[str, typer.Option(help="name of the run's folder in WORK")] = "run",
    init: Annotated[
        Path | None,
        typer.Option(help="begin from a weights.npz, or fine-tune a Whisper in Hugging Face's layout (a folder)"),
    ] = None,
    width: int = 192,
    encoder_layers: int = 4,
    decoder_layers: int = 3,
    threads: int = os.cpu_count() or 1,
    data_processes: Annotated[int, typer.Option(help="processes that make windows; 0: none but this one")] = 0,
    device: str = "cpu",
    stop_at_s: Annotated[float, typer.Option(help="stop with a checkpoint after so long; 0: never")] = 0.0,
    seed: int = 1,
    tokenizer: Tokenizer = _SHIPPED / "tokenizer.json",
    emphasis: Annotated[
        str, typer.Option(help="draw clips of a category so many times as often: backchannel=4,stop=2")
    ] = "",
) -> None:
    """Train, or go on from the run's checkpoint."""
    from training.batches import BatchSource  # noqa: PLC0415
    from training.checkpoints import read_checkpoint, read_shape  # noqa: PLC0415
    from training.model import Shape  # noqa: PLC0415
    from training.tokens import Tokens  # noqa: PLC0415
    from training.train import TrainSettings  # noqa: PLC0415
    from training.train import train as run_training  # noqa: PLC0415
    from training.windows import WindowSettings  # noqa: PLC0415

    initial: dict[str, Any] | None
    if init is not None and init.is_dir():
        shape, initial, tokenizer = read_shape(init), read_checkpoint(init), init / "tokenizer.json"
    else:
        initial = dict(np.load(init)) if init is not None else None
        layers = {"encoder_layers": encoder_layers, "decoder_layers": decoder_layers}
        shape = Shape(width=width, heads=max(1, width // 64), vocabulary=Tokens(tokenizer).size, **layers)
    settings = TrainSettings(
        steps=steps, cooldown=cooldown, learning_rate=learning_rate, threads=threads, data_processes=data_processes,
        device=device, stop_at_s=stop_at_s, seed=seed,
    )  # fmt: skip
    windows = WindowSettings(emphasis=_emphasis(emphasis))
    source = BatchSource(work / "clips", tokenizer, seed=seed, windows=windows)
    run_training(work / run, source, shape, settings, initial=initial, say=typer.echo)


@app.command()
def heads(work: Work, run: str = "run", clips: int = 120, tokenizer: Tokenizer = _SHIPPED / "tokenizer.json") -> None:
    """Choose alignment heads."""
    from training.heads import choose_heads, timed_recordings  # noqa: PLC0415

    weights = dict(np.load(work / run / "weights.npz"))
    recordings = timed_recordings(work / "held", clips)
    chosen = choose_heads(weights, tokenizer, work / run / "heads", recordings, say=typer.echo)
    _write(work / run / "heads.json", chosen)


@app.command()
def export(
    work: Work,
    out: Path,
    run: str = "run",
    quantization: str = "int8",
    tokenizer: Tokenizer = _SHIPPED / "tokenizer.json",
) -> None:
    """Write the CTranslate2 directory (int8, float16 or float32)."""
    from typing import cast  # noqa: PLC0415

    from training.export import Quantization  # noqa: PLC0415
    from training.export import export as write  # noqa: PLC0415

    pairs = [(int(layer), int(head)) for layer, head in _read(work / run / "heads.json") or []]
    weights = dict(np.load(work / run / "weights.npz"))
    write(weights, tokenizer, out, quantization=cast("Quantization", quantization), alignment_heads=pairs)
    typer.echo(str(out))


@app.command()
def evaluate(
    model: Path,
    folders: list[Path],
    held_out: Annotated[Path | None, typer.Option(help="shards of held-out voices and shapes (WORK/held)")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG of how far confidence is to be trusted")] = None,
    threads: int = 1,
) -> None:
    """Measure a CTranslate2 directory on folders of WAVs with texts."""
    from training.evaluate import evaluate as measure  # noqa: PLC0415
    from training.plots import plot_reliability  # noqa: PLC0415

    results = measure(model, folders, held_out=held_out, threads=threads)
    if out is not None:
        _write(out, results)
    timed = next((folder.name for folder in folders if "confidence" in results[folder.name]), None)
    if plot is not None and timed is not None:
        plot_reliability(plot, results, folder=timed)
    typer.echo(json.dumps(results, indent=1, ensure_ascii=False))


@app.command()
def card(
    work: Work,
    out: Path,
    results: Annotated[Path, typer.Argument(help="what evaluate wrote")],
    run: str = "run",
    before: Annotated[Path | None, typer.Option(help="what evaluate wrote for the model before")] = None,
    name: str = "telephone-fr",
    note: Annotated[str, typer.Option(help="a sentence on the run, such as what it went on from")] = "",
) -> None:
    """Write OUT/CARD.md from the corpus, the run and RESULTS."""
    from training.card import CardFacts, write_card  # noqa: PLC0415
    from training.synthesis import HELD_OUT_VARIANTS, VARIANTS  # noqa: PLC0415

    facts = CardFacts(
        name=name,
        date=time.strftime("%Y-%m-%d"),
        machine=f"{os.cpu_count()} CPU cores, {platform.machine()}",
        voices=len(VARIANTS),
        held_out=", ".join(HELD_OUT_VARIANTS),
        corpus=_read(work / "corpus.json"),
        run=_read(work / run / "run.json"),
        results=_read(results),
        before=_read(before) if before is not None else {},
        heads=", ".join(str(tuple(pair)) for pair in _read(work / run / "heads.json") or []),
        note=note,
    )
    (out / "CARD.md").write_text(write_card(facts), encoding="utf-8")


@app.command()
def smoke(work: Work, utterances: int = 30, steps: int = 10) -> None:
    """Every step once, tiny: shows that the machinery works, not that it learns."""
    from training.smoke import smoke as run_smoke  # noqa: PLC0415

    typer.echo(run_smoke(work, utterances=utterances, steps=steps))


if __name__ == "__main__":
    app()
