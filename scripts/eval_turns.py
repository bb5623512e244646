#!/usr/bin/env python
"""When a turn is taken for over: how soon after the last word, and how often inside a number.

DIR holds WAVs with index.jsonl (file, text, category, words with start_s and end_s), as speech_fr does. Each utterance
is heard as a call hears it, followed by 2 s of silence; numbers are heard once more with a pause inside (at a word
boundary, --pause ms: people spell telephone numbers so). The turn's rules (config/robot.yaml, `turns`) stand beside a
fixed silence of the usual length.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from scripts.bench.report import Machine
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.audio.pcm import FRAME_SAMPLES, SAMPLES_PER_MS, Audio
from V3.calls.turns import TurnRules, turn_silence
from V3.config import load_robot
from V3.errors import VoicebotError
from V3.events import SpeechEnded
from V3.system.assembly import turn_rules
from V3.system.services.audio_files import read_audio

console = Console(highlight=False)
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
    """Every utterance of a folder with word times."""
    turns = []
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        words = entry.get("words") or []
        if words:
            audio = np.asarray(read_audio(folder / entry["file"]), dtype=np.float32)
            silence = np.zeros(TAIL_MS * SAMPLES_PER_MS, dtype=np.float32)
            ends = [1000 * word["end_s"] for word in words]
            kind = entry.get("category", "all")
            turns.append(Turn(entry["file"], kind, np.concatenate([audio, silence]), ends[-1], tuple(ends[:-1])))
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
    folder: Annotated[Path, typer.Argument(help="utterances with word times", metavar="DIR")],
    model: Annotated[str, typer.Option(help="recogniser")] = "telephone-fr",
    pause: Annotated[int, typer.Option(help="ms of silence put into numbers")] = 800,
    seed: Annotated[int, typer.Option(help="where the pauses go")] = 1,
    config: Annotated[Path | None, typer.Option(help="settings; config/robot.yaml by default")] = None,
) -> None:
    """Measure the end of turns on utterances with word times."""
    try:
        rules = turn_rules(load_robot(config))
        recognizer = Recognizer.load(model, cpu_threads=1)
        turns = read_turns(folder)
    except (VoicebotError, OSError) as exc:
        console.print(f"{type(exc).__name__}: {exc}", style="red")
        raise typer.Exit(1) from None
    rng = np.random.default_rng(seed)
    turns += [with_pause(turn, pause, rng) for turn in turns if turn.kind == "number" and turn.joints_ms]
    table = Table("utterances", "", "by their words: median", "95 %", "cut", "fixed: median", "95 %", "cut")
    by_kind: dict[str, list[tuple[Heard, Heard]]] = {}
    for turn in track(turns, "hearing", console=console):
        pair = hear(turn, recognizer, rules, rules.usual_ms), hear(turn, recognizer, None, rules.usual_ms)
        by_kind.setdefault(turn.kind, []).append(pair)
    plain = [pair for kind, pairs in by_kind.items() if not kind.endswith("paused") for pair in pairs]
    for kind, pairs in {"all, as spoken": plain, **by_kind}.items():
        table.add_row(kind, str(len(pairs)), *_figures([own for own, _ in pairs]), *_figures([old for _, old in pairs]))
    console.print(table)
    console.print(f"ms from the end of the last word to the end of the turn; measured on {Machine.of(recognizer.info)}")


def _figures(heard: list[Heard]) -> tuple[str, str, str]:
    times = sorted(each.after_ms for each in heard)
    cut = sum(each.cut for each in heard)
    return f"{np.median(times):.0f}", f"{np.quantile(times, 0.95):.0f}", f"{cut} ({cut / len(heard):.0%})"


if __name__ == "__main__":
    typer.run(main)
