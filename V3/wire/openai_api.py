"""OpenAI's HTTP API for transcriptions: what a request may ask, and its answers in every format. A core."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from V3.errors import WireError
from V3.events import Final as Ended
from V3.events import Word

__all__ = ["CONTENT_TYPES", "Asked", "asked", "error_body", "json_body", "srt", "text_body", "verbose_body", "vtt"]

FORMATS: Final = ("json", "text", "srt", "vtt", "verbose_json")
CONTENT_TYPES: Final = {
    "text": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
MAX_PROMPT_CHARS: Final = 4096
_CUE_CHARS: Final = 84  # two lines of subtitles
_CUE_MS: Final = 7000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without its file."""

    model: str
    language: str = ""
    prompt: str = ""
    response_format: str = "json"
    words: bool = False
    segments: bool = True


def asked(fields: Mapping[str, Sequence[str]]) -> Asked:
    """Out of the form's fields, each with all its values. Raises WireError naming what is wrong; others are ignored."""

    def one(name: str, default: str = "") -> str:
        values = fields.get(name) or [default]
        return values[-1]

    form, language, prompt = one("response_format", "json") or "json", one("language").lower(), one("prompt")
    if form not in FORMATS:
        raise WireError(f"response_format is one of {', '.join(FORMATS)}, not {form[:40]!r}")
    if language and not (language.isascii() and 2 <= len(language) <= 8):
        raise WireError(f"language is a code such as fr or en, not {language[:40]!r}")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise WireError(f"a prompt of {len(prompt)} characters; {MAX_PROMPT_CHARS} are taken")
    if one("stream", "false").lower() in ("true", "1"):
        raise WireError("stream=true is not taken: the answer comes whole")
    granularities = {*fields.get("timestamp_granularities[]", ()), *fields.get("timestamp_granularities", ())}
    if granularities - {"word", "segment"}:
        raise WireError("timestamp_granularities[] are word and segment")
    if "word" in granularities and form != "verbose_json":
        raise WireError("timestamp_granularities[] needs response_format=verbose_json")
    return Asked(
        model=one("model"),
        language=language,
        prompt=prompt,
        response_format=form,
        words="word" in granularities,
        segments="segment" in granularities or not granularities,
    )


def error_body(message: str, *, kind: str = "invalid_request_error", param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


def text_body(said: Sequence[Ended]) -> str:
    return " ".join(each.text for each in said)


def json_body(said: Sequence[Ended]) -> dict[str, Any]:
    return {"text": text_body(said)}


def verbose_body(
    said: Sequence[Ended], wanted: Asked, *, language: str, duration_s: float, task: str = "transcribe"
) -> dict[str, Any]:
    """With segments (utterances) and, where they are asked for, words; times in seconds."""
    body: dict[str, Any] = {
        "task": task,
        "language": language,
        "duration": round(duration_s, 3),
        "text": text_body(said),
    }
    if wanted.words:
        body["words"] = [
            {"word": word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000}
            for each in said
            for word in each.words
        ]
    if wanted.segments:
        body["segments"] = [_segment(number, each) for number, each in enumerate(said)]
    return body


def srt(said: Sequence[Ended]) -> str:
    """SubRip, cues of at most two lines and 7 s."""
    cues = enumerate(_cues(said), start=1)
    return "\n".join(f"{n}\n{_moment(a, ',')} --> {_moment(b, ',')}\n{text}\n" for n, (a, b, text) in cues)


def vtt(said: Sequence[Ended]) -> str:
    """WebVTT. What would be markup in it is escaped."""
    cues = [f"{_moment(a, '.')} --> {_moment(b, '.')}\n{_escaped(text)}\n" for a, b, text in _cues(said)]
    return "\n".join(["WEBVTT\n", *cues])


def _segment(number: int, said: Ended) -> dict[str, Any]:
    sure = [max(word.confidence, 1e-6) for word in said.words]
    packed = said.text.encode()
    return {
        "id": number,
        "seek": said.start_ms // 10,
        "start": said.start_ms / 1000,
        "end": said.end_ms / 1000,
        "text": said.text,
        "temperature": 0.0,
        "avg_logprob": round(sum(map(math.log, sure)) / len(sure), 4) if sure else 0.0,
        "compression_ratio": round(len(packed) / len(zlib.compress(packed)), 4),
    }


def _cues(said: Sequence[Ended]) -> list[tuple[int, int, str]]:
    cues: list[tuple[int, int, str]] = []
    for each in said:
        if not each.words:
            cues.append((each.start_ms, each.end_ms, each.text))
            continue
        run: list[Word] = []
        for word in each.words:
            text = " ".join(w.text for w in [*run, word])
            if run and (len(text) > _CUE_CHARS or word.end_ms - run[0].start_ms > _CUE_MS):
                cues.append(_cue(run))
                run = []
            run.append(word)
        cues.append(_cue(run))
    return cues


def _cue(words: Sequence[Word]) -> tuple[int, int, str]:
    start_ms = words[0].start_ms
    return start_ms, max(words[-1].end_ms, start_ms + 1), " ".join(word.text for word in words)


def _moment(ms: int, point: str) -> str:
    seconds, ms = divmod(max(0, ms), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
