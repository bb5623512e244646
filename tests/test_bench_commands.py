"""``bench``: what is run, what its page says, and what becomes of a measurement that fails, hangs or is stopped."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from typer.testing import CliRunner, Result

from scripts.measures import running
from scripts.measures.measurements import MEASUREMENTS, Given, Measurement, Size, chosen
from scripts.measures.page import bench_page, headline, machine_facts
from scripts.measures.running import Outcome, measure
from V3 import bench_commands
from V3.cli import app
from V3.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
FIGURES = {"streaming": "streaming", "capacity": "capacity", "answer": "answer", "barge-in": "barge_in"}


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def named(name: str) -> Measurement:
    return next(measurement for measurement in MEASUREMENTS if measurement.name == name)


def published(name: str) -> Mapping[str, Any]:
    """The figures of a measurement that docs/ holds."""
    figures: dict[str, Any] = json.loads((ROOT / "docs" / f"{FIGURES[name]}.json").read_text(encoding="utf-8"))
    return figures


# ---- what is run


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("measurement", MEASUREMENTS, ids=lambda measurement: measurement.name)
def test_each_script_takes_what_it_is_given(measurement: Measurement, quick: bool, tmp_path: Path) -> None:
    module = importlib.import_module(f"scripts.{Path(measurement.script).stem}")
    program = vars(module).get("app") or typer.Typer()
    if "app" not in vars(module):
        program.command()(module.main)
    given = Given("telephone-fr", tmp_path, tmp_path)
    _, *arguments = measurement.command(tmp_path, given, quick=quick)
    context = typer.main.get_command(program).make_context(measurement.name, list(arguments))
    if measurement.takes_speech:
        assert tmp_path in context.params.values()


def test_some_can_be_chosen_and_a_wrong_name_is_told_the_right_ones() -> None:
    assert [measurement.name for measurement in chosen("answer, streaming")] == ["streaming", "answer"]
    assert chosen("") == list(MEASUREMENTS)
    with pytest.raises(ConfigError, match=r"streaming, capacity, answer, barge-in, turns, decisions .* not 'speed'"):
        chosen("speed")


def test_outside_of_a_checkout_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_commands, "_ROOT", tmp_path)
    ran = bench("--quick")
    assert ran.exit_code == 1
    assert "bench needs a checkout" in ran.output


def test_a_model_that_is_not_there_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    ran = bench("--model", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert ran.exit_code == 1
    assert "nowhere" in ran.output
    assert not (tmp_path / "out").exists()


# ---- runs


def test_one_that_fails_is_shown_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "calls").mkdir()
    ran = bench("--quick", "--only", "answer,decisions", "--answered", tmp_path / "calls", "--out", out)
    assert ran.exit_code == 1
    assert "failed: answer" in ran.output
    written = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    answer, decisions = written["measurements"]["answer"], written["measurements"]["decisions"]
    assert (answer["state"], decisions["state"]) == ("failed", "measured")
    assert "ConfigError" in answer["reason"]
    assert "labels.tsv" in answer["reason"]
    assert decisions["figures"]["microseconds"]
    page = (out / "bench.html").read_text(encoding="utf-8")
    assert "has no labels.tsv" in page
    assert "who answered: push" in page
    assert os.uname().nodename not in json.dumps(written["machine"])


def hearing(parent: psutil.Process) -> psutil.Process:
    """Its child, once that has done more than to load itself."""
    until_s = time.monotonic() + 40
    while time.monotonic() < until_s:
        for child in parent.children():
            if child.cpu_times().user > 2.0:
                return child
        time.sleep(0.05)
    raise TimeoutError("no measurement began")


def test_sigterm_is_as_good_as_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), bench_commands.stopped_by_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_stopped_it_leaves_its_page_and_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "V3", "bench", "--quick", "--only", "turns,decisions", "--out", str(tmp_path)]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert any(b"1 of 2: turns" in line for line in process.stdout)
        child = hearing(psutil.Process(process.pid))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=50)
    assert process.returncode == 130
    assert psutil.wait_procs([child], timeout=20)[1] == []
    written = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert [(name, one["state"]) for name, one in written["measurements"].items()] == [("turns", "stopped")]
    assert "stopped by Ctrl-C" in (tmp_path / "bench.html").read_text(encoding="utf-8")


def script(folder: Path, code: str, *, within_s: float = 30.0) -> Measurement:
    """A measurement that is this code."""
    path = folder / "script.py"
    path.write_text(code, encoding="utf-8")
    size = Size((), within_s)
    return replace(named("decisions"), script=str(path), full=size, quick=size)


def measured(measurement: Measurement, folder: Path) -> tuple[Outcome, bytes]:
    shown: list[bytes] = []
    outcome = measure(measurement, folder / "out", Given(), quick=True, show=shown.append, environment={"TOLD": "yes"})
    return outcome, b"".join(shown)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('half'); raise ValueError('no such\\nthing')", "ValueError: no such thing (exit status 1)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
        ("raise SystemExit(3)", "exit status 3"),
        ("print('done')", "it ended well and left no figures"),
        ("import sys; open(sys.argv[2], 'w').write('{half')", "it ended well and left no figures"),
    ],
)
def test_why_it_failed_is_told(tmp_path: Path, code: str, reason: str) -> None:
    outcome, _ = measured(script(tmp_path, code), tmp_path)
    assert outcome.state == "failed"
    assert outcome.reason.startswith(reason)
    assert headline(outcome) == outcome.reason


def test_what_it_prints_is_shown_as_it_is_and_earlier_figures_are_not_taken_for_its_own(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "decisions.json").write_text("{}", encoding="utf-8")
    code = "import os; print('\\x1b[31mred\\x1b[0m', os.environ['TOLD'])"
    outcome, shown = measured(script(tmp_path, code), tmp_path)
    assert shown == b"\x1b[31mred\x1b[0m yes\n"
    assert outcome.figures == {}


def test_one_that_hangs_is_ended_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_ENDS_WITHIN_S", 0.3)
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(50)"
    outcome, _ = measured(script(tmp_path, deaf, within_s=0.3), tmp_path)
    assert (outcome.state, outcome.reason) == ("failed", "not done within 0.005 minutes")


# ---- the page


def test_published_figures_make_a_page(tmp_path: Path) -> None:
    picture = tmp_path / "latency.png"
    picture.write_bytes(b"\x89PNG")
    outcomes = [Outcome(named(name), "measured", "", 12.0, published(name), [picture]) for name in FIGURES]
    page = bench_page(outcomes, machine_facts("models/<mine>"), began="today", quick=True)
    assert page.count("data:image/png;base64,") == 4
    assert "&lt;mine&gt;" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing of it is elsewhere
    for said in (
        "re-transcription 800/200",
        "calls at once",
        "people taken for machines",
        "stopped for good",
        "median",
    ):
        assert said in page
    for outcome in outcomes:
        assert headline(outcome)


def test_one_that_was_stopped_shows_what_it_has(tmp_path: Path) -> None:
    figures = published("capacity")
    some = Outcome(
        named("capacity"), "stopped", "stopped by Ctrl-C", 12.0, {**figures, "levels": figures["levels"][:1]}
    )
    none = Outcome(named("barge-in"), "stopped", "stopped by Ctrl-C", 12.0, {"kinds": {}})
    page = bench_page([some, none], machine_facts("telephone-fr"), began="today", quick=False)
    assert f"<td>{figures['levels'][0]['calls']}</td>" in page
    assert page.count("stopped: stopped by Ctrl-C") == 2
