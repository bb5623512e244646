"""What is written for deployment, read as its tools would: images, compose file, unit, pins. No image is built here."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from V3.cli import app
from V3.config import ClientSettings, ServerSettings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "config" / "deploy"
DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")
SERVICES = {"voicebot": ("cpu", "Dockerfile"), "voicebot-gpu": ("gpu", "Dockerfile.gpu")}
PORTS = {str(ClientSettings().port), str(ServerSettings().port)}
TOKENS = {"VOICEBOT_CLIENT_TOKEN": "one", "VOICEBOT_SERVER_TOKEN": "two"}


def instructions(name: str) -> list[tuple[str, str]]:
    """(instruction, argument) of a Dockerfile, lines joined."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def of(name: str, kind: str) -> list[str]:
    return [argument for instruction, argument in instructions(name) if instruction == kind]


def sent_to_the_builder(path: str) -> bool:
    """Whether .dockerignore lets a file or folder through; the last pattern that fits decides."""
    let = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and fnmatch.fnmatch(path, pattern):
            let = line.startswith("!")
    return let


def pins(name: str) -> dict[str, str]:
    """Package to version, of a file of requirements and those it includes. Every line is a pin."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            found |= pins(line.removeprefix("-r ").strip())
        elif line and not line.startswith("#"):
            match = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.]+)", line)
            assert match is not None, line
            found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_an_image_copies_is_there(name: str) -> None:
    sources = [source for copy in of(name, "COPY") if "--from" not in copy for source in copy.split()[:-1]]
    assert {"V3", "config", "pyproject.toml", "requirements.txt"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert sent_to_the_builder(source), source
    for secret in (".env", ".git", "tests", "reports", "V3/__pycache__"):
        assert not sent_to_the_builder(secret)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_nobody_and_says_how_it_is(name: str) -> None:
    assert of(name, "USER") == ["10001:10001"]
    assert set(of(name, "EXPOSE")[0].split()) == PORTS
    assert f"127.0.0.1:{ClientSettings().port}/healthz" in of(name, "HEALTHCHECK")[0]
    for base in of(name, "FROM"):
        assert re.match(r"python:3\.1[1-3]-[a-z-]+", base), base


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_images_command_is_one_of_ours(name: str) -> None:
    entry, command = (json.loads(of(name, kind)[0]) for kind in ("ENTRYPOINT", "CMD"))
    assert entry == ["python", "-m", "V3"]
    ran = CliRunner().invoke(app, [*command, "--help"])  # an option that is not known is refused before
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt"])
def test_everything_that_runs_is_pinned(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"]["gpu"] if "gpu" in name else [])
    pinned = pins(name)
    for requirement in wanted:
        package, least = re.findall(r"^([A-Za-z0-9-]+)[=>]=([0-9.]+)", requirement)[0]
        version = [int(part) for part in re.findall(r"\d+", pinned[package.lower()])]
        assert version >= [int(part) for part in least.split(".")], requirement


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_open_on_this_machine_only_and_wants_secrets(name: str) -> None:
    service = compose()["services"][name]
    profile, dockerfile = SERVICES[name]
    assert service["profiles"] == [profile]
    assert service["build"]["dockerfile"] == dockerfile
    assert {port.rsplit(":", 1)[1] for port in service["ports"]} == PORTS
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert all(f"{token}:?" in service["environment"][token] for token in TOKENS)
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"][0].split(":")[0] in compose()["volumes"]
    devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    assert [device["capabilities"] for device in devices] == ([["gpu"]] if profile == "gpu" else [])


COMPOSE = shutil.which("docker-compose")


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose reads its file where it is installed")
@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_compose_takes_its_file_with_secrets_only(profile: str) -> None:
    assert COMPOSE is not None
    command = [COMPOSE, "--profile", profile, "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    environ = {key: value for key, value in os.environ.items() if key not in TOKENS}
    ran = subprocess.run(command, env=environ | TOKENS, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    without = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "put a secret" in without.stderr


def test_the_example_of_secrets_names_them_and_holds_none() -> None:
    lines = [line for line in (DEPLOY / "env.example").read_text().splitlines() if not line.startswith("#")]
    assert lines == [f"{name}=" for name in TOKENS]


SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.skipif(SYSTEMD is None, reason="systemd reads its unit where it is installed")
@pytest.mark.parametrize("gpu", [False, True])
def test_systemd_takes_the_unit(tmp_path: Path, gpu: bool) -> None:
    assert SYSTEMD is not None
    for name, place in (("voicebot.service", "."), *([("voicebot-gpu.conf", "voicebot.service.d")] if gpu else [])):
        (tmp_path / place).mkdir(exist_ok=True)
        text = (DEPLOY / name).read_text().replace("/opt/voicebot/bin/python", sys.executable)
        (tmp_path / place / name).write_text(text)
    unit = str(tmp_path / "voicebot.service")
    ran = subprocess.run([SYSTEMD, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_unit_starts_our_command_and_keeps_what_is_not_its_own() -> None:
    text = (DEPLOY / "voicebot.service").read_text()
    command = re.search(r"^ExecStart=/opt/voicebot/bin/python -m V3 (.+)$", text, re.MULTILINE)
    assert command is not None
    assert CliRunner().invoke(app, [*command[1].split(), "--help"]).exit_code == 0
    for line in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "SuccessExitStatus=130"):
        assert f"\n{line}\n" in text


def test_calls_that_drain_are_not_killed_meanwhile() -> None:
    unit = (DEPLOY / "voicebot.service").read_text()
    stop_s = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop_s is not None
    assert int(stop_s[1]) >= ServerSettings().drain_s + 15  # clients are told and the model is let go afterwards
    for service in compose()["services"].values():
        assert int(service["stop_grace_period"].removesuffix("s")) >= ServerSettings().drain_s + 15
