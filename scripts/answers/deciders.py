"""Deciders made from models: the whole, and each signal alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from scripts.answers.hearing import HeardCall
from scripts.answers.training import MIN_CLASS_WEIGHT, WordModel
from V3.calls.answer import AnswerDecider, AnswerLabel
from V3.calls.answer_policy import Evidence
from V3.calls.answer_words import Cues, KeywordClass

__all__ = ["keywords_only", "timing_moments", "timing_only", "tuned", "with_timing", "words_only"]


def tuned(base: AnswerDecider, words: WordModel) -> AnswerDecider:
    """``base`` with the weights that were learned from texts."""

    def weighed(groups: Sequence[KeywordClass], sign: float) -> list[KeywordClass]:
        return [
            dataclasses.replace(group, weight=max(MIN_CLASS_WEIGHT, sign * words.classes.get(group.name, 0.0)))
            for group in groups
        ]

    return dataclasses.replace(
        base, machine=weighed(base.machine, 1.0), human=weighed(base.human, -1.0), cues=Cues(words.cues),
        bias=words.bias,
    )  # fmt: skip


def with_timing(decider: AnswerDecider, timing: Mapping[str, float]) -> AnswerDecider:
    """The decider with these timing weights."""
    return dataclasses.replace(decider, timing=dict(timing))


def keywords_only(decider: AnswerDecider) -> AnswerDecider:
    """An ablation: classes alone."""
    return dataclasses.replace(decider, cues=Cues({}), timing={}, bias=0.0)


def words_only(decider: AnswerDecider) -> AnswerDecider:
    """An ablation: classes and cues."""
    return dataclasses.replace(decider, timing={})


def timing_only(decider: AnswerDecider) -> AnswerDecider:
    """An ablation: timing alone; no word is known."""
    return dataclasses.replace(decider, machine=(), human=(), cues=Cues({}), bias=0.0)


def timing_moments(heard: Sequence[HeardCall]) -> list[tuple[Evidence, bool, float]]:
    """Every tenth of a second of the calls in which somebody spoke, up to the window's end; each call counts alike."""
    moments = []
    for call in heard:
        if call.call.label is AnswerLabel.NO_ANSWER:
            continue
        at = [
            glimpse for glimpse in call.glimpses[::5] if 600 <= glimpse.at_ms < 2300 and glimpse.timing.speech_ms >= 120
        ]
        label = call.call.label is AnswerLabel.MACHINE
        weight = 1.0 / (len(at) + 3)
        moments += [(Evidence(each.text, each.timing), label, weight) for each in at]
        moments.append((Evidence(call.window_text, call.window_timing), label, 3 * weight))
    return moments
