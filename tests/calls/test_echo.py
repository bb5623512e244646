"""Whether words are our own prompt coming back: by what they are, their order and their time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.echo import EchoMatcher, EchoSign, share_said
from V3.events import Word

PROMPT = (
    "Bonjour, je suis l'assistant vocal du cabinet. Vous avez demandé à être rappelé au sujet d'un rendez-vous avec un "
    "conseiller. Est-ce que cela vous intéresse toujours ?"
)
LENGTH_MS = 8700
START_MS = 20_000
MATCHER = EchoMatcher(PROMPT, length_ms=LENGTH_MS)
PARTS = PROMPT.split()


def moment(index: int) -> int:
    """When the word of this index is played, by the even pace of the text, on the clock of the call."""
    before = sum(len(part) + 1 for part in PARTS[:index])
    return START_MS + LENGTH_MS * before // len(PROMPT)


def echoed(first: int, last: int, *, delay_ms: int = 120) -> list[Word]:
    """The prompt's words from the first to the last, late by ``delay_ms``."""
    return [Word(PARTS[i], moment(i) + delay_ms, moment(i) + delay_ms + 200) for i in range(first, last + 1)]


def spoken(text: str, at_ms: int) -> list[Word]:
    return [Word(part, at_ms + 200 * i, at_ms + 200 * i + 200) for i, part in enumerate(text.split())]


def sign(
    words: Sequence[Word], *, suspected: bool = False, hinted: bool = False, matcher: EchoMatcher = MATCHER
) -> EchoSign:
    return matcher.sign(words, prompt_start_ms=START_MS, suspected=suspected, hinted=hinted)


def misheard(words: Sequence[Word], *indices: int) -> list[Word]:
    return [Word("lapin", w.start_ms, w.end_ms) if i in indices else w for i, w in enumerate(words)]


@pytest.mark.parametrize(("first", "last"), [(0, 6), (7, 14), (5, 12), (14, 20), (0, len(PARTS) - 1)])
@pytest.mark.parametrize("delay_ms", [0, 120, 400])
def test_several_words_in_order_and_of_their_moment_are_surely_it(first: int, last: int, delay_ms: int) -> None:
    assert sign(echoed(first, last, delay_ms=delay_ms)) is EchoSign.SURE


def test_a_misheard_word_among_them_changes_nothing() -> None:
    assert sign(misheard(echoed(0, 6), 3)) is EchoSign.SURE


def test_of_short_words_one_of_five_may_be_misheard() -> None:
    matcher = EchoMatcher("Je n'ai pas vu ça du tout.", length_ms=2200)
    words = spoken("je n'ai pas vu lapin", START_MS)
    assert sign(words, matcher=matcher) is EchoSign.WEAK
    assert sign(misheard(words, 3), matcher=matcher) is EchoSign.NONE


def test_after_a_weak_sign_half_of_the_words_are_one_and_four_a_sure_one() -> None:
    words = misheard(echoed(11, 14), 1, 2)  # "être lapin lapin sujet": half of them, in their place
    assert sign(words) is EchoSign.NONE
    assert sign(words, hinted=True) is EchoSign.WEAK
    assert sign(misheard(echoed(7, 15), 0, 1, 4), hinted=True) is EchoSign.SURE
    assert sign(misheard(echoed(10, 13), 2, 3), hinted=True) is EchoSign.NONE  # somebody else speaks by now


def test_one_word_of_the_very_moment_is_a_weak_sign() -> None:
    """ "Bonjour" to a prompt that begins so: people say it too."""
    assert sign(spoken("Bonjour", START_MS + 150)) is EchoSign.WEAK
    assert sign(spoken("Bonjour", START_MS + 3000)) is EchoSign.NONE
    assert sign(spoken("Bonjour madame", START_MS + 150)) is EchoSign.NONE


def test_in_a_call_that_echoed_before_fewer_words_tell() -> None:
    words = [*echoed(8, 9, delay_ms=900), *spoken("mmh", moment(9) + 1200)]  # too late for every word to be its
    assert sign(words) is EchoSign.NONE
    assert sign(words, suspected=True) is EchoSign.SURE


def test_the_same_words_at_another_time_are_the_callees() -> None:
    late = [Word(w.text, w.start_ms + 3000, w.end_ms + 3000) for w in echoed(7, 12)]
    early = [Word(w.text, w.start_ms - 3000, w.end_ms - 3000) for w in echoed(7, 12)]
    assert sign(late) is EchoSign.NONE
    assert sign(early) is EchoSign.NONE


def test_words_in_another_order_are_no_echo() -> None:
    words = echoed(7, 12)
    turned = [Word(w.text, p.start_ms, p.end_ms) for w, p in zip(reversed(words), words, strict=True)]
    assert sign(turned) is not EchoSign.SURE


@pytest.mark.parametrize("text", ["quel rendez-vous ?", "un conseiller de quoi", "oui toujours", "c'est quoi ?", "oui"])
def test_who_repeats_a_word_of_the_question_is_no_echo(text: str) -> None:
    for index in range(len(PARTS)):
        assert sign(spoken(text, moment(index))) is not EchoSign.SURE


def test_no_words_and_short_words_tell_nothing() -> None:
    assert sign([]) is EchoSign.NONE
    assert sign(spoken("à un du", moment(10))) is EchoSign.NONE
    assert sign(echoed(0, 6), matcher=EchoMatcher("")) is EchoSign.NONE


def test_without_its_length_the_pace_of_speech_is_taken() -> None:
    matcher = EchoMatcher("Veuillez m'excuser pour le dérangement")
    heard = [
        Word("Veuillez", START_MS + 100, START_MS + 500),
        Word("m'excuser", START_MS + 700, START_MS + 1200),
        Word("dérangement", START_MS + 2000, START_MS + 2600),
    ]
    assert sign(heard, matcher=matcher) is EchoSign.SURE


@given(
    st.lists(st.tuples(st.sampled_from([*PARTS, "oui", "non", "pourquoi"]), st.integers(-20_000, 40_000)), max_size=12)
)
def test_whatever_is_heard_more_of_the_same_suspicion_never_tells_less(said: list[tuple[str, int]]) -> None:
    words = [Word(text, at_ms, at_ms + 200) for text, at_ms in sorted(said, key=lambda each: each[1])]
    assert sign(words, suspected=True) >= sign(words)


# ---- what of a verdict's words was ours


def test_the_share_of_our_own_words() -> None:
    ours = [PROMPT, "Au revoir"]
    assert share_said("vous avez demandé à être rappelé", ours) == 1.0
    assert share_said("vous avez demandé Le correspondant", ours) == pytest.approx(2 / 4)  # pairs of neighbours
    assert share_said("le correspondant n'est pas joignable", ours) == 0.0


@pytest.mark.parametrize("heard", ["le correspondant que vous", "vous êtes bien", "vous", "", "à un du"])
def test_one_word_in_common_is_no_share(heard: str) -> None:
    """ "Vous" is in every prompt, and in every carrier's announcement: it is no sign of an echo."""
    assert share_said(heard, [PROMPT]) == 0.0


def test_an_announcement_shares_words_with_the_prompt_and_not_their_order() -> None:
    """ "Demandez" sounds as "demandé" does; "vous demandez" is not in the prompt."""
    assert share_said("le correspondant que vous demandez n'est pas joignable", [PROMPT]) == 0.0


def test_an_echo_of_short_words_is_one() -> None:
    assert share_said("Pardon, je n'ai pas", ["Pardon, je n'ai pas bien compris."]) == 1.0


def test_nothing_was_played_yet() -> None:
    assert share_said("vous avez demandé", []) == 0.0
