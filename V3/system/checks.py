"""What must be right before a real call, looked at one by one; each failure comes with its remedy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from V3.calls.scenario import Scenario
from V3.config import LOOPBACK, RobotConfig, config_dir
from V3.errors import EslError
from V3.telephony.esl import EslClient

__all__ = ["Check", "State", "check_freeswitch", "check_prompts", "check_server"]


State = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``unknown`` where it could not be told from here."""

    what: str
    state: State
    found: str
    remedy: str = ""


def check_prompts(config: RobotConfig, scenario: Scenario) -> Check:
    """Whether every prompt of the scenario is a file. Not told where the prompts lie on FreeSWITCH's machine."""
    what = f"prompts of {scenario.name}"
    if config.freeswitch.prompts_dir and config.freeswitch.host not in LOOPBACK:
        return Check(what, "unknown", f"in {config.freeswitch.prompts_dir} on {config.freeswitch.host}")
    folder = Path(config.freeswitch.prompts_dir or config_dir() / "scenarios" / "prompts")
    missing = [name for name in scenario.prompts if not (folder / name).is_file()]
    if missing:
        remedy = "record them, or: python scripts/make_prompts.py config/scenarios/SCENARIO.yaml"
        return Check(what, "failed", f"missing in {folder}: {', '.join(missing)}", remedy)
    return Check(what, "ok", f"{len(scenario.prompts)} in {folder}")


def check_server(config: RobotConfig) -> Check:
    """Whether FreeSWITCH can reach the audio server as it is set."""
    what, server = "audio server address", config.server
    if config.freeswitch.host not in LOOPBACK and server.host in LOOPBACK and not server.public_url:
        remedy = "set server.host (with a token) or server.public_url in config/robot.yaml"
        return Check(what, "failed", f"{server.host} cannot be reached from {config.freeswitch.host}", remedy)
    return Check(what, "ok", server.public_url or f"ws://{server.host}:{server.port}")


async def check_freeswitch(config: RobotConfig, esl: EslClient) -> AsyncIterator[Check]:
    """FreeSWITCH itself, asked over a connection that is up."""
    status = await esl.api("status")
    ready = "is ready" in status
    version = re.search(r"FreeSWITCH \(([^)]*)\)", status)
    found = version.group(1) if version else status.strip()[:80]
    yield Check("FreeSWITCH", "ok" if ready else "failed", found, "" if ready else "look at fs_cli -x status")
    yield await _check_module(esl)
    gateway = re.match(r"sofia/gateway/([^/{]+)/", config.freeswitch.dial_string)
    if gateway:
        yield await _check_gateway(esl, gateway.group(1))


async def _check_module(esl: EslClient) -> Check:
    usage = await esl.api("uuid_audio_stream")
    if "USAGE" in usage:
        return Check("mod_audio_stream", "ok", "loaded")
    remedy = "build it and `load mod_audio_stream` (README, Against a real FreeSWITCH)"
    return Check("mod_audio_stream", "failed", "not loaded", remedy)


async def _check_gateway(esl: EslClient, name: str) -> Check:
    what = f"gateway {name}"
    try:
        status = await esl.api(f"sofia status gateway {name}")
    except EslError as exc:
        return Check(what, "unknown", f"not told: {exc}")
    if "Invalid Gateway" in status:
        return Check(what, "failed", "unknown to FreeSWITCH", "name one of `sofia status` with --gateway, or add it")
    if "Command not found" in status:
        return Check(what, "unknown", "mod_sofia is not loaded: not told")
    state = re.search(r"^Status\s+(\S+)", status, re.MULTILINE)
    return Check(what, "ok", state.group(1) if state else "known")
