"""The soak as its users run it: so many seconds (VOICEBOT_SOAK_S) of calls and faults, by the shipped model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOAK_S = float(os.environ.get("VOICEBOT_SOAK_S", "20"))


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 160)
def test_calls_under_faults_leave_nothing_and_nobody_is_dialled_twice() -> None:
    command = [sys.executable, "scripts/soak_calls.py", "--seconds", f"{SOAK_S:g}", "--calls", "6", "--seed", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SOAK_S + 150, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nobody was dialled twice" in ran.stdout
