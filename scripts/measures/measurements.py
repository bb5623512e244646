"""The measurements of ``python -m V3 bench``: which script each is, and with what it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from V3.errors import ConfigError

__all__ = ["MEASUREMENTS", "Given", "Measurement", "Size", "chosen"]

ROOT: Final = Path(__file__).resolve().parents[2]
_SHARED: Final = ROOT.parent / "shared" / "data" / "calls_fr"
_TEXTS: Final = ROOT / "tests" / "data" / "answers_fr_held.tsv"


@dataclass(frozen=True, slots=True)
class Given:
    """What a user may give to all measurements, where it is not the default."""

    model: str = ""
    speech: Path | None = None
    answered: Path | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """A script's arguments for one size, and how long they may take before the measurement counts as hung."""

    arguments: tuple[str, ...]
    within_s: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One script. It writes ``json_name`` and ``pictures`` into a folder of its own."""

    name: str
    title: str
    asks: str
    script: str
    json_name: str
    full: Size
    quick: Size
    pictures: tuple[str, ...] = ()
    takes_speech: str = ""
    """How its script is told of other recordings: an option, or DIR for an argument; empty where it hears none."""

    def command(self, folder: Path, given: Given, *, quick: bool) -> list[str]:
        """What is run, without the interpreter."""
        command = [str(ROOT / "scripts" / self.script), *(self.quick if quick else self.full).arguments]
        if self.json_name in ("answer.json", "barge_in.json"):
            command += ["--out", str(folder)]
        else:
            command += ["--json", str(folder / self.json_name)]
            command += ["--plots", str(folder)] if self.pictures else []
        if given.model and self.name != "decisions":
            command += ["--model", given.model]
        if self.name == "answer":
            command += _answered(given.answered)
        if given.speech is not None and self.takes_speech:
            command += [str(given.speech)] if self.takes_speech == "DIR" else [self.takes_speech, str(given.speech)]
        return command


def _answered(folder: Path | None) -> list[str]:
    """Labelled calls where there are any, with the timing weights learned anew; else the few bundled ones."""
    if folder is None and not _SHARED.is_dir():
        return ["--bundled", "--folds", "0"]
    return [str(folder or _SHARED)]


MEASUREMENTS: Final = (
    Measurement(
        "streaming",
        "One stream, several engines",
        "what a stream costs, how soon words come, how many are wrong",
        "bench_streaming.py",
        "streaming.json",
        Size(("--device", "auto"), 3600),
        Size(("--device", "auto", "--minutes", "0.5"), 900),
        ("latency.png", "cost.png"),
        "--data",
    ),
    Measurement(
        "capacity",
        "Calls at once",
        "how many calls this machine hears before words come too late",
        "bench_capacity.py",
        "capacity.json",
        Size(("--device", "auto"), 3600),
        Size(("--device", "auto", "--steps", "10,20,40,80,160", "--seconds", "5"), 900),
        ("capacity.png",),
        "--data",
    ),
    Measurement(
        "answer",
        "Who answered",
        "people, machines and silent lines told apart",
        "eval_answer.py",
        "answer.json",
        Size(("--text", str(_TEXTS), "--wrong", "5"), 3600),
        Size(("--text", str(_TEXTS), "--wrong", "5", "--most", "24", "--folds", "0"), 900),
        ("answer.png",),
    ),
    Measurement(
        "barge-in",
        "Being interrupted",
        "what stops a prompt, what does not, and how soon it is silent",
        "eval_barge_in.py",
        "barge_in.json",
        Size(("--dialogues", "200"), 3600),
        Size(("--dialogues", "24", "--at-once", "8"), 900),
        ("barge_in.png",),
    ),
    Measurement(
        "turns",
        "The end of a turn",
        "how soon after the last word a turn is taken for over",
        "eval_turns.py",
        "turns.json",
        Size((), 3600),
        Size(("--most", "40"), 900),
        takes_speech="DIR",
    ),
    Measurement(
        "decisions",
        "What a decision costs",
        "microseconds of a frame that are not the recogniser's",
        "bench_decisions.py",
        "decisions.json",
        Size(("--rounds", "7"), 1800),
        Size(("--rounds", "2"), 600),
    ),
)


def chosen(only: str) -> Sequence[Measurement]:
    """Those of a list of names with commas, in their own order; all of them for an empty one."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [measurement.name for measurement in MEASUREMENTS]
    for name in names:
        if name not in known:
            raise ConfigError(f"--only takes {', '.join(known)} (with commas between them), not {name!r}")
    return [measurement for measurement in MEASUREMENTS if not names or measurement.name in names]
