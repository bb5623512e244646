"""The model card, written from what the steps recorded: corpus, run and measurements; nothing is typed in by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["CardFacts", "write_card"]

_TEXT: Final = """\
# {name}: a small Whisper for French telephone phrases ({date})

**What for.** So that everything runs with no model hub: demo, tests, benchmarks. It was trained on synthetic voices \
only: no figure here says anything about real callers. Where a network is at hand, take a Whisper that was trained on \
people.

**Files.** A CTranslate2 directory that faster-whisper loads as it is: `model.bin` (int8), `config.json`, \
`vocabulary.json`, `tokenizer.json`, `preprocessor_config.json`; `voicebot.json` says that short windows are \
understood. Made by `python -m training` (see `training/`).

**Shape.** Width {width}, {heads} heads, {encoder_layers} encoder and {decoder_layers} decoder layers, {mel_bands} mel \
bands, {audio_positions}/{text_positions} positions, vocabulary {vocabulary} (byte-level BPE, then Whisper's special \
tokens in Whisper's order; one empty-string entry, in the place of byte 0, marks the model as multilingual for \
CTranslate2). Any window of a multiple of 20 ms up to 30 s is understood, not only 30 s.

**Data.** Sentences drawn from a grammar and word lists: {corpus}. Spoken by espeak-ng (French of France, Belgium and \
Switzerland, {voices} \
voice variants; held out: {held_out}), rate, pitch and range varied, 8 kHz. Lines are simulated as the windows \
are drawn: levels, rooms, bands, noise, babble, hum, G.711, GSM-like and Opus coding, lost packets, speed and \
formants; windows begin and end at any instant with the text cut alike, hold one or several utterances or no speech, \
with and without a prompt and timestamps.

**Training.** {machine}; {step} steps in {hours:.2f} h, seed {seed}, AdamW {learning_rate:g}, cool-down over \
{cooldown} steps, CTC helper {ctc_weight}, label smoothing {label_smoothing}, weights averaged ({average}).{note}

**Alignment heads** (layer, head): {alignment_heads}.

**Measured** (the product's own decoding; voices it never heard; greedy, int8, one core). WER is errors by word, in \
lower case without punctuation; "right" and "no_text" are shares of samples.

| what | before | now |
|---|---|---|
{table}

**What this does not show.** How real people sound on real lines: accents, emotions, names outside the lists, two \
people speaking at once. Measure recordings of your own: `python -m training evaluate MODEL FOLDER`.
"""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the steps wrote: ``corpus.json``, ``run.json``, ``heads.json`` and two results of ``evaluate``."""

    name: str
    date: str
    machine: str
    voices: int
    held_out: str
    corpus: Mapping[str, Any]
    run: Mapping[str, Any]
    results: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    heads: str = ""
    note: str = ""


def _table(results: Mapping[str, Any], before: Mapping[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for name, value in results.items():
        was = before.get(name)
        if isinstance(value, Mapping):
            rows += _table(value, was if isinstance(was, Mapping) else {}, f"{prefix}{name}: ")
        else:
            rows.append(f"| {prefix}{name} | {'' if was is None else was} | {value} |")
    return rows


def write_card(facts: CardFacts) -> str:
    """The card in Markdown."""
    run = facts.run
    return _TEXT.format(
        **run["shape"],
        **{key: value for key, value in run["settings"].items() if key not in run["shape"]},
        name=facts.name,
        date=facts.date,
        machine=facts.machine,
        voices=facts.voices,
        held_out=facts.held_out,
        corpus=", ".join(f"{key} {value}" for key, value in facts.corpus.items()),
        step=run["step"],
        hours=run["trained_s"] / 3600,
        note=f" {facts.note}" if facts.note else "",
        alignment_heads=facts.heads or "the later half of the decoder, not measured",
        table="\n".join(_table(facts.results, facts.before)),
    )
