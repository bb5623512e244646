"""A small rewriting grammar: rules of text alternatives, expanded to a shape (slots open) and then to a text.

Syntax of the rule file: ``[rule]`` heads, one alternative a line, ``3*`` a weight, ``(a|b|)`` a choice in place,
``{x}`` a rule or a word slot. What stays ``{x}`` when every rule is expanded is the *shape*: sentences of one shape
differ by their words only, so whole shapes can be held out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

__all__ = ["Grammar", "fill"]

_WEIGHT = re.compile(r"^(\d+)\*\s+")
_INNERMOST = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


class Grammar:
    """Rules by name; ``shape`` draws one expansion."""

    def __init__(self, text: str) -> None:
        self._rules: dict[str, tuple[list[str], list[int]]] = {}
        current = ""
        for raw in text.splitlines():
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                current = line[1:-1]
                self._rules[current] = ([], [])
                continue
            weight = _WEIGHT.match(line)
            alternatives, weights = self._rules[current]
            alternatives.append(line[weight.end() :] if weight else line)
            weights.append(int(weight.group(1)) if weight else 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The rules, in the file's order."""
        return tuple(self._rules)

    def shape(self, rule: str, rng: Random) -> str:
        """One expansion of ``rule`` with its word slots left open. Raises KeyError for an unknown rule."""
        alternatives, weights = self._rules[rule]
        text = rng.choices(alternatives, weights)[0]
        while (found := _INNERMOST.search(text)) is not None:
            text = text[: found.start()] + rng.choice(found.group(1).split("|")) + text[found.end() :]
        return _SLOT.sub(lambda slot: self._open(slot.group(1), rng), text)

    def _open(self, name: str, rng: Random) -> str:
        return self.shape(name, rng) if name in self._rules else f"{{{name}}}"


def fill(shape: str, slots: dict[str, Callable[[Random], str]], rng: Random) -> str:
    """The shape with every slot given a word. Raises KeyError for an unknown slot."""
    return _SLOT.sub(lambda slot: slots[slot.group(1)](rng), shape)
