"""How the picture looks: sizes, colours, letters."""

from __future__ import annotations

import functools
from typing import Final

__all__ = ["BEHIND", "COLORS", "NOTE_PT", "ROW_INCHES", "WORD_PT", "drawable"]

ROW_INCHES: Final = 0.19
WORD_PT: Final = 7.5
NOTE_PT: Final = 7.5
BEHIND: Final = {"facecolor": "#f7f7f7", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}  # of a text: lines cross it
COLORS: Final = {
    "callee": "#2c7fb8",
    "robot": "#0b6e4f",
    "verdict": "#7a0177",
    "revised": "#b565b0",
    "barge_in": "#d7301f",
    "resumed": "#d95f0e",
    "ignored": "#777777",
    "message": "#0b6e4f",
    "hangup": "#222222",
    "text": "#222222",
    "unsure": "#d95f0e",
}


def drawable(text: str) -> str:
    """In one line, with a box for what the font has no picture of."""
    known = _letters()
    return "".join(c if ord(c) in known else "\u25a1" for c in " ".join(text.split()))


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib import font_manager  # noqa: PLC0415 - only this command needs it

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
