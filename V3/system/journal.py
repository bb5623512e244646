"""Which numbers were dialled: a file that is written before the telephone rings, so that no crash dials twice.

One JSON line per fact, appended and flushed to the disk. On opening, a number with a ``dialling`` line is never
dialled again, whether or not an ``ended`` line follows: without one the robot died in mid-call and the number may
have rung. Only a ``not dialled`` line (nothing was sent to FreeSWITCH) frees it.

A line is written whole or not at all: on a full disk what is there of it is cut off again, and nothing is remembered.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from V3.errors import ConfigError, DialRefused

__all__ = ["Journal"]


class Journal:
    """The journal of one campaign. Use as a context manager; its methods may be called from several threads, and those
    that write wait for the disk.

    Raises ConfigError for a damaged file, and for one that another robot has open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._dialled: dict[str, str] = {}  # number -> call id
        self._open: dict[str, str] = {}  # call id -> number, dialled and never ended
        self._claimed_at: dict[str, str] = {}  # the same calls
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # numbers: other users are not to read them
        self._file: IO[bytes] = path.open("ab", buffering=0)
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def interrupted(self) -> dict[str, str]:
        """Calls that were dialled and never ended, by call id: a robot died with them."""
        return dict(self._open)

    def claimed_at(self, call_id: str) -> str:
        """When a call that has not ended was dialled (ISO 8601)."""
        return self._claimed_at.get(call_id, "")

    def dialled(self, number: str) -> bool:
        """Whether this number was dialled before."""
        return number in self._dialled

    def claim(self, number: str, call_id: str, *, again: bool = False) -> None:
        """Write that ``number`` is about to be dialled. Raises DialRefused when it was before, unless ``again``.

        Raises OSError when it cannot be written: then it must not be dialled, and may be claimed later.
        """
        with self._turn:
            if number in self._dialled and not again:
                raise DialRefused(f"this number was dialled before (call {self._dialled[number]}): not dialled again")
            at = self._write("dialling", number, call_id)
            self._claim(number, call_id, at)

    def release(self, call_id: str) -> None:
        """Write that a claimed number was not dialled after all: it may be dialled later."""
        with self._turn:
            number = self._open.get(call_id, "")
            self._write("not dialled", number, call_id)
            self._close(call_id)
            self._free(number, call_id)

    def ended(self, call_id: str, disposition: str) -> None:
        """Write how a call ended."""
        with self._turn:
            self._write("ended", self._open.get(call_id, ""), call_id, disposition=disposition)
            self._close(call_id)

    def _write(self, state: str, number: str, call_id: str, **more: str) -> str:
        """Append one line and see it on the disk; when."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"state": state, "number": number, "call_id": call_id, **more, "at": at}).encode() + b"\n"
        whole = os.fstat(self._file.fileno()).st_size
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # half a line would damage the next one
                os.ftruncate(self._file.fileno(), whole)
            raise
        return at

    def _lock(self) -> None:
        """Two robots with one list would dial each number twice; the lock goes with the file, even in a crash."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ConfigError(f"{self._path} is in use by another robot: give each its own journal") from exc

    def _read(self) -> None:
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):  # a crash in the middle of a line: before the originate it stands for
            os.truncate(self._path, whole)
        for index, line in enumerate(data[:whole].decode("utf-8", "replace").split("\n")[:-1], start=1):
            self._take(line, index)

    def _damaged(self, index: int) -> ConfigError:
        return ConfigError(f"{self._path} line {index} is damaged: mend or remove it before dialling")

    def _take(self, line: str, index: int) -> None:
        try:
            fact: dict[str, Any] = json.loads(line)
            number, call_id, state = str(fact["number"]), str(fact["call_id"]), fact["state"]
        except (ValueError, KeyError, TypeError) as exc:
            raise self._damaged(index) from exc
        if state not in ("dialling", "not dialled", "ended"):
            raise self._damaged(index)
        if state == "dialling":
            self._claim(number, call_id, str(fact.get("at", "")))
        else:
            self._close(call_id)
        if state == "not dialled":
            self._free(number, call_id)

    def _claim(self, number: str, call_id: str, at: str) -> None:
        self._dialled.setdefault(number, call_id)
        self._open[call_id], self._claimed_at[call_id] = number, at

    def _close(self, call_id: str) -> None:
        self._open.pop(call_id, None)
        self._claimed_at.pop(call_id, None)

    def _free(self, number: str, call_id: str) -> None:
        """Forget a claim; one of an earlier call, which did dial, stays."""
        if self._dialled.get(number) == call_id:
            del self._dialled[number]
