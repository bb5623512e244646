"""The figures of a measurement's JSON as tables, and the one sentence that says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Shown", "shown"]

Figures = Mapping[str, Any]
_NONE: Final = "-"


@dataclass(frozen=True, slots=True)
class Shown:
    """A table with its name, column heads and rows."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def shown(name: str, figures: Figures) -> tuple[str, list[Shown]]:
    """The sentence and the tables of the measurement called ``name``. KeyError and such where figures are missing."""
    return _BY_NAME[name](figures)


def _streaming(figures: Figures) -> tuple[str, list[Shown]]:
    heard = [engine for engine in figures["engines"] if engine["audio_s"]]
    rows = [
        (
            engine["name"],
            f"{engine['cpu_s_per_audio_s']:.3f}",
            _times(engine["shown"]),
            f"{engine['shown_share']:.0%}",
            _times(engine["certain"]),
            f"{engine['certain_share']:.0%}",
            f"{engine['word_error_rate']:.1%}",
            f"{engine['flicker']:.1%}",
        )
        for engine in heard
    ]
    heads = ("engine", "CPU s per s of audio", "words shown after", "ever shown", "words certain after", "ever certain",
             "word errors", "flicker")  # fmt: skip
    audio_s = figures["settings"]["audio_s"]
    name = f"{audio_s:.0f} s of {figures['settings']['data']}: times from the true end of a word, median / 95 %"
    whole = [(way, f"{rate:.1%}") for way, rate in figures["whole_utterance_word_error_rate"].items()]
    ours = heard[0] if heard else None
    sentence = (
        f"a stream costs {ours['cpu_s_per_audio_s']:.3f} CPU seconds per second of audio; its words are certain "
        f"{_ms(ours['certain']['median_ms'])} after they were said (median)"
        if ours
        else ""
    )
    return sentence, [Shown(name, heads, rows), Shown("The same audio decoded whole", ("how", "word errors"), whole)]


def _capacity(figures: Figures) -> tuple[str, list[Shown]]:
    rows = [
        (
            str(level["calls"]),
            _ms(level["lag_p50_ms"]),
            _ms(level["lag_p95_ms"]),
            _ms(level["final_p95_ms"]),
            f"{300 * level['stretch']:.0f} ms",
            f"{level['cores']:.2f}",
            f"{level['load']:.0%}",
            f"{level['mean_batch']:.1f}",
            str(level["dropped"]),
            str(level["failed"]),
        )
        for level in figures["levels"]
    ]
    heads = ("calls", "lag, median", "lag, 95 %", "final, 95 %", "partials every", "cores", "workers busy", "batch",
             "dropped", "failed")  # fmt: skip
    most, limit = figures["calls_within_limit"], f"{figures['limit_ms']:g} ms"
    at_least = " (the most that were tried)" if rows and rows[-1][0] == str(most) else ""
    name = f"Lag of a partial: from the last audio that it heard to its showing; the limit is {limit} for 95 %"
    sentence = f"{most} calls at once{at_least} with 95 % of their partials within {limit}"
    return sentence, [Shown(name, heads, rows)]


def _answer(figures: Figures) -> tuple[str, list[Shown]]:
    tables, sentences = [], []
    for what, name in (("calls", "Calls"), ("texts", "Texts alone")):
        if what not in figures:
            continue
        accounts = {key: value for key, value in figures[what].items() if isinstance(value, Mapping)}
        heads = ("judged by", "right", "95 % interval", "people hung up on", "time to the verdict, median / 95 %")
        rows = [_account_row(by, account, timed=what == "calls") for by, account in accounts.items()]
        first = next(iter(accounts.values()))
        data = f" ({figures[what]['data']})" if figures[what].get("data") else ""
        tables.append(Shown(f"{name}{data}: {first['samples']}", heads[: 5 if what == "calls" else 4], rows))
        sentences.append(
            f"{name.lower()}: {first['accuracy']:.1%} right, {first['false_machines']} of {first['people']} "
            "people taken for machines"
        )
        tables.append(_confusion(f"{name}: by {next(iter(accounts))}", first["confusion"]))
    return "; ".join(sentences), tables


