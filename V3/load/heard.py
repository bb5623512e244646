"""What the simulator saw of a call, as it travels from its process: one line of JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["HeardCall", "HeardPrompt", "HeardSpeech"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeardSpeech(_Part):
    """Something the callee said; ``onset_ms`` is its first sound. Times are ms since the answer, on one clock."""

    onset_ms: float
    end_ms: float


class HeardPrompt(_Part):
    """A prompt as the callee heard it; ``status``: done, break or hangup."""

    start_ms: float
    stop_ms: float
    status: str


class HeardCall(_Part):
    """One call."""

    call_id: str
    speech: tuple[HeardSpeech, ...] = ()
    prompts: tuple[HeardPrompt, ...] = ()

    def silences_ms(self) -> list[float]:
        """Of each prompt that was broken off: from the first sound of what the callee said last to the silence."""
        took: list[float] = []
        for prompt in self.prompts:
            said = [part.onset_ms for part in self.speech if prompt.start_ms <= part.onset_ms < prompt.stop_ms]
            if prompt.status == "break" and said:
                took.append(prompt.stop_ms - max(said))
        return took
