"""What fills the open slots of the grammar: names, places, numbers, noun phrases."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from string import ascii_uppercase
from typing import Final

from training.lexicon import lexicon, phrases
from training.morphology import feminine, plural
from training.numerals import WEEKDAYS, cardinal, clock, date, phone, postcode, price

__all__ = ["SLOTS", "firstname", "noun_phrase"]

_COMMON_SHARE: Final = 0.5  # of words drawn from the short lists: people repeat themselves
_BEFORE: Final = (
    "petit", "grand", "joli", "gros", "nouveau", "ancien", "beau", "bon", "mauvais", "jeune", "vieux", "prochain",
    "dernier", "premier",
)  # fmt: skip
_LETTERS: Final = tuple(ascii_uppercase)


def noun_phrase(rng: Random, *, kind: str) -> str:
    """A noun with its article (``def``, ``indef``, ``poss``, ``nu``) and perhaps an adjective, in agreement."""
    words = lexicon()
    female, many = rng.random() < 0.5, rng.random() < 0.3
    if rng.random() < _COMMON_SHARE:
        noun = rng.choice(words.common_f if female else words.common_m)
    else:
        noun = rng.choice(words.nouns_f if female else words.nouns_m)
    adjective = ""
    if rng.random() < 0.25:
        adjective = rng.choice(words.common_adjectives if rng.random() < _COMMON_SHARE else words.adjectives)
    vowel = (adjective if adjective in _BEFORE else noun)[:1] in "aeiouéèêâîôûh"
    article = _article(rng, kind, female=female, many=many, vowel=vowel)
    if adjective:
        agreed = feminine(adjective) if female else _before_vowel(adjective, noun, many=many)
        agreed = plural(agreed) if many else agreed
        said = plural(noun) if many else noun
        body = f"{agreed} {said}" if adjective in _BEFORE else f"{said} {agreed}"
    else:
        body = plural(noun) if many else noun
    return f"{article} {body}".strip()


def firstname(rng: Random) -> str:
    """A first name, the frequent ones more often."""
    words = lexicon()
    return rng.choice(words.common_firstnames if rng.random() < _COMMON_SHARE else words.firstnames)


def _before_vowel(adjective: str, noun: str, *, many: bool) -> str:
    if many or noun[:1] not in "aeiouéèêh":
        return adjective
    return {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil"}.get(adjective, adjective)


def _article(rng: Random, kind: str, *, female: bool, many: bool, vowel: bool) -> str:
    if kind == "nu":
        return ""
    if kind == "indef":
        if many:
            return rng.choice(("des", "quelques", "plusieurs", cardinal(rng.randint(2, 20))))
        return "une" if female else "un"
    if kind == "poss":
        return _possessive(rng, female=female, many=many, vowel=vowel)
    return "les" if many else "la" if female else "le"


def _possessive(rng: Random, *, female: bool, many: bool, vowel: bool) -> str:
    if many:
        return rng.choice(("mes", "tes", "ses", "nos", "vos", "leurs", "ces"))
    if rng.random() < 0.5:
        return rng.choice(("notre", "votre", "leur"))
    demonstrative = "cette" if female else "cet" if vowel else "ce"
    own = ("ma", "ta", "sa") if female and not vowel else ("mon", "ton", "son")
    return rng.choice((*own, demonstrative))


def _company(rng: Random) -> str:
    words = lexicon()
    drawn = rng.random()
    if drawn < 0.4:
        return rng.choice(words.companies)
    if drawn < 0.75:
        return f"{rng.choice(words.company_kinds)} {rng.choice(words.lastnames)}"
    return f"{rng.choice(words.lastnames)} {rng.choice(words.trades)}"


def _number(rng: Random) -> str:
    spans = ((0, 20), (20, 99), (0, 99), (100, 999), (1000, 99999))
    return cardinal(rng.choice([rng.randint(low, high) for low, high in spans]))


def _duration(rng: Random) -> str:
    unit = rng.choice(("minutes", "heures", "jours", "semaines", "mois", "ans"))
    if rng.random() < 0.2:
        return rng.choice(("une heure", "un an", "un moment", "une semaine", "un mois"))
    return f"{cardinal(rng.randint(2, 60))} {unit}"


def _moment(rng: Random) -> str:
    drawn = rng.random()
    if drawn < 0.5:
        return rng.choice(phrases("moments"))
    if drawn < 0.85:
        return rng.choice(WEEKDAYS) + rng.choice(("", "", " matin", " soir", " prochain", " après-midi"))
    return f"le {date(rng, with_year=False)}"


def _whose(rng: Random) -> str:
    words = lexicon()
    first, last = firstname(rng), rng.choice(words.lastnames)
    full = f"{first} {last}"
    couple = f"{first} et {firstname(rng)}"
    bare = rng.choice((first, full, full, f"monsieur {last}", f"madame {last}", couple))
    if rng.random() < 0.12:
        return f"de {_company(rng)}"
    return f"d'{bare}" if bare[:1] in "AEIOUÉÈHY" and rng.random() < 0.5 else f"de\u00a0{bare}"


def _reference(rng: Random) -> str:
    parts = []
    for _ in range(rng.randint(2, 5)):
        if rng.random() < 0.35:
            parts.append(rng.choice(_LETTERS))
        else:
            parts.append(cardinal(rng.choice((rng.randint(0, 9), rng.randint(10, 99)))))
    return " ".join(parts)


def _spelling(rng: Random) -> str:
    return " ".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 6)))


def _capital(make: Callable[[Random], str]) -> Callable[[Random], str]:
    def capital(rng: Random) -> str:
        said = make(rng)
        return said[:1].upper() + said[1:]

    return capital


def _pick(values: tuple[str, ...]) -> Callable[[Random], str]:
    return lambda rng: rng.choice(values)


def _phrase(name: str) -> Callable[[Random], str]:
    return lambda rng: rng.choice(phrases(name))


def _address(rng: Random) -> str:
    number = cardinal(rng.randint(1, 150))
    return f"{number} {rng.choice(phrases('streets'))} {rng.choice(phrases('street_names'))}"


def _two_digits(rng: Random) -> str:
    return cardinal(rng.randint(0, 99))


def _decimal(rng: Random) -> str:
    return f"{cardinal(rng.randint(0, 120))} virgule {cardinal(rng.randint(1, 99))}"


SLOTS: Final[dict[str, Callable[[Random], str]]] = {
    "prenom": firstname,
    "nom": lambda rng: rng.choice(lexicon().lastnames),
    "ville": lambda rng: rng.choice(lexicon().cities),
    "marque": lambda rng: rng.choice(lexicon().brands),
    "adj_m": lambda rng: rng.choice(lexicon().adjectives),
    "entreprise": _company,
    "metier_lieu": _company,
    "service": _phrase("services"),
    "tel": phone,
    "tel_cap": _capital(lambda rng: phone(rng) + "."),
    "nombre": _number,
    "nombre_cap": _capital(_number),
    "deux": _two_digits,
    "deux_cap": _capital(_two_digits),
    "decimal_cap": _capital(_decimal),
    "prix": price,
    "prix_cap": _capital(price),
    "date": lambda rng: date(rng, with_year=rng.random() < 0.4),
    "date_courte": lambda rng: date(rng, with_year=False),
    "date_cap": _capital(lambda rng: f"{rng.choice(WEEKDAYS)} {date(rng, with_year=rng.random() < 0.3)}"),
    "heure": clock,
    "heure_cap": _capital(clock),
    "a_heure": lambda rng: f"à {clock(rng)}",
    "code_postal": postcode,
    "code_postal_cap": _capital(postcode),
    "ref": _reference,
    "epeler": _spelling,
    "age": lambda rng: cardinal(rng.randint(18, 95)),
    "chiffre": lambda rng: cardinal(rng.randint(0, 9)),
    "menu": _phrase("menus"),
    "duree": _duration,
    "moment": _moment,
    "moment_cap": _capital(_moment),
    "jour": _pick(WEEKDAYS),
    "periode": _pick(("jour", "semaine", "mois", "an")),
    "mon_parent": lambda rng: rng.choice(phrases("relatives")).removeprefix("à "),
    "un_lieu": _phrase("places"),
    "adresse": _address,
    "de_qui": _whose,
    "np_def": lambda rng: noun_phrase(rng, kind=rng.choice(("def", "poss"))),
    "np_indef": lambda rng: noun_phrase(rng, kind="indef"),
    "np_nu": lambda rng: noun_phrase(rng, kind="nu"),
}
