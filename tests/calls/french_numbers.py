"""Numbers written in French words, for what must be read back: written apart from the reader, by other rules."""

from __future__ import annotations

_TO_16 = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"]
_TO_16 += ["treize", "quatorze", "quinze", "seize"]
_TENS = ["", "dix", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt"]
_SWISS = {7: "septante", 8: "huitante", 9: "nonante"}


def spell(number: int, *, swiss: bool = False) -> str:
    """``number`` below a thousand million, as it is written with hyphens up to 99."""
    for size, name in ((1_000_000, "million"), (1000, "mille")):
        if number >= size:
            count, rest = divmod(number, size)
            many = "s" if name == "million" and count > 1 else ""
            head = "" if name == "mille" and count == 1 else spell(count, swiss=swiss) + " "
            if name == "mille":
                head = head.replace("cents ", "cent ").replace("vingts ", "vingt ")
            return f"{head}{name}{many}" + (f" {spell(rest, swiss=swiss)}" if rest else "")
    if number >= 100:
        count, rest = divmod(number, 100)
        head = "cent" if count == 1 else f"{_TO_16[count]} cent" + ("" if rest else "s")
        return head + (f" {spell(rest, swiss=swiss)}" if rest else "")
    return _below_100(number, swiss=swiss)


def _below_100(number: int, *, swiss: bool) -> str:
    if number <= 16:
        return _TO_16[number]
    tens, unit = divmod(number, 10)
    if number < 20:
        return f"dix-{_TO_16[unit]}"
    if swiss and tens in _SWISS:
        return _SWISS[tens] + (" et un" if unit == 1 else f"-{_TO_16[unit]}" if unit else "")
    if number == 80:
        return "quatre-vingts"
    rest = unit + (10 if tens in {7, 9} else 0)
    if rest in {1, 11} and tens < 8:
        return f"{_TENS[tens]} et {_TO_16[rest]}"
    return _TENS[tens] + (f"-{_below_100(rest, swiss=swiss)}" if rest else "")


def spell_pairs(digits: str) -> str:
    """A telephone number as it is said: by pairs, "zéro six" for 06."""
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    return " ".join(f"zéro {spell(int(pair))}" if pair.startswith("0") else spell(int(pair)) for pair in pairs)
