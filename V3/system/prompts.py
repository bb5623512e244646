"""Where the prompts lie on FreeSWITCH's machine, and what is known of them here: rate, length, text.

Rate and length are read once from the WAVs' headers where they can be read from here; otherwise a prompt counts as
8 kHz, which is what ``scripts/make_prompts.py`` makes.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from V3.calls.scenario import Scenario
from V3.config import RobotConfig, config_dir
from V3.errors import ScenarioError

__all__ = ["Prompt", "Prompts"]

USUAL_RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class Prompt:
    """One file: its path for FreeSWITCH, its sampling rate, its length (0: not known) and what it says."""

    path: str
    rate_hz: int = USUAL_RATE_HZ
    length_ms: int = 0
    text: str = ""

    def sample_at(self, at_ms: float) -> int:
        """The sample of the file that is played ``at_ms`` after its beginning."""
        return max(0, round(at_ms * self.rate_hz / 1000))


class Prompts:
    """The prompts of one scenario. Raises ScenarioError for one that is a link to a place outside their folder."""

    def __init__(self, config: RobotConfig, scenario: Scenario) -> None:
        self._folder = config.freeswitch.prompts_dir or str(config_dir() / "scenarios" / "prompts")
        texts = scenario.texts
        self._known: Mapping[str, Prompt] = {name: self._look(name, texts.get(name, "")) for name in scenario.prompts}

    def find(self, name: str) -> Prompt:
        """The prompt of this name. Raises KeyError for one the scenario does not have."""
        return self._known[name]

    def text_of(self, path: str) -> str:
        """What the prompt at this path says; empty where that is not known."""
        return next((prompt.text for prompt in self._known.values() if prompt.path == path), "")

    def _look(self, name: str, text: str) -> Prompt:
        path = f"{self._folder.rstrip('/')}/{name}"
        if not Path(path).resolve().is_relative_to(Path(self._folder).resolve()):
            raise ScenarioError(f"the prompt {path} leads out of its folder: copy it there instead of a link")
        try:
            with wave.open(str(Path(path)), "rb") as file:
                rate_hz, frames = file.getframerate(), file.getnframes()
        except (OSError, EOFError, wave.Error):  # elsewhere, or another format: FreeSWITCH will say if it cannot
            return Prompt(path, text=text)
        return Prompt(path, rate_hz, frames * 1000 // rate_hz, text)
