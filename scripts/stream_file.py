"""Send an audio file to the voicebot's server, in any of its protocols, and show what it hears as it hears it.

python -m V3 serve                                        # in another terminal
python scripts/stream_file.py meeting.mp3                 # live captions, at the pace it is spoken
python scripts/stream_file.py --dialect vad --fast a.wav  # PCM with voice detection, as fast as it is taken
python scripts/stream_file.py --simulate                  # no file: a bundled phrase, again and again
python scripts/stream_file.py --ping                      # is anybody there?
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from scripts.clients.dialects import DIALECTS, ClientDialect, Wishes
from scripts.clients.link import ClientFailed, Link, Server, linked
from scripts.clients.screen import Screen
from V3.audio.pcm import RATE_HZ, Audio
from V3.errors import AudioError
from V3.system.services.audio_files import read_audio
from V3.system.services.file_audio import file_audio

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, markup=False)
errors = Console(highlight=False, markup=False, stderr=True)
T = TypeVar("T")

PHRASE: Final = Path(__file__).resolve().parents[1] / "V3" / "simulator" / "sounds" / "oui_c_est_moi.wav"
PAUSE_S: Final = 1.5  # between two times of the phrase
MAX_S: Final = 24 * 3600.0  # of a file that is sent as it is read


def one_of(*names: str) -> Callable[[str], str]:
    """A check of an option's value; none given is fine."""

    def checked(value: str) -> str:
        if value and value not in names:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(names)}")
        return value

    return checked


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for."""

    server: Server
    dialect: ClientDialect
    source: Path | None
    seconds: float
    chunk_ms: int
    paced: bool
    ping: bool
    wait_s: float


@app.command()
def main(
    file: Annotated[Path | None, typer.Argument(help="audio in any format; its first sound track is sent")] = None,
    dialect: Annotated[
        str, typer.Option(help=f"the protocol: {', '.join(DIALECTS)}", callback=one_of(*DIALECTS))
    ] = "captions",
    url: Annotated[str, typer.Option(help="the whole ws:// or wss:// URL instead of --host, --port and a path")] = "",
    host: Annotated[str, typer.Option(help="where the server is")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="its port; 8765, of calls 8766", min=1, max=65535)] = None,
    tls: Annotated[bool, typer.Option("--tls", help="wss:// instead of ws://")] = False,  # noqa: FBT002
    ca: Annotated[str, typer.Option(help="a certificate to trust (PEM): for one that signed itself")] = "",
    token: Annotated[str, typer.Option(help="the server's token", envvar="VOICEBOT_CLIENT_TOKEN")] = "",
    language: Annotated[str, typer.Option(help="spoken: fr, en, ..., auto; the server's default without")] = "",
    task: Annotated[
        str, typer.Option(help="transcribe, or translate to English", callback=one_of("transcribe", "translate"))
    ] = "",
    mode: Annotated[
        str, typer.Option(help="captions: live (partials) or classic (every 2 s)", callback=one_of("live", "classic"))
    ] = "",
    client_id: Annotated[str, typer.Option(help="sources: this source's name; call: the call's id")] = "",
    chunk_duration: Annotated[
        int | None, typer.Option(help="ms of audio in a message; vad takes 10, 20 or 30", min=10, max=5000)
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="as fast as the server takes it")] = False,  # noqa: FBT002
    ping: Annotated[bool, typer.Option("--ping", help="a sign of life first; without a file: only that")] = False,  # noqa: FBT002
    simulate: Annotated[bool, typer.Option("--simulate", help="a bundled phrase in a loop, no file")] = False,  # noqa: FBT002
    seconds: Annotated[float, typer.Option(help="--simulate: stop after so long; 0: at Ctrl-C", min=0)] = 0.0,
    wait: Annotated[
        float, typer.Option(help="seconds without an answer after which the last one has come", min=0.5)
    ] = 3.0,
) -> None:
    """Send an audio file to a server of the voicebot and show its words as they come.

    Start one with `python -m V3 serve`. The protocols:

    \b
    captions   words as they are said, partials included; or every two seconds (--mode classic)
    sources    one of several at once; words as soon as they are certain
    vad        16-bit PCM; one line for each utterance
    recorder   WebM/Opus, as a browser's MediaRecorder writes it
    call       as FreeSWITCH's mod_audio_stream; also says who answered

    An address is --host and --port, or all of --url. A server that listens on more than loopback wants --token.

    Exit status: 0 words or at least a sign of life came, 1 something went wrong (named on the screen), 2 the command
    line was wrong, 130 Ctrl-C.
    """  # noqa: D301 - click wants the character
    if simulate and file is not None:
        raise typer.BadParameter("--simulate takes no file")
    if not (simulate or ping or file is not None):
        raise typer.BadParameter("give an audio file, --simulate or --ping (--help says more)")
    asked = Wishes(language, task, mode, client_id)
    speaker = _speaker(dialect, asked)
    job = Job(
        server=Server(server_base(url, host, port or speaker.port, tls=tls), token, whole=bool(url), ca=ca),
        dialect=speaker,
        source=PHRASE if simulate else file,
        seconds=seconds if simulate else -1.0,
        chunk_ms=_chunk_ms(speaker, chunk_duration),
        paced=not fast,
        ping=ping,
        wait_s=wait,
    )
    if not run(_stream(job)):
        raise typer.Exit(1)


def server_base(url: str, host: str, port: int, *, tls: bool) -> str:
    """The URL that was given, or ws://host:port. Also for stream_mic.py."""
    return url or f"{'wss' if tls else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what failed is a line. Also for stream_mic.py."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        errors.print("stopped", style="yellow")
        raise typer.Exit(130) from None
    except OSError as exc:
        errors.print(Text(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc), style="red"), soft_wrap=True)
        raise typer.Exit(1) from exc
    except (ClientFailed, AudioError) as exc:
        errors.print(Text(str(exc), style="red"), soft_wrap=True)
        raise typer.Exit(1) from exc


