"""Whole calls at once, from so many to so many: `python -m V3 load` with the steps worked out.

    python scripts/load_test.py --calls 5..10
    python scripts/load_test.py --calls 10 --duration 60 --html load.html

Every option but --calls is that of the command; see `python -m V3 load --help`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import typer

from V3.cli import app as voicebot

__all__ = ["main", "steps_of"]

MOST_STEPS = 6


def steps_of(calls: str) -> list[int]:
    """``10`` is one step; ``5..10`` all numbers between, ``5..80`` six of them, evenly."""
    first, dots, last = calls.partition("..")
    try:
        low, high = int(first), int(last if dots else first)
    except ValueError:
        raise typer.BadParameter(f"--calls {calls!r}: a number, or two as in 5..10") from None
    if not 1 <= low <= high:
        raise typer.BadParameter(f"--calls {calls!r}: from the smaller to the larger, at least 1")
    count = min(MOST_STEPS, high - low + 1)
    return [round(low + (high - low) * n / max(1, count - 1)) for n in range(count)]


def main(
    ctx: typer.Context, calls: str = typer.Option("5..10", metavar="N|FROM..TO", help="calls at the same time")
) -> None:
    """Hold so many whole calls at once, step by step; every other option is that of `python -m V3 load`."""
    steps = steps_of(calls)
    count = ["--calls", str(steps[0])] if len(steps) == 1 else ["--steps", ",".join(map(str, steps))]
    voicebot(["load", *count, *ctx.args])


if __name__ == "__main__":
    program = typer.Typer(add_completion=False)
    program.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(main)
    program()
