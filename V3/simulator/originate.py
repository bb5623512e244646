"""FreeSWITCH's way of taking command lines apart, and the arguments of ``originate``.

A line is split at blanks, the braces at commas and each pair at its equals sign; every round removes one level of
quotes and backslashes (``switch_separate_string`` of switch_utils.c, re-told). Braces are counted before any of
it. Pure text: no sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ORIGINATE_USAGE", "Dialling", "brace_variables", "parse_originate", "separate"]

ORIGINATE_USAGE = (
    "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] "
    "[<timeout_sec>]"
)
DEFAULT_TIMEOUT_S = 60
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


@dataclass(frozen=True, slots=True)
class Dialling:
    """What one ``originate`` asks for. ``destinations`` is every endpoint named; FreeSWITCH would dial them all."""

    variables: Mapping[str, str]
    destinations: tuple[str, ...]
    application: str
    argument: str
    caller_id_name: str
    caller_id_number: str
    timeout_s: float


def separate(text: str, delimiter: str, limit: int) -> list[str]:
    """The parts of ``text`` as FreeSWITCH sees them; the last of ``limit`` keeps all that is left."""
    if text.startswith("^^") and len(text) > 3:
        delimiter, text = text[2], text[3:]
    raw = _split_blank(text, limit) if delimiter == " " else _split_char(text, delimiter, limit)
    return [_clean(part, "" if delimiter == " " else delimiter) for part in raw]


def _split_char(text: str, delimiter: str, limit: int) -> list[str]:
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
    return parts


def _split_blank(text: str, limit: int) -> list[str]:
    parts: list[str] = []
    at = 0
    while at < len(text):
        start = at
        while at < len(text) and text[at] == " ":
            at += 1
        if len(parts) == limit - 1:
            parts.append(text[start:])
            break
        quoted = False
        while at < len(text) and (text[at] != " " or quoted):
            if text[at] == "\\":
                at += 1
            elif text[at] == "'":
                quoted = not quoted
            at += 1
        parts.append(text[start:at])
        while at < len(text) and text[at] == " ":
            at += 1
    return parts


def _clean(part: str, delimiter: str) -> str:
    """One part without its quotes, one level of backslashes and the blanks around it."""
    part = part.lstrip(" ")
    out: list[str] = []
    keep = at = 0  # keep: how much of ``out`` survives the blanks at the end
    quoted = False
    while at < len(part):
        char = part[at]
        after = part[at + 1] if at + 1 < len(part) else ""
        if char == "\\" and after and (after in "'\"\\" or after == delimiter or after in _ESCAPED):
            # a delimiter that is also an escape letter stays itself
            out.append(after if after == delimiter else _ESCAPED.get(after, after))
            keep = len(out)
            at += 2
            continue
        if char == "'" and (quoted or "'" in part[at + 1 :]):
            quoted = not quoted
            if quoted:
                keep = len(out)
        else:
            out.append(char)
            if char != " " or quoted:
                keep = len(out)
        at += 1
    return "".join(out[:keep])


def _closing(text: str, opening: str, closing: str) -> int:
    """Where the bracket that ``text`` begins with closes (depth counted, no quoting); -1 where it does not."""
    depth = 0
    for at, char in enumerate(text):
        if char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if depth == 0:
                return at
    return -1


def _bracketed(text: str, opening: str, closing: str, into: dict[str, str]) -> str:
    """Read the ``{a=b,...}`` groups that ``text`` begins with and return what follows them."""
    text = text.lstrip(" ")
    while text.startswith(opening):
        end = _closing(text, opening, closing)
        if end < 0:
            return ""
        inside, delimiter = text[1:end], ","
        if inside.startswith("^^") and len(inside) > 2:
            inside, delimiter = inside[3:], inside[2]
        for pair in separate(inside, delimiter, 1024):
            words = separate(pair, "=", 2)
            if len(words) == 2:
                into[words[0]] = words[1]
        text = text[end + 1 :].lstrip(" ")
    return text


def brace_variables(text: str) -> dict[str, str]:
    """The pairs of ``{a=b,...}``; none where it is no such group."""
    variables: dict[str, str] = {}
    _bracketed(text, "{", "}", variables)
    return variables


def parse_originate(arguments: str) -> Dialling | None:
    """The arguments of ``originate`` taken apart; None where FreeSWITCH would answer with its usage."""
    words = separate(arguments, " ", 10)
    if not 2 <= len(words) <= 7:
        return None
    padded = ["" if word.lower() == "undef" else word for word in words] + [""] * (7 - len(words))
    variables: dict[str, str] = {}
    rest = _bracketed(padded[0], "<", ">", variables)
    rest = _bracketed(rest, "{", "}", variables)
    endpoints = [_bracketed(part, "[", "]", variables) for chunk in rest.split("|") for part in _split_legs(chunk)]
    application, argument = _application(padded[1])
    timeout = padded[6] or variables.get("originate_timeout") or ""
    return Dialling(
        variables=variables,
        destinations=tuple(endpoint for endpoint in endpoints if endpoint),
        application=application,
        argument=argument,
        caller_id_name=variables.get("origination_caller_id_name", padded[4]),
        caller_id_number=variables.get("origination_caller_id_number", padded[5]),
        timeout_s=float(timeout) if timeout.isdigit() and int(timeout) else DEFAULT_TIMEOUT_S,
    )


def _split_legs(text: str) -> list[str]:
    """Split at ``,`` and ``:_:``, but not inside the ``[...]`` of one endpoint."""
    legs, start, depth = [], 0, 0
    text = text.replace(":_:", ",")
    for at, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and depth <= 0:
            legs.append(text[start:at])
            start = at + 1
    return [*legs, text[start:]]


def _application(text: str) -> tuple[str, str]:
    """``&park()`` -> ("park", ""); an extension is transferred to and simply parked here."""
    if not text.startswith("&") or len(text) < 2:
        return "park", ""
    name = text[1:].split(")", 1)[0]
    name, _, argument = name.partition("(")
    return name, argument
