"""How the robot takes being interrupted: simulated dialogues with known truth, held by the real robot in real time.

    python scripts/eval_barge_in.py
    python scripts/eval_barge_in.py --dialogues 1000 --out figures
    python scripts/eval_barge_in.py --own my_recordings --config my_robot.yaml

See docs/barge-in.md, and scripts/barge/ for what is planned, how it is judged and what is counted.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncio
import logging
import tempfile
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scripts.barge.accounts import Tally, resumes_of, tally
from scripts.barge.dialogues import PROMPT, Dialogue, Kind, plan
from scripts.barge.plots import plot_barge_in
from scripts.barge.runs import Held, hold, robot_config
from scripts.barge.sounds import KINDS, load_bundled, load_own, replaced
from scripts.barge.tables import (
    by_condition_table,
    headlines,
    ignored_line,
    kind_table,
    resumes_line,
    voids_line,
    wrong_table,
)
from scripts.barge.verdicts import Verdict, judge
from scripts.bench.report import Machine, write_json
from V3.config import RobotConfig, config_dir
from V3.errors import VoicebotError
from V3.simulator.sound import load_sound
from V3.system.assembly import load_stt
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, markup=False)
if not console.is_terminal:
    console.width = 180  # a file has no width of its own


@app.command()
def main(
    dialogues: Annotated[int, typer.Option(help="how many; 200 take some four minutes at 16 at once")] = 200,
    seed: Annotated[int, typer.Option(help="the same seed plans the same dialogues")] = 1,
    at_once: Annotated[
        int, typer.Option(help="calls at the same time; fewer if the machine cannot keep up", min=1)
    ] = 16,
    model: Annotated[str, typer.Option(help="telephone-fr, a directory, small, ...; empty: as configured")] = "",
    config: Annotated[Path | None, typer.Option(help="a robot.yaml of your own; else the defaults")] = None,
    own: Annotated[Path | None, typer.Option(help=f"your recordings, in subfolders {', '.join(KINDS)}")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for barge_in.json, barge_in.png and the log")] = None,
    wrong: Annotated[int, typer.Option(help="show so many of the dialogues that went wrong", min=0)] = 20,
) -> None:
    """Let callees interrupt, hum, cough and echo over a prompt, and count what the robot made of it.

    Everything but the telephone is real: robot, recogniser, WebSockets, event socket. In each dialogue somebody
    answers, a prompt of ten seconds begins, and at a random moment one thing happens: an interruption or a stop word
    (with echo or without), which must stop the prompt for good; or a backchannel, a noise, the robot's own echo, talk
    beside the telephone, or nothing, after which it must go on. "paused and resumed" is a stop that was taken back.

    Times count from the first audible moment of the callee's sound to the silence that the callee heard. Run it on a
    quiet machine: what a busy one adds is counted too. With --own your recordings take the place of the bundled
    synthetic voices: folder/interruption/*.wav, folder/backchannel/*.wav and so on, in any format and rate.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="own-sounds-") as workspace:
            planned = _planned(dialogues, own, Path(workspace), seed=seed)
            settings = robot_config(config, model=model)
            _log_into(out)
            with load_stt(settings) as stt:
                machine = Machine.of(stt.info)
                verdicts = _held(planned, stt, settings, at_once=at_once, seed=seed)
    except VoicebotError as exc:
        console.print(f"{type(exc).__name__}: {exc}")
        raise typer.Exit(1) from exc
    if verdicts:
        _show(verdicts, machine, wrong=wrong)
        _write(verdicts, machine, settings, out, seed=seed, at_once=at_once, planned=len(planned))


def _planned(dialogues: int, own: Path | None, workspace: Path, *, seed: int) -> list[Dialogue]:
    sounds = load_bundled()
    if own is not None:
        sounds = replaced(sounds, load_own(own, workspace))
    prompt_ms = load_sound(config_dir() / "scenarios" / "prompts" / PROMPT).duration_ms
    return plan(dialogues, sounds, prompt_ms=prompt_ms, seed=seed)


def _held(
    planned: Sequence[Dialogue], stt: WhisperStreamingSTT, settings: RobotConfig, *, at_once: int, seed: int
) -> list[Verdict]:
    """Hold them under a progress bar; Ctrl-C ends it with what has been held so far."""
    verdicts: list[Verdict] = []
    columns = (TextColumn("dialogues"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=len(planned))

        def note(held: Held) -> None:
            verdicts.append(judge(held.dialogue, held.report, held.truth, shift_ms=held.shift_ms))
            bar.advance(task)

        try:
            asyncio.run(hold(planned, stt, settings, at_once=at_once, seed=seed, on_held=note))
        except KeyboardInterrupt:
            console.print("stopped: these were held")
    return sorted(verdicts, key=lambda verdict: verdict.number)


def _by_kind(verdicts: Sequence[Verdict]) -> dict[Kind, Tally]:
    return {kind: tally(kind.replace("_", " "), [v for v in verdicts if v.kind is kind]) for kind in Kind}


def _interruptions(verdicts: Sequence[Verdict]) -> Tally:
    return tally("all interruptions", [verdict for verdict in verdicts if verdict.kind.wants_stop])


def _by_condition(verdicts: Sequence[Verdict], kind: Kind) -> list[Tally]:
    chosen = [verdict for verdict in verdicts if verdict.kind is kind]
    conditions = sorted({verdict.condition for verdict in chosen})
    return [tally(name, [verdict for verdict in chosen if verdict.condition == name]) for name in conditions]


def _show(verdicts: Sequence[Verdict], machine: Machine, *, wrong: int) -> None:
    by_kind, interruptions = _by_kind(verdicts), _interruptions(verdicts)
    console.print(kind_table([*by_kind.values(), interruptions]))
    for kind in (Kind.ECHO, Kind.ECHO_INTERRUPTION, Kind.SIDE_TALK, Kind.NOISE, Kind.BACKCHANNEL):
        console.print(by_condition_table(kind.replace("_", " "), _by_condition(verdicts, kind)))
    if wrong and (table := wrong_table(verdicts, most=wrong)) is not None:
        console.print(table)
    lines = (resumes_line(resumes_of(verdicts)), ignored_line(verdicts), voids_line(verdicts))
    for line in (*headlines(by_kind, interruptions), *lines):
        if line:
            console.print(line)
    console.print(f"measured on {machine}")


def _write(
    verdicts: Sequence[Verdict], machine: Machine, settings: RobotConfig, out: Path | None, *, seed: int, at_once: int,
    planned: int,
) -> None:  # fmt: skip
    if out is None:
        return
    by_kind = _by_kind(verdicts)
    path = out / "barge_in.json"
    write_json(
        path,
        machine,
        seed=seed,
        at_once=at_once,
        planned=planned,
        barge_in=settings.barge_in.model_dump(mode="json"),
        interruptions=_interruptions(verdicts),
        kinds=dict(by_kind),
        conditions={kind: _by_condition(verdicts, kind) for kind in Kind},
        resumes=resumes_of(verdicts),
        dialogues=verdicts,
    )
    timed = [one for kind, one in by_kind.items() if kind.wants_stop]
    drawn = plot_barge_in(out, list(by_kind.values()), timed, machine)
    console.print(f"written: {path}, {drawn}")


def _log_into(out: Path | None) -> None:
    """What the robot warns of goes beside the figures, not among them."""
    if out is None:
        logging.getLogger("V3").addHandler(logging.NullHandler())
        return
    out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=out / "barge_in.log", filemode="w", format="%(asctime)s %(name)s %(message)s")


if __name__ == "__main__":
    app()
