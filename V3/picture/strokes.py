"""The strips of the picture, drawn: sound, voice, words, prompts, decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from V3.calls.report import BargeInReport, CallReport, PromptReport
from V3.picture.facts import Decision, decisions, end_ms, prompt_name
from V3.picture.lanes import Lane, Scale
from V3.picture.layout import fitting
from V3.picture.sides import Samples, Sides, peaks
from V3.picture.style import BEHIND, COLORS, NOTE_PT, ROW_INCHES, WORD_PT, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_decided", "draw_no_sound", "draw_prompts", "draw_side", "draw_voice", "draw_words"]

UNSURE: Final = 0.6
LEAST_PEAK: Final = 2000  # a line's noise is not drawn as large as a voice
PROMPT_PT: Final = 7
COLUMNS_PER_INCH: Final = 110


def draw_side(axes: Axes, samples: Samples, sides: Sides, color: str, *, inches: float) -> None:
    """One side's sound, its loudest sample as high as the strip."""
    top = axes.get_ylim()[1]
    low, high = peaks(samples, int(inches * COLUMNS_PER_INCH))
    loudest = max(LEAST_PEAK, int(abs(low.astype(int)).max()), int(abs(high.astype(int)).max()))
    step_s = samples.size / sides.rate_hz / len(low)
    times = [sides.from_ms / 1000 + step_s * column for column in range(len(low))]
    scale = top / 2 / loudest * 0.95
    axes.fill_between(times, top / 2 + low * scale, top / 2 + high * scale, color=color, lw=0.4, step="post")


def draw_no_sound(axes: Axes) -> None:
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "va": "center"}
    axes.text(0.998, 0.5, "no recording", fontsize=7, color="#999999", **place)


def draw_voice(axes: Axes, report: CallReport) -> None:
    """Voice activity, as the robot saw it."""
    for voice in report.voice:
        axes.axvspan(voice.start_ms / 1000, voice.end_ms / 1000, color=COLORS["callee"], alpha=0.2, lw=0)


def draw_words(axes: Axes, lane: Lane) -> None:
    """Each text where it begins; under a word, the line of its length."""
    for label, row in zip(lane.labels, lane.rows, strict=True):
        y, at_s = _row_y(lane, row), label.at_ms / 1000
        doubtful = label.changed or label.confidence < UNSURE
        color = COLORS["unsure" if doubtful else "text"]
        text = drawable(label.text)
        axes.text(
            at_s, y, text, fontsize=WORD_PT, va="center", color=color, parse_math=False, clip_on=True, bbox=BEHIND
        )
        if label.until_ms > label.at_ms:
            span = [at_s, label.until_ms / 1000]
            axes.plot(span, [y - ROW_INCHES * 0.42] * 2, color=COLORS["callee"], lw=1.4, solid_capstyle="butt")
        else:
            axes.plot([at_s, at_s], [y - 0.08, y + 0.08], color="#aaaaaa", lw=1.0)


def draw_prompts(axes: Axes, report: CallReport, scale: Scale) -> None:
    """Bars of what was played; a red edge where it was cut, hatched where it paused to go on."""
    for prompt in report.prompts:
        _draw_prompt(axes, prompt, prompt.stop_ms if prompt.stop_ms is not None else end_ms(report), scale)
    for entry in report.barge_ins:
        _draw_pause(axes, entry)


def _draw_prompt(axes: Axes, prompt: PromptReport, until_ms: int, scale: Scale) -> None:
    top, at_s = axes.get_ylim()[1], prompt.start_ms / 1000
    bar: dict[str, Any] = {"height": top * 0.86, "left": at_s, "color": COLORS["robot"], "lw": 0}
    axes.barh(top / 2, until_ms / 1000 - at_s, alpha=0.85 if prompt.status else 0.5, **bar)
    if prompt.status == "break":
        axes.plot([until_ms / 1000] * 2, [0, top], color=COLORS["barge_in"], lw=2.5)
    room_inches = (until_ms - prompt.start_ms) * scale.inches_per_ms - 0.12
    name = fitting(drawable(prompt_name(prompt)), room_inches, PROMPT_PT)
    axes.text(
        at_s + 0.06, top / 2, name, fontsize=PROMPT_PT, va="center", color="white", parse_math=False, clip_on=True
    )


def _draw_pause(axes: Axes, entry: BargeInReport) -> None:
    if entry.resumed_ms is None or entry.break_confirmed_ms is None:
        return
    top, at_s = axes.get_ylim()[1], entry.break_confirmed_ms / 1000
    look: dict[str, Any] = {"color": "#fee8c8", "hatch": "///", "edgecolor": COLORS["resumed"], "lw": 0}
    axes.barh(top / 2, entry.resumed_ms / 1000 - at_s, height=top * 0.86, left=at_s, **look)


def draw_decided(axes: dict[str, Axes], lane: Lane, report: CallReport) -> None:
    """What was decided: the bar is what it was about, the mark when; those that changed something cross all strips."""
    strip = axes[lane.name]
    for decision, note, row in zip(decisions(report), lane.labels, lane.rows, strict=True):
        y, color = _row_y(lane, row), COLORS[decision.kind]
        from_s, until_s = decision.from_ms / 1000, decision.until_ms / 1000
        strip.plot([from_s, until_s], [y, y], color=color, lw=5, alpha=0.45, solid_capstyle="butt")
        strip.plot([decision.at_ms / 1000], [y], "o" if decision.kind == "ignored" else "D", color=color, ms=4.5)
        if decision.kind != "ignored":
            _draw_through(axes, decision)
        side = "right" if note.at_ms < decision.from_ms else "left"
        x, pad = (from_s, -7) if side == "right" else (until_s, 7)
        look: dict[str, Any] = {"fontsize": NOTE_PT, "va": "center", "ha": side, "color": color, "bbox": BEHIND}
        strip.annotate(note.text, (x, y), (pad, 0), textcoords="offset points", parse_math=False, **look)


def _draw_through(axes: dict[str, Axes], decision: Decision) -> None:
    """A line through all strips: when it was decided; and when the prompt was silent."""
    color = COLORS[decision.kind]
    for strip in axes.values():
        strip.axvline(decision.at_ms / 1000, color=color, lw=0.9, ls=(0, (4, 2)), alpha=0.8, zorder=1.5)
        if decision.kind == "barge_in" and decision.until_ms != decision.at_ms:
            strip.axvline(decision.until_ms / 1000, color=color, lw=0.9, alpha=0.8, zorder=1.5)


def _row_y(lane: Lane, row: int) -> float:
    return lane.inches - 0.05 - ROW_INCHES * (row + 0.5)
