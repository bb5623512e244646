"""A real call, phase by phase: what a person runs first against their FreeSWITCH.

    python V3/test_real_call_v3.py --to 0199001234 --gateway trunk

Settings, model, ports, FreeSWITCH and its module are checked before anything is dialled, each with a remedy. Then
the call is shown as it goes, its report is printed, and then the phases with their latencies: dialling, AMD on the
first 2.3 s, PLAYING with streaming recognition, the barge-in and its break. The exit status says whether all passed (1
names the one that did not). One call, dialled once.

Interrupt the prompt to see the barge-in; with ``--must-interrupt`` a call in which nobody did has failed.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # run as a script: the package is one folder up
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncio
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from V3.calls.report import CallReport, CallUpdate
from V3.config import RobotConfig, load_robot
from V3.errors import VoicebotError
from V3.logs import LogFormat, hide_secrets, set_up_logs
from V3.system.assembly import Assembly, assembled, load_stt
from V3.system.call_phases import call_phases
from V3.system.checks import Check, check_freeswitch, check_prompts, check_server
from V3.system.scenario_files import load_scenario
from V3.system.signals import cancelled_by_signals
from V3.telephony.commands import checked_number, dial_string

__all__ = ["main"]

console = Console(highlight=False)


class PhaseFailedError(VoicebotError):
    """A phase did not pass; the message names it."""


def main(
    to: Annotated[str, typer.Option(help="the number to call: yours, or of somebody who agreed")],
    gateway: Annotated[str, typer.Option(help="FreeSWITCH gateway; dials sofia/gateway/GATEWAY/number")] = "",
    dial: Annotated[str, typer.Option(help="whole dial string, e.g. user/{number} or loopback/{number}/default")] = "",
    esl: Annotated[str, typer.Option(help="HOST:PORT of FreeSWITCH's event socket")] = "",
    scenario: Annotated[str, typer.Option(help="a file of config/scenarios")] = "",
    model: Annotated[str, typer.Option(help="telephone-fr, small, large-v3-turbo, a directory")] = "",
    prompts_dir: Annotated[str, typer.Option(help="folder of the prompts on FreeSWITCH's machine")] = "",
    must_interrupt: Annotated[bool, typer.Option("--must-interrupt", help="fail if nobody interrupts")] = False,  # noqa: FBT002
    config: Annotated[Path | None, typer.Option(help="settings; config/robot.yaml by default")] = None,
) -> None:
    """Check everything, call one number, show each phase with its latency."""
    set_up_logs(LogFormat.TEXT)
    try:
        settings = _settings(config, gateway, dial, esl, scenario, model, prompts_dir)
        report = asyncio.run(_run(settings, to))
        console.print(Text(report.model_dump_json(indent=2)))
        _judge(report, settings, interrupted=must_interrupt)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print(Text("stopped; the call was hung up", style="yellow"))
        raise typer.Exit(130) from None
    except (VoicebotError, OSError) as exc:
        console.print(Text(f"FAILED  {exc}", style="bold red"), soft_wrap=True)
        raise typer.Exit(1) from exc
    console.print(Text("all phases passed", style="bold green"))


def _settings(
    config: Path | None, gateway: str, dial: str, esl: str, scenario: str, model: str, prompts_dir: str
) -> RobotConfig:
    freeswitch: dict[str, Any] = {}
    if gateway:
        freeswitch["dial_string"] = f"sofia/gateway/{gateway}/{{number}}"
    if dial:
        freeswitch["dial_string"] = dial
    if esl:
        host, _, port = esl.rpartition(":")
        freeswitch |= {"host": host or "127.0.0.1", "port": port}
    if prompts_dir:
        freeswitch["prompts_dir"] = prompts_dir
    changes: dict[str, dict[str, Any]] = {"freeswitch": freeswitch}
    if scenario:
        changes["call"] = {"scenario": scenario}
    if model:
        changes["stt"] = {"model": model}
    return hide_secrets(load_robot(config).replacing(**changes))


async def _run(settings: RobotConfig, to: str) -> CallReport:
    cancelled_by_signals()
    scenario = load_scenario(settings.call.scenario)
    dial_string(settings.freeswitch.dial_string, checked_number(to))
    _show(check_prompts(settings, scenario))
    _show(check_server(settings))
    began_s = time.monotonic()
    with console.status("loading the model"):
        stt = await asyncio.to_thread(load_stt, settings)
    with stt:
        took_s = time.monotonic() - began_s
        found = f"{stt.info.name} on {stt.info.device}, {stt.info.compute_type}, in {took_s:.1f} s"
        _show(Check("model loaded", "ok", found))
        async with assembled(settings, stt=stt, scenario=scenario, on_update=_phase) as parts:
            where = f"port {parts.server.port}" if parts.server else settings.server.elsewhere
            _show(Check("server running", "ok", where))
            await _check_freeswitch(settings, parts)
            return await parts.robot.call(to)


async def _check_freeswitch(settings: RobotConfig, parts: Assembly) -> None:
    async for check in check_freeswitch(settings, parts.esl):
        _show(check)


def _show(check: Check) -> None:
    style = {"ok": "green", "failed": "bold red", "unknown": "yellow"}[check.state]
    console.print(Text.assemble((f"{check.state:<8}", style), f"{check.what}: {check.found}"), soft_wrap=True)
    if check.state == "failed":
        raise PhaseFailedError(f"{check.what}: {check.found}. Remedy: {check.remedy}")


def _phase(update: CallUpdate) -> None:
    console.print(Text(f"{update.at_ms / 1000:8.3f} s  {update.state:<10} {update.text}"), soft_wrap=True)


def _judge(report: CallReport, settings: RobotConfig, *, interrupted: bool) -> None:
    """Show every phase of the call with its latency; the first that did not pass is the one that failed."""
    for check in call_phases(report, window_s=settings.answer.window_s, interrupted=interrupted):
        _show(check)
    if report.errors:
        raise PhaseFailedError("call: " + "; ".join(report.errors))


if __name__ == "__main__":
    typer.run(main)
