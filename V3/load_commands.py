"""The command ``load``: many whole calls at once, and what that does to their latencies."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from V3.config import RobotConfig, load_robot
from V3.errors import VoicebotError
from V3.load.figures import LoadReport
from V3.load.knee import LIMITS
from V3.load_screen import LoadScreen, print_load
from V3.logs import hide_secrets
from V3.picture.load_page import load_page
from V3.system.load.run import run_load
from V3.system.load.step import Plan
from V3.system.signals import cancelled_by_signals

__all__ = ["add_load_command"]

LOOPBACK_CALLEES = "loopback/{number}/voicebot"
RAMP_S = 5.0  # without --rate, all calls are begun within it
STEP_S = 30.0
RUN_S = 60.0
MAX_CALLS = 2000
console = Console(highlight=False)
if not console.is_terminal:
    console.width = 130  # a file has no width of its own
errors = Console(stderr=True, highlight=False)


def add_load_command(app: typer.Typer) -> None:
    """Give ``app`` the command ``load``."""
    app.command()(load)


def load(
    *,
    calls: Annotated[int, typer.Option(help="calls at the same time", min=1, max=MAX_CALLS)] = 10,
    rate: Annotated[float | None, typer.Option(help="calls begun per second; all within 5 s by default")] = None,
    duration: Annotated[
        float | None, typer.Option(help="seconds in which new calls are begun: 60, or 30 for each of --steps")
    ] = None,
    steps: Annotated[str, typer.Option(help="calls at once, one step after another: 5,10,20,40,80")] = "",
    simulator: Annotated[bool, typer.Option("--simulator", help="call simulated people (the default)")] = False,
    esl: Annotated[str, typer.Option(metavar="HOST:PORT", help="call a real FreeSWITCH's loopback people")] = "",
    dial: Annotated[str, typer.Option(help="with --esl: how to dial")] = LOOPBACK_CALLEES,
    json_file: Annotated[Path | None, typer.Option("--json", help="write all figures, call by call")] = None,
    html: Annotated[Path | None, typer.Option(help="write a page with plots; it opens from the disk")] = None,
    reports: Annotated[Path | None, typer.Option(help="keep the calls' own reports in this folder")] = None,
    verdict_limit: Annotated[float, typer.Option(help="ms: p95 of the time to verdict")] = LIMITS["verdict_ms"],
    break_limit: Annotated[float, typer.Option(help="ms: p95 from speech to break")] = LIMITS["break_ms"],
    lag_limit: Annotated[float, typer.Option(help="ms: p95 of the partials' lag")] = LIMITS["partial_lag_ms"],
    model: Annotated[str, typer.Option(help="telephone-fr, small, large-v3-turbo, a directory ...")] = "",
    config: Annotated[Path | None, typer.Option("--config", help="settings; config/robot.yaml by default")] = None,
) -> None:
    """Hold many whole calls at once, and say what that took.

    A whole call: dial, hear who answered, play, be interrupted, hang up. The
    robot, its audio server and the recogniser are the real ones, in this
    process; people are simulated in another one on this machine. Some listen,
    some interrupt, hum or cough; of nine, one is a voicemail, one a silent line
    and one busy. The last digit of a number (01 99 00 ...) says who answers, so
    what should become of each call is known. A canary, as people are, is called
    again and again beside the load, and its latencies are told apart.

    Time to verdict counts from the answer, a partial's lag from its audio,
    speech to break from the first sound of an interruption to the silence of
    the prompt as the callee hears it. A refusal is a call that was not dialled
    because the machine can hear no more. "Wrong" is a call whose disposition or
    verdict is; "astray" one that went otherwise later.

    --steps finds the knee: the most calls at once with every limit kept (they
    are of 95th percentiles), none wrong and none refused.

        python -m V3 load --calls 10 --rate 2 --duration 60
        python -m V3 load --steps 5,10,20,40,80 --html load.html

    With a real FreeSWITCH its loopback callees are called: put
    config/freeswitch/dialplan_voicebot.xml into its conf/dialplan/, set
    voicebot_sounds in it to the folder V3/simulator/sounds, `reloadxml`, then

        python -m V3 load --esl 127.0.0.1:8021 --calls 10

    The password is freeswitch.password of the settings, or
    VOICEBOT_ESL_PASSWORD; speech to break is then what the robot's reports say.

    Numbers never repeat within a load, and no journal is kept. Ctrl-C hangs up
    all calls and reports those that ended (exit status 130). Exit status 1: a
    call went wrong, or none ended.
    """
    if simulator and esl:
        raise typer.BadParameter("--simulator and --esl: one of them")
    plans = _plans(calls, rate, duration, steps)
    limits = {"verdict_ms": verdict_limit, "break_ms": break_limit, "partial_lag_ms": lag_limit}
    try:
        settings = _settings(config, model=model, esl=esl, dial=dial)
        with LoadScreen(console, len(plans)) as screen:
            running = run_load(settings, plans, real=bool(esl), reports=reports, limits=limits, watcher=screen.watcher)
            report = asyncio.run(_until_told(running))
        print_load(console, report)
        _write(report, json_file, html)
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("stopped", style="yellow")
        raise typer.Exit(130) from None
    except (VoicebotError, OSError) as exc:
        _fail(exc)
    except ExceptionGroup as group:
        _fail(group.exceptions[0])
    _leave(report)


def _leave(report: LoadReport) -> None:
    if report.stopped:
        errors.print("stopped: the calls were hung up", style="yellow")
        raise typer.Exit(130)
    if any(step.figures.wrong or not step.figures.calls for step in report.steps):
        raise typer.Exit(1)


async def _until_told(work: Coroutine[Any, Any, LoadReport]) -> LoadReport:
    """SIGTERM and a closed terminal are as good as Ctrl-C."""
    cancelled_by_signals()
    return await work


def _plans(calls: int, rate: float | None, duration: float | None, steps: str) -> list[Plan]:
    if rate is not None and rate <= 0:
        raise typer.BadParameter(f"--rate {rate:g}: more than 0 calls per second")
    if duration is not None and duration <= 0:
        raise typer.BadParameter(f"--duration {duration:g}: more than 0 seconds")
    wanted = _numbers(steps) if steps else [calls]
    duration_s = duration if duration is not None else STEP_S if steps else RUN_S
    return [Plan(count, rate if rate is not None else max(1.0, count / RAMP_S), duration_s) for count in wanted]


def _numbers(steps: str) -> list[int]:
    try:
        wanted = [int(part) for part in steps.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--steps {steps!r}: numbers of calls with commas, such as 5,10,20,40") from None
    if not all(1 <= count <= MAX_CALLS for count in wanted):
        raise typer.BadParameter(f"--steps {steps!r}: from 1 to {MAX_CALLS} calls at once")
    return wanted


def _settings(config: Path | None, *, model: str, esl: str, dial: str) -> RobotConfig:
    changes: dict[str, dict[str, Any]] = {}
    if model:
        changes["stt"] = {"model": model}
    if esl:
        host, _, port = esl.rpartition(":")
        changes["freeswitch"] = {"host": host or "127.0.0.1", "port": port, "dial_string": dial}
    return hide_secrets(load_robot(config).replacing(**changes))


def _write(report: LoadReport, json_file: Path | None, html: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        console.print(Text(str(json_file)), soft_wrap=True)
    if html is not None:
        html.write_text(load_page(report), encoding="utf-8")
        console.print(Text(str(html)), soft_wrap=True)


def _fail(error: BaseException) -> NoReturn:
    errors.print(Text(f"{type(error).__name__}: {error}", style="red"))
    raise typer.Exit(1)
