"""Logs a program or a person reads: one line each, numbers masked, secrets never.

``text`` is ``time level logger message`` (in a terminal rich's columns); ``json`` one object a line with ``time``,
``level``, ``logger``, ``message``, ``call_id`` where the message is of a call, and ``error`` with a traceback. In
``json`` the calls' live story is there too, whatever the level (:func:`tell_story`), without what was said. What comes
from outside (a transcript, FreeSWITCH's text) cannot begin a line of its own: control characters are written out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO, TypeVar

from pydantic import BaseModel, SecretStr
from rich.console import Console
from rich.logging import RichHandler

from V3.calls.report import CallUpdate
from V3.masking import mask_numbers

__all__ = ["LogFormat", "hide_secrets", "set_up_logs", "tell_story"]

HIDDEN = "[hidden]"
CALL_ID, FIELDS = "call_id", "fields"  # attributes of a record
SHORTEST_SECRET = 4  # a shorter one is in half of all words
_CALL = re.compile(r"\b(?:call|channel) ([0-9A-Za-z][0-9A-Za-z._-]{7,127})")
_SECRET_KEY = re.compile(r"(?i)(\b(?:token|password|secret|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;}]+")
_BEARER = re.compile(r"(?i)(\b(?:bearer|basic)\s+|^auth )[A-Za-z0-9._~+/=-]{4,}")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_secrets: set[str] = set()
_story = logging.getLogger("V3.story")
_Settings = TypeVar("_Settings", bound=BaseModel)


class LogFormat(StrEnum):
    """How logs are written."""

    TEXT = "text"
    JSON = "json"


def hide_secrets(settings: _Settings) -> _Settings:
    """The settings as they are; from now on their secrets appear in no log."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            hide_secrets(value)
        elif isinstance(value, SecretStr) and len(value.get_secret_value()) >= SHORTEST_SECRET:
            _secrets.add(value.get_secret_value())
    return settings


def set_up_logs(form: LogFormat, *, mask: bool = True, stream: TextIO | None = None) -> None:
    """Replace the root's handlers by one of this form, on stderr or ``stream``."""
    stream = stream or sys.stderr
    handler: logging.Handler
    if form is LogFormat.TEXT and stream.isatty():
        handler = RichHandler(console=Console(file=stream, highlight=False), show_path=False, markup=False)
        handler.setFormatter(_Safe("%(message)s", mask=mask))
    else:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(_Json(mask=mask) if form is LogFormat.JSON else _Line(mask=mask))
    logging.basicConfig(handlers=[handler], force=True)
    _story.setLevel(logging.DEBUG if form is LogFormat.JSON else logging.NOTSET)


def tell_story(update: CallUpdate) -> None:
    """Log a line of a call's live story; the callee's words at level debug only."""
    is_words = update.text.startswith("«")
    if is_words and not logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    level = logging.DEBUG if is_words else logging.INFO
    fields = {"state": update.state, "number": update.number, "at_ms": update.at_ms, "text": update.text}
    _story.log(
        level,
        "call %s: %s %s",
        update.call_id,
        update.state,
        update.text,
        extra={CALL_ID: update.call_id, FIELDS: fields},
    )


class _Safe(logging.Formatter):
    """What every form keeps: secrets hidden, numbers masked, no control characters in a message."""

    def __init__(self, form: str | None = None, *, mask: bool) -> None:
        super().__init__(form)
        self._mask = mask

    def clean(self, text: str) -> str:
        for secret in sorted(_secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        text = _BEARER.sub(rf"\g<1>{HIDDEN}", _SECRET_KEY.sub(rf"\g<1>{HIDDEN}", text))
        return mask_numbers(text) if self._mask else text

    def message(self, record: logging.LogRecord) -> str:
        return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", self.clean(record.getMessage()))

    def trace(self, record: logging.LogRecord) -> str:
        return self.clean(self.formatException(record.exc_info)) if record.exc_info else ""

    def format(self, record: logging.LogRecord) -> str:
        trace = self.trace(record)
        lines = "".join(f"\n    {_CONTROLS.sub(' ', line)}" for line in trace.splitlines())
        return self.message(record) + lines


class _Line(_Safe):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname:<7} {record.name}: {super().format(record)}"


class _Json(_Safe):
    def format(self, record: logging.LogRecord) -> str:
        message = self.message(record)
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if call_id := self._call_id(record, message):
            line["call_id"] = call_id
        for name, value in getattr(record, FIELDS, {}).items():
            line[name] = self.clean(value) if isinstance(value, str) else value
        if trace := self.trace(record):
            line["error"] = trace
        return json.dumps(line, ensure_ascii=False)

    def _call_id(self, record: logging.LogRecord, message: str) -> str:
        given = getattr(record, CALL_ID, None)
        if isinstance(given, str):
            return self.clean(given)
        found = _CALL.search(message)
        return found[1] if found and any(c.isdigit() for c in found[1]) else ""


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
