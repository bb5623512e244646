"""Reports to draw, with the words that people and bad programs might say."""

from __future__ import annotations

from typing import Any

from V3.calls.report import (
    BargeInReport,
    CallReport,
    IgnoredReport,
    PartialReport,
    PromptReport,
    SpeechReport,
    VerdictReport,
    VoiceReport,
    WordReport,
)

__all__ = ["HOSTILE", "full_report"]

HOSTILE = (
    "</td></table><script>alert(1)</script><img src=x onerror=alert(2)> \" ' & $\\frac{1}{0}$ \x1b[2J \u202e 😀 漢"
)


def full_report(text: str = "Ça ne m'intéresse pas.", **changes: Any) -> CallReport:
    """A call with one of everything."""
    return CallReport(
        call_id="0b1c2d3e-0000-4000-8000-000000000001",
        number="0199001202",
        started_at="2026-01-01T10:00:00.000+00:00",
        scenario=text,
        disposition="ANSWERED",
        hangup_cause="NORMAL_CLEARING",
        hung_up_by="robot",
        outcome=text,
        verdict=VerdictReport(
            label="HUMAN", reason=text, confidence=0.97, text=text, evidence=[text], at_ms=1215, kind="person"
        ),
        revised=[VerdictReport(label="MACHINE", reason=text, confidence=0.9, text=text, evidence=[], at_ms=900)],
        values={text: text},
        moments={"answer": 0, "ring_ms": 144, "first_frame": 45, "recording": 12, "hangup": 9100},
        prompts=[
            PromptReport(step="a", path=f"/p/{text}", start_ms=1570, stop_ms=4400, status="break"),
            PromptReport(step="a", path=f"/p/{text}", from_ms=2680, start_ms=5000, stop_ms=7000, status="done"),
            PromptReport(step="b", path="/p/b.wav", start_ms=7200),
        ],
        barge_ins=[
            BargeInReport(
                reason="speech for 350 ms",
                text=text,
                speech_start_ms=4100,
                detected_ms=4370,
                break_sent_ms=4371,
                break_confirmed_ms=4400,
                outcome="resumed",
                verdict=text,
                resumed_ms=5000,
            ),
            BargeInReport(reason=text, text=text, speech_start_ms=8000, detected_ms=8300),
        ],
        ignored=[IgnoredReport(reason="backchannel", text=text, at_ms=6000)],
        transcript=[
            SpeechReport(
                text=text,
                start_ms=4100,
                end_ms=5200,
                words=[WordReport(text=part, start_ms=4100, end_ms=4300, confidence=0.5) for part in text.split()],
            )
        ],
        partials=[PartialReport(at_ms=4370, start_ms=4100, text=text)],
        voice=[VoiceReport(start_ms=4100, end_ms=5200)],
        errors=[text],
        audio_flags=[text],
        duration_ms=9100,
    ).model_copy(update=changes)
