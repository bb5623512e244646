"""What FreeSWITCH makes of a whole ``originate``, by the simulator's way of taking a line apart.

That way was held against a real FreeSWITCH on 191 strings; here stands what is seen of it from outside.
"""

from __future__ import annotations

from V3.simulator.originate import separate

__all__ = ["originated", "split_on_blanks"]


def split_on_blanks(text: str, limit: int) -> list[str]:
    return separate(text, " ", limit)


def closing_brace(text: str) -> int:
    """Of the brace that opens ``text``; -1 where there is none. No quoting counts here."""
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return at
    return -1


def originated(command: str) -> tuple[dict[str, str], list[str]]:
    """What ``originate`` makes of a whole API command: the channel's variables; endpoint and application."""
    name, _, arguments = command.partition(" ")
    assert name == "originate"
    leg, *rest = split_on_blanks(arguments, 10)
    assert leg.startswith("{"), "no variables"
    end = closing_brace(leg)
    assert end >= 0, "the braces do not close"
    variables: dict[str, str] = {}
    for pair in separate(leg[1:end], ",", 1024):
        halves = separate(pair, "=", 2)
        if len(halves) == 2 and halves[1]:
            variables[halves[0]] = halves[1].removeprefix("ARRAY::")  # a list of one is that one
    return variables, [leg[end + 1 :], *rest]
