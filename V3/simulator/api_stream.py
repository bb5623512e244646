"""``uuid_audio_stream``: its arguments, replies and traps.

``start`` on a SIP leg that rings (no media yet) ends the whole FreeSWITCH; on a ringing loopback leg it turns the
call into early media. ``send_text`` and ``stop`` take one word.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from V3.simulator.audio_fork import ForkSettings
from V3.simulator.call import Call
from V3.simulator.originate import separate
from V3.simulator.switch import Switch

__all__ = ["StreamApi"]

OK, FAILED, NO_REPLY = "+OK Success\n", "-ERR Operation Failed\n", "-ERR no reply\n"
USAGE = (
    "-USAGE: <uuid> [start | stop | send_text | pause | resume | graceful-shutdown ] [wss-url | path] "
    "[mono | mixed | stereo] [8000 | 16000] [metadata]\n"
)
MAX_METADATA_BYTES = 8192


class StreamApi:
    """``crash`` never returns: the process is gone."""

    def __init__(self, switch: Switch, crash: Callable[[], Awaitable[None]]) -> None:
        self._switch = switch
        self._crash = crash

    async def run(self, arguments: str) -> str:
        words = separate(arguments, " ", 6)
        if len(words) < 2:
            return USAGE
        call = self._switch.call_of(words[0])
        if words[1] == "start":
            return await self._start(call, words)
        if words[1] not in ("stop", "send_text", "pause", "resume", "graceful-shutdown"):
            return USAGE
        if words[1] == "send_text" and len(words) < 3:
            return NO_REPLY
        if call is None or call.fork is None:
            return FAILED
        text = words[2] if len(words) > 2 else ""
        if words[1] in ("stop", "graceful-shutdown"):
            fork = call.fork
            await fork.close(text)
            if call.fork is fork:
                call.stream_over()
        elif words[1] == "send_text":
            call.fork.send_text(text)
        else:
            call.fork.paused = words[1] == "pause"
        return OK

    async def _start(self, call: Call | None, words: list[str]) -> str:
        if len(words) < 4:
            return USAGE
        if words[3] not in ("mono", "mixed", "stereo"):
            return NO_REPLY
        rate_hz = _rate(words[4] if len(words) > 4 else "8k")
        if call is None or call.hung or call.fork is not None or not rate_hz or not _ws_url(words[2]):
            return FAILED
        if not (call.answered or call.early or call.near.answer_state == "answered"):
            if call.near.kind == "sip":
                if self._switch.faults.faults.crash_on_early_start:
                    await self._crash()
                return FAILED
            call.early_media()
        call.start_stream(_settings(call, words, rate_hz))
        return OK


def _settings(call: Call, words: list[str], rate_hz: int) -> ForkSettings:
    variables = call.near.variables
    size = variables.get("STREAM_BUFFER_SIZE", "")
    beat = variables.get("STREAM_HEART_BEAT", "")
    metadata = words[5] if len(words) > 5 else ""
    return ForkSettings(
        uuid=call.near.uuid,
        url=words[2],
        mix=words[3],
        rate_hz=rate_hz,
        metadata=metadata.encode()[:MAX_METADATA_BYTES].decode("utf-8", "ignore"),
        message_ms=int(size) if size.isdigit() and int(size) and int(size) % 20 == 0 else 20,
        heart_beat_s=float(beat) if beat.isdigit() else 0.0,
        extra_headers=_extra_headers(variables.get("STREAM_EXTRA_HEADERS", "")),
    )


def _extra_headers(text: str) -> tuple[tuple[str, str], ...]:
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple((str(k), str(v)) for k, v in found.items()) if isinstance(found, dict) else ()


def _rate(text: str) -> int:
    """8k, 16k or a multiple of 8000; 0 for anything else."""
    rate_hz = {"8k": 8000, "16k": 16000}.get(text) or (int(text) if text.isdigit() else 0)
    return rate_hz if rate_hz % 8000 == 0 and rate_hz <= 48000 else 0


def _ws_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme == "ws" and bool(parts.hostname)
