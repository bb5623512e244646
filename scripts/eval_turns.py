#!/usr/bin/env python
"""When a turn is taken for over: how soon after the last word, and how often inside a number.

DIR holds WAVs with index.jsonl (file, text, category, words with start_s and end_s); without one the sounds that come
with this checkout are heard. Each utterance is heard as a call hears it, followed by 2 s of silence; numbers are heard
once more with a pause inside (at a word boundary, --pause ms: people spell telephone numbers so). The turn's rules
(config/robot.yaml, `turns`) stand beside a fixed silence of the usual length.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.bench.material import DATA, read_index
from scripts.bench.report import Machine, write_json
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS, Audio
from V3.calls.turns import TurnRules, turn_silence
from V3.config import load_robot
from V3.errors import ConfigError, VoicebotError
from V3.events import SpeechEnded
from V3.system.assembly import turn_rules
from V3.system.services.audio_files import read_audio

console = Console(highlight=False)
if not console.is_terminal:
    console.width = 160  # a file has no width of its own
TAIL_MS = 2000


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance: its audio with silence after it, when its last word ends, and where words end before that."""

    name: str
    kind: str
    audio: Audio
    end_ms: float
    joints_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """When it was taken for over: ms after its last word, and whether that came before it."""

    kind: str
    after_ms: float
    cut: bool


def read_turns(folder: Path) -> list[Turn]:
    """Every utterance of a folder with word times. Raises ConfigError where there is none."""
    turns = []
    for entry in read_index(folder):
        if words := entry["words"]:
            audio = np.asarray(read_audio(folder / entry["file"]), dtype=np.float32)
            silence = np.zeros(TAIL_MS * SAMPLES_PER_MS, dtype=np.float32)
            ends = [1000 * word["end_s"] for word in words if any(map(str.isalnum, word["word"]))]
            kind = entry.get("category") or entry.get("kind") or "all"
            turns.append(Turn(entry["file"], kind, np.concatenate([audio, silence]), ends[-1], tuple(ends[:-1])))
    if not turns:
        raise ConfigError(f"{folder} has no utterance with word times")
    return turns


def with_pause(turn: Turn, pause_ms: int, rng: np.random.Generator) -> Turn:
    """The utterance with silence between two of its words."""
    at_ms = float(rng.choice(turn.joints_ms))
    at = int(at_ms * SAMPLES_PER_MS)
    silence = np.zeros(pause_ms * SAMPLES_PER_MS, dtype=np.float32)
    audio = np.concatenate([turn.audio[:at], silence, turn.audio[at:]])
    return Turn(turn.name, f"{turn.kind}, paused", audio, turn.end_ms + pause_ms, turn.joints_ms)


def hear(turn: Turn, recognizer: Recognizer, rules: TurnRules | None, usual_ms: int) -> Heard:
    """Hear an utterance to its end."""
    session = StreamingSession(
        turn.name, mel_bands=recognizer.info.mel_bands, endpoint_ms=usual_ms,
        endpoint=turn_silence(rules) if rules is not None else None,
    )  # fmt: skip
    ends: list[int] = []
    for start in range(0, turn.audio.size, FRAME_SAMPLES):
        session.push(turn.audio[start : start + FRAME_SAMPLES])
        while (request := session.next_request()) is not None:
            session.complete(request, recognizer.decode([request])[0])
        ends += [event.at_ms for event in session.take_events() if isinstance(event, SpeechEnded)]
    after = [end - turn.end_ms for end in ends]
    last = max(after, default=float(TAIL_MS))
    return Heard(turn.kind, last, len([each for each in after if each < 100]) > 0)


def main(
    folder: Annotated[Path, typer.Argument(help="utterances with word times", metavar="DIR")] = DATA,
    model: Annotated[str, typer.Option(help="recogniser")] = "telephone-fr",
    pause: Annotated[int, typer.Option(help="ms of silence put into numbers")] = 800,
    seed: Annotated[int, typer.Option(help="where the pauses go")] = 1,
    most: Annotated[int, typer.Option(help="utterances to hear; 0: all", min=0)] = 0,
    config: Annotated[Path | None, typer.Option(help="settings; config/robot.yaml by default")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="write the figures to this file")] = None,
) -> None:
    """Measure the end of turns on utterances with word times."""
    try:
        settings = load_robot(config)
        rules = turn_rules(settings)
        turns = read_turns(folder)[: most or None]
        recognizer = Recognizer.load(model, cpu_threads=1, beam_size=settings.stt.beam_size)
    except (VoicebotError, OSError) as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red")
        raise typer.Exit(1) from None
    rng = np.random.default_rng(seed)
    turns += [with_pause(turn, pause, rng) for turn in turns if turn.kind == "number" and turn.joints_ms]
    by_kind: dict[str, list[tuple[Heard, Heard]]] = {}
    for turn in track(turns, "hearing", console=console):
        pair = hear(turn, recognizer, rules, rules.usual_ms), hear(turn, recognizer, None, rules.usual_ms)
        by_kind.setdefault(turn.kind, []).append(pair)
    plain = [pair for kind, pairs in by_kind.items() if not kind.endswith("paused") for pair in pairs]
    rows = [_row(kind, pairs) for kind, pairs in {"all, as spoken": plain, **by_kind}.items()]
    machine = Machine.of(recognizer.info)
    console.print(_table(rows))
    console.print(f"ms from the end of the last word to the end of the turn; measured on {machine}")
    if json_path is not None:
        write_json(json_path, machine, seed=seed, pause_ms=pause, data=folder.name, kinds=rows)
        console.print(f"written: {json_path}")


def _row(kind: str, pairs: Sequence[tuple[Heard, Heard]]) -> dict[str, Any]:
    own, old = zip(*pairs, strict=True)
    return {"kind": kind, "utterances": len(pairs), "by_words": _figures(own), "fixed": _figures(old)}


def _figures(heard: Sequence[Heard]) -> dict[str, float]:
    times = [each.after_ms for each in heard]
    return {
        "median_ms": round(float(np.median(times)), 1),
        "p95_ms": round(float(np.quantile(times, 0.95)), 1),
        "cut": sum(each.cut for each in heard),
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("utterances", "", "by their words: median", "95 %", "cut", "fixed: median", "95 %", "cut")
    for row in rows:
        cells = (
            cell
            for way in (row["by_words"], row["fixed"])
            for cell in (f"{way['median_ms']:.0f}", f"{way['p95_ms']:.0f}", _of(way["cut"], row["utterances"]))
        )
        table.add_row(row["kind"], str(row["utterances"]), *cells)
    return table


def _of(cut: int, utterances: int) -> str:
    return f"{cut} ({cut / utterances:.0%})"


if __name__ == "__main__":
    typer.run(main)
