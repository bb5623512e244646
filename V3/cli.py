"""The command line, ``python -m V3 COMMAND``: demo, call, serve, transcribe, simulator, report, load, bench, models ...

Each ``--help`` teaches its command.

Exit status: 0 all went well, 1 something failed (named on the screen), 2 the command line was wrong, 130 Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import functools
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from V3 import __version__
from V3.bench_commands import add_bench_command
from V3.calls.report import CallReport, CallUpdate
from V3.config import RobotConfig, load_robot
from V3.console import LiveCalls, report_table
from V3.demo import run_demo
from V3.errors import ConfigError, VoicebotError
from V3.events import Event, Final, Partial, StreamClosed, StreamOpened
from V3.load_commands import add_load_command
from V3.logs import LogFormat, hide_secrets, set_up_logs, tell_story
from V3.masking import mask_number
from V3.model_commands import add_model_commands
from V3.report_commands import add_report_command
from V3.simulator import FreeSwitchSimulator, load_callees
from V3.simulator.cast import CALLEES, crowd
from V3.system.assembly import assembled, load_stt, settled
from V3.system.journal import Journal
from V3.system.serving import from_environment, serving, status_server, watched
from V3.system.signals import cancelled_by_signals, drain_on_sigterm
from V3.system.started import keep_started
from V3.telephony.commands import checked_number

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A voicebot for FreeSWITCH: calls people, hears who answered, talks, and stops talking when interrupted.",
)
console = Console(highlight=False)
if not console.is_terminal:
    console.width = 130  # a file has no width of its own
errors = Console(stderr=True, highlight=False)
T = TypeVar("T")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings; config/robot.yaml by default")]
ModelOption = Annotated[str, typer.Option("--model", help="telephone-fr, small, large-v3-turbo, a directory ...")]
METRICS_HELP = "serve /metrics, /readyz and /healthz there, at clients.host; --pages and clients have them anyway"
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda")]


@app.callback(invoke_without_command=True)
def _main(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,  # noqa: FBT002
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error")] = "warning",
    log: Annotated[LogFormat, typer.Option(help="logs as text, or json: one object a line")] = LogFormat.TEXT,
    mask: Annotated[  # noqa: FBT002
        bool, typer.Option("--mask/--no-mask", help="hide telephone numbers in logs, files and pages: 01 99 ** ** 02")
    ] = True,
) -> None:
    if version:
        console.print(f"V3 {__version__}")
        raise typer.Exit
    ctx.obj = mask
    set_up_logs(log, mask=mask)
    _set_log_level(log_level)


@app.command()
def demo(
    speed: Annotated[float, typer.Option(help="faster than real time; recognition then lags behind", min=0.1)] = 1.0,
) -> None:
    """Call six simulated callees at once, with real recognition, and say whether all went as scripted."""
    if not _run(run_demo(console, speed=speed)):
        raise typer.Exit(1)


@app.command()
def call(
    ctx: typer.Context,
    to: Annotated[list[str] | None, typer.Option("--to", help="a number; may be given more than once")] = None,
    numbers: Annotated[Path | None, typer.Option("--list", help="a CSV whose first column holds numbers")] = None,
    at_once: Annotated[int, typer.Option(help="calls at the same time", min=1)] = 5,
    gateway: Annotated[str, typer.Option(help="a FreeSWITCH gateway: dials sofia/gateway/GATEWAY/number")] = "",
    scenario: Annotated[str, typer.Option(help="a file of config/scenarios")] = "",
    pages: Annotated[bool, typer.Option("--pages", help="show the calls in a browser (see clients:)")] = False,  # noqa: FBT002
    metrics_port: Annotated[int | None, typer.Option(help=METRICS_HELP, min=0, max=65535)] = None,
    audio_server: Annotated[str, typer.Option(help="ws:// URL of `python -m V3 serve` elsewhere")] = "",
    again: Annotated[bool, typer.Option(help="dial numbers the journal says were dialled")] = False,  # noqa: FBT002
    model: ModelOption = "",
    config: ConfigOption = None,
) -> None:
    """Call people through a real FreeSWITCH. Numbers in the journal (reports_dir/journal.jsonl) are left out.

    Ctrl-C hangs up all calls. SIGTERM drains: no more numbers are dialled, calls in progress may end (call.drain_s),
    and the exit status is 0; a second SIGTERM is as good as Ctrl-C.
    """
    settings = _settings(config, model=model, gateway=gateway, scenario=scenario)
    if audio_server:
        settings = settings.replacing(server={"elsewhere": audio_server})
    if pages and metrics_port is not None:
        raise typer.BadParameter("with --pages, metrics are at /metrics of the pages: leave --metrics-port out")
    book = Path(settings.call.reports_dir) / "journal.jsonl"
    mask = bool(ctx.obj) and not console.is_terminal  # who watches a terminal knows whom they call; a file lasts
    targets = _targets(to or [], numbers, None if again else book, mask=mask)
    if not targets:
        if book.exists():
            _run(settled(settings, book))  # calls of an earlier run are not left up
        raise typer.BadParameter("no number to dial: give --to NUMBER or --list FILE")
    seen = _Seen(pages=pages, metrics_port=metrics_port)
    ended = _run(_call_all(settings, targets, at_once, book, again=again, mask=mask, seen=seen))
    console.print(report_table(ended.reports, mask=mask))
    if ended.drained:
        errors.print(f"drained: {ended.not_dialled} of {len(targets)} numbers were not dialled", style="yellow")
    elif any(report.errors for report in ended.reports):
        raise typer.Exit(1)


@app.command()
def serve(
    root: Annotated[str, typer.Option(help="what / speaks: captions, sources, vad or recorder")] = "",
    host: Annotated[str, typer.Option(help="address for clients; not loopback needs a token")] = "",
    port: Annotated[int | None, typer.Option(help="port for clients", min=0, max=65535)] = None,
    cert: Annotated[str, typer.Option(help="TLS certificate for clients (PEM)")] = "",
    key: Annotated[str, typer.Option(help="its key")] = "",
    vad_aggressiveness: Annotated[int | None, typer.Option(help="of voice detection", min=0, max=3)] = None,
    calls: Annotated[bool, typer.Option(help="hear telephone calls")] = True,  # noqa: FBT002
    clients: Annotated[bool, typer.Option(help="serve captions, other clients and the pages")] = True,  # noqa: FBT002
    calls_host: Annotated[str, typer.Option(help="address for calls; not loopback needs a token")] = "",
    calls_port: Annotated[int | None, typer.Option(help="port for calls", min=0, max=65535)] = None,
    metrics_port: Annotated[int | None, typer.Option(help=METRICS_HELP, min=0, max=65535)] = None,
    model: Annotated[str, typer.Option("--model", "--model-id", help="telephone-fr, small, large-v3-turbo ...")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "",
    dtype: Annotated[str, typer.Option(help="float16, float32 or int8")] = "",
    config: ConfigOption = None,
) -> None:
    """Hear clients (captions in the browser, other programs) and calls for robots elsewhere.

    Clients: / (--root), /captions, /ws/transcription, /vad, /ajax/audio and the page of calls at /calls. Calls:
    mod_audio_stream in, events back as mod_audio_stream::json. WHISPER_MODEL_PATH, WHISPER_LAN and WHISPER_LOG_LEVEL
    are obeyed where no option says otherwise.

    Ctrl-C ends it at once. SIGTERM drains: no new calls and clients, calls in progress may end (server.drain_s), and
    the exit status is 0; a second SIGTERM is as good as Ctrl-C.
    """
    if not (calls or clients):
        raise typer.BadParameter("--no-calls and --no-clients leave nothing to serve")
    if clients and metrics_port is not None:
        raise typer.BadParameter("the clients' port has /metrics: --metrics-port goes with --no-clients")
    given: dict[str, dict[str, Any]] = {
        "clients": {"root": root, "host": host, "port": port, "certificate": cert, "key": key}
        | {"vad_aggressiveness": vad_aggressiveness},
        "server": {"host": calls_host, "port": calls_port},
        "stt": {"model": model, "device": device, "compute_type": dtype},
    }
    _run(_serve(_serve_settings(config, given), calls=calls, clients=clients, metrics_port=metrics_port))


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(help="audio files", exists=True, dir_okay=False)],
    model: ModelOption = "telephone-fr",
    device: DeviceOption = "auto",
) -> None:
    """Write down what is said in audio files."""
    settings = RobotConfig().replacing(stt={"model": model, "device": device})
    failed = False
    with _loaded(settings) as stt:
        for file in files:
            try:
                console.print(Text(f"{file}: {stt.transcribe_file(file)}"))
            except VoicebotError as exc:
                failed = True
                errors.print(Text(f"{file}: {exc}", style="red"), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def simulator(
    callees: Annotated[Path, typer.Option(help="callees as YAML", exists=True)] = CALLEES,
    everybody: Annotated[bool, typer.Option("--crowd", help="callees for all numbers of load")] = False,  # noqa: FBT002
    port: Annotated[int, typer.Option(help="event-socket port", min=0, max=65535)] = 8021,
    speed: Annotated[float, typer.Option(help="seconds of calls per second", min=0.1)] = 1.0,
) -> None:
    """Run the embedded FreeSWITCH on its own, to develop against (password ClueCon).

    With --crowd every number that begins with 01 99 00 is somebody, by its last digit: 1 listens, 2 interrupts, 3
    hums, 4 is a voicemail, 5 silent, 6 busy, 7 coughs, 8 opts out, 9 refuses, 0 is as people are.
    """
    _run(_simulate(callees, port, speed, everybody=everybody))


add_model_commands(app)
add_report_command(app)
add_load_command(app)
add_bench_command(app)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where the calls can be watched."""

    pages: bool
    metrics_port: int | None


