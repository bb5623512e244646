"""Live captions of what this machine hears and of what it plays, at the same time, as two sources of one server.

pip install 'V3[mic]'                          # sounddevice; on Debian also apt-get install libportaudio2
python -m V3 serve                             # in another terminal
python scripts/stream_mic.py --list            # what is there
python scripts/stream_mic.py                   # the microphone, and the machine's own sound where it can be had
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import asyncio
import platform
from dataclasses import dataclass, replace
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.clients.dialects import Answer, SourcesClient, Wishes
from scripts.clients.link import ClientFailed, Server, linked
from scripts.clients.screen import COLOURS, Screen
from scripts.clients.sound_devices import (
    Device,
    Recording,
    chosen,
    devices,
    is_monitored,
    microphone,
    monitor_of,
    sounddevice,
)
from scripts.stream_file import one_of, run, server_base

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, markup=False)

MICROPHONE: Final = "microphone"
MACHINE: Final = "machine"
NONE: Final = "none"
_QUIET_S: Final = 2.0  # the last words have come by then
NO_DEVICE: Final = (
    "no microphone and nothing that gives what the machine plays: plug one in, or see --list. "
    "scripts/stream_file.py sends a file instead."
)


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for."""

    server: Server
    wishes: Wishes
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Source:
    """One of the two. Without a device it is PulseAudio's or PipeWire's default monitor."""

    name: str
    device: Device | None

    @property
    def shown(self) -> str:
        return "the default monitor (parec)" if self.device is None else self.device.name


@app.command()
def main(
    show: Annotated[bool, typer.Option("--list", help="the inputs of this machine, and stop")] = False,  # noqa: FBT002
    device: Annotated[str, typer.Option(help="the microphone: its number or a part of its name; none")] = "",
    monitor: Annotated[str, typer.Option(help="what gives the machine's own sound: number, part of name; none")] = "",
    url: Annotated[str, typer.Option(help="ws:// or wss:// and the address, instead of --host and --port")] = "",
    host: Annotated[str, typer.Option(help="where the server is")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="its port", min=1, max=65535)] = 8765,
    tls: Annotated[bool, typer.Option("--tls", help="wss:// instead of ws://")] = False,  # noqa: FBT002
    ca: Annotated[str, typer.Option(help="a certificate to trust (PEM): for one that signed itself")] = "",
    token: Annotated[str, typer.Option(help="the server's token", envvar="VOICEBOT_CLIENT_TOKEN")] = "",
    language: Annotated[str, typer.Option(help="spoken: fr, en, ..., auto; the server's default without")] = "",
    task: Annotated[
        str, typer.Option(help="transcribe, or translate to English", callback=one_of("transcribe", "translate"))
    ] = "",
    name: Annotated[str, typer.Option(help="of this machine, in the sources' names")] = "",
    seconds: Annotated[float, typer.Option(help="stop after so long; 0: at Ctrl-C", min=0)] = 0.0,
) -> None:
    """Caption the microphone and what this machine plays, each in its colour, until Ctrl-C.

    Start a server with `python -m V3 serve`. Each source is a connection of its own (/ws/transcription): they are heard
    at the same time, and started again within 30 s they go on where they were. What a machine plays can be heard where
    the system offers it: PulseAudio and PipeWire do (pactl and parec of pulseaudio-utils), and devices such as
    Stereo Mix and BlackHole.

    Exit status: 0 all went well, 1 something went wrong (named on the screen), 2 the command line was wrong, 130
    Ctrl-C.
    """
    if show:
        run(_list())
        return
    job = Job(
        server=Server(server_base(url, host, port, tls=tls), token, ca=ca),
        wishes=Wishes(language, task),
        name=name or platform.node() or "here",
        seconds=seconds,
    )
    run(_hear(job, device, monitor))


async def _list() -> None:
    inputs = devices(sounddevice())
    table = Table("number", "name", "channels", "Hz", "gives")
    for each in inputs:
        gives = "what the machine plays" if each.plays_back else "the default microphone" if each.is_default else ""
        table.add_row(str(each.index), Text(each.name), str(each.channels), str(each.rate_hz), gives)
    console.print(table if inputs else "no input at all")
    if await asyncio.to_thread(is_monitored):
        console.print("what the machine plays: also by parec, from the default monitor")


async def _hear(job: Job, device: str, monitor: str) -> None:
    module = sounddevice()
    sources = await asyncio.to_thread(_sources, devices(module), device, monitor)
    for source, colour in zip(sources, COLOURS, strict=False):
        console.print(Text(f"{source.name}: {source.shown}", style=colour))
    if all(source.name != MACHINE for source in sources) and monitor != NONE:
        console.print("nothing here gives what the machine plays: --list says what there is", style="dim")
    with Screen(console, *(source.name for source in sources)) as screen:
        screen.status("listening; Ctrl-C ends it")
        try:
            async with asyncio.TaskGroup() as group:
                for source in sources:
                    group.create_task(_hear_one(job, Recording(module, source.device), source.name, screen))
        except ExceptionGroup as group_error:  # one source that fails ends the other
            raise group_error.exceptions[0] from group_error


async def _hear_one(job: Job, recording: Recording, name: str, screen: Screen) -> None:
    dialect = SourcesClient(replace(job.wishes, client_id=f"{job.name}-{name}"))
    async with linked(job.server, dialect, lambda answer: screen.answer(name, answer)) as link:
        await link.stream(recording.pieces(job.seconds), chunk_ms=dialect.usual_ms, paced=False)
        await link.quiet(_QUIET_S)
    if recording.lost:
        screen.answer(name, Answer("error", f"{recording.lost * 100} ms were lost: the server is too slow for it"))


def _sources(inputs: list[Device], device: str, asked_monitor: str) -> list[Source]:
    """What is to be heard. Raises ClientFailed where there is nothing, or not what was asked for."""
    found: list[Source] = []
    if device != NONE:
        heard = chosen(inputs, device) if device else microphone(inputs)
        found += [Source(MICROPHONE, heard)] if heard is not None else []
    if asked_monitor != NONE:
        played = chosen(inputs, asked_monitor) if asked_monitor else monitor_of(inputs)
        if played is not None or is_monitored():
            found.append(Source(MACHINE, played))
    if not found:
        raise ClientFailed(NO_DEVICE)
    return found


if __name__ == "__main__":
    app()
