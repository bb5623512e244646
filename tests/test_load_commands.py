"""``load`` as people type it, and the script over it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from load_cases import record, report, step
from rich.console import Console
from typer.testing import CliRunner

from scripts.load_test import steps_of
from V3.cli import app
from V3.load.figures import LoadReport, Sample
from V3.load.record import RefusedCall
from V3.load_screen import LoadScreen, print_load
from V3.system.load.step import Plan

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--simulator", "--esl", "127.0.0.1:8021"], "--simulator and --esl: one of them"),
        (["--steps", "5,x"], "numbers of calls with commas"),
        (["--steps", "0,5"], "from 1 to 2000 calls at once"),
        (["--rate", "0"], "more than 0 calls per second"),
        (["--duration", "-1"], "more than 0 seconds"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_loaded(arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(app, ["load", *arguments], env={"COLUMNS": "200"})
    assert ran.exit_code == 2
    assert said in " ".join(ran.output.split())


def test_an_esl_port_that_is_none_is_a_line() -> None:
    ran = CliRunner().invoke(app, ["load", "--esl", "127.0.0.1:x"])
    assert ran.exit_code == 1
    assert "ConfigError" in ran.output
    assert "freeswitch.port" in ran.output


def test_ctrl_c_hangs_up_and_reports_what_ended(tmp_path: Path) -> None:
    """A process of its own, simulator and all; nobody's person is waited for: the busy have ended by then."""
    command = ["--calls", "7", "--rate", "50", "--duration", "60", "--json", "load.json", "--html", "load.html"]
    with subprocess.Popen(
        [sys.executable, "-m", "V3", "load", *command], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "step 1/1, 7 at once" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(timeout=30) == 130
    assert "0 wrong" in output
    written = LoadReport.model_validate_json((tmp_path / "load.json").read_bytes())
    (only,) = written.steps
    assert written.stopped
    assert written.against == "simulator"
    assert only.figures.dispositions["BUSY"] >= 1
    assert only.simulator is not None
    assert "Stopped before its end" in (tmp_path / "load.html").read_text(encoding="utf-8")


def test_the_tables_tell_everything() -> None:
    console = Console(width=160, record=True)
    wrong = record(fault="verdict MACHINE, not HUMAN", right=False)
    with console.capture() as captured:
        print_load(console, report(step(5, record()), step(10, wrong, refused=1)))
    told = " ".join(captured.get().split())
    for part in (
        *(
            "speech to break",
            "refusal",
            "event-loop lag",
            "1 of 1 calls as scripted, 0 wrong",
            "with the canary (1 of 1 right)",
        ),
        *("otherwise than scripted: interrupts: verdict MACHINE, not HUMAN", "1.2 requests to a batch", "4 MB a call"),
        *("the knee is at 5 calls; 10: 1 wrong disposition, 1 refused", "simulator: 0.10 cores, 61 MB"),
    ):
        assert part in told, part


def test_progress_is_a_line_every_few_seconds_where_there_is_no_terminal() -> None:
    console = Console(width=300, force_terminal=False)
    sample = Sample(at_s=2.0, calls=3, loop_lag_ms=4.0, robot_cpu=0.5, robot_mb=150.0)
    with console.capture() as captured, LoadScreen(console, 2) as screen:
        screen.watcher.on_step(Plan(5, 1.0, 30.0))
        screen.watcher.on_ended(record(right=False))
        screen.watcher.on_refused(RefusedCall(at_s=1, took_ms=0.2, why=""))
        for _ in range(9):
            screen.watcher.on_sample(sample)
    (line,) = captured.get().splitlines()
    assert line.startswith("step 1/2, 5 at once  3 in progress, 1 ended, 1 wrong, 1 refused  verdict p95 1700 ms")
    assert line.rstrip().endswith("28 s to go")


@pytest.mark.parametrize(
    ("calls", "steps"),
    [("10", [10]), ("5..10", [5, 6, 7, 8, 9, 10]), ("5..80", [5, 20, 35, 50, 65, 80]), ("3..4", [3, 4])],
)
def test_the_script_works_out_the_steps(calls: str, steps: list[int]) -> None:
    assert steps_of(calls) == steps


@pytest.mark.parametrize("calls", ["x", "10..5", "0", "5..", "5...9"])
def test_the_script_takes_no_other_numbers(calls: str) -> None:
    with pytest.raises(typer.BadParameter, match="--calls"):
        steps_of(calls)


def test_the_scripts_other_options_are_the_commands() -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "load_test.py"), "--calls", "5..10", "--rate", "0"],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "more than 0 calls per second" in " ".join(ran.stderr.split())