@dataclass(slots=True)
class _Ended:
    """What became of a list of numbers."""

    reports: list[CallReport]
    not_dialled: int = 0
    drained: bool = False


async def _call_all(
    settings: RobotConfig, targets: list[str], at_once: int, book: Path, *, again: bool, mask: bool, seen: _Seen
) -> _Ended:
    reports: list[CallReport] = []
    dialled: set[str] = set()
    with LiveCalls(console, mask=mask) as live:
        listeners: list[Callable[[CallUpdate], None]] = [
            live.update,
            tell_story,
            lambda update: dialled.add(update.number),
        ]
        async with contextlib.AsyncExitStack() as stack:
            told = functools.partial(_tell_all, listeners)
            calling = assembled(settings, journal=book, again=again, on_update=told)
            parts = await stack.enter_async_context(calling)
            keep_started()
            if seen.metrics_port is not None:
                stt = parts.server.stt if parts.server is not None else None
                status = await stack.enter_async_context(status_server(settings, seen.metrics_port, of=parts, stt=stt))
                errors.print(f"metrics: http://{settings.clients.host}:{status.port}/metrics")
            if seen.pages:
                clients = await stack.enter_async_context(watched(parts, settings))
                listeners.append(clients.monitor.tell)
                errors.print(f"calls in progress: http://{settings.clients.host}:{clients.port}/calls")
            parts.drain = drain_on_sigterm(functools.partial(_say_draining, settings.call.drain_s))
            await parts.call_all(targets, at_once=at_once, on_end=reports.append)
    return _Ended(reports, len(targets) - len(dialled), parts.draining)


