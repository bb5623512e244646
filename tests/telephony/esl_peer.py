"""A small event socket that behaves as badly as a test asks, on a real TCP port, each connection in its own thread."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from V3.telephony.codec import encode_event, encode_message

WAIT_S = 10.0  # every wait of a test ends by then, as a failure
GREETING = b"Content-Type: auth/request\n\n"


def reply(text: str, *headers: tuple[str, str]) -> bytes:
    return encode_message([("Content-Type", "command/reply"), ("Reply-Text", text), *headers])


def answer(body: str) -> bytes:
    return encode_message([("Content-Type", "api/response")], body.encode())


def event(name: str, *headers: tuple[str, str], body: bytes | None = None) -> bytes:
    return encode_event([("Event-Name", name), *headers], body)


def usual(command: str) -> bytes:
    """What a healthy FreeSWITCH says to the commands a client sends by itself."""
    if command.startswith("api "):
        return answer(command.removeprefix("api "))
    if command.startswith("bgapi "):
        job = command.partition("Job-UUID: ")[2]
        return reply(f"+OK Job-UUID: {job}") + event("BACKGROUND_JOB", ("Job-UUID", job), body=b"+OK done\n")
    return reply("+OK")


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until ``condition`` holds; it is a failure when it does not."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.002)


def open_files() -> int:
    """File descriptors of this process, once what is only waiting to be collected is gone."""
    gc.collect()
    return len(os.listdir("/dev/fd"))


class Connection:
    """The peer's end of one TCP connection."""

    def __init__(self, peer: Peer, sock: socket.socket, number: int) -> None:
        self.peer = peer
        self.sock = sock
        self.number = number  # from 0, in the order of accepting
        self.commands: list[str] = []
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_command(self) -> str | None:
        """The next command, None at the end of the stream."""
        while b"\n\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\n\n")
        self.commands.append(raw.decode())
        return self.commands[-1]

    def login(self, verdict: str = "+OK accepted") -> None:
        self.send(GREETING)
        self.read_command()
        self.send(reply(verdict))

    def only_read(self) -> None:
        """Say nothing, until the client goes."""
        for _ in self.commands_then_end():
            pass

    def commands_then_end(self) -> Iterator[str]:
        while (command := self.read_command()) is not None:
            yield command

    def serve(self, say: Callable[[str], bytes] = usual) -> None:
        """Answer every command with ``say`` until the client goes."""
        for command in self.commands_then_end():
            self.send(say(command))

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


class Peer:
    """``script(connection)`` runs for each accepted connection; its return closes it."""

    def __init__(self, script: Callable[[Connection], None], *, receive_bytes: int = 0) -> None:
        self.script = script
        self.connections: list[Connection] = []
        self.accepted_s: list[float] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._listener = socket.socket()
        if receive_bytes:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]

    @property
    def commands(self) -> list[str]:
        return [command for connection in self.connections for command in connection.commands]

    def __enter__(self) -> Peer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a script of the peer did not end"
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                sock.close()
                return
            sock.settimeout(WAIT_S)
            self.accepted_s.append(time.monotonic())
            connection = Connection(self, sock, len(self.connections))
            self.connections.append(connection)
            self._start(self._run, connection)

    def _run(self, connection: Connection) -> None:
        with contextlib.closing(connection.sock), contextlib.suppress(OSError):
            self.script(connection)


def in_greenlets(function: Callable[[], Any]) -> None:
    """Run ``function`` in a thread with a gevent hub of its own, as the client does; its failure is the test's."""
    import gevent

    failures: list[BaseException] = []

    def root() -> None:
        hub = gevent.get_hub()
        try:
            with gevent.Timeout(WAIT_S):
                function()
        except BaseException as exc:  # noqa: BLE001 - handed to the test's own thread
            failures.append(exc)
        finally:
            hub.destroy(destroy_loop=True)

    thread = threading.Thread(target=root, daemon=True)
    thread.start()
    thread.join(3 * WAIT_S)
    assert not thread.is_alive(), "the greenlets hang"
    if failures:
        raise failures[0]
