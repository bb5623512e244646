#!/usr/bin/env python
"""Tune the weights of answer detection: ``config/amd_fr.yaml`` and ``config/amd_fr_cues.tsv``.

Words are learned from labelled texts (``label<TAB>kind<TAB>text`` lines; tests/data/answers_fr_tuning*.tsv by default),
timing from labelled calls (a folder as scripts/eval_answer.py takes it). Nothing is written without --write. The same
files give the same weights.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import typer
from rich.console import Console
from rich.progress import track

from scripts.answers.deciders import timing_moments, tuned, with_timing
from scripts.answers.hearing import hear
from scripts.answers.recordings import read_calls, read_texts
from scripts.answers.training import (
    HAND_CLASS_WEIGHTS,
    HAND_TIMING,
    WordModel,
    fit_timing,
    fit_words,
    text_samples,
)
from V3.asr.model import Recognizer
from V3.calls.answer import AnswerDecider, AnswerLabel
from V3.config import CONFIG_DIR, RobotConfig, load_keywords
from V3.errors import VoicebotError
from V3.system.services.amd_service import AMDService

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
PRIOR = CONFIG_DIR / "amd_fr.yaml"
console = Console(highlight=False)


def main(
    calls: Annotated[Path | None, typer.Argument(help="folder of labelled calls, for the timing weights")] = None,
    texts: Annotated[list[Path] | None, typer.Option(help="labelled texts; default: the bundled tuning sets")] = None,
    held: Annotated[Path, typer.Option(help="labelled texts to measure on, never learned from")] = (
        DATA / "answers_fr_held.tsv"
    ),
    model: Annotated[str, typer.Option(help="recogniser that hears the calls")] = "telephone-fr",
    write: Annotated[bool, typer.Option("--write", help="write the weights into config/")] = False,  # noqa: FBT002
) -> None:
    """Tune the weights of answer detection, and say how well they do on texts they were not tuned on."""
    try:
        _train(calls, texts or sorted(DATA.glob("answers_fr_tuning*.tsv")), held, model, write=write)
    except VoicebotError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red")
        raise typer.Exit(1) from None


def _train(calls: Path | None, texts: list[Path], held: Path, model: str, *, write: bool) -> None:
    base = AMDService(PRIOR).decider
    lines = [line for path in texts for line in read_texts(path)]
    prior = {group.name: HAND_CLASS_WEIGHTS.get(group.name, 1.0) for group in base.machine}
    prior |= {group.name: HAND_CLASS_WEIGHTS.get(group.name, -1.0) for group in base.human}
    with console.status(f"learning words from {len(lines)} texts"):
        words = fit_words(text_samples(lines, base), prior)
    decider = tuned(base, words)
    timing = dict(base.timing)
    if calls is not None:
        recognizer = Recognizer.load(model, cpu_threads=1, beam_size=RobotConfig().stt.beam_size)
        heard = [
            hear(call, recognizer, base) for call in track(read_calls(calls), "hearing the calls", console=console)
        ]
        timing = fit_timing(timing_moments(heard), decider, HAND_TIMING)
    decider = with_timing(decider, timing)
    _report(decider, words, timing, held)
    if write:
        _write(words, timing)
        console.print("written to config/amd_fr.yaml and config/amd_fr_cues.tsv")


def _report(decider: AnswerDecider, words: WordModel, timing: dict[str, float], held: Path) -> None:
    console.print(f"{len(words.cues)} cues, bias {words.bias:+.2f}")
    for name, weight in sorted({**words.classes, **timing}.items(), key=lambda item: -item[1]):
        console.print(f"  {name:18} {weight:+.2f}")
    lines = read_texts(held)
    right = sum(decider.decide(line.text).label is line.label for line in lines)
    people = [line for line in lines if line.label is AnswerLabel.HUMAN]
    lost = sum(decider.decide(line.text).label is AnswerLabel.MACHINE for line in people)
    console.print(f"{held.name}: {right / len(lines):.1%} of {len(lines)} right; {lost} of {len(people)} people lost")


def _write(words: WordModel, timing: dict[str, float]) -> None:
    path = CONFIG_DIR / "amd_fr.yaml"
    text = re.sub(r"(?m)^bias: .*$", f"bias: {words.bias:.2f}", path.read_text(encoding="utf-8"))
    for name, weight in timing.items():
        text = re.sub(rf"(?m)^(  {name}): .*$", rf"\g<1>: {weight:.2f}", text)
    settings = load_keywords(path)
    for name in (*settings.machine, *settings.human):
        weight = abs(words.classes.get(name, 0.0))
        pattern = rf"(?m)^(  {name}:\n(?:    kind: \w+\n)?    weight:) .*$"
        text = re.sub(pattern, rf"\g<1> {max(0.05, weight):.2f}", text)
    path.write_text(text, encoding="utf-8")
    cues = sorted(words.cues.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{cue}\t{weight:.3f}" for cue, weight in cues if abs(weight) >= 0.0005]
    head = [
        "# Learned by scripts/train_answer.py: what short runs of words (=) and of sounds (~) say, in log odds for a",
        "# machine. Words are written as they sound (V3/calls/sound_key.py); ^ is the beginning of the answer.",
    ]
    (CONFIG_DIR / "amd_fr_cues.tsv").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
