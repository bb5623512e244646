"""The page of one call: its picture, both sides to listen to, and everything as text. One file, no network.

What anybody said is text here, never markup: every value passes :func:`text`, and the page's own policy lets no script
run but the one whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Final

from V3.calls.report import BargeInReport, CallReport
from V3.picture.facts import decisions, headline, latencies, prompt_name, verdict_line
from V3.picture.figure import Picture
from V3.picture.sides import Sides, wav_bytes

__all__ = ["Comparison", "call_page", "document", "table", "text"]

Comparison = Sequence[tuple[str, str, str, bool]]  # what, then, now, whether they differ
SHOWN: Final = 0.8
_NO_SOUND: Final = (
    "<p>No recording of this call is here: <code>recording.enabled</code> in robot.yaml records calls.</p>"
)
_NO_WORDS: Final = (
    "<p>The callee's words were not kept: <code>recording.transcripts</code> in robot.yaml keeps them in reports.</p>"
)


def text(value: object) -> str:
    """A value as HTML text or an attribute's value."""
    return html.escape(str(value), quote=True)


def call_page(
    report: CallReport, picture: Picture, sides: Sides | None, *, mask: bool = True, comparison: Comparison = ()
) -> str:
    """The whole page."""
    title = headline(report, mask=mask)
    body = [
        f"<h1>{text(title)}</h1>",
        f'<p class="dim">call {text(report.call_id)}, {text(report.started_at)}, scenario {text(report.scenario)}</p>',
        f'<p class="verdict">{text(verdict_line(report))}</p>',
        _picture(picture, title),
        _players(sides) if sides is not None else _NO_SOUND,
        _comparison(comparison) if comparison else "",
        *_tables(report),
        _NO_WORDS if report.voice and not report.transcript else "",
    ]
    return document(title, "".join(body), script=_asset("page.js"))


def document(title: str, body: str, *, script: str = "") -> str:
    """A page around its body, with the style and the script it may have, and nothing else."""
    style = _asset("page.css")
    policy = f"default-src 'none'; img-src data:; media-src data:; style-src '{_digest(style)}'"
    policy += f"; script-src '{_digest(script)}'" if script else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{style}</style></head><body>{body}"
        + (f"<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )


def table(name: str, heads: Sequence[str], rows: Iterable[Sequence[object]], *, marked: Iterable[bool] = ()) -> str:
    """A table with its name above; nothing where there are no rows. ``marked`` rows stand out."""
    lines = list(rows)
    if not lines:
        return ""
    marks = [*marked, *[False] * len(lines)]
    head = "".join(f"<th>{text(cell)}</th>" for cell in heads)
    inner = "".join(
        f"<tr{' class=mark' if mark else ''}>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>"
        for row, mark in zip(lines, marks, strict=False)
    )
    return f"<h2>{text(name)}</h2><table><thead><tr>{head}</tr></thead><tbody>{inner}</tbody></table>"


def _picture(picture: Picture, title: str) -> str:
    shown_px = round(picture.width_px * SHOWN)  # a long call scrolls: its words are to be read
    span = {"left": picture.left, "right": picture.right, "from": picture.from_ms, "until": picture.until_ms}
    data = "".join(f' data-{name}="{value}"' for name, value in span.items())
    image = f'<img width="{shown_px}" alt="{text(title)}" src="{_data("image/png", picture.png)}">'
    return f'<div class="scroll"><div id="picture"{data}>{image}<div id="cursor"></div></div></div>'


def _players(sides: Sides) -> str:
    players = [
        f'<label>{name} <audio id="{name}" controls preload="auto" src="{_data("audio/wav", wav)}"></audio></label>'
        for name, wav in (
            ("callee", wav_bytes(sides.callee, sides.rate_hz)),
            ("robot", wav_bytes(sides.robot, sides.rate_hz)),
        )
    ]
    together = '<label><input type="checkbox" id="together" checked> together</label>'
    hint = '<span class="dim">a click in the picture plays from there</span>'
    return f'<div class="players" data-from="{sides.from_ms}">{"".join(players)}{together}{hint}</div>'


def _comparison(rows: Comparison) -> str:
    different = [row[3] for row in rows]
    name = f"Replay: the recording through today's settings ({sum(different)} of {len(rows)} differ)"
    return table(name, ("what", "then", "now"), [row[:3] for row in rows], marked=different)


def _tables(report: CallReport) -> list[str]:
    verdict = report.verdict
    return [
        table("Errors", ("what went wrong",), [(error,) for error in report.errors + report.audio_flags]),
        table("Latencies", ("what", "took"), latencies(report)),
        table("Evidence", ("for the verdict",), [(found,) for found in verdict.evidence] if verdict else []),
        table("Decided", ("at", "what"), [(_at(d.at_ms), d.text) for d in decisions(report)]),
        table(
            "Barge-ins",
            ("speech from", "why", "words", "decided after", "break sent after", "silent after", "outcome", "verdict"),
            [_barge_in(entry) for entry in report.barge_ins],
        ),
        table(
            "Prompts",
            ("step", "prompt", "from", "until", "status"),
            [(p.step, prompt_name(p), _at(p.start_ms), _at(p.stop_ms), p.status or "?") for p in report.prompts],
        ),
        table(
            "Words of the callee",
            ("from", "until", "final", "words with their certainty"),
            [
                (_at(s.start_ms), _at(s.end_ms), s.text, "  ".join(f"{w.text} {w.confidence:.0%}" for w in s.words))
                for s in report.transcript
            ],
        ),
        table("Partials", ("at", "heard so far"), [(_at(p.at_ms), p.text) for p in report.partials]),
        table("Values", ("name", "value"), sorted(report.values.items())),
    ]


def _barge_in(entry: BargeInReport) -> tuple[str, ...]:
    moments = (entry.detected_ms, entry.break_sent_ms, entry.break_confirmed_ms)
    steps = [_after(at_ms, entry.speech_start_ms) for at_ms in moments]
    return (_at(entry.speech_start_ms), entry.reason, entry.text, *steps, entry.outcome, entry.verdict)


def _at(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{at_ms / 1000:.2f} s"


def _after(at_ms: int | None, began_ms: int) -> str:
    return "" if at_ms is None else f"{at_ms - began_ms} ms"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _asset(name: str) -> str:
    return resources.files("V3.picture").joinpath(name).read_text(encoding="utf-8").strip()


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
