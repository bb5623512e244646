"""Commands for FreeSWITCH as text, and what it answers. A core: strings in, strings out.

No value can become a command: a line break ends an ESL command, so none passes unescaped; a uuid, a rate or a cause
is checked against what it may be; a value of a variable is escaped for each of the three times FreeSWITCH takes the
originate line apart (``switch_separate_string`` with a blank, a comma and an equals sign: each round removes one
level of backslashes and quotes; braces are counted before any unescaping and so cannot be expressed at all).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from V3.errors import CommandError, EslCommandFailed

__all__ = [
    "audio_stream_start",
    "audio_stream_stop",
    "checked_number",
    "dial_string",
    "execute",
    "failure_cause",
    "kill",
    "ok_or_raise",
    "originate",
    "quoted_variable",
    "stop_playback",
    "uuid_exists",
]

_UUID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_CAUSE = re.compile(r"[A-Z0-9_]{1,64}")
_NUMBER = re.compile(r"\+?[0-9]{2,15}|[0-9*#]{1,15}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_./:@+*#;=,!?&%$~()-]{1,512}")
_WS_URL = re.compile(r"wss?://[A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]{1,1024}")
_SEPARATORS = " .-()\t\u00a0\u202f"
_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def checked_number(number: str) -> str:
    """A telephone number without its separators: digits with an optional leading +, or a short code.

    Raises CommandError for anything else (letters, a line break, an ESL command in a CSV cell).
    """
    bare = "".join(c for c in number.strip() if c not in _SEPARATORS)
    if not _NUMBER.fullmatch(bare):
        raise CommandError(f"{number[:40]!r} is no telephone number: digits are taken, with an optional leading +")
    return bare


def dial_string(template: str, number: str) -> str:
    """``{number}`` in a template such as ``sofia/gateway/trunk/{number}`` replaced by a checked number."""
    if "{number}" not in template:
        raise CommandError(f"the dial string {template!r} holds no {{number}}")
    return _checked(_ENDPOINT, template.replace("{number}", checked_number(number)), "dial string")


def originate(endpoint: str, variables: Mapping[str, str], *, application: str = "&park()") -> str:
    """``originate {variables}endpoint &park()``. One endpoint: a comma or pipe would dial a second one."""
    _checked(_ENDPOINT, endpoint, "endpoint")
    if "," in endpoint or ":_:" in endpoint:
        raise CommandError(f"the endpoint {endpoint!r} names more than one")
    pairs = ",".join(f"{_checked(_NAME, name, 'variable name')}={quoted_variable(v)}" for name, v in variables.items())
    return f"originate {{{pairs}}}{endpoint} {application}"


def quoted_variable(value: str) -> str:
    """A value for the braces of an originate, escaped so that the channel gets exactly ``value``.

    Raises CommandError for what the braces cannot carry: ``{``, ``}``, ``:_:``, control characters other than
    tab and line breaks, and an empty value.
    """
    if not value or any(c in "{}" for c in value) or ":_:" in value:
        raise CommandError(f"a channel variable cannot hold {value[:40]!r}: braces, ':_:' and nothing are not taken")
    if any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 for c in value):
        raise CommandError(f"a channel variable cannot hold the control characters of {value[:40]!r}")
    stripped = value.strip(" ")
    lead = len(value) - len(value.lstrip(" "))
    inner = "\\s" * lead + _escape(stripped) + "\\s" * (len(value) - len(stripped) - lead if stripped else 0)
    by_comma = _escape(inner).replace(",", "\\,")
    return _escape(by_comma).replace(" ", "\\s")


def execute(uuid: str, application: str, argument: str, *, event_uuid: str) -> str:
    """``sendmsg`` that runs one application after those before it (event-lock), without uuid_broadcast's lead."""
    if not argument or any(ord(c) < 32 for c in argument):
        raise CommandError(f"an argument of {application} cannot hold {argument[:80]!r}")
    return (
        f"sendmsg {_checked(_UUID, uuid, 'uuid')}\n"
        f"call-command: execute\n"
        f"execute-app-name: {_checked(_NAME, application, 'application')}\n"
        f"execute-app-arg: {argument}\n"
        f"Event-UUID: {_checked(_UUID, event_uuid, 'uuid')}\n"
        f"event-lock: true"
    )


def audio_stream_start(uuid: str, url: str, *, rate_hz: int = 16000, metadata: Mapping[str, str] | None = None) -> str:
    """``uuid_audio_stream U start URL mono 16k {json}``. Only after CHANNEL_ANSWER: earlier it can kill FreeSWITCH.

    Mono: what the far party says; ``mixed`` and ``stereo`` send nothing while nothing is played.
    """
    if rate_hz not in (8000, 16000):
        raise CommandError(f"an audio stream of {rate_hz} Hz: 8000 and 16000 are taken")
    # mod_audio_stream eats paired apostrophes and cuts at 8192 bytes; compact JSON in \u escapes passes whole.
    text = json.dumps(dict(metadata or {}), separators=(",", ":")).replace("'", "\\u0027").replace(" ", "\\u0020")
    if len(text) > 4096:
        raise CommandError(f"metadata of {len(text)} bytes: 4096 are taken")
    head = f"uuid_audio_stream {_checked(_UUID, uuid, 'uuid')} start {_checked(_WS_URL, url, 'WebSocket URL')}"
    return f"{head} mono {rate_hz // 1000}k {text}"


def audio_stream_stop(uuid: str) -> str:
    return f"uuid_audio_stream {_checked(_UUID, uuid, 'uuid')} stop"


def stop_playback(uuid: str) -> str:
    """``uuid_break U all``: stops what plays and empties the queue. ``sendmsg`` break does not stop a playback."""
    return f"uuid_break {_checked(_UUID, uuid, 'uuid')} all"


def kill(uuid: str, cause: str = "NORMAL_CLEARING") -> str:
    return f"uuid_kill {_checked(_UUID, uuid, 'uuid')} {_checked(_CAUSE, cause, 'hangup cause')}"


def uuid_exists(uuid: str) -> str:
    return f"uuid_exists {_checked(_UUID, uuid, 'uuid')}"


def ok_or_raise(command: str, reply: str) -> str:
    """What follows ``+OK`` in a reply. Raises EslCommandFailed for ``-ERR`` and ``-USAGE``."""
    text = reply.strip()
    if text.startswith(("-ERR", "-USAGE")):
        raise EslCommandFailed(command.split(" ", 1)[0], text.partition(" ")[2] or text)
    return text.removeprefix("+OK").strip()


def failure_cause(reason: str) -> str:
    """The hangup cause in a failed originate's answer (``USER_BUSY``), or an empty string where there is none."""
    word = reason.strip().split(" ", 1)[0] if reason.strip() else ""
    return word if _CAUSE.fullmatch(word) else ""


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)


def _checked(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise CommandError(f"{value[:80]!r} is no {what}")
    return value
