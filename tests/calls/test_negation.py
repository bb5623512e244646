"""The reach of a negation."""

from __future__ import annotations

import pytest

from V3.calls.negation import CUT, Heard, Mark, Negation, Role, hear, without_ne


def negation_of(text: str, phrase: str, *others: str, role: Role = Role.OTHER) -> tuple[Negation, Mark]:
    """The negation in ``text``, where ``phrase`` and ``others`` were found."""
    heard = hear(text.split())
    mark, *rest = [marked(heard, without_ne(text), role) for text in (phrase, *others)]
    return Negation(heard, [mark, *rest]), mark


def marked(heard: Heard, phrase: tuple[str, ...], role: Role) -> Mark:
    starts = [at for at in range(len(heard.words)) if heard.words[at : at + len(phrase)] == phrase]
    return Mark(phrase, role, "x", starts[0], starts[0] + len(phrase))


def test_ne_is_dropped_and_punctuation_kept() -> None:
    heard = hear(["Je", "n'en", "veux", "plus,", "ne"])
    assert heard.words == ("je", "en", "veux", "plus", CUT)
    assert heard.owners == (0, 1, 2, 3, 3)
    assert heard.after_ne == {1, 5}
    assert (heard.word(2), heard.word(5), heard.word(-1)) == ("veux", "", "")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("je ne veux pas de rendez-vous", "rendez vous"),
        ("je veux pas un rendez-vous", "rendez vous"),
        ("ça m'intéresse pas", "m'intéresse"),
        ("ça m'intéresse vraiment pas", "m'intéresse"),
        ("ça m'intéresse plus", "m'intéresse"),
        ("ça ne m'intéresse plus trop", "m'intéresse"),
        ("je n'ai aucun rendez-vous", "rendez vous"),
        ("je n'ai jamais eu de rendez-vous", "rendez vous"),
        ("je pense pas que ça m'intéresse", "m'intéresse"),
        ("je ne dis pas oui", "oui"),
        ("sans rendez-vous", "rendez vous"),
        ("ni rendez-vous ni rien", "rendez vous"),
    ],
)
def test_what_is_reached(text: str, phrase: str) -> None:
    negation, mark = negation_of(text, phrase)
    assert negation.reaches(mark)


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("je veux un rendez-vous", "rendez vous"),
        ("je peux pas mardi, un rendez-vous mercredi", "rendez vous"),
        ("je peux pas mardi mais je veux un rendez-vous", "rendez vous"),
        ("je sais pas je veux un rendez-vous", "rendez vous"),
        ("un rendez-vous pas demain", "rendez vous"),
        ("je sais pas oui", "oui"),
        ("ça m'intéresse plus que vous", "m'intéresse"),
        ("j'en veux plus d'accord", "d'accord"),
        ("sans engagement un rendez-vous", "rendez vous"),
        ("j'ai pas le temps", "pas le temps"),  # a phrase with its own
        ("je ne veux que ça", "veux"),
    ],
)
def test_what_is_not_reached(text: str, phrase: str) -> None:
    negation, mark = negation_of(text, phrase)
    assert not negation.reaches(mark)


def test_a_pas_that_belongs_to_another_phrase_reaches_nothing_unless_that_refuses() -> None:
    negation, mark = negation_of("pas de souci d'accord", "d'accord", "pas de souci")
    assert not negation.reaches(mark)
    negation, mark = negation_of("absolument pas d'accord", "d'accord", "absolument pas", role=Role.NO)
    assert negation.reaches(mark)
    negation, mark = negation_of("pas sûr que ça m'intéresse", "m'intéresse", "pas sûr")
    assert negation.reaches(mark)


def test_plus_refuses_only_where_the_phrase_is_a_refusal() -> None:
    for role, reached in ((Role.NO, False), (Role.OTHER, True)):
        negation, mark = negation_of("pas plus tard", "plus tard", role=role)
        assert negation.reaches(mark) is reached


def test_what_is_said_of_a_case() -> None:
    negation, mark = negation_of("si ça m'intéresse je vous appelle", "m'intéresse")
    assert negation.is_hypothetical(mark)
    negation, mark = negation_of("ça m'intéresse", "m'intéresse")
    assert not negation.is_hypothetical(mark)
    negation, mark = negation_of("mais si ça m'intéresse", "m'intéresse", "mais si")  # that "si" is an answer
    assert not negation.is_hypothetical(mark)
