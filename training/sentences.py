"""General French sentences: subject, verb in a tense, object, place, time, questions, orders, two clauses.

A sentence is drawn as a *frame* (which parts, which tense, which kind of subject) and then given words. The frame's
name is the sentence's shape.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from training.lexicon import lexicon, phrases
from training.morphology import Verb, plural
from training.numerals import MONTHS, cardinal
from training.slots import SLOTS, noun_phrase

__all__ = ["everyday_sentence", "general_sentence"]

_SUBJECTS: Final = {
    "je": 0, "tu": 1, "il": 2, "elle": 2, "on": 2, "ça": 2, "nous": 3, "vous": 4, "ils": 5, "elles": 5,
    "tout le monde": 2, "personne": 2, "quelqu'un": 2, "mon mari": 2, "ma femme": 2, "mon fils": 2, "ma fille": 2,
    "mon père": 2, "ma mère": 2, "mon frère": 2, "ma soeur": 2, "mon collègue": 2, "les enfants": 5, "mes parents": 5,
    "le client": 2, "le médecin": 2, "le directeur": 2, "la secrétaire": 2, "le technicien": 2, "nos voisins": 5,
}  # fmt: skip
_HELPERS: Final = {"proche": "aller", "passé": "avoir", "récent": "venir"}
_HELPER_FORMS: Final = {
    "aller": ("vais", "vas", "va", "allons", "allez", "vont"),
    "avoir": ("ai", "as", "a", "avons", "avez", "ont"),
    "venir": ("viens", "viens", "vient", "venons", "venez", "viennent"),
}


def _any_verb(rng: Random) -> Verb:
    words = lexicon()
    return rng.choice(words.common_verbs if rng.random() < 0.5 else words.transitive)


def _conjugated(verb: Verb, tense: str, person: int, rng: Random) -> tuple[str, str]:
    """The conjugated word, and what follows it (participle or infinitive)."""
    if tense == "présent":
        return verb.present[person], ""
    if tense == "imparfait":
        return verb.imparfait[person], ""
    if tense == "futur":
        return verb.futur[person], ""
    if tense == "conditionnel":
        return verb.conditionnel[person], ""
    if tense == "modal":
        wanted = rng.choice(phrases("modals"))
        modal = next(each for each in lexicon().verbs if each.infinitive == wanted)
        form = rng.choice((modal.present, modal.present, modal.conditionnel, modal.imparfait))[person]
        return form, verb.infinitive
    helper = _HELPER_FORMS[_HELPERS[tense]][person]
    follows = {"passé": verb.participle, "proche": verb.infinitive, "récent": f"de {verb.infinitive}"}[tense]
    return helper, follows


def _object(rng: Random) -> str:
    kind = rng.choice(("def", "def", "def", "poss", "poss", "indef", "name"))
    if kind == "name":
        if rng.random() < 0.6:
            return SLOTS["prenom"](rng)
        return f"{rng.choice(('monsieur', 'madame'))} {SLOTS['nom'](rng)}"
    return noun_phrase(rng, kind=kind)


def _place_or_company(rng: Random) -> str:
    drawn = rng.random()
    if drawn < 0.3:
        return f"à {SLOTS['ville'](rng)}"
    if drawn < 0.5:
        return f"avec {SLOTS['prenom'](rng)}"
    return rng.choice(phrases("prepositions")) + f" {noun_phrase(rng, kind=rng.choice(('def', 'poss')))}"


def _when(rng: Random) -> str:
    drawn = rng.random()
    if drawn < 0.45:
        return SLOTS["moment"](rng)
    if drawn < 0.65:
        return SLOTS["a_heure"](rng)
    if drawn < 0.8:
        return rng.choice(("depuis", "dans", "pendant", "il y a", "avant")) + " " + SLOTS["duree"](rng)
    return f"{rng.choice(('en', 'depuis', 'jusqu' + chr(39) + 'en'))} {rng.choice(MONTHS)}"


def _clause(rng: Random, *, frame: list[str], short: bool) -> str:
    """A clause with subject; what was chosen is appended to ``frame``."""
    subject = rng.choice(phrases("pronouns")) if rng.random() < 0.65 else rng.choice(tuple(_SUBJECTS))
    person = _SUBJECTS[subject]
    tense = rng.choice(phrases("tenses"))
    verb = _any_verb(rng)
    word, follows = _conjugated(verb, tense, person, rng)
    clitic = rng.choice(phrases("clitics")) if rng.random() < 0.15 else ""
    negation = rng.choice(phrases("negations")) if rng.random() < 0.25 else ""
    if clitic and tense in ("modal", "proche", "récent"):
        follows = f"de {clitic} {verb.infinitive}" if tense == "récent" else f"{clitic} {follows}"
    elif clitic:
        word = f"{clitic} {word}"
    if negation:
        word = f"ne {word} {negation}" if rng.random() < 0.8 else f"{word} {negation}"
    parts = [subject, word, follows]
    marks = [str(person), tense, "cl" if clitic else "", negation[:4], "1" if len(subject.split()) > 1 else "0"]
    extras: tuple[tuple[str, float, Callable[[], str]], ...] = (
        ("adv", 0.15, lambda: rng.choice(phrases("adverbs"))),
        ("obj", 0.25 if clitic else 0.85, lambda: _object(rng)),
        ("adj", 0.0 if short else 0.3, lambda: _place_or_company(rng)),
        ("when", 0.1 if short else 0.35, lambda: _when(rng)),
    )
    for mark, chance, make in extras:
        if rng.random() < chance:
            parts.append(make())
            marks.append(mark)
    frame.append("-".join(mark for mark in marks if mark))
    return " ".join(part for part in parts if part)


def _tu_order(verb: Verb) -> str:
    form = verb.present[1]
    return form.removesuffix("s") if form.endswith("es") else form


def _order(rng: Random, frame: list[str]) -> str:
    verb = _any_verb(rng)
    polite = rng.random() < 0.7
    form = verb.present[4] if polite else _tu_order(verb)
    pronoun = rng.choice(("", "", "-moi", "-le", "-les", "-nous", "-lui", "-la"))
    frame.append(f"order{int(polite)}{pronoun}")
    return f"{form}{pronoun} {_object(rng)}" + rng.choice(("", "", f" {_when(rng)}", " s'il vous plaît"))


def _question(rng: Random, frame: list[str]) -> str:
    if rng.random() < 0.5:
        frame.append("est-ce")
        return rng.choice(phrases("questions")) + f" {_clause(rng, frame=frame, short=True)} ?"
    verb = _any_verb(rng)
    helper = rng.choice(phrases("inversions"))
    frame.append("inversion")
    wanted = f"{helper} {verb.infinitive} {_object(rng)}"
    return wanted + rng.choice(("", f" {_when(rng)}", f" {_place_or_company(rng)}")) + " ?"


def _presentative(rng: Random, frame: list[str]) -> str:
    opening = rng.choice(phrases("presentatives"))
    frame.append(f"there-{opening}")
    tail = rng.choice(
        ("", f" {_place_or_company(rng)}", f" {_when(rng)}", f" pour {cardinal(rng.randint(2, 900))} euros")
    )
    return f"{opening} {noun_phrase(rng, kind=rng.choice(('indef', 'def', 'poss')))}{tail}"


def general_sentence(rng: Random) -> tuple[str, str]:
    """A sentence and its shape."""
    frame: list[str] = []
    drawn = rng.random()
    if drawn < 0.1:
        text = _order(rng, frame)
    elif drawn < 0.25:
        text = _question(rng, frame)
    elif drawn < 0.35:
        text = _presentative(rng, frame)
    elif drawn < 0.45:
        link = rng.choice(phrases("links"))
        text = f"{_clause(rng, frame=frame, short=True)} {link} {_clause(rng, frame=frame, short=True)}"
        frame.append(link)
    elif drawn < 0.5:
        text = noun_phrase(rng, kind="def") + " " + _place_or_company(rng)
        frame.append("np")
    else:
        text = _clause(rng, frame=frame, short=False)
    if rng.random() < 0.15:
        opener = rng.choice(phrases("openers"))
        text = f"{opener} {text}" if opener.endswith(("que", "mais", "et")) else f"{opener}, {text}"
        frame.append(opener)
    if not text.endswith("?"):
        text += "."
    return text, "general:" + "/".join(frame)


def everyday_sentence(rng: Random) -> tuple[str, str]:
    """A short sentence of the words that telephone talk repeats, and its shape: who does what, with whom or when."""
    words = lexicon()
    subject = rng.choice(phrases("pronouns")) if rng.random() < 0.5 else rng.choice(tuple(_SUBJECTS))
    tense = rng.choice(("présent", "présent", "présent", "passé", "proche", "futur", "imparfait"))
    word, follows = _conjugated(rng.choice(words.common_verbs), tense, _SUBJECTS[subject], rng)
    negation = rng.choice(("", "", "", "pas", "plus", "jamais"))
    said = f"{subject} ne {word} {negation} {follows}" if negation else f"{subject} {word} {follows}"
    female, article = rng.random() < 0.5, rng.choice(("def", "def", "indef", "poss"))
    noun = rng.choice(words.common_f if female else words.common_m)
    articles = {"def": ("le", "la"), "indef": ("un", "une"), "poss": ("mon", "ma"), "many": ("les", "les")}
    if rng.random() < 0.2:
        article, noun = "many", plural(noun)
    if article == "poss" and female and noun[:1] in "aeiouéèh":
        female = False  # mon adresse
    tail = rng.choice(
        ("", f" avec {SLOTS['prenom'](rng)}", f" à {SLOTS['ville'](rng)}", f" {_when(rng)}", f" {_when(rng)}")
    )
    shape = f"everyday:{_SUBJECTS[subject]}-{tense}-{negation}-{article}-{tail.split(' ')[-1][:2] if tail else ''}"
    return f"{said.strip()} {articles[article][int(female)]} {noun}{tail}.".replace("  ", " "), shape