def _account_row(by: str, account: Figures, *, timed: bool) -> tuple[str, ...]:
    low, high = account["accuracy_95"]
    lost = f"{account['false_machines']} of {account['people']}"
    row = (by, f"{account['accuracy']:.1%}", f"{low:.1%} to {high:.1%}", lost)
    if not timed:
        return row
    times = account["time_to_verdict_ms"]["all"]
    return (*row, f"{times['median']} / {times['p95']} ms")


def _confusion(name: str, counts: Mapping[str, int]) -> Shown:
    labels = ("HUMAN", "MACHINE", "NO_ANSWER")
    rows = [(was, *(str(counts.get(f"{was} as {said}", 0)) for said in labels)) for was in labels]
    return Shown(name, ("was", *(f"said {label}" for label in labels)), rows)


def _barge_in(figures: Figures) -> tuple[str, list[Shown]]:
    tallies = [*figures["kinds"].values(), figures["interruptions"]]
    fates = [fate for fate in figures["interruptions"]["fates"] if fate != "void"]
    rows = [
        (
            tally["name"],
            str(tally["dialogues"]),
            *(str(tally["fates"][fate]) for fate in fates),
            _share(tally["right"]),
            _times(tally["stop"]),
        )
        for tally in tallies
        if tally["dialogues"]
    ]
    heads = ("what happened", "dialogues", *fates, "right", "to silence, median / 95 %")
    whole = figures["interruptions"]
    sentence = (
        f"interruptions stopped for good: {_share(whole['right'])}, silent {_ms(whole['stop']['median_ms'])} after the "
        "first sound (median)"
    )
    return sentence, [Shown("What became of the prompt", heads, rows)]


def _turns(figures: Figures) -> tuple[str, list[Shown]]:
    rows = [
        (
            row["kind"],
            str(row["utterances"]),
            *(
                cell
                for way in (row["by_words"], row["fixed"])
                for cell in (f"{way['median_ms']:.0f} / {way['p95_ms']:.0f} ms", f"{way['cut']}")
            ),
        )
        for row in figures["kinds"]
    ]
    heads = ("utterances", "", "by their words, median / 95 %", "cut off", "a fixed silence, median / 95 %", "cut off")
    first = figures["kinds"][0]
    own, fixed = first["by_words"], first["fixed"]
    sentence = (
        f"a turn is over {own['median_ms']:.0f} ms after its last word (median; {fixed['median_ms']:.0f} ms with a "
        f"fixed silence), {own['cut']} of {first['utterances']} cut off"
    )
    return sentence, [Shown(f"From the end of the last word to the end of the turn ({figures['data']})", heads, rows)]


def _decisions(figures: Figures) -> tuple[str, list[Shown]]:
    names = ("mean", "median", "p99", "most")
    costs = figures["microseconds"]
    rows = [(cost["what"], str(cost["times"]), *(f"{cost[name]:.1f}" for name in names)) for cost in costs]
    frame_ms = figures["frame_ms"]
    per_frame = sum(cost["mean"] for cost in costs if "frame" in cost["what"])
    sentence = f"both decisions take {per_frame:.0f} microseconds of a frame of {frame_ms} ms (mean)"
    return sentence, [Shown("Microseconds", ("what", "times", *names), rows)]


def _times(spread: Figures) -> str:
    if spread["median_ms"] is None:
        return _NONE
    return f"{spread['median_ms']:.0f} / {spread['p95_ms']:.0f} ms"


def _share(share: Figures) -> str:
    if not share["of"]:
        return _NONE
    return f"{share['count'] / share['of']:.0%} ({share['count']} of {share['of']})"


def _ms(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0f} ms"


_BY_NAME: Final[Mapping[str, Callable[[Figures], tuple[str, list[Shown]]]]] = {
    "streaming": _streaming,
    "capacity": _capacity,
    "answer": _answer,
    "barge-in": _barge_in,
    "turns": _turns,
    "decisions": _decisions,
}
