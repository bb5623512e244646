"""The labelled texts: their lines can be read, and the shipped weights are right on those they never learned from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from audio_samples import DATA

from scripts.answers.recordings import LabelledText, read_texts
from V3.calls.answer import AnswerKind, AnswerLabel
from V3.calls.words import fold
from V3.system.services.amd_service import AMDService

AMD = AMDService()
HELD = DATA / "answers_fr_held.tsv"
TUNING = sorted(DATA.glob("answers_fr_tuning*.tsv"))
KINDS = {
    AnswerLabel.HUMAN: {"person", "business"},
    AnswerLabel.MACHINE: {"voicemail", "carrier", "ivr", "call_screening", "mailbox_full"},
    AnswerLabel.NO_ANSWER: {"silence"},
}


def wrong(lines: list[LabelledText]) -> list[LabelledText]:
    return [line for line in lines if AMD.detect(line.text).label is not line.label]


def test_at_least_96_of_100_texts_never_learned_from_are_right() -> None:
    lines = read_texts(HELD)
    assert len(lines) >= 400
    missed = wrong(lines)
    assert len(missed) <= 0.04 * len(lines), missed


def test_at_most_5_of_100_people_are_lost_by_their_words_alone() -> None:
    people = [line for line in read_texts(HELD) if line.label is AnswerLabel.HUMAN]
    assert len(people) >= 150
    lost = [line.text for line in people if AMD.detect(line.text).label is AnswerLabel.MACHINE]
    assert len(lost) <= 0.05 * len(people), lost


def test_the_shipped_weights_are_those_of_the_texts_they_were_tuned_on() -> None:
    lines = [line for path in TUNING for line in read_texts(path)][::20]  # a part of them: this is a matter of seconds
    assert len(wrong(lines)) <= 0.01 * len(lines), wrong(lines)


@pytest.mark.parametrize("path", [HELD, *TUNING], ids=lambda path: path.stem)
def test_every_line_is_a_label_a_kind_where_known_and_a_text(path: Path) -> None:
    lines = read_texts(path)
    assert len(lines) >= 400
    for line in lines:
        assert line.kind in {"", *map(str, AnswerKind)}
        assert line.kind in {"", *KINDS[line.label]}, line
        assert fold(line.text) or line.label is AnswerLabel.NO_ANSWER, line
    assert [text for text, count in Counter(line.text for line in lines).items() if count > 1] == []


def test_texts_said_in_no_tuning_set_are_nearly_as_often_right() -> None:
    """ "Allô ?" is in every list of answers: of the held lines some are learned from, too, and those are easy."""
    learned = {fold(line.text) for path in TUNING for line in read_texts(path)}
    held = read_texts(HELD)
    apart = [line for line in held if fold(line.text) not in learned]
    assert len(apart) >= 0.8 * len(held)
    missed = wrong(apart)
    assert len(missed) <= 0.05 * len(apart), missed
