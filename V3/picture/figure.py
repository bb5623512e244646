"""The picture itself, by matplotlib: both sides, voice, words, prompts and decisions on one clock."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from V3.calls.report import CallReport
from V3.errors import ConfigError
from V3.picture.facts import end_ms, headline, latencies, verdict_line
from V3.picture.lanes import Lane, Scale, planned_lanes
from V3.picture.sides import Sides
from V3.picture.strokes import draw_decided, draw_no_sound, draw_prompts, draw_side, draw_voice, draw_words
from V3.picture.style import COLORS, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "draw_call"]

DPI: Final = 110
INCHES_PER_S: Final = 0.55
LEAST_INCHES, MOST_INCHES = 13.0, 60.0
LEFT_INCHES, RIGHT_INCHES, FOOT_INCHES, GAP_INCHES = 1.0, 0.25, 0.42, 0.07
LEAST_MS: Final = 5000
HEAD_INCHES, LINE_INCHES = 0.4, 0.19
TICKS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600)
MOST_TICKS: Final = 60
LEGEND: Final = (
    "(blue shade: voice activity;  orange words: changed later, or unsure;  red edge: prompt cut;  hatched: paused)"
)
_Line = tuple[str, str]  # a text and its colour


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, and where in it time runs: ``left`` to ``right`` (shares of its width) are ``from_ms`` to ``until_ms``."""

    png: bytes
    left: float
    right: float
    from_ms: int
    until_ms: int
    width_px: int


def draw_call(report: CallReport, sides: Sides | None, *, mask: bool = True) -> Picture:
    """Draw a call. Raises ConfigError where matplotlib is not installed."""
    figure_type = _matplotlib()
    from_ms = min(0, sides.from_ms if sides else 0) - 150
    until_ms = max(end_ms(report), sides.until_ms if sides else 0, LEAST_MS) + 250
    width = LEFT_INCHES + RIGHT_INCHES + (until_ms - from_ms) * INCHES_PER_S / 1000
    width = min(MOST_INCHES, max(LEAST_INCHES, width))
    scale = Scale(from_ms, until_ms, width - LEFT_INCHES - RIGHT_INCHES)
    lanes = planned_lanes(report, scale, with_sound=sides is not None) if "answer" in report.moments else []
    head = _head(report, width, mask=mask)
    head_inches = HEAD_INCHES + LINE_INCHES * (len(head) - 1)
    height = head_inches + sum(lane.inches + GAP_INCHES for lane in lanes) + (FOOT_INCHES if lanes else 0)
    figure = figure_type(figsize=(width, height), dpi=DPI, facecolor="white")
    _write_head(figure, head)
    if lanes:
        axes = _strips(figure, lanes, scale, head_inches)
        _fill(axes, lanes, scale, report, sides)
    return Picture(_png(figure), LEFT_INCHES / width, 1 - RIGHT_INCHES / width, from_ms, until_ms, int(width * DPI))


def _matplotlib() -> type[Figure]:
    try:
        from matplotlib.figure import Figure as figure_type  # noqa: PLC0415, N813 - only this command needs it
    except ImportError as exc:
        raise ConfigError('a picture needs matplotlib: pip install "V3[report]", or pip install matplotlib') from exc
    return figure_type


def _fill(axes: dict[str, Axes], lanes: Sequence[Lane], scale: Scale, report: CallReport, sides: Sides | None) -> None:
    if sides is None:
        draw_no_sound(axes["callee"])
        draw_no_sound(axes["robot"])
    else:
        draw_side(axes["callee"], sides.callee, sides, COLORS["callee"], inches=scale.inches)
        draw_side(axes["robot"], sides.robot, sides, COLORS["robot"], inches=scale.inches)
    draw_voice(axes["callee"], report)
    for lane in lanes:
        if lane.name in ("heard so far", "final words"):
            draw_words(axes[lane.name], lane)
    draw_prompts(axes["prompts"], report, scale)
    draw_decided(axes, lanes[-1], report)
    axes["decided"].set_xlabel(f"seconds since the answer     {LEGEND}", fontsize=7.5, color="#666666")


def _strips(figure: Figure, lanes: Sequence[Lane], scale: Scale, head_inches: float) -> dict[str, Axes]:
    width, height = figure.get_size_inches()
    axes: dict[str, Axes] = {}
    top = height - head_inches
    for lane in lanes:
        box = (LEFT_INCHES / width, (top - lane.inches) / height, scale.inches / width, lane.inches / height)
        axes[lane.name] = _strip(figure.add_axes(box), lane, scale, last=lane is lanes[-1])
        top -= lane.inches + GAP_INCHES
    return axes


def _strip(axes: Axes, lane: Lane, scale: Scale, *, last: bool) -> Axes:
    axes.set_xlim(scale.from_ms / 1000, scale.until_ms / 1000)
    axes.set_ylim(0, lane.inches)
    axes.set_yticks([])
    axes.set_facecolor("#f7f7f7")
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="x", labelbottom=last, length=3 if last else 0, labelsize=8)
    seconds = scale.until_ms // 1000
    apart_s = next((step for step in TICKS_S if seconds <= MOST_TICKS * step), seconds // MOST_TICKS)
    axes.set_xticks(range(0, seconds + 1, apart_s))
    axes.grid(axis="x", color="#ffffff", lw=1.0)
    axes.set_axisbelow(True)
    axes.set_ylabel(lane.name, rotation=0, ha="right", va="center", fontsize=8.5, color="#333333")
    return axes


def _head(report: CallReport, width: float, *, mask: bool) -> list[_Line]:
    """What stands above the strips."""
    lines = [(verdict_line(report), COLORS["verdict"])]
    if report.verdict is not None and report.verdict.evidence:
        lines.append(("evidence: " + "; ".join(report.verdict.evidence), "#555555"))
    if times := latencies(report):
        lines.append(("   ·   ".join(f"{name} {value}" for name, value in times), "#333333"))
    lines += [(f"error: {error}", COLORS["barge_in"]) for error in report.errors[:4]]
    lines += [(f"audio: {flag}", COLORS["resumed"]) for flag in report.audio_flags[:3]]
    letters = int((width - 0.3) * 14)
    wrapped = [(part, color) for text, color in lines for part in textwrap.wrap(drawable(text), letters)[:3]]
    return [(drawable(headline(report, mask=mask)), "#111111"), *wrapped]


def _write_head(figure: Figure, head: Sequence[_Line]) -> None:
    width, height = figure.get_size_inches()
    (title, color), *lines = head
    x, y = 0.15 / width, height - 0.2
    figure.text(x, y / height, title, fontsize=11.5, color=color, weight="bold", va="center", parse_math=False)
    for number, (text, shade) in enumerate(lines, start=1):
        at = (y - 0.03 - LINE_INCHES * number) / height
        figure.text(x, at, text, fontsize=8.5, color=shade, va="center", parse_math=False)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": "V3 report"})
    return out.getvalue()