def _say_draining(within_s: float) -> None:
    errors.print(f"draining: calls in progress may end within {within_s:g} s; once more hangs up", style="yellow")


def _tell_all(listeners: list[Callable[[CallUpdate], None]], update: CallUpdate) -> None:
    for listener in listeners:
        listener(update)


def _set_log_level(name: str) -> None:
    level = getattr(logging, name.upper(), None)
    if not isinstance(level, int):
        raise typer.BadParameter(f"{name!r}: debug, info, warning or error")
    logging.getLogger().setLevel(level)
    for talkative in ("websockets", "uvicorn", "multipart", "python_multipart"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))


def _serve_settings(path: Path | None, given: dict[str, dict[str, Any]]) -> RobotConfig:
    """The file's settings, then the environment's of other servers, then the options that were given."""
    try:
        if level := os.environ.get("WHISPER_LOG_LEVEL", "").strip():
            _set_log_level(level)
        changes = {
            section: {key: value for key, value in keys.items() if value not in ("", None)}
            for section, keys in given.items()
        }
        changes["stt"] = from_environment(os.environ) | changes["stt"]
        return hide_secrets(load_robot(path).replacing(**changes))
    except ConfigError as exc:
        _fail(exc)
        raise  # never reached


async def _serve(settings: RobotConfig, *, calls: bool, clients: bool, metrics_port: int | None) -> None:
    with console.status("loading the model"):
        stt = await asyncio.to_thread(load_stt, settings)
    with stt:
        async with contextlib.AsyncExitStack() as stack:
            # what people say is for a terminal: elsewhere standard output is a file that is kept
            shown = _print_event if console.is_terminal else _print_nothing
            serve_all = serving(settings, calls=calls, clients=clients, on_event=shown, stt=stt)
            parts = await stack.enter_async_context(serve_all)
            if metrics_port is not None:
                status = await stack.enter_async_context(status_server(settings, metrics_port, of=parts, stt=stt))
                console.print(f"metrics on http://{settings.clients.host}:{status.port}/metrics")
            if parts.calls is not None:
                console.print(f"listening on {parts.calls.settings.host}:{parts.calls.port}, path /call/<uuid>")
            if parts.clients is not None:
                kind = "https" if settings.clients.certificate else "http"
                where = f"{kind}://{settings.clients.host}:{parts.clients.port}/"
                console.print(f"clients on {where} ({settings.clients.root}), calls on {where}calls")
            console.print("Ctrl-C ends it")
            keep_started()
            await drain_on_sigterm(functools.partial(_say_draining, parts.drain_s)).wait()
            if not await parts.drain():
                errors.print("not all calls have ended in time", style="yellow")


