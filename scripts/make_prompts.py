"""Make the prompts of a scenario with espeak-ng: 8 kHz mono WAVs in the prompts folder beside it.

    python scripts/make_prompts.py config/scenarios/rendez_vous.yaml [--voice fr+f3]

A synthetic voice is enough to try a scenario; real calls deserve a recorded one. A step's ``retry_prompt`` says the
step's text again, after a word of excuse.
"""

from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from V3.audio.pcm import from_l16, peak, resample, to_l16
from V3.calls.scenario import parse_scenario

RATE_HZ = 8000  # what a telephone carries; FreeSWITCH plays any rate


def main(
    scenario: Annotated[Path, typer.Argument(help="the scenario's YAML", exists=True)],
    voice: Annotated[str, typer.Option(help="an espeak-ng voice")] = "fr+f3",
    speed: Annotated[int, typer.Option(help="words per minute")] = 165,
) -> None:
    """Speak every text of a scenario into its prompt's WAV."""
    folder = scenario.parent / "prompts"
    folder.mkdir(exist_ok=True)
    spoken = parse_scenario(scenario.read_text(encoding="utf-8"), source=str(scenario))
    if spoken.message is not None and spoken.message.text:
        _speak(spoken.message.text, folder / spoken.message.prompt, voice=voice, speed=speed)
        typer.echo(f"message: {spoken.message.prompt}")
    for name, step in spoken.steps.items():
        if not step.text:
            continue
        _speak(step.text, folder / step.prompt, voice=voice, speed=speed)
        if step.retry_prompt:
            _speak(
                f"Pardon, je n'ai pas bien compris. {step.text}", folder / step.retry_prompt, voice=voice, speed=speed
            )
        typer.echo(f"{name}: {step.prompt}")


def _speak(text: str, path: Path, *, voice: str, speed: int) -> None:
    spoken = subprocess.run(  # noqa: S603 - the words are an argument, no shell
        ["espeak-ng", "-v", voice, "-s", str(speed), "--stdout", text],  # noqa: S607
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    with wave.open(io.BytesIO(spoken)) as source:
        rate_hz, data = source.getframerate(), source.readframes(1 << 30)
    audio = resample(from_l16(data), from_hz=rate_hz, to_hz=RATE_HZ)
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE_HZ)
        target.writeframes(to_l16(audio * np.float32(0.7 / max(0.05, peak(audio)))))


if __name__ == "__main__":
    typer.run(main)
