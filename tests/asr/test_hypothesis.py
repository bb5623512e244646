"""LocalAgreement: what is committed never changes, nothing is lost or doubled, repeats survive; loops are cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.asr.hypothesis import LocalAgreement, cut_loops, join_words, word_key
from V3.events import Word

STEP_MS = 300


def words(text: str, *, start_ms: int = 0, step_ms: int = STEP_MS) -> tuple[Word, ...]:
    return tuple(
        Word(part, start_ms + index * step_ms, start_ms + (index + 1) * step_ms)
        for index, part in enumerate(text.split())
    )


def after(*hypotheses: str) -> LocalAgreement:
    agreement = LocalAgreement()
    for text in hypotheses:
        agreement.insert(words(text))
    return agreement


def committed(agreement: LocalAgreement) -> str:
    return join_words(agreement.committed)


def test_a_word_is_committed_once_two_hypotheses_agree() -> None:
    agreement = LocalAgreement()
    assert agreement.insert(words("je suis")) == ()
    assert join_words(agreement.insert(words("je suis au"))) == "je suis"
    assert join_words(agreement.insert(words("je suis en voiture"))) == ""
    assert join_words(agreement.insert(words("je suis en voiture rappelez"))) == "en voiture"
    assert join_words(agreement.unconfirmed) == "rappelez"
    assert [word.stable for word in (*agreement.committed, *agreement.unconfirmed)] == [True] * 4 + [False]


def test_case_and_punctuation_do_not_block_a_commit() -> None:
    agreement = after("bonjour oui", "Bonjour, Oui.")
    assert committed(agreement) == "Bonjour, Oui."


@pytest.mark.parametrize("text", ["oui oui", "oui oui oui", "zéro zéro six", "non non non non", "six zéro zéro zéro"])
def test_repeats_survive(text: str) -> None:
    parts = text.split()
    growing = [" ".join(parts[:count]) for count in range(1, len(parts) + 1)]
    agreement = after(*growing, text)
    assert committed(agreement) == text


def test_a_committed_word_heard_otherwise_is_neither_doubled_nor_lost() -> None:
    agreement = after("bonjour madame", "bonjour madame", "bon jour madame je", "bonjours madame je suis")
    assert committed(agreement) == "bonjour madame je"
    assert join_words(agreement.unconfirmed) == "suis"


def test_a_committed_repeat_that_the_model_now_hears_once_costs_no_later_word() -> None:
    agreement = after("oui oui", "oui oui", "oui d'accord", "oui d'accord")
    assert committed(agreement) == "oui oui d'accord"


@pytest.mark.parametrize(("first_ends_ms", "rest"), [(150, "oui"), (290, "xy oui")])
def test_of_equal_alignments_the_nearest_in_time_wins(first_ends_ms: int, rest: str) -> None:
    agreement = LocalAgreement()
    agreement.insert([Word("abcd", 0, 300)])
    agreement.insert([Word("abcd", 0, 300)])
    # "ab" and "ab xy" are both two letters away from "abcd"; the committed word ended at 300 ms
    agreement.insert([Word("ab", 0, first_ends_ms), Word("xy", first_ends_ms, 320), Word("oui", 320, 600)])
    assert join_words(agreement.unconfirmed) == rest


def test_flush_commits_the_last_hypothesis_or_what_was_unconfirmed() -> None:
    agreement = after("je suis là", "je suis au")
    assert join_words(agreement.flush(words("je suis au travail"))) == "au travail"
    agreement = after("je suis là", "je suis au")
    assert join_words(agreement.flush()) == "au"
    assert agreement.unconfirmed == ()
    assert committed(agreement) == "je suis au"


def test_an_empty_hypothesis_takes_nothing_back() -> None:
    agreement = after("oui bonjour", "oui bonjour", "")
    assert committed(agreement) == "oui bonjour"
    assert agreement.unconfirmed == ()


def test_trimmed_words_are_forgotten_and_not_heard_again() -> None:
    agreement = after("un deux trois quatre", "un deux trois quatre")
    assert join_words(agreement.trim(2 * STEP_MS)) == "un deux"
    agreement.insert(words("trois quatre cinq", start_ms=2 * STEP_MS))
    agreement.insert(words("trois quatre cinq six", start_ms=2 * STEP_MS))
    assert committed(agreement) == "trois quatre cinq"


def test_a_trim_in_the_wrong_place_doubles_nothing_that_is_kept() -> None:
    agreement = after("un deux trois quatre", "un deux trois quatre")
    agreement.trim(2 * STEP_MS)
    agreement.insert(words("de trois quatre cinq", start_ms=2 * STEP_MS))  # the window still held the end of "deux"
    assert join_words(agreement.unconfirmed) == "cinq"


SENTENCE = st.lists(st.sampled_from(["oui", "non", "zéro", "six", "allô", "d'accord"]), min_size=1, max_size=12)


@given(SENTENCE, st.lists(st.integers(0, 12), max_size=8))
def test_stable_hypotheses_give_the_whole(sentence: list[str], cuts: list[int]) -> None:
    """Whatever the hops: if every hypothesis is the true words so far, the true words come out, once each."""
    agreement = LocalAgreement()
    for cut in sorted(cuts):
        agreement.insert(words(" ".join(sentence[:cut])))
    agreement.flush(words(" ".join(sentence)))
    assert committed(agreement) == " ".join(sentence)


@given(SENTENCE, st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=8))
def test_stable_hypotheses_give_the_whole_when_trimmed(sentence: list[str], steps: list[tuple[int, bool]]) -> None:
    agreement = LocalAgreement()
    gone: list[Word] = []
    for cut, trims in sorted(steps):
        agreement.insert(words(" ".join(sentence[len(gone) : cut]), start_ms=len(gone) * STEP_MS))
        if trims and agreement.committed:
            gone += agreement.trim(agreement.committed[-1].end_ms)
    agreement.flush(words(" ".join(sentence[len(gone) :]), start_ms=len(gone) * STEP_MS))
    assert join_words([*gone, *agreement.committed]) == " ".join(sentence)


HYPOTHESES = st.lists(SENTENCE, max_size=8)


@given(HYPOTHESES)
def test_committed_text_is_append_only(hypotheses: list[list[str]]) -> None:
    agreement = LocalAgreement()
    before: tuple[Word, ...] = ()
    for hypothesis in hypotheses:
        newly = agreement.insert(words(" ".join(hypothesis)))
        assert agreement.committed == before + newly
        before = agreement.committed
    newly = agreement.flush()
    assert agreement.committed == before + newly


def published(hypotheses: Sequence[Sequence[str]]) -> list[str]:
    """LocalAgreement-2 as published: the longest common prefix of two hypotheses, with what is committed kept."""
    done: list[str] = []
    previous: list[str] = []
    for hypothesis in hypotheses:
        rest = list(hypothesis[len(done) :])
        while rest and previous and rest[0] == previous[0]:
            done.append(rest.pop(0))
            previous.pop(0)
        previous = rest
    return done


@given(SENTENCE, st.lists(st.tuples(st.integers(0, 12), SENTENCE), max_size=8))
def test_where_the_committed_words_are_heard_again_it_is_the_published_method(
    sentence: list[str], tails: list[tuple[int, list[str]]]
) -> None:
    """Hypotheses that keep the true beginning and guess wildly after it."""
    hypotheses = [[*sentence[:cut], *(f"{word}{index}" for word in tail)] for index, (cut, tail) in enumerate(tails)]
    sure: list[list[str]] = []
    for hypothesis in hypotheses:  # a hypothesis that contradicts what is committed is a case of its own
        if published([*sure, hypothesis]) == hypothesis[: len(published([*sure, hypothesis]))]:
            sure.append(hypothesis)
    agreement = after(*(" ".join(hypothesis) for hypothesis in sure))
    assert committed(agreement).split() == published(sure)


@pytest.mark.parametrize(
    ("text", "key"), [("Bonjour,", "bonjour"), ("allô ?", "allô"), ("C\u2019est", "c'est"), ("êtes-vous", "êtesvous")]
)
def test_word_keys(text: str, key: str) -> None:
    assert word_key(text) == key


def test_three_yes_in_a_second_are_no_loop() -> None:
    spoken = words("oui oui oui bonjour", step_ms=250)
    assert cut_loops(spoken, duration_ms=1000) == spoken


def test_a_loop_is_kept_once() -> None:
    looped = words("bonjour " + "je vous remercie " * 10 + "au revoir", step_ms=20)
    assert join_words(cut_loops(looped, duration_ms=2000)) == "bonjour je vous remercie au revoir"


def test_a_loop_at_the_very_end_is_kept_once() -> None:
    assert join_words(cut_loops(words("oui " * 40, step_ms=10), duration_ms=3000)) == "oui"


def test_more_words_than_anybody_speaks_are_dropped() -> None:
    text = " ".join(f"mot{index}" for index in range(100))
    assert len(cut_loops(words(text, step_ms=10), duration_ms=1000)) == 22


@given(SENTENCE)
def test_words_at_a_human_pace_are_never_cut(sentence: list[str]) -> None:
    spoken = words(" ".join(sentence))
    assert cut_loops(spoken, duration_ms=len(sentence) * STEP_MS) == spoken
