"""Commands for FreeSWITCH as text, and what it answers. A core: strings in, strings out.

No value can become a command: a line break ends an ESL command, so none passes unescaped; a uuid, a rate or a cause
is checked against what it may be; a value of a variable is escaped for each of the three times FreeSWITCH takes the
originate line apart (``switch_separate_string`` with a blank, a comma and an equals sign: each round removes one
level of backslashes and quotes; braces are counted before any unescaping and so cannot be expressed at all).
Where FreeSWITCH would read more into a value than a value (``${...}`` in an application's argument runs an API
command, ``ARRAY::`` makes a list, ``unload mod_event_socket`` anywhere in a command does just that) it is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from V3.errors import CommandError, EslCommandFailed

__all__ = [
    "audio_stream_start",
    "audio_stream_stop",
    "checked_command",
    "checked_number",
    "dial_string",
    "execute",
    "failure_cause",
    "kill",
    "ok_or_raise",
    "originate",
    "quoted_variable",
    "record_start",
    "stop_playback",
    "uuid_exists",
]

_UUID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_CAUSE = re.compile(r"[A-Z0-9_]{1,64}")
_NUMBER = re.compile(r"\+?[0-9]{2,15}|[0-9*#]{1,15}")
_ENDPOINT = re.compile(r"[A-Za-z0-9_./:@+*#;=,!?&%$~()-]{1,512}")
_WS_URL = re.compile(r"wss?://[A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]{1,1024}")
_APPLICATION = re.compile(r"&[A-Za-z_]{1,64}\([A-Za-z0-9_./:-]{0,256}\)")
_RECORD_PATH = re.compile(r"(?:[A-Za-z]:)?/[^\s'\"{}\\$,\x00-\x1f\x7f]{1,1000}\.wav")
_JSON_ESCAPE = re.compile(r'\\(["\\bfnrt])')
_JSON_CODES = {'"': '"', "\\": "\\", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SCOPE = re.compile(r"%.?\[", re.DOTALL)
_TRUNK_ZERO = re.compile(r"(\+[0-9]{1,3})\(0\)")  # +33 (0)1 ...: the 0 is for callers inside the country
_MAX_COMMAND_BYTES = 8 << 20  # at 10 MiB FreeSWITCH cuts, and takes the rest for a new command
_BLANKS = " \t\u00a0\u202f"
_SEPARATORS = ".-()"
_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def checked_command(text: str, *, block: bool = False) -> str:
    """``text`` as it is, when FreeSWITCH takes it for one command. ``block``: several lines (sendmsg), none empty.

    Raises CommandError for what would end the command early, cut it, or turn it into another one.
    """
    breaks = "\r\0" if block else "\n\r\0"
    if any(c in text for c in breaks) or "\n\n" in text or text.startswith("\n") or text.endswith("\n"):
        raise CommandError(f"a command cannot hold this line break or NUL: {text[:80]!r}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as exc:
        raise CommandError(f"a command cannot hold what is not Unicode text: {text[:80]!r}") from exc
    if size > _MAX_COMMAND_BYTES:
        raise CommandError(f"a command of {size} bytes: {_MAX_COMMAND_BYTES} are taken")
    low = text.lower()
    if "mod_event_socket" in low and ("unload" in low or "reload" in low):
        # mod_event_socket looks for these words anywhere in a command and unloads itself instead of carrying it out.
        raise CommandError(f"a command cannot name the event socket's own module: {text[:80]!r}")
    return text


def checked_number(number: str) -> str:
    """A telephone number without its separators: digits with an optional leading +, or a short code.

    The ``(0)`` of ``+33 (0)1 99 00 12 34`` is left out: it is dialled only inside the country.

    Raises CommandError for anything else (letters, a line break, an ESL command in a CSV cell).
    """
    bare = _TRUNK_ZERO.sub(r"\1", "".join(c for c in number.strip() if c not in _BLANKS))
    bare = "".join(c for c in bare if c not in _SEPARATORS)
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
    _checked(_APPLICATION, application, "application")
    return checked_command(f"originate {{{pairs}}}{endpoint} {application}")


def quoted_variable(value: str) -> str:
    """A value for the braces of an originate, escaped so that the channel gets exactly ``value``.

    Raises CommandError for what the braces cannot carry: ``{``, ``}``, ``:_:``, control characters other than
    tab and line breaks, ``ARRAY::`` in front, and an empty value.
    """
    if not value or any(c in "{}" for c in value) or ":_:" in value or value.startswith("ARRAY::"):
        raise CommandError(f"a channel variable cannot hold {value[:40]!r}: braces, ':_:', 'ARRAY::' or nothing")
    if any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 for c in value):
        raise CommandError(f"a channel variable cannot hold the control characters of {value[:40]!r}")
    stripped = value.strip(" ")
    lead = len(value) - len(value.lstrip(" "))
    inner = "\\s" * lead + _escape(stripped) + "\\s" * (len(value) - len(stripped) - lead if stripped else 0)
    by_comma = _escape(inner).replace(",", "\\,")
    return _escape(by_comma).replace(" ", "\\s")


def execute(uuid: str, application: str, argument: str, *, event_uuid: str) -> str:
    """``sendmsg`` that runs one application after those before it (event-lock), without uuid_broadcast's lead.

    Raises CommandError for an argument FreeSWITCH would not hand over as it is: with control characters, blanks at
    its ends, a backslash, ``${`` (a variable, or an API command: ``${system(...)}``) or ``%[`` in front.
    """
    if not argument or argument != argument.strip(" ") or any(ord(c) < 32 or c == "\\" for c in argument):
        raise CommandError(f"an argument of {application} cannot hold {argument[:80]!r}")
    if "${" in argument or _SCOPE.match(argument):
        raise CommandError(f"an argument of {application} that FreeSWITCH would expand: {argument[:80]!r}")
    return checked_command(
        f"sendmsg {_checked(_UUID, uuid, 'uuid')}\n"
        f"call-command: execute\n"
        f"execute-app-name: {_checked(_NAME, application, 'application')}\n"
        f"execute-app-arg: {argument}\n"
        f"Event-UUID: {_checked(_UUID, event_uuid, 'uuid')}\n"
        f"event-lock: true",
        block=True,
    )


def audio_stream_start(uuid: str, url: str, *, rate_hz: int = 16000, metadata: Mapping[str, str] | None = None) -> str:
    """``uuid_audio_stream U start URL mono 16k {json}``. Only after CHANNEL_ANSWER: earlier it can kill FreeSWITCH.

    Mono: what the far party says; ``mixed`` and ``stereo`` send nothing while nothing is played.
    """
    if rate_hz not in (8000, 16000):
        raise CommandError(f"an audio stream of {rate_hz} Hz: 8000 and 16000 are taken")
    # mod_audio_stream eats paired apostrophes, unescapes \" \\ \n \r \t and cuts at 8192 bytes; \u escapes pass whole.
    text = json.dumps(dict(metadata or {}), separators=(",", ":"))
    text = _JSON_ESCAPE.sub(lambda match: f"\\u{ord(_JSON_CODES[match[1]]):04x}", text)
    text = text.replace("'", "\\u0027").replace(" ", "\\u0020")
    if len(text) > 4096:
        raise CommandError(f"metadata of {len(text)} bytes: 4096 are taken")
    if not _WS_URL.fullmatch(url):  # its query, which holds the token, is not repeated
        raise CommandError(f"{url.partition('?')[0][:80]!r} and its query are no WebSocket URL")
    head = f"uuid_audio_stream {_checked(_UUID, uuid, 'uuid')} start {url}"
    return f"{head} mono {rate_hz // 1000}k {text}"


def audio_stream_stop(uuid: str) -> str:
    return f"uuid_audio_stream {_checked(_UUID, uuid, 'uuid')} stop"


def record_start(uuid: str, path: str) -> str:
    """``uuid_record U start PATH 0 {...}``: stereo, the callee left and what we play right.

    A blank in the path would make two raw files of another name. Without RECORD_PRE_BUFFER_FRAMES=0 what we play is
    500 ms early against the callee, for the whole file.
    """
    head = f"uuid_record {_checked(_UUID, uuid, 'uuid')} start {_checked(_RECORD_PATH, path, 'path of a recording')}"
    return checked_command(f"{head} 0 {{RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=0}}")


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
