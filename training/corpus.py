"""Texts to be spoken: telephone phrases from the grammar and general sentences, with their category and shape.

One seed gives one corpus. A twentieth of the shapes (by a hash of the shape, so for every seed alike) is held out: it
serves evaluation only. Texts are as the shipped tokenizer expects them: numbers in words, a capital first, punctuated.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from training.grammar import Grammar, fill
from training.lexicon import lexicon, read_text
from training.morphology import contract
from training.sentences import everyday_sentence, general_sentence
from training.slots import SLOTS

__all__ = ["CATEGORIES", "Utterance", "draw", "generate", "is_held_out", "read_corpus", "write_corpus"]

CATEGORIES: Final = {
    "human": 0.12, "yesno": 0.06, "backchannel": 0.03, "stop": 0.06, "optout": 0.07, "reply": 0.13, "voicemail": 0.14,
    "agent": 0.04, "number": 0.11, "everyday": 0.09, "general": 0.15,
}  # fmt: skip
_HELD_OUT_SHARE: Final = 20  # one shape in so many
_MAX_CHARACTERS: Final = 230
_TRIES: Final = 200
_ALWAYS_TAUGHT: Final = frozenset({"yesno", "backchannel", "stop"})  # too few shapes and too important to hold out


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text: its category, its shape, and whether the shape is held out."""

    text: str
    category: str
    shape: str
    held_out: bool


@cache
def _grammar() -> Grammar:
    return Grammar(read_text("grammar.txt"))


def is_held_out(shape: str) -> bool:
    """Whether sentences of this shape are for evaluation only."""
    return int.from_bytes(hashlib.sha256(shape.encode()).digest()[:4]) % _HELD_OUT_SHARE == 0


def _tidy(text: str) -> str:
    text = contract(text).replace("\u00a0", " ").replace(" ,", ",").replace("..", ".").replace("?.", "?").strip()
    text = text if text.endswith((".", "?", "!")) else text + "."
    return text[:1].upper() + text[1:]


def draw(rng: Random, *, category: str) -> Utterance:
    """One utterance of a category. Voicemail greetings are sometimes two sentences, as real ones are."""
    if category in ("general", "everyday"):
        text, shape = (general_sentence if category == "general" else everyday_sentence)(rng)
    else:
        shape = _grammar().shape(category, rng)
        if category == "voicemail" and rng.random() < 0.25:
            shape += " " + _grammar().shape(rng.choice(("vm_message", "vm_absent_cap", "carrier", "vm_business")), rng)
        elif category == "reply" and rng.random() < 0.12:
            shape += " " + _grammar().shape(rng.choice(("yesno", "reply")), rng)
        text = fill(shape, SLOTS, rng)
    held_out = category not in _ALWAYS_TAUGHT and is_held_out(shape)
    return Utterance(_tidy(text), category, shape, held_out)


def generate(count: int, *, seed: int, held_out: bool = False) -> Iterator[Utterance]:
    """``count`` utterances in the shares of ``CATEGORIES``, of the taught shapes only. Or, held out,
    all categories alike and the other shapes only.
    """
    rng = Random(f"corpus-{seed}-{held_out}")  # noqa: S311 (a corpus is no secret)
    names, weights = list(CATEGORIES), [1.0 if held_out else share for share in CATEGORIES.values()]
    made = 0
    while made < count:
        utterance = _wanted(rng, rng.choices(names, weights)[0], held_out=held_out)
        if utterance is not None and len(utterance.text) <= _MAX_CHARACTERS:
            made += 1
            yield utterance


def _wanted(rng: Random, category: str, *, held_out: bool) -> Utterance | None:
    """An utterance of a held-out shape (or not); ``None`` when the category gave none in many tries."""
    for _ in range(_TRIES):
        utterance = draw(rng, category=category)
        if utterance.held_out == held_out or (held_out and category in _ALWAYS_TAUGHT):
            return utterance
    return None


def write_corpus(path: Path, utterances: Iterator[Utterance]) -> dict[str, int]:
    """One JSON object a line; returns what the corpus holds, for the card."""
    shapes: set[str] = set()
    words: set[str] = set()
    categories: Counter[str] = Counter()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        for utterance in utterances:
            out.write(json.dumps(asdict(utterance), ensure_ascii=False) + "\n")
            shapes.add(utterance.shape)
            words.update(word.strip(".,?!") for word in utterance.text.lower().split())
            categories[utterance.category] += 1
    found = {"utterances": categories.total(), "shapes": len(shapes), "words": len(words - {""})}
    return found | {"lexicon_forms": len(lexicon().vocabulary())} | dict(categories)


def read_corpus(path: Path) -> list[Utterance]:
    """What ``write_corpus`` wrote."""
    with path.open(encoding="utf-8") as lines:
        return [Utterance(**json.loads(line)) for line in lines]
