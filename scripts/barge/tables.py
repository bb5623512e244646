"""What was found, as tables and sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from scripts.barge.accounts import Resumes, Share, Tally
from scripts.barge.dialogues import Kind
from scripts.barge.verdicts import Fate, Verdict
from scripts.bench.accounts import Spread

__all__ = ["by_condition_table", "headlines", "ignored_line", "kind_table", "resumes_line", "voids_line", "wrong_table"]

_GOAL_DETECTED: Final = 0.97
_GOAL_BACKCHANNELS: Final = 0.03
_GOAL_ONSET_MS: Final = 400.0
_GOAL_AFTER_WORD_MS: Final = 250.0


def kind_table(tallies: Sequence[Tally]) -> Table:
    """One row per kind. A prompt has one of three fates; which of them is right depends on the kind."""
    table = Table(title="What became of the prompt; times from the first sound of the callee to its silence")
    table.add_column("what happened")
    fates = [str(fate) for fate in Fate if fate is not Fate.VOID]
    for head in ("dialogues", "void", *fates, "of these\nearly, late", "right", "95 % interval", "median", "95 %",
                 "to the break\nsent, median"):  # fmt: skip
        table.add_column(head, justify="right")
    for one in tallies:
        counts = [one.fates[fate] for fate in Fate if fate is not Fate.VOID]
        table.add_row(
            one.name,
            str(one.dialogues),
            str(one.fates[Fate.VOID] or "-"),
            *(str(count or "-") for count in counts),
            f"{one.early}, {one.late}" if one.early or one.late else "-",
            _percent(one.right.value),
            _interval(one.right),
            _ms(one.stop.median_ms),
            _ms(one.stop.p95_ms),
            _ms(one.sent.median_ms),
        )
    return table


def by_condition_table(title: str, tallies: Sequence[Tally]) -> Table:
    """The same, shorter, for the conditions of some kinds."""
    table = Table(title=title)
    table.add_column("condition")
    for head in ("dialogues", *(str(fate) for fate in Fate), "right"):
        table.add_column(head, justify="right")
    for one in tallies:
        counts = (str(one.fates[fate] or "-") for fate in Fate)
        table.add_row(one.name, str(one.dialogues), *counts, _percent(one.right.value))
    return table


def wrong_table(verdicts: Iterable[Verdict], *, most: int) -> Table | None:
    """Dialogues that went wrong or say otherwise than they went, to be looked into; None when there is none."""
    found = [v for v in verdicts if v.fate is Fate.VOID or not v.right or v.disagreement]
    if not found:
        return None
    table = Table(title=f"To be looked into ({min(most, len(found))} of {len(found)})")
    for head in ("number", "kind", "sound", "fate", "the robot's reasons", "it heard", "why"):
        table.add_column(head, overflow="fold")
    for one in found[:most]:
        why = "; ".join(filter(None, (one.why_void, _untimely(one), one.disagreement)))
        reasons = [*one.reasons, *(f"ignored: {reason}" for reason in one.ignored)]
        what = f"{one.file or '-'} {one.condition if one.kind.has_echo else ''}".strip()
        row = (one.number, one.kind, what, one.fate, "; ".join(reasons), one.heard, why)
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _untimely(verdict: Verdict) -> str:
    if verdict.early:
        return "before the callee's sound"
    return "long after the callee's sound" if verdict.late else ""


def headlines(by_kind: dict[Kind, Tally], interruptions: Tally) -> list[str]:
    """The figures that are asked for, each with what is to be reached."""
    stop_words, backchannels = by_kind[Kind.STOP_WORD], by_kind[Kind.BACKCHANNEL]
    return [
        f"interruptions stopped for good: {_whole(interruptions.right)} (at least {_GOAL_DETECTED:.0%})",
        f"from their first sound to silence: {_times(interruptions.stop)} (median at most {_GOAL_ONSET_MS:g} ms)",
        f"from the end of a stop word to silence: {_times(stop_words.after_word)} (at most {_GOAL_AFTER_WORD_MS:g} ms)",
        f"backchannels that stopped the prompt for good: {_whole(backchannels.stopped)} "
        f"(under {_GOAL_BACKCHANNELS:.0%}); paused and resumed: {backchannels.fates[Fate.RESUMED]}; "
        f"not touched: {backchannels.fates[Fate.UNTOUCHED]}",
    ]


def resumes_line(found: Resumes) -> str:
    """Resumes in a sentence."""
    line = f"resumes: {found.right} right, {found.wrong} over a true interruption, {found.missed} missed"
    if not found.pause.count:
        return line
    return f"{line}; after {_times(found.pause)} of silence, with {_ms(found.said_again.median_ms)} said again (median)"


def voids_line(verdicts: Sequence[Verdict]) -> str:
    """Why dialogues told nothing; empty when all did."""
    whys = Counter(verdict.why_void for verdict in verdicts if verdict.fate is Fate.VOID)
    if not whys:
        return ""
    told = "; ".join(f"{count} times {why}" for why, count in whys.most_common(5))
    return f"void: {sum(whys.values())} of {len(verdicts)} dialogues ({told})"


def ignored_line(verdicts: Sequence[Verdict]) -> str:
    """What the robot says that it heard and went on; empty when it says nothing."""
    counts = Counter((verdict.kind, reason) for verdict in verdicts for reason in sorted(set(verdict.ignored)))
    told = [f"{kind.replace('_', ' ')}: {reason} ({count})" for (kind, reason), count in counts.most_common(12)]
    return f"ignored, by dialogues: {'; '.join(told)}" if told else ""


def _whole(share: Share) -> str:
    return f"{_percent(share.value)} ({share.count} of {share.of}, 95 % interval {_interval(share)})"


def _times(spread: Spread) -> str:
    return f"median {_ms(spread.median_ms)}, 95 % within {_ms(spread.p95_ms)}" if spread.count else "none"


def _interval(share: Share) -> str:
    return f"{share.low:.1%}-{share.high:.1%}" if share.of else "-"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def _ms(value_ms: float | None) -> str:
    return "-" if value_ms is None else f"{value_ms:.0f} ms"
