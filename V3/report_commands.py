"""The command ``report``: a call as a picture and a page, or a folder of calls as pages with an index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from V3.calls.report import CallReport
from V3.config import load_robot
from V3.errors import AudioError, ConfigError, VoicebotError
from V3.logs import hide_secrets
from V3.picture.figure import draw_call
from V3.picture.index import index_page
from V3.picture.page import Comparison, call_page
from V3.picture.sides import Sides, find_recording, read_sides

__all__ = ["add_report_command"]

MAX_REPORT_BYTES = 20_000_000
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def add_report_command(app: typer.Typer) -> None:
    """Give ``app`` the command ``report``."""
    app.command()(report)


def report(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="CALL|DIR", help="a report (.json), a call id, or a folder of reports")
    ],
    *,
    html: Annotated[Path | None, typer.Option(help="the page to write; CALL.html, or DIR/index.html")] = None,
    png: Annotated[Path | None, typer.Option(help="the picture to write, of one call")] = None,
    audio: Annotated[Path | None, typer.Option(help="its recording, where that is not beside the report")] = None,
    pages: Annotated[int, typer.Option(help="of a folder: the newest so many calls get pages", min=0)] = 100,
    replay: Annotated[bool, typer.Option(help="also run the recording through today's settings")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="settings; config/robot.yaml by default")] = None,
) -> None:
    """Show a call as a picture: both sides' sound, words, prompts and decisions on one clock.

    The page can be listened to and needs no network. The sound comes from the call's recording (recording.enabled in
    robot.yaml; a .wav of the report's name beside it is taken too); without one the picture has timelines only.
    With --replay today's answer detection and barge-in rules hear the recording again, and the page says what differs.
    """
    mask = ctx.obj is not False
    try:
        place = _place(what, config)
        if not place.is_dir():
            _one(place, html=html, png=png, audio=audio, replay=replay, config=config, mask=mask)
        elif png is not None or replay or audio is not None:
            raise ConfigError("--png, --audio and --replay are for one call")
        else:
            _folder(place, html or place / "index.html", pages=pages, mask=mask)
    except (VoicebotError, OSError) as exc:
        _fail(exc)


def _place(what: str, config: Path | None) -> Path:
    """The report, or the folder of reports, that is meant."""
    given = Path(what)
    if given.exists():
        return given
    found = Path(load_robot(config).call.reports_dir) / f"{what}.json"
    if "/" not in what and found.is_file():
        return found
    raise ConfigError(f"{what}: no such file or folder, and no such call id in {found.parent}")


def _read(path: Path) -> CallReport:
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise ConfigError(f"{path}: over {MAX_REPORT_BYTES} bytes")
        return CallReport.model_validate_json(path.read_bytes())
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ConfigError(f"{path} is no report of a call: {where}: {first['msg']}") from exc


def _one(
    path: Path,
    *,
    html: Path | None,
    png: Path | None,
    audio: Path | None,
    replay: bool,
    config: Path | None,
    mask: bool,
) -> None:
    call = _read(path)
    sides = _sides(call, path, audio)
    comparison = _replayed(call, sides, config) if replay else ()
    picture = draw_call(call, sides, mask=mask)
    if png is not None:
        png.write_bytes(picture.png)
        console.print(Text(str(png)), soft_wrap=True)
    if html is not None or png is None:
        html = html or path.with_suffix(".html")
        html.write_text(call_page(call, picture, sides, mask=mask, comparison=comparison), encoding="utf-8")
        console.print(Text(str(html)), soft_wrap=True)


def _sides(call: CallReport, path: Path, audio: Path | None) -> Sides | None:
    """The call's sound, where there is any."""
    found = audio or find_recording(call, path)
    if found is None:
        return None
    return read_sides(found, from_ms=call.moments.get("recording", 0))


def _replayed(call: CallReport, sides: Sides | None, config: Path | None) -> Comparison:
    from V3.system.assembly import load_stt  # noqa: PLC0415 - the recogniser is loaded for this alone
    from V3.system.replay import compare, replay_call  # noqa: PLC0415

    if sides is None:
        raise AudioError("--replay needs the call's recording: beside its report, or --audio FILE")
    settings = hide_secrets(load_robot(config))
    with errors.status("loading the model"):
        stt = load_stt(settings)
    with stt, errors.status("hearing the call again"):
        rows = compare(call, replay_call(call, sides, stt.recognizer, settings))
    for what, then, now, differs in rows:
        change = f"  ->  {now}" if differs else ""
        console.print(Text(f"{'DIFFERS' if differs else 'same':<8}{what}: {then}{change}"), soft_wrap=True)
    return rows


def _folder(folder: Path, index: Path, *, pages: int, mask: bool) -> None:
    reports: list[tuple[Path, CallReport]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            reports.append((path, _read(path)))
        except ConfigError as exc:
            errors.print(Text(f"left out: {exc}", style="yellow"), soft_wrap=True)
    if not reports:
        raise ConfigError(f"{folder} holds no reports of calls")
    newest = sorted(reports, key=lambda each: each[1].started_at, reverse=True)[:pages]
    written = {}
    for path, call in newest:
        target = index.parent / f"{path.stem}.html"
        target.write_text(_page(path, call, mask=mask), encoding="utf-8")
        written[call.call_id] = target.name
    index.write_text(index_page([call for _, call in reports], written, mask=mask), encoding="utf-8")
    console.print(Text(f"{index}: {len(reports)} calls, {len(written)} pages"), soft_wrap=True)


def _page(path: Path, call: CallReport, *, mask: bool) -> str:
    """One call's page; a recording that cannot be read is said, and the page goes without."""
    try:
        sides = _sides(call, path, None)
    except AudioError as exc:
        errors.print(Text(str(exc), style="yellow"), soft_wrap=True)
        sides = None
    return call_page(call, draw_call(call, sides, mask=mask), sides, mask=mask)


def _fail(error: Exception) -> NoReturn:
    errors.print(Text(f"{type(error).__name__}: {error}", style="red"), soft_wrap=True)
    raise typer.Exit(1)
