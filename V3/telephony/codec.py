"""The event-socket protocol: bytes to messages and back. A core: bytes in, messages out, no socket.

A message is a block of ``Name: value`` lines, an empty line, and, where ``Content-Length`` says so, that many
*bytes* of body. An event comes as the body of a ``text/event-plain`` message: a block of its own whose values are
percent-encoded, then (again by ``Content-Length``) a body that is not encoded.

Rules kept here, each of which a common client breaks:

- Lines are split first and values unquoted after, so a ``%0A`` in a channel variable cannot forge a header.
- The first header of a name wins, so a later one cannot overwrite ``Event-Name`` or ``Unique-ID``.
- A body stays bytes, apart from the headers.
- Malformed input is recorded in :attr:`EslDecoder.errors` and skipped. It never raises and is never taken for the
  end of the stream, which only :meth:`EslDecoder.eof` tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, unquote

from V3.errors import EslProtocolError

__all__ = ["EslDecoder", "EslEvent", "EslMessage", "encode_event", "encode_message"]

MAX_HEADER_BYTES = 1 << 20  # a channel's variables can be long; FreeSWITCH itself sends far less
MAX_BODY_BYTES = 16 << 20  # the bound FreeSWITCH 1.11 sets on Content-Length
MAX_ERRORS = 100  # the newest are kept
QUOTE_SAFE = "!$'()*,-./_~"  # all that SWITCH_URL_UNSAFE leaves as it is, letters and digits apart


@dataclass(frozen=True, slots=True)
class EslMessage:
    """One message as it came: outer headers (not percent-decoded) and the bytes of its body."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")

    @property
    def reply(self) -> str:
        """What FreeSWITCH answered: ``Reply-Text`` of a command/reply, else the body as text."""
        if self.content_type == "command/reply":
            return self.headers.get("Reply-Text", "")
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class EslEvent:
    """One event: its decoded headers, and its own body (a job's result, a stream's JSON) as bytes."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def name(self) -> str:
        """``Event-Subclass`` for CUSTOM events, ``Event-Name`` for all others."""
        name = self.headers.get("Event-Name", "")
        return self.headers.get("Event-Subclass", name) if name == "CUSTOM" else name

    @property
    def uuid(self) -> str:
        """The channel it is about; empty where there is none (BACKGROUND_JOB)."""
        return self.headers.get("Unique-ID", "")

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def __getitem__(self, name: str) -> str:
        return self.headers.get(name, "")


class EslDecoder:
    """Bytes of one connection in, whole messages out.

    ``feed`` takes any split of the stream. ``errors`` holds the newest protocol errors, ``error_count`` all of them.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # bytes already searched for the blank line
        self._skipping = False  # inside a header block that was too long
        self._headers: Mapping[str, str] | None = None  # of the message whose body is awaited
        self._body_bytes = 0
        self.errors: deque[EslProtocolError] = deque(maxlen=MAX_ERRORS)
        self.error_count = 0

    def feed(self, data: bytes) -> list[EslMessage]:
        """Take the next bytes and return the messages they complete."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def eof(self) -> None:
        """The peer closed: what is left unfinished is recorded as an error."""
        if self._headers is not None:
            self._record(f"end of stream inside a body: {len(self._buffer)} of {self._body_bytes} bytes")
        elif self._buffer.strip() and not self._skipping:
            self._record(f"end of stream inside headers: {bytes(self._buffer[:80])!r}")
        self._buffer.clear()
        self._headers = None
        self._scanned = 0
        self._skipping = False

    def event(self, message: EslMessage) -> EslEvent | None:
        """The event inside a ``text/event-plain`` message, or None (and a recorded error) where there is none."""
        head, _, rest = message.body.partition(b"\n\n")
        headers = self._parse(head, decode=True)
        if not headers.get("Event-Name"):
            self._record(f"an event without Event-Name: {head[:80]!r}")
            return None
        length = self._length(headers)
        if length > len(rest):
            self._record(f"an event's body of {length} bytes in {len(rest)}")
        return EslEvent(headers, rest[:length])

    def _next(self) -> EslMessage | None:
        if self._headers is None and not self._take_headers():
            return None
        headers = self._headers
        if headers is None or len(self._buffer) < self._body_bytes:
            return None
        body = bytes(self._buffer[: self._body_bytes])
        del self._buffer[: self._body_bytes]
        self._headers = None
        return EslMessage(headers, body)

    def _take_headers(self) -> bool:
        """Move one header block out of the buffer; False when it is not all there yet."""
        while (block := self._take_block()) is not None:
            headers = self._parse(block, decode=False)
            if headers:
                self._headers, self._body_bytes = headers, self._length(headers)
                return True
        return False

    def _take_block(self) -> bytes | None:
        """The next header block. One that is too long is skipped to its end, however its bytes come."""
        while True:
            while not self._skipping and self._buffer[:1] == b"\n":  # blank lines between messages
                del self._buffer[:1]
                self._scanned = 0
            end = self._buffer.find(b"\n\n", max(0, self._scanned - 1))
            length = len(self._buffer) - 1 if end < 0 else end
            if length > MAX_HEADER_BYTES and not self._skipping:
                self._record(f"headers of over {MAX_HEADER_BYTES} bytes, skipped")
                self._skipping = True
            if end < 0:
                if self._skipping:
                    del self._buffer[:-1]  # the last byte may be half of the blank line
                self._scanned = len(self._buffer)
                return None
            block = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            self._scanned = 0
            if not self._skipping:
                return block
            self._skipping = False

    def _parse(self, block: bytes, *, decode: bool) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        for line in block.split(b"\n"):
            raw_name, colon, raw_value = line.partition(b":")
            name = self._text(raw_name).strip()
            if not colon or not name:
                self._record(f"a header line without a name and a colon: {line[:80]!r}")
                continue
            value = self._text(raw_value).strip()
            headers.setdefault(name, unquote(value, errors="replace") if decode else value)
        return MappingProxyType(headers)

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self._record(f"bytes that are not UTF-8: {raw[:80]!r}")
            return raw.decode("utf-8", "replace")

    def _length(self, headers: Mapping[str, str]) -> int:
        value = headers.get("Content-Length", "0")
        if value.isascii() and value.isdigit() and len(value) < 12 and int(value) <= MAX_BODY_BYTES:
            return int(value)
        self._record(f"Content-Length {value[:40]!r}: a number from 0 to {MAX_BODY_BYTES} is taken")
        return 0

    def _record(self, what: str) -> None:
        self.error_count += 1
        self.errors.append(EslProtocolError(what))


def encode_message(headers: Iterable[tuple[str, str]], body: bytes | None = None) -> bytes:
    """One message as FreeSWITCH writes it; ``Content-Length`` is added last when there is a body.

    Raises ValueError where a header would break the block.
    """
    lines = list(headers)
    if body is not None:
        lines.append(("Content-Length", str(len(body))))
    for name, value in lines:
        if not name.strip() or "\n" in name or ":" in name or "\n" in value:
            raise ValueError(f"a header cannot hold {name!r}: {value!r}")
    return "".join(f"{name}: {value}\n" for name, value in lines).encode() + b"\n" + (body or b"")


def encode_event(headers: Iterable[tuple[str, str]], body: bytes | None = None) -> bytes:
    """A ``text/event-plain`` message around one event, its values percent-encoded as FreeSWITCH does."""
    inner = encode_message([(name, quote(value, safe=QUOTE_SAFE)) for name, value in headers], body)
    outer = (("Content-Length", str(len(inner))), ("Content-Type", "text/event-plain"))
    return encode_message(outer) + inner
