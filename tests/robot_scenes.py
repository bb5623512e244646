"""Scenarios for the robot's tests, written into a folder, and what callees do in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from robot_rig import SOUNDS
from scripted_recognizer import ScriptedRecognizer

from V3.asr.model import Recognizer
from V3.config import config_dir
from V3.simulator import Dtmf, Rule, Say, Trigger, When
from V3.system.services.faster_whisper_stt import SttOptions
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["DATA", "PROMPTS", "VOICES", "at_file", "mid_prompt", "notice", "presses", "said", "scene", "scripted"]

DATA = SOUNDS.parents[2] / "tests" / "data"
VOICES = SOUNDS.parents[2] / "scripts" / "dialogues"
PROMPTS = config_dir() / "scenarios" / "prompts"

NOTICE = {
    "prompt": "rendez_vous_confirme.wav",  # 5.3 s
    "text": "Très bien, c'est noté. Un conseiller vous rappellera demain matin. Merci, et au revoir.",
}


def scene(folder: Path, steps: dict[str, dict[str, Any]], **keys: Any) -> dict[str, str]:
    """The ``call`` settings of a scenario with these steps; the first is its start."""
    path = folder / "scene.yaml"
    path.write_text(yaml.safe_dump({"name": "scene", "start": next(iter(steps)), "steps": steps, **keys}))
    return {"scenario": str(path)}


def notice(folder: Path, **keys: Any) -> dict[str, str]:
    """One prompt of 5.3 s and nothing after it."""
    return scene(folder, {"notice": {**NOTICE, **keys}})


def mid_prompt(ms: float, nth: int = 1) -> When:
    """So long after the nth playing began."""
    return When(Trigger.PROMPT_PLAYING_MS, nth=nth, played_ms=ms)


def at_file(ms: float) -> When:
    """So far into a prompt's file, wherever its playing began."""
    return When(Trigger.PROMPT_AT_MS, played_ms=ms)


def said(file: Path, when: When, *, after_ms: float = 0, level_db: float = 0.0) -> Rule:
    return Rule(when, (Say(file, level_db),), after_ms=after_ms)


def presses(keys: str, when: When, *, after_ms: float = 0) -> Rule:
    return Rule(when, (Dtmf(keys),), after_ms=after_ms)


class _Script(ScriptedRecognizer):
    """What a service asks of its model beside decodes, the real one answers."""

    def __init__(self, real: Recognizer, text: str, *, gated: bool) -> None:
        super().__init__(text, gated=gated)
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def scripted(
    stt: WhisperStreamingSTT, text: str, *, gated: bool = False
) -> tuple[ScriptedRecognizer, WhisperStreamingSTT]:
    """A recogniser that hears ``text`` in whatever is said (its ``text`` may be changed), and an engine with it."""
    script = _Script(stt.recognizer, text, gated=gated)
    options = SttOptions(self_test=False)
    return script, WhisperStreamingSTT(recognizer=script, options=options)  # type: ignore[arg-type]
