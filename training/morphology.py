"""French endings: conjugation, plurals, feminines, elision. Enough for a corpus, not for a grammar book."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = [
    "PERSONS",
    "Verb",
    "conjugate_first_group",
    "conjugate_second_group",
    "contract",
    "feminine",
    "plural",
    "read_irregular",
]

PERSONS: Final = ("je", "tu", "il", "nous", "vous", "ils")
_IMPARFAIT: Final = ("ais", "ais", "ait", "ions", "iez", "aient")
_FUTUR: Final = ("ai", "as", "a", "ons", "ez", "ont")
_PRESENT_1: Final = ("e", "es", "e", "ons", "ez", "ent")
_PRESENT_2: Final = ("is", "is", "it", "issons", "issez", "issent")
_DOUBLING: Final = ("appeler", "jeter", "renouveler", "rappeler", "rejeter")
_VOWELS: Final = "aeiouyàâéèêëîïôöûùœ"
_ASPIRATED: Final = [
    "haut",
    "hausse",
    "hanche",
    "hache",
    "haie",
    "hall",
    "hamster",
    "handicap",
    "hangar",
    "haricot",
    "hasard",
    "hausser",
    "héros",
    "hors",
    "huit",
    "huitième",
    "onze",
    "onzième",
    "oui",
    "ouais",
    "haine",
    "honte",
    "housse",
    "hurler",
    "hutte",
    "hockey",
    "hollandais",
]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: forms by person in four tenses."""

    infinitive: str
    present: tuple[str, ...]
    imparfait: tuple[str, ...]
    futur: tuple[str, ...]
    conditionnel: tuple[str, ...]
    participle: str

    def forms(self) -> set[str]:
        """Every form, for counting the vocabulary."""
        return {self.infinitive, self.participle, *self.present, *self.imparfait, *self.futur, *self.conditionnel}


def _verb(infinitive: str, present: tuple[str, ...], stems: tuple[str, str], participle: str) -> Verb:
    imparfait_stem, futur_stem = stems
    return Verb(
        infinitive,
        present,
        tuple(imparfait_stem + ending for ending in _IMPARFAIT),
        tuple(futur_stem + ending for ending in _FUTUR),
        tuple(futur_stem + ending for ending in _IMPARFAIT),
        participle,
    )


def _strong_stem(infinitive: str) -> str:
    """The stem under stress: appell-, achèt-, préfèr-, nettoi-."""
    stem = infinitive[:-2]
    if infinitive in _DOUBLING:
        return stem + stem[-1]
    if infinitive.endswith(("oyer", "uyer", "ayer")):
        return stem[:-1] + "i"
    return re.sub(r"[eé]([bcdfglmnprstv]r?|gu|qu)$", r"è\1", stem) if not re.search(r"e(ll|tt|ss)$", stem) else stem


def conjugate_first_group(infinitive: str) -> Verb:
    """A verb in -er (not aller), with the changes of -ger, -cer, -yer, -eler, é_er."""
    stem, strong = infinitive[:-2], _strong_stem(infinitive)
    soft = stem + "e" if stem.endswith("g") else stem[:-1] + "ç" if stem.endswith("c") else stem
    stems = (strong, strong, strong, soft, stem, strong)
    present = tuple(part + ending for part, ending in zip(stems, _PRESENT_1, strict=True))
    weak_future = "é" in infinitive[-5:-2]  # préférerai, but achèterai
    futur_stem = "enverr" if infinitive.endswith("envoyer") else (stem if weak_future else strong) + "er"
    if infinitive == "renvoyer":
        futur_stem = "renverr"
    verb = _verb(infinitive, present, (soft, futur_stem), stem + "é")
    imparfait = tuple((stem if person in (3, 4) else soft) + ending for person, ending in enumerate(_IMPARFAIT))
    return Verb(verb.infinitive, verb.present, imparfait, verb.futur, verb.conditionnel, verb.participle)


def conjugate_second_group(infinitive: str) -> Verb:
    """A verb in -ir with -iss-."""
    stem = infinitive[:-2]
    present = tuple(stem + ending for ending in _PRESENT_2)
    return _verb(infinitive, present, (stem + "iss", infinitive), stem + "i")


def read_irregular(line: str) -> Verb:
    """A line of verbs_irregular.txt: infinitive : six forms ; imparfait stem ; futur stem ; participle."""
    infinitive, rest = (part.strip() for part in line.split(":"))
    present, imparfait, futur, participle = (part.strip() for part in rest.split(";"))
    return _verb(infinitive, tuple(present.split()), (imparfait, futur), participle)


def plural(word: str) -> str:
    """The plural of a noun or adjective."""
    if word.endswith(("s", "x", "z")):
        return word
    if word.endswith("al") and word not in ("festival", "bal", "carnaval", "final"):
        return word[:-2] + "aux"
    if word.endswith(("au", "eu")) and word not in ("bleu", "pneu"):
        return word + "x"
    if word in ("bijou", "caillou", "genou", "chou"):
        return word + "x"
    return {"travail": "travaux", "vitrail": "vitraux", "œil": "yeux", "monsieur": "messieurs"}.get(word, word + "s")


_FEMININE: Final = {
    "beau": "belle", "nouveau": "nouvelle", "vieux": "vieille", "blanc": "blanche", "frais": "fraîche", "sec": "sèche",
    "doux": "douce", "faux": "fausse", "roux": "rousse", "long": "longue", "public": "publique", "fou": "folle",
    "gentil": "gentille", "gros": "grosse", "gras": "grasse", "las": "lasse", "bas": "basse", "épais": "épaisse",
    "discret": "discrète", "inquiet": "inquiète", "complet": "complète", "secret": "secrète", "bon": "bonne",
    "ancien": "ancienne", "breton": "bretonne", "net": "nette", "marron": "marron", "favori": "favorite",
}  # fmt: skip


def feminine(adjective: str) -> str:
    """The feminine of an adjective."""
    if adjective in _FEMININE:
        return _FEMININE[adjective]
    for ending, change in (
        ("eux", "euse"),
        ("if", "ive"),
        ("er", "ère"),
        ("el", "elle"),
        ("ien", "ienne"),
        ("éen", "éenne"),
    ):
        if adjective.endswith(ending):
            return adjective[: -len(ending)] + change
    return adjective if adjective.endswith("e") else adjective + "e"


_SHORT: Final = re.compile(r"\b([Ll]e|[Ll]a|[Dd]e|[Jj]e|[Qq]ue|[Nn]e|[Mm]e|[Tt]e|[Ss]e) (?=([\w-]+))")


def _elides(word: str) -> bool:
    low = word.lower()
    if low.startswith("y"):
        return low in ("y", "yeux")
    plain = re.split(r"[^a-zà-ÿœ]", low)[0]
    return low[:1] in _VOWELS or (
        low.startswith("h") and plain.rstrip("s") not in _ASPIRATED and plain not in _ASPIRATED
    )


def contract(text: str) -> str:
    """Elide ("le hôtel" -> "l'hôtel") and contract ("de le" -> "du", "à les" -> "aux")."""

    def elide(found: re.Match[str]) -> str:
        short, word = found.group(1), found.group(2)
        if word.lower().split("-")[0] in _ASPIRATED or not _elides(word):
            return found.group(0)
        return f"{short[:-1]}'"

    text = _SHORT.sub(elide, text)
    for two, one in (("de le ", "du "), ("de les ", "des "), ("à le ", "au "), ("à les ", "aux "), ("si il", "s'il")):
        text = re.sub(rf"\b{two}", one, text)
    return text
