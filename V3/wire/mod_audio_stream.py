"""mod_audio_stream's WebSocket: ``/call/<uuid>``, binary L16 and, among it, one metadata text. A core.

What a real FreeSWITCH was seen to do decides what is taken: audio may come before the metadata (so the call's id,
rate and channels stand in the URL), a message holds any multiple of 20 ms, nothing marks the end, and the module
closes with 1000. Anything else is a WireError that names itself; the stream it came on goes on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

import numpy as np

from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio, Resampler, deinterleave, from_l16
from V3.errors import WireError

__all__ = ["CallAudio", "CallPath", "ModAudioStream", "call_url", "parse_path"]

RATES_HZ = (8000, 16000)
MAX_METADATA_KEYS = 64
_CALL_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")


@dataclass(frozen=True, slots=True)
class CallPath:
    """What a URL says of its stream."""

    call_id: str
    rate_hz: int = 16000
    channels: int = 1
    token: str = ""

    def __repr__(self) -> str:
        return f"CallPath({self.call_id}, {self.rate_hz} Hz, {self.channels} channel(s))"  # never the token


@dataclass(frozen=True, slots=True)
class CallAudio:
    """Samples of one message at 16 kHz: the callee's and, on a stereo stream, the robot's of the same moment."""

    callee: Audio
    robot: Audio | None = None


def parse_path(target: str) -> CallPath:
    """``/call/<uuid>?rate=8000&channels=2&token=...`` taken apart. Raises WireError naming what is accepted."""
    path, _, asked = target.partition("#")[0].partition("?")
    if not path.startswith("/call/") or not _CALL_ID.fullmatch(call_id := path.removeprefix("/call/")):
        raise WireError(f"unknown path {path[:80]!r}: /call/<uuid> is taken", close_code=1008)
    try:
        query = parse_qs(asked, strict_parsing=bool(asked), max_num_fields=8)
        rate_hz, channels = int(query.get("rate", ["16000"])[0]), int(query.get("channels", ["1"])[0])
    except ValueError:  # its message would repeat the query, and a token with it
        raise WireError("a query that cannot be read: rate=, channels= and token= are taken", close_code=1008) from None
    if rate_hz not in RATES_HZ or channels not in (1, 2):
        raise WireError("rate=8000 or 16000 and channels=1 or 2 are taken", close_code=1008)
    return CallPath(call_id, rate_hz, channels, query.get("token", [""])[0])


def call_url(base: str, call_id: str, *, rate_hz: int, token: str = "") -> str:
    """The URL to give to ``uuid_audio_stream`` for one call."""
    secret = f"&token={quote(token, safe='')}" if token else ""
    return f"{base.rstrip('/')}/call/{call_id}?rate={rate_hz}{secret}"


class ModAudioStream:
    """One connection's messages to samples. Keeps what does not fill a 20 ms frame for the next message."""

    def __init__(self, path: CallPath) -> None:
        self._channels = path.channels
        self._resamplers = [Resampler(path.rate_hz, RATE_HZ) for _ in range(path.channels)]
        self._rest = [np.zeros(0, dtype=np.float32) for _ in range(path.channels)]
        self.metadata: dict[str, Any] = {}

    def binary(self, data: bytes) -> CallAudio | None:
        """Whole 20 ms frames at 16 kHz; None while there is none. Raises WireError for half a sample."""
        if len(data) % (2 * self._channels):
            raise WireError(f"{len(data)} bytes: whole L16 samples of {self._channels} channel(s) are taken")
        sides = [
            np.concatenate([rest, resampler.push(side)])
            for rest, resampler, side in zip(
                self._rest, self._resamplers, deinterleave(from_l16(data), self._channels), strict=True
            )
        ]
        whole = sides[0].size - sides[0].size % FRAME_SAMPLES  # both sides are equally long: same input, same filter
        self._rest = [side[whole:] for side in sides]
        if not whole:
            return None
        return CallAudio(sides[0][:whole], sides[1][:whole] if self._channels > 1 else None)

    def text(self, message: str) -> None:
        """Take a metadata text, a JSON object; later ones (``send_text``) add to it. WireError for anything else."""
        try:
            data = json.loads(message)
        except (ValueError, RecursionError) as exc:
            raise WireError(f"text that is not JSON: {message[:80]!r}") from exc
        if not isinstance(data, dict):
            raise WireError(f"metadata is a JSON object, not {message[:80]!r}")
        if len(self.metadata | data) > MAX_METADATA_KEYS:
            raise WireError(f"metadata of more than {MAX_METADATA_KEYS} keys")
        self.metadata |= data
