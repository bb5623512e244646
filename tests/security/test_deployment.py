"""What is shipped around the code: pins without known advisories, the systemd sandbox, and source without bad doors."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_deploy import pins

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "config" / "deploy" / "voicebot.service"
GPU = ROOT / "config" / "deploy" / "voicebot-gpu.conf"

# package: the first version without it, and what it is
ADVISORIES = {
    "gevent": ("23.9.0", "CVE-2023-41419: a request can hide in another's body"),
    "h11": ("0.16", "CVE-2025-43859: a chunk can hide a request"),
    "python-multipart": ("0.0.22", "CVE-2024-53981: log flood of a form; CVE-2026-24486: path of a kept file"),
    "pyyaml": ("5.4", "CVE-2020-14343: objects out of YAML"),
    "pydantic": ("2.4.0", "CVE-2024-3772: an e-mail pattern that backtracks"),
    "starlette": ("0.49.1", "CVE-2024-47874: forms without bound; CVE-2025-54121, CVE-2025-62727: Range headers"),
    "uvicorn": ("0.11.7", "CVE-2020-7694, CVE-2020-7695: lines in headers and logs"),
    "websockets": ("9.1", "CVE-2021-33880: passwords by timing"),
    "numpy": ("1.22.0", "CVE-2021-34141: comparison of strings"),
}


def version(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def directives(path: Path) -> dict[str, list[str]]:
    """A unit's lines by key, comments left out."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


# ---- pins


@pytest.mark.parametrize("package", ADVISORIES)
def test_neither_pins_nor_lower_bounds_let_a_known_advisory_in(package: str) -> None:
    fixed, what = ADVISORIES[package]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = dict(re.findall(r"^([A-Za-z0-9-]+)[=>]=([0-9.]+)", "\n".join(project["dependencies"]), re.MULTILINE))
    lowered = {name.lower(): bound for name, bound in bounds.items()}
    assert version(lowered[package]) >= version(fixed), what
    for name in ("requirements.txt", "requirements-gpu.txt"):
        assert version(pins(name)[package]) >= version(fixed), what


def test_what_is_pinned_is_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[=><]", line)[0].lower() for line in project["dependencies"]}
    gpu = {re.split(r"[=><]", line)[0].lower() for line in project["optional-dependencies"]["gpu"]}
    assert set(pins("requirements.txt")) - wanted <= {"ctranslate2"}  # faster-whisper's, and what decodes here
    assert wanted <= set(pins("requirements.txt"))
    assert set(pins("requirements-gpu.txt")) == set(pins("requirements.txt")) | gpu


# ---- systemd

SANDBOX = {
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "DevicePolicy": "closed",
    "PrivateUsers": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes",
    "RemoveIPC": "yes",
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
    "StateDirectoryMode": "0750",
    "LimitCORE": "0",
}


def test_the_unit_has_every_wall_of_the_sandbox() -> None:
    found = directives(UNIT)
    assert {key: found.get(key) for key in SANDBOX} == {key: [value] for key, value in SANDBOX.items()}
    assert found["SystemCallFilter"][:2] == ["@system-service", "~@privileged @resources"]
    assert "MemoryDenyWriteExecute" not in found  # the decoder's kernels are made at run time, and the unit says so
    assert "MemoryDenyWriteExecute" in UNIT.read_text(encoding="utf-8")
    assert not any("TOKEN" in value for value in found["Environment"])  # secrets come by a file that only root reads
    assert found["EnvironmentFile"] == ["-/etc/voicebot/secrets.env"]


def test_a_gpu_opens_its_devices_and_nothing_else() -> None:
    found = directives(GPU)
    assert set(found) == {"ExecStart", "Environment", "PrivateDevices", "DevicePolicy", "DeviceAllow"}
    assert all("nvidia" in device for device in found["DeviceAllow"])
    assert found["DevicePolicy"] == ["closed"]


SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.skipif(SYSTEMD is None, reason="systemd rates its unit where it is installed")
def test_systemd_rates_the_sandbox_as_ok() -> None:
    """Its scale goes to 10; what is left is the network, which is the service's use."""
    assert SYSTEMD is not None
    command = [SYSTEMD, "security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "offline" in ran.stderr:
        pytest.skip("an older systemd rates only what runs")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr


# ---- source

CODE = sorted([*(ROOT / "V3").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
BAD_CALLS = {
    *("eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.full_load"),
    *("yaml.unsafe_load", "yaml.load_all", "pickle.load", "pickle.loads", "marshal.loads", "shelve.open"),
    *("tempfile.mktemp", "ssl._create_unverified_context"),
}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def named(call: ast.Call, name: str) -> object:
    """The constant given as a keyword, None without one."""
    value = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return value.value if isinstance(value, ast.Constant) else None


def test_nothing_read_becomes_code() -> None:
    """YAML is loaded safely, no array and no model is unpickled, no shell is asked."""
    seen = set()
    for path in CODE:
        for name, call in calls(path):
            seen.add(name)
            where = f"{path.relative_to(ROOT)}:{call.lineno} {name}"
            assert name not in BAD_CALLS, where
            assert named(call, "shell") is not True, where
            assert named(call, "allow_pickle") is not True, where
            assert name not in ("np.load", "numpy.load") or named(call, "allow_pickle") is False, where
            assert name != "torch.load" or named(call, "weights_only") is True, where
    assert {"yaml.safe_load", "torch.load", "hmac.compare_digest"} <= seen  # the search does find calls


def test_tokens_are_compared_in_constant_time() -> None:
    compared = []
    for path in sorted((ROOT / "V3" / "system").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                text = ast.unparse(node)
                assert not re.search(r"token|password|secret", text), f"{path.name}: {text}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hmac.compare_digest":
                compared.append(path.name)
    assert compared == ["call_admission.py", "client_admission.py"]
