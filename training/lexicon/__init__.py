"""Words of the corpus: text files beside this module, read once and conjugated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from training.morphology import Verb, conjugate_first_group, conjugate_second_group, feminine, plural, read_irregular

__all__ = ["Lexicon", "lexicon", "phrases", "read_text"]

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All word lists; nouns and adjectives as masculine singulars, verbs conjugated."""

    verbs: tuple[Verb, ...]
    transitive: tuple[Verb, ...]
    nouns_m: tuple[str, ...]
    nouns_f: tuple[str, ...]
    adjectives: tuple[str, ...]
    firstnames: tuple[str, ...]
    lastnames: tuple[str, ...]
    cities: tuple[str, ...]
    company_kinds: tuple[str, ...]
    companies: tuple[str, ...]
    trades: tuple[str, ...]
    brands: tuple[str, ...]
    common_m: tuple[str, ...]
    common_f: tuple[str, ...]
    common_verbs: tuple[Verb, ...]
    common_adjectives: tuple[str, ...]
    common_firstnames: tuple[str, ...]

    def vocabulary(self) -> set[str]:
        """Every word form the sentences can hold (numbers and template words not counted)."""
        words = {form for verb in self.verbs for form in verb.forms()}
        words |= {form for noun in (*self.nouns_m, *self.nouns_f) for form in (noun, plural(noun))}
        for adjective in self.adjectives:
            for form in (adjective, feminine(adjective)):
                words |= {form, plural(form)}
        return words | {*self.firstnames, *self.lastnames, *self.cities, *self.brands}


def read_text(name: str) -> str:
    """One file of the folder."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def _words(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.replace("_", " ") for word in read_text(name).split()))


@cache
def lexicon() -> Lexicon:
    """The lexicon, read at the first call."""
    lines = [line for line in read_text("verbs_irregular.txt").splitlines() if line and not line.startswith("#")]
    irregular = tuple(read_irregular(line) for line in lines)
    regular = tuple(conjugate_first_group(word) for word in _words("verbs_er.txt"))
    regular += tuple(conjugate_second_group(word) for word in _words("verbs_ir.txt"))
    kinds, companies, trades, brands = (
        tuple(line.split("|")) for line in read_text("companies.txt").splitlines() if not line.startswith("#")
    )
    common = [
        tuple(word.replace("_", " ") for word in line.split())
        for line in read_text("common.txt").splitlines()
        if not line.startswith("#")
    ]
    helpers = {"avoir", "être", "vouloir", "pouvoir", "devoir"}
    return Lexicon(
        verbs=irregular + regular,
        transitive=tuple(verb for verb in irregular + regular if verb.infinitive not in helpers),
        nouns_m=_words("nouns_m.txt"),
        nouns_f=_words("nouns_f.txt"),
        adjectives=_words("adjectives.txt"),
        firstnames=_words("firstnames.txt"),
        lastnames=_words("lastnames.txt"),
        cities=_words("cities.txt"),
        company_kinds=kinds,
        companies=companies,
        trades=trades,
        brands=brands,
        common_m=common[0],
        common_f=common[1],
        common_verbs=tuple(verb for verb in irregular + regular if verb.infinitive in common[2]),
        common_adjectives=common[3],
        common_firstnames=common[4],
    )


@cache
def phrases(name: str) -> tuple[str, ...]:
    """One list of phrases.txt. Raises KeyError for an unknown name."""
    lists = {}
    for line in read_text("phrases.txt").splitlines():
        if not line.startswith("#"):
            head, entries = line.split(": ", 1)
            lists[head] = tuple(entry.strip() for entry in entries.split("|"))
    return lists[name]
