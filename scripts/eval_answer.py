#!/usr/bin/env python
"""How well answer detection does: people, machines and silence told apart, on labelled calls or texts.

DIR holds WAVs of answered calls (the callee's side, from the answer on; mono, any rate) and labels.tsv with the columns
file and label (HUMAN, MACHINE or NO_ANSWER); kind and text are used where they are there. Your own recordings are
measured by the same command:

    python scripts/eval_answer.py recordings/ --model large-v3-turbo --out figures

Calls are heard as the robot hears them, by the settings of config/ and the given model. The timing weights are learned
anew without the calls that are judged (--folds; 0 takes the shipped weights as they are). --text FILE judges texts
alone, lines of `label<TAB>text` or `label<TAB>kind<TAB>text`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.answers.accounts import LABELS, Account, Judged
from scripts.answers.bundled import write_calls
from scripts.answers.deciders import keywords_only, timing_moments, timing_only, with_timing, words_only
from scripts.answers.hearing import HeardCall, hear, judge
from scripts.answers.recordings import LabelledCall, read_calls, read_texts
from scripts.answers.training import HAND_TIMING, fit_timing
from scripts.bench.report import Machine
from V3.asr.model import Recognizer
from V3.calls.answer import AnswerDecider
from V3.calls.answer_policy import AnswerRules
from V3.config import load_robot
from V3.errors import VoicebotError
from V3.system.services.amd_service import AMDService
from V3.system.services.websocket_audio_server import answer_rules

console = Console(highlight=False)
if not console.is_terminal:
    console.width = 160  # a file has no width of its own
ABLATIONS = {
    "all signals": lambda decider: decider,
    "words alone": words_only,
    "keywords alone": keywords_only,
    "timing alone": timing_only,
}


def main(
    folder: Annotated[Path | None, typer.Argument(help="labelled calls", metavar="DIR")] = None,
    text: Annotated[Path | None, typer.Option(help="labelled texts, judged without audio")] = None,
    bundled: Annotated[  # noqa: FBT002
        bool, typer.Option("--bundled", help="hear the few answers that come with this checkout")
    ] = False,
    most: Annotated[int, typer.Option(help="calls to hear; 0: all", min=0)] = 0,
    model: Annotated[str, typer.Option(help="recogniser")] = "telephone-fr",
    folds: Annotated[int, typer.Option(help="parts of the cross-validation of the timing weights; 0: none")] = 5,
    config: Annotated[Path | None, typer.Option(help="settings; config/robot.yaml by default")] = None,
    wrong: Annotated[int, typer.Option(help="so many wrong verdicts are shown with their evidence")] = 20,
    out: Annotated[Path | None, typer.Option(help="folder for answer.json and answer.png")] = None,
) -> None:
    """Measure answer detection on labelled calls, or on labelled texts."""
    if folder is None and text is None and not bundled:
        raise typer.BadParameter("give a folder of labelled calls, --bundled, or --text FILE")
    try:
        found: dict[str, Any] = {}
        if text is not None:
            found["texts"] = _texts(text, wrong)
        with tempfile.TemporaryDirectory(prefix="answers-") as workspace:
            if bundled:
                folder = Path(workspace) / "bundled"
                write_calls(folder)
            if folder is not None:
                calls = read_calls(folder)[: most or None]
                settings = load_robot(config)
                recognizer = Recognizer.load(model, cpu_threads=1, beam_size=settings.stt.beam_size)
                rules = answer_rules(settings.answer)
                found["calls"] = _calls(folder.name, calls, recognizer, folds, rules, wrong, out)
    except VoicebotError as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red")
        raise typer.Exit(1) from None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "answer.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        console.print(f"written: {out / 'answer.json'}")


def _texts(path: Path, wrong: int) -> dict[str, Any]:
    decider = AMDService().decider
    found: dict[str, Any] = {}
    for name, ablated in (("all words", decider), ("keywords alone", keywords_only(decider))):
        judged = [Judged(line.text, line.label, line.kind, ablated.decide(line.text)) for line in read_texts(path)]
        account = Account(judged)
        _show(f"{path.name}: {name}", account, timed=False)
        found[name] = account.as_json()
        if ablated is decider:
            _show_wrong(judged, wrong)
    return found


def _calls(
    name: str,
    calls: Sequence[LabelledCall],
    recognizer: Recognizer,
    folds: int,
    rules: AnswerRules,
    wrong: int,
    out: Path | None,
) -> dict[str, Any]:
    decider = AMDService().decider
    heard = [
        hear(call, recognizer, decider, window_ms=rules.window_ms)
        for call in track(calls, "hearing the calls", console=console)
    ]
    machine = Machine.of(recognizer.info)
    found: dict[str, Any] = {"machine": str(machine), "folds": folds, "data": name}
    accounts = {}
    for signals, ablate in ABLATIONS.items():
        judged = _judged(heard, decider, rules, folds, ablate)
        accounts[signals] = Account(judged)
        _show(f"{name}: {signals}", accounts[signals], timed=True)
        found[signals] = accounts[signals].as_json()
        if signals == "all signals":
            _show_wrong(judged, wrong)
    decodes = sorted(call.decode_ms for call in heard)
    found["window_decode_ms_median"] = round(decodes[len(decodes) // 2], 1)
    console.print(f"one decode of the window: {found['window_decode_ms_median']} ms (median)")
    console.print(f"measured on {machine}")
    if out is not None:
        from scripts.answers.plots import plot_answers  # noqa: PLC0415 : matplotlib is for --out alone

        console.print(f"written: {plot_answers(out, accounts, machine)}")
    return found


def _judged(
    heard: list[HeardCall], decider: AnswerDecider, rules: AnswerRules, folds: int, ablate: Any
) -> list[Judged]:
    """Each call judged by timing weights that were learned without it."""
    parts = [heard[start::folds] for start in range(folds)] if folds > 1 else [heard]
    found = []
    for part in parts:
        taught = [call for call in heard if call not in part]
        tuned = decider
        if folds > 1:
            tuned = with_timing(decider, fit_timing(timing_moments(taught), words_only(decider), HAND_TIMING))
        for call in part:
            verdicts = judge(call, ablate(tuned), rules)
            at_ms, first = verdicts[0]
            found.append(Judged(call.call.name, call.call.label, call.call.kind, first, at_ms, verdicts[-1][1]))
    return found


def _show(title: str, account: Account, *, timed: bool) -> None:
    figures = account.as_json()
    low, high = figures["accuracy_95"]
    lost, people = account.false_machines
    console.print(f"\n{title}", style="bold")
    rate = f" ({lost / people:.1%})" if people else ""
    console.print(f"people hung up on: {lost} of {people}{rate}")
    console.print(f"right: {account.accuracy:.1%} of {figures['samples']} (95 % interval {low:.1%} to {high:.1%})")
    if timed:
        console.print(f"right after revisions: {figures['right_after_revisions']} of {figures['samples']}")
        for name, times in figures["time_to_verdict_ms"].items():
            console.print(
                f"time to the verdict, {name}: median {times['median']} ms, 95 % {times['p95']}, most {times['max']}"
            )
    table = Table("was", *(f"said {label}" for label in LABELS))
    for was in LABELS:
        table.add_row(str(was), *(str(account.confusion.get((str(was), str(said)), 0)) for said in LABELS))
    console.print(table)
    console.print(
        "by kind: " + ", ".join(f"{kind} {hits}/{total}" for kind, (hits, total) in account.by_kind().items())
    )
    shown = "; ".join(f"{mean:.0%} sure: {share:.0%} right ({number})" for mean, share, number in account.calibration())
    console.print(f"confidence: {shown}")


def _show_wrong(judged: list[Judged], most: int) -> None:
    for each in [one for one in judged if not one.right][:most]:
        console.print(f"  {each.name!r} was {each.label} ({each.kind or '-'}), taken for {each.verdict.label} "
                      f"({each.verdict.confidence:.2f}): {each.verdict.text!r}", markup=False)  # fmt: skip
        console.print(f"      {'; '.join(each.verdict.evidence)}", style="dim", markup=False)


if __name__ == "__main__":
    typer.run(main)
