"""How a French word sounds, roughly: so that what a recogniser misspells is still found. A core.

"message rit", "messageries" and "messagerie" are one sound; so are "à l'eau" and "allô", "vous êtes bien sûr la" and
"vous êtes bien sur la". The key is coarser than any pronunciation dictionary on purpose: nasal vowels are one letter
each, endings that are mute are dropped, and so is every "e": the folded words of :mod:`V3.calls.words` have no accents
that would tell "é" from a mute one.

The idea is that of Soundex and of its French relatives (Phonex, Soundex 2); the rules are those of French spelling,
in the order in which a reader applies them.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["sound_key"]

_WHOLE = {
    "est": "", "et": "", "es": "", "ai": "", "ait": "", "les": "l", "des": "d", "mes": "m", "ses": "s", "ces": "s",
    "tes": "t", "c": "s", "qu": "k", "un": "I", "eu": "u", "monsieur": "msj", "femme": "fam", "six": "sis",
    "dix": "dis", "huit": "uit", "sept": "st", "cent": "sA", "bip": "bip",
}  # fmt: skip
_RULES = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"h(?<!ch)(?<!ph)", ""),
        (r"(?:er|ez|ed|ee|ees|ais|ait|aient|ai)$", "e"),
        (r"(?<=.{6})ent$", "ant"),
        (r"(?<=..)ent$", "e"),
        (r"ies?$", "i"),
        (r"(?<=[a-z])[sxtdpz]+$", ""),
        (r"(?<=[aeiouy])s(?=[aeiouy])", "z"),
        (r"sch|ch", "ƒ"),
        (r"ph", "f"),
        (r"gn", "ñ"),
        (r"g(?=[eiy])", "j"),
        (r"gu(?=[eiy])", "g"),
        (r"tion", "sO"),
        (r"qu|q", "k"),
        (r"c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"x", "ks"),
        (r"w", "v"),
        (r"([a-zñƒ])\1+", r"\1"),
        (r"eau|au", "o"),
        (r"ou", "U"),
        (r"oin", "WI"),
        (r"oi|oy", "Wa"),
        (r"(?:ain|ein|aim|yn|ym|in|im|un|um)(?![aeiouymnUWIAO])", "I"),
        (r"ien(?![aeiouymn])", "jI"),
        (r"(?:an|am|en|em)(?![aeiouymnUWIAO])", "A"),
        (r"(?:on|om)(?![aeiouymnUWIAO])", "O"),
        (r"oeu|eu|oe", "E"),
        (r"ill|(?<=[aeuE])il", "j"),
        (r"ai|ei|ay|ey", "e"),
        (r"y", "i"),
        (r"i(?=[aeouAEIOU])", "j"),
        (r"(?<=.)e", ""),
        (r"(.)\1+", r"\1"),
    )
)


@lru_cache(maxsize=20_000)
def sound_key(word: str) -> str:
    """The sound of one folded word: that of "messagerie" is that of "message" and that of "rit" in a row."""
    if word in _WHOLE:
        return _WHOLE[word]
    if word.isdigit():
        return word
    for pattern, sound in _RULES:
        word = pattern.sub(sound, word)
    return word
