"""Scenarios as files: ``config/scenarios/NAME.yaml``."""

from __future__ import annotations

from V3.calls.scenario import Scenario, parse_scenario
from V3.config import config_dir
from V3.errors import ScenarioError

__all__ = ["load_scenario"]


def load_scenario(name: str) -> Scenario:
    """Read a scenario by its file's name in config/scenarios, or by an absolute path. Raises ScenarioError."""
    path = config_dir() / "scenarios" / name  # an absolute name stands for itself
    try:
        return parse_scenario(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise ScenarioError(f"the scenario {path} cannot be read: {exc}") from exc