def _speaker(name: str, asked: Wishes) -> ClientDialect:
    kind = DIALECTS[name]
    for wish in ("language", "task", "mode"):
        if getattr(asked, wish) and wish not in kind.asks:
            raise typer.BadParameter(f"--{wish} cannot be asked for in this protocol: {name}")
    return kind(asked)


def _chunk_ms(dialect: ClientDialect, asked: int | None) -> int:
    chunk_ms = asked or dialect.usual_ms
    if dialect.chunks_ms and chunk_ms not in dialect.chunks_ms:
        taken = ", ".join(map(str, dialect.chunks_ms))
        raise typer.BadParameter(f"--chunk-duration of {dialect.name} is one of {taken} ms, not {chunk_ms}")
    return chunk_ms


async def _stream(job: Job) -> bool:
    if job.source is not None:
        await _first_of(_audio(job))  # a file that is no audio is told before anybody is bothered
    with Screen(console, "words") as screen:
        async with linked(job.server, job.dialect, lambda answer: screen.answer("words", answer)) as link:
            if job.ping:
                console.print(f"a sign of life after {await link.ping():.1f} ms")
            if job.source is None:
                return True
            watching = asyncio.create_task(_watch(link, screen))
            try:
                await link.stream(_audio(job), chunk_ms=job.chunk_ms, paced=job.paced)
                await link.quiet(job.wait_s)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
    took_s = time.monotonic() - link.began_s
    console.print(
        f"{link.sent_s:.1f} s of audio in {took_s:.1f} s; {screen.finals} lines, {screen.errors} errors", style="dim"
    )
    return screen.errors == 0


async def _audio(job: Job) -> AsyncIterator[Audio]:
    """What is to be sent, as float32 at 16 kHz."""
    assert job.source is not None
    if job.seconds < 0:
        try:
            with job.source.open("rb") as file:
                async for piece in file_audio(file, max_s=MAX_S):
                    yield piece
        except AudioError as exc:
            raise AudioError(f"{job.source}: {exc}") from exc
        return
    once = np.concatenate([read_audio(job.source), np.zeros(round(PAUSE_S * RATE_HZ), dtype=np.float32)])
    left = round(job.seconds * RATE_HZ)
    while job.seconds == 0 or left > 0:
        yield once[:left] if job.seconds else once
        left -= once.size


async def _first_of(pieces: AsyncIterator[Audio]) -> None:
    async for _ in pieces:
        return
    raise AudioError("a file without sound")


async def _watch(link: Link, screen: Screen) -> None:
    while True:
        screen.status(f"{link.sent_s:.1f} s sent in {time.monotonic() - link.began_s:.1f} s; Ctrl-C ends it")
        await asyncio.sleep(0.25)


if __name__ == "__main__":
    app()
