"""What nobody said is taken out with a reason; what people do say stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.asr.hypothesis import join_words
from V3.asr.suspicion import Suppressed, cut_loops, silence_hallucination
from V3.events import Word

STEP_MS = 300
SENTENCE = st.lists(st.sampled_from(["oui", "non", "zéro", "six", "allô", "d'accord"]), min_size=1, max_size=12)


def words(text: str, *, step_ms: int = STEP_MS) -> tuple[Word, ...]:
    return tuple(Word(part, index * step_ms, (index + 1) * step_ms) for index, part in enumerate(text.split()))


def test_three_yes_in_a_second_are_no_loop() -> None:
    spoken = words("oui oui oui bonjour", step_ms=250)
    assert cut_loops(spoken, duration_ms=1000) == (spoken, ())


def test_a_loop_is_kept_once_and_reported() -> None:
    looped = words("bonjour " + "je vous remercie " * 10 + "au revoir", step_ms=20)
    kept, reasons = cut_loops(looped, duration_ms=2000)
    assert join_words(kept) == "bonjour je vous remercie au revoir"
    assert reasons == (Suppressed.LOOP,)


def test_a_loop_at_the_very_end_is_kept_once() -> None:
    assert join_words(cut_loops(words("oui " * 40, step_ms=10), duration_ms=3000)[0]) == "oui"


def test_more_words_than_anybody_speaks_are_dropped() -> None:
    text = " ".join(f"mot{index}" for index in range(100))
    kept, reasons = cut_loops(words(text, step_ms=10), duration_ms=1000)
    assert (len(kept), reasons) == (22, (Suppressed.TOO_FAST,))


@given(SENTENCE)
def test_words_at_a_human_pace_are_never_cut(sentence: list[str]) -> None:
    spoken = words(" ".join(sentence))
    assert cut_loops(spoken, duration_ms=len(sentence) * STEP_MS) == (spoken, ())


@pytest.mark.parametrize(
    "text",
    [
        "Sous-titrage ST' 501",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Sous-titres réalisés para la communauté d'Amara.org Sous-titres réalisés para la communauté d'Amara.org",
        "Merci d'avoir regardé cette vidéo !",
        "Abonnez-vous !",
    ],
)
def test_credits_are_no_speech_however_sure_the_model_is(text: str) -> None:
    assert silence_hallucination(text, no_speech_prob=0.0)


@pytest.mark.parametrize("text", ["Merci.", "Au revoir !", "Merci. Au revoir.", "[Musique]"])
def test_thanks_are_doubted_only_where_the_model_doubts(text: str) -> None:
    assert not silence_hallucination(text, no_speech_prob=0.3)
    assert silence_hallucination(text, no_speech_prob=0.5)


@pytest.mark.parametrize(
    "text", ["", "Oui, merci.", "J'écoute de la musique.", "Abonnez-vous au service, tapez un.", "Non merci."]
)
def test_what_people_say_around_such_words_stays(text: str) -> None:
    assert not silence_hallucination(text, no_speech_prob=0.9)
