"""What became of a call, as data that outlives it. A core: the robot fills it in, ``model_dump_json`` writes it.

Every moment is in ms from the answer; before the answer it is negative. Words carry the same clock.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BargeInReport",
    "CallReport",
    "CallUpdate",
    "IgnoredReport",
    "MessageReport",
    "PartialReport",
    "PromptReport",
    "SpeechReport",
    "VerdictReport",
    "VoiceReport",
    "WordReport",
]

_WORDLESS_KINDS: Final = ("timing", "tone")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WordReport(_Part):
    """A word and when it was said."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


class SpeechReport(_Part):
    """One utterance of the callee."""

    text: str
    start_ms: int
    end_ms: int
    words: list[WordReport] = []


class PartialReport(_Part):
    """The words of an utterance so far, as they were known at ``at_ms``."""

    at_ms: int
    start_ms: int
    text: str


class VoiceReport(_Part):
    """Voice activity of the callee."""

    start_ms: int
    end_ms: int


class VerdictReport(_Part):
    """Who answered, and why; ``kind`` says it more finely."""

    label: str
    reason: str
    confidence: float
    text: str
    evidence: list[str]
    at_ms: int
    kind: str = "unknown"


class PromptReport(_Part):
    """One playing of a prompt: when it began and ended, and how (done, break, hangup); ``from_ms`` is where in the file
    it began, above 0 where it was resumed.
    """

    step: str
    path: str
    from_ms: int = 0
    start_ms: int
    stop_ms: int | None = None
    status: str = ""
    heard_out: bool = False


class BargeInReport(_Part):
    """One interruption, from the first sound of it to the confirmed silence of the prompt.

    ``outcome``: stopped (for good), resumed (it was nothing: ``verdict`` says what), or empty where the call ended
    meanwhile.
    """

    reason: str
    text: str
    speech_start_ms: int
    detected_ms: int
    break_sent_ms: int | None = None
    break_confirmed_ms: int | None = None
    outcome: str = ""
    verdict: str = ""
    resumed_ms: int | None = None


class IgnoredReport(_Part):
    """What the callee did over a prompt that did not touch it: a backchannel, a noise, an echo."""

    reason: str
    text: str
    at_ms: int


class MessageReport(_Part):
    """A message left on a voicemail: why it began then, when, and whether all of it was played."""

    reason: str
    start_ms: int
    stop_ms: int | None = None
    whole: bool = False


class CallReport(_Part):
    """One call. ``disposition`` and ``retry`` serve the campaign, ``outcome`` is the scenario's, ``do_not_call`` says
    that the callee asked for it. ``verdict`` is the one that stands; those it replaced are ``revised``. ``recording``
    is a WAV on FreeSWITCH's machine (the callee left, our prompts right) that begins at ``moments["recording"]``.
    """

    call_id: str
    number: str
    started_at: str
    scenario: str = ""
    disposition: str = "UNKNOWN"
    retry: str = "NEVER"
    hangup_cause: str = ""
    sip_status: int = 0
    hung_up_by: str = ""
    verdict: VerdictReport | None = None
    revised: list[VerdictReport] = []
    message: MessageReport | None = None
    outcome: str = ""
    do_not_call: bool = False
    intents: list[str] = []
    values: dict[str, str] = {}
    moments: dict[str, int] = {}
    prompts: list[PromptReport] = []
    barge_ins: list[BargeInReport] = []
    ignored: list[IgnoredReport] = []
    transcript: list[SpeechReport] = []
    partials: list[PartialReport] = []
    voice: list[VoiceReport] = []
    digits: str = ""
    recording: str = ""
    errors: list[str] = []
    audio_flags: list[str] = []
    breaks_resent: int = 0
    stream_restarts: int = 0
    duration_ms: int = Field(default=0, ge=0)

    @property
    def label(self) -> str:
        """The verdict's label; empty when there was none."""
        return self.verdict.label if self.verdict else ""

    def without_words(self) -> CallReport:
        """A copy without what the callee said; what the scenario asked for (values, keys) stays."""
        return self.model_copy(
            update={
                "verdict": self.verdict and _wordless(self.verdict, evidence=[]),
                "revised": [_wordless(verdict, evidence=[]) for verdict in self.revised],
                "barge_ins": [_wordless(entry, verdict=_kind(entry.verdict)) for entry in self.barge_ins],
                "ignored": [_wordless(entry) for entry in self.ignored],
                "transcript": [],
                "partials": [],
            }
        )


_Heard = TypeVar("_Heard", VerdictReport, BargeInReport, IgnoredReport)


def _wordless(part: _Heard, **more: Any) -> _Heard:
    return part.model_copy(update={"text": "", "reason": _kind(part.reason), **more})


def _kind(reason: str) -> str:
    """A reason without the words it found: ``stop word: non merci`` is one of a stop word."""
    kind = reason.partition(": ")[0]
    return reason if kind in _WORDLESS_KINDS else kind


class CallUpdate(_Part):
    """One line of a call's live story: its state, and what happened in it."""

    call_id: str
    number: str
    at_ms: int
    state: str
    text: str = ""