async def _simulate(callees: Path, port: int, speed: float, *, everybody: bool) -> None:
    simulated = FreeSwitchSimulator(crowd if everybody else load_callees(callees), speed=speed)
    try:
        await simulated.start(port=port)
        console.print(f"simulated FreeSWITCH on 127.0.0.1:{simulated.port}, password ClueCon; Ctrl-C ends it")
        await asyncio.Event().wait()
    finally:
        await simulated.stop()


def _print_event(event: Event) -> None:
    match event:
        case Partial() | Final():
            mark = "…" if isinstance(event, Partial) else ""
            console.print(Text(f"{event.at_ms / 1000:8.2f} s  {event.call_id}  {event.text} {mark}"))
        case StreamOpened() | StreamClosed():
            console.print(Text(f"{event.at_ms / 1000:8.2f} s  {event.call_id}  {type(event).__name__}", style="dim"))


def _print_nothing(_: Event) -> None:
    pass


def _settings(path: Path | None, *, model: str = "", gateway: str = "", scenario: str = "") -> RobotConfig:
    try:
        settings = load_robot(path)
        changes: dict[str, dict[str, Any]] = {}
        if model:
            changes["stt"] = {"model": model}
        if gateway:
            changes["freeswitch"] = {"dial_string": f"sofia/gateway/{gateway}/{{number}}"}
        if scenario:
            changes["call"] = {"scenario": scenario}
        return hide_secrets(settings.replacing(**changes))
    except ConfigError as exc:
        _fail(exc)
        raise  # never reached


def _targets(given: list[str], file: Path | None, book: Path | None, *, mask: bool) -> list[str]:
    """The numbers to dial, each once, those of the journal left out. Exits where one is no number."""
    wanted = list(given)
    try:
        if file is not None:
            with file.open(newline="", encoding="utf-8-sig") as rows:
                wanted += [row[0] for row in csv.reader(rows) if row and row[0].strip() and not row[0].startswith("#")]
        checked = list(dict.fromkeys(map(checked_number, wanted)))
        if book is not None and book.exists():
            with Journal(book) as journal:
                done = [number for number in checked if journal.dialled(number)]
            for number in done:
                shown = mask_number(number) if mask else number
                errors.print(Text(f"{shown} was dialled before, left out (--again dials it)", style="yellow"))
            checked = [number for number in checked if number not in done]
    except (OSError, VoicebotError) as exc:
        _fail(exc)
    return checked


def _loaded(settings: RobotConfig) -> Any:
    try:
        with errors.status("loading the model"):
            return load_stt(settings)
    except VoicebotError as exc:
        _fail(exc)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; SIGTERM and a closed terminal are as good as Ctrl-C; an error of ours is a line."""

    async def guarded() -> T:
        cancelled_by_signals()
        return await work

    try:
        return asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("stopped", style="yellow")
        raise typer.Exit(130) from None
    except VoicebotError as exc:
        _fail(exc)
    except OSError as exc:
        _fail(exc)
    except ExceptionGroup as group:
        _fail(group.exceptions[0])
    raise AssertionError("unreachable")


def _fail(error: BaseException) -> None:
    errors.print(Text(f"{type(error).__name__}: {error}", style="red"), soft_wrap=True)
    raise typer.Exit(1)
