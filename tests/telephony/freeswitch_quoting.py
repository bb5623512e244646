"""How FreeSWITCH takes the text of an API command apart: a model written from the behaviour of its source.

``switch_separate_string`` and its helpers of src/switch_utils.c, ``switch_event_create_brackets`` of
src/switch_event.c, in the order in which ``originate`` runs them. Only what originate and uuid_audio_stream meet.
"""

from __future__ import annotations

_SPECIAL = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


def cleanup(text: str, delimiter: str = "") -> str:
    """Quotes and one level of backslashes away, blanks off both ends unless quoted or escaped."""
    out: list[str] = []
    keep = -1  # length up to which nothing may be cut off; -1: the end is left as it is
    quoted = False
    at = len(text) - len(text.lstrip(" "))
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        if char == "\\" and following and (following in ("'", '"', "\\", delimiter) or following in _SPECIAL):
            out.append(_SPECIAL.get(following, following) if following != delimiter else following)
            keep = len(out)
            at += 2
            continue
        if char == "'" and (quoted or "'" in text[at + 1 :]):
            quoted = not quoted
            keep = len(out) if quoted else keep
        else:
            out.append(char)
            keep = len(out) if char != " " or quoted else keep
        at += 1
    return "".join(out if keep < 0 else out[:keep])


def split_on(text: str, delimiter: str, limit: int) -> list[str]:
    """At each delimiter that is neither quoted nor escaped; the last part takes all the rest."""
    parts: list[str] = []
    start = at = 0
    quoted = False
    while at < len(text) and len(parts) < limit - 1:
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "'" and (quoted or "'" in text[at + 1 :]):
            quoted = not quoted
        elif char == delimiter and not quoted:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    if start < len(text):
        parts.append(text[start:])
    return [cleanup(part, delimiter) for part in parts]


def split_on_blanks(text: str, limit: int) -> list[str]:
    """At runs of blanks. Unlike the above, an apostrophe with no second one quotes all that follows."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        start = at
        if len(parts) == limit - 1:
            parts.append(text[start:])
            break
        while text[at : at + 1] == " ":
            at += 1
        quoted = False
        while at < len(text) and (quoted or text[at] != " "):
            if text[at] == "\\":
                at += 1
            elif text[at] == "'":
                quoted = not quoted
            at += 1
        parts.append(text[start:at])
        while text[at : at + 1] == " ":
            at += 1
    return [cleanup(part) for part in parts]


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
    for pair in split_on(leg[1:end], ",", 1024):
        halves = split_on(pair, "=", 2)
        if len(halves) == 2 and halves[1]:
            variables[halves[0]] = halves[1].removeprefix("ARRAY::")  # a list of one is that one
    return variables, [leg[end + 1 :], *rest]
