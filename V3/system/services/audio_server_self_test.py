"""The audio server's self-test: it streams a bundled word to a server of its own, as FreeSWITCH would.

``python V3/system/services/websocket_audio_server.py`` runs it. The way is the real one: a socket, a handshake,
640-byte frames, the metadata among them, and the events that come back as JSON on the same socket.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final as Constant

import numpy as np
from rich.console import Console
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, to_l16
from V3.config import AnswerSettings, ServerSettings
from V3.errors import VoicebotError
from V3.events import AnswerClassified, Event, Final, Partial, from_json
from V3.system.services.amd_service import AMDService
from V3.system.services.audio_files import read_audio
from V3.system.services.faster_whisper_stt import SHIPPED_MODEL
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["main"]

_WORD: Constant = Path(__file__).resolve().parents[2] / "models" / "selftest.wav"
_SILENCE_S: Constant = 3.0  # with the word it is longer than the answer window
_METADATA_AFTER_FRAMES: Constant = 3  # FreeSWITCH often sends audio before it
_TIMEOUT_S: Constant = 20.0
_CALL_ID: Constant = "selftest"


def main(arguments: list[str] | None = None) -> int:
    """0 when words and a verdict came back, 1 with a message when anything is wrong."""
    asked = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        with WhisperStreamingSTT(asked.model, asked.device, "default") as stt:
            console.print(f"model      {stt.info.name} on {stt.info.device}")
            asyncio.run(_hear_word(stt, console))
    except TimeoutError:  # an OSError too: it comes first
        console.print(f"FAILED     words and a verdict did not both come back within {_TIMEOUT_S:g} s")
        return 1
    except (VoicebotError, WebSocketException, OSError) as exc:
        console.print(f"FAILED     {type(exc).__name__}: {exc}")
        return 1
    console.print("OK         the server hears, decides and answers")
    return 0


async def _hear_word(stt: WhisperStreamingSTT, console: Console) -> None:
    """Raises TimeoutError when text or verdict do not come."""
    from V3.system.services.websocket_audio_server import WebSocketAudioServer  # noqa: PLC0415 - it runs this module

    settings = ServerSettings(port=0, send_events=True)
    answer = AnswerSettings(decode_timeout_s=10)  # a first decode on a slow machine is no fault of the server
    async with WebSocketAudioServer(stt, amd=AMDService(), settings=settings, answer=answer) as server:
        server.expect(_CALL_ID, lambda _event: None)
        console.print(f"listening  {server.url_for(_CALL_ID)}")
        async with asyncio.timeout(_TIMEOUT_S), connect(server.url_for(_CALL_ID)) as socket, _speaking(socket):
            text = verdict = False
            while not (text and verdict):
                event = from_json(str(await socket.recv()))
                console.print(_line(event))
                text |= isinstance(event, Final) and bool(event.text)
                verdict |= isinstance(event, AnswerClassified)


@contextlib.asynccontextmanager
async def _speaking(socket: ClientConnection) -> AsyncIterator[None]:
    """Send the word while the events are read: a server whose answers nobody reads would stop listening."""
    sending = asyncio.create_task(_send_word(socket), name="self-test audio")
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send_word(socket: ClientConnection) -> None:
    audio = np.concatenate([read_audio(_WORD), np.zeros(int(_SILENCE_S * RATE_HZ), dtype=np.float32)])
    for index in range(audio.size // FRAME_SAMPLES):
        if index == _METADATA_AFTER_FRAMES:
            await socket.send('{"call":"selftest"}')
        await socket.send(to_l16(audio[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]))


def _line(event: Event) -> str:
    told = f"{event.at_ms / 1000:8.2f} s  {type(event).__name__:<16}"
    match event:
        case AnswerClassified():
            return f"{told}  {event.label} ({event.reason})"
        case Partial() | Final():
            return f"{told}  {event.text}"
        case _:
            return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="websocket_audio_server.py",
        description="Test the audio server: start it on a free port, stream a bundled word to it as FreeSWITCH's "
        "mod_audio_stream does, and print the events that come back. Exit status 1 when words or a verdict on who "
        "answered are missing.",
        epilog="example: websocket_audio_server.py --model small --device auto  (telephone-fr needs no network). "
        "The server that calls use is started by: python -m V3 serve",
    )
    parser.add_argument("--model", default=SHIPPED_MODEL, help="telephone-fr, a directory, small, large-v3-turbo, ...")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: a GPU if there is one")
    return parser
