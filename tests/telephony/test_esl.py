"""One connection: each fault of greenswitch 0.0.19, by name, against a peer that provokes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from esl_peer import GREETING, Connection, Peer, answer, event, eventually, in_greenlets, open_files, reply

from V3.errors import CommandError, EslAuthError, EslConnectionLost, EslError, EslNotConnected, EslTimeout
from V3.telephony import esl_link as esl_module
from V3.telephony.codec import EslEvent, EslMessage, encode_message
from V3.telephony.esl import EslSettings, SafeInboundESL

QUICK = {"connect_timeout_s": 5.0, "reply_timeout_s": 5.0}


def link_to(peer: Peer, deliver: Callable[[EslEvent], None] | None = None, **settings: Any) -> SafeInboundESL:
    return SafeInboundESL(EslSettings(port=peer.port, **(QUICK | settings)), deliver=deliver or (lambda _event: None))


def talk(
    script: Callable[[Connection], None],
    body: Callable[[SafeInboundESL, list[EslEvent]], None],
    *,
    receive_bytes: int = 0,
    **settings: Any,
) -> Peer:
    """Run ``body(link, events)`` in greenlets against ``script``; returns the peer, ended, to look at."""
    with Peer(script, receive_bytes=receive_bytes) as peer:

        def run() -> None:
            events: list[EslEvent] = []
            link = link_to(peer, events.append, **settings)
            try:
                body(link, events)
            finally:
                link.drop("the test is over")
                link.finish(timeout_s=5.0)

        in_greenlets(run)
    return peer


def logged_in(then: Callable[[Connection], None]) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.login()
        then(connection)

    return script


def test_pending_send_fails_when_the_peer_closes() -> None:
    def script(connection: Connection) -> None:
        connection.read_command()

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        with pytest.raises(EslConnectionLost) as failure:
            link.send("api status")
        assert failure.value.outcome_unknown
        assert not link.connected

    peer = talk(logged_in(script), body)
    assert peer.commands == ["auth ClueCon", "api status"]


def test_pending_send_fails_when_the_peer_resets() -> None:
    def script(connection: Connection) -> None:
        connection.read_command()
        connection.reset()

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        with pytest.raises(EslConnectionLost):
            link.send("api status")

    talk(logged_in(script), body)


def test_connect_fails_when_peer_closes_before_auth_request() -> None:
    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        with pytest.raises(EslNotConnected):
            link.connect()
        assert not link.connected

    talk(lambda _connection: None, body)


def test_connect_fails_when_peer_closes_instead_of_answering_auth() -> None:
    def script(connection: Connection) -> None:
        connection.send(GREETING)
        connection.read_command()

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        with pytest.raises(EslError):
            link.connect()
        assert not link.connected

    talk(script, body)


def test_connect_fails_when_the_greeting_never_comes() -> None:
    """The bound is connect_timeout_s, not the reply's."""

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        with pytest.raises(EslTimeout):
            link.connect()
        assert not link.connected

    talk(Connection.only_read, body, connect_timeout_s=0.05)


def test_wrong_password_is_an_auth_error() -> None:
    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        with pytest.raises(EslAuthError):
            link.connect()
        assert not link.connected

    talk(lambda connection: connection.login("-ERR invalid"), body, password="guess")


def test_rude_rejection_is_an_auth_error_although_the_end_comes_with_it() -> None:
    rejection = encode_message([("Content-Type", "text/rude-rejection")], b"Access Denied, go away.\n")

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        for _ in range(20):  # rejection and end of file may be read in one turn or in two
            with pytest.raises(EslAuthError):
                link.connect()

    talk(lambda connection: connection.send(rejection), body)


def test_end_of_file_inside_a_body_does_not_spin() -> None:
    def script(connection: Connection) -> None:
        connection.read_command()
        connection.send(b"Content-Type: api/response\nContent-Length: 1000\n\nonly this")

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        with pytest.raises(EslConnectionLost):
            link.send("api status")
        link.finish(timeout_s=5.0)
        assert link._receive_events_greenlet.ready()
        assert link._writer.ready()
        assert "9 of 1000 bytes" in str(link.decoder.errors[-1])

    talk(logged_in(script), body)


def test_plain_end_of_file_announces_disconnect() -> None:
    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        assert link.down.wait(5.0)
        assert not link.connected
        assert link.reason == "FreeSWITCH closed the connection"

    talk(logged_in(lambda _connection: None), body)


def test_events_queued_at_the_end_are_delivered() -> None:
    def script(connection: Connection) -> None:
        connection.send(b"".join(event("DTMF", ("DTMF-Digit", str(n))) for n in range(500)))

    def body(link: SafeInboundESL, events: list[EslEvent]) -> None:
        link.connect()
        assert link.down.wait(5.0)
        link.finish(timeout_s=5.0)
        assert [e["DTMF-Digit"] for e in events] == [str(n) for n in range(500)]

    talk(logged_in(script), body)


def test_body_is_kept_apart_from_headers() -> None:
    text = b"-ERR USER_BUSY\n\nUnique-ID: not-a-header\n"

    def script(connection: Connection) -> None:
        connection.send(event("BACKGROUND_JOB", ("Job-UUID", "j1"), ("Job-Command", "originate"), body=text))

    def body(link: SafeInboundESL, events: list[EslEvent]) -> None:
        link.connect()
        assert link.down.wait(5.0)
        (job,) = events
        assert job.body == text
        assert job["Job-Command"] == "originate"
        assert job["Content-Length"] == str(len(text))
        assert job.uuid == ""

    talk(logged_in(script), body)


def test_percent_newline_cannot_forge_an_event() -> None:
    forged = "x\nEvent-Name: CHANNEL_HANGUP\nUnique-ID: another\n\nbody"

    def script(connection: Connection) -> None:
        data = event("CHANNEL_ANSWER", ("variable_name", forged), ("Unique-ID", "u1"))
        assert b"%0AEvent-Name%3A%20CHANNEL_HANGUP" in data
        connection.send(data)

    def body(link: SafeInboundESL, events: list[EslEvent]) -> None:
        link.connect()
        assert link.down.wait(5.0)
        (answered,) = events
        assert (answered.name, answered.uuid) == ("CHANNEL_ANSWER", "u1")
        assert answered["variable_name"] == forged

    talk(logged_in(script), body)


@pytest.mark.parametrize(
    "rubbish", [b"a line without a colon\n\n", b"X: \xff\xfe\n\n", b"\xc3\x28\n\n", b": : :\n\n\n\n"]
)
def test_line_without_colon_and_bad_utf8_do_not_kill_the_receiver(rubbish: bytes) -> None:
    def script(connection: Connection) -> None:
        connection.send(rubbish)
        connection.serve(answer)

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        assert link.send("api one").reply == "api one"
        assert link.connected
        assert link.decoder.error_count >= 1

    talk(logged_in(script), body)


def test_connect_twice() -> None:
    """After a stop, after a loss, and even while connected, on one instance."""

    def script(connection: Connection) -> None:
        connection.login()
        connection.serve(lambda command: answer(f"{command} on {connection.number}"))

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        assert link.send("api a").reply == "api a on 0"
        link.stop()
        link.connect()
        assert link.send("api b").reply == "api b on 1"
        link.connect()  # the old reader wakes up now: it must not end the new connection
        for _ in range(10):
            assert link.send("api c").reply == "api c on 2"
        assert link.connected

    talk(script, body)


def test_stop_from_a_handler_returns() -> None:
    def script(connection: Connection) -> None:
        connection.send(event("CHANNEL_ANSWER") + event("CHANNEL_HANGUP"))
        connection.only_read()

    with Peer(logged_in(script)) as peer:

        def run() -> None:
            stopped: list[bool] = []

            def handler(_event: EslEvent) -> None:
                link.stop()
                stopped.append(link.connected)

            link = link_to(peer, handler)
            link.connect()
            assert link.down.wait(5.0)
            link.finish(timeout_s=5.0)
            assert stopped[0] is False
            assert link._receive_events_greenlet.ready()

        in_greenlets(run)


def test_a_handler_that_fails_ends_the_connection_instead_of_leaving_it_unread() -> None:
    def script(connection: Connection) -> None:
        connection.send(event("CHANNEL_ANSWER"))
        connection.only_read()

    def handler(_event: EslEvent) -> None:
        raise LookupError("a fault of ours")

    with Peer(logged_in(script)) as peer:

        def run() -> None:
            gevent.get_hub().print_exception = lambda *_args: None  # it would go to stderr
            link = link_to(peer, handler)
            link.connect()
            assert link.down.wait(5.0)
            assert not link.connected
            link.finish(timeout_s=5.0)

        in_greenlets(run)


def test_send_is_whole() -> None:
    """Three megabytes to a peer with a small window that begins to read late."""
    go = threading.Event()

    def script(connection: Connection) -> None:
        assert go.wait(10)
        connection.serve(lambda command: answer(str(len(command))))

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        big = gevent.spawn(link.send, "api " + "x" * 3_000_000)
        small = gevent.spawn(link.send, "api y")
        gevent.sleep(0)
        go.set()
        gevent.joinall([big, small], raise_error=True)
        assert (big.value.reply, small.value.reply) == ("3000004", "5")

    talk(logged_in(script), body, receive_bytes=4096)


def test_failed_send_does_not_shift_replies() -> None:
    """A send that fails half-way ends the connection: the replies of the next one are its own."""
    release = threading.Event()

    def script(connection: Connection) -> None:
        connection.login()
        if connection.number == 0:
            assert release.wait(10)  # reads nothing: the client's send cannot end
            return
        connection.serve(answer)

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        with pytest.raises(EslConnectionLost) as failure:
            link.send("api " + "x" * 8_000_000, timeout_s=5.0)
        assert failure.value.outcome_unknown
        with pytest.raises(EslNotConnected) as refusal:
            link.send("api not sent")
        assert not refusal.value.outcome_unknown
        release.set()
        link.connect()
        for n in range(5):
            assert link.send(f"api {n}").reply == f"api {n}"

    peer = talk(script, body, receive_bytes=4096, reply_timeout_s=0.3)
    assert "api not sent" not in peer.commands


def test_what_cannot_be_encoded_does_not_kill_the_writer() -> None:
    class Waiter:
        failure: BaseException | None = None

        def set(self, value: EslMessage) -> None:
            raise AssertionError(value)

        def set_exception(self, exception: BaseException) -> None:
            self.failure = exception

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        link.open = True
        waiter = Waiter()
        link.submit("api \udcff", waiter)
        assert isinstance(waiter.failure, CommandError)
        assert link.send("api a").reply == "api a"

    talk(logged_in(lambda connection: connection.serve(answer)), body)


def test_a_reply_to_no_command_ends_the_connection() -> None:
    """Which command later replies belong to is no longer known."""

    def script(connection: Connection) -> None:
        connection.send(reply("+OK nobody asked"))
        connection.only_read()

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        assert link.down.wait(5.0)
        assert "no command" in link.reason

    talk(logged_in(script), body)


def test_a_full_outbox_refuses_and_sends_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esl_module, "OUTBOX_COMMANDS", 3)
    go = threading.Event()

    def script(connection: Connection) -> None:
        for command in connection.commands_then_end():
            assert go.wait(10)
            connection.send(answer(command))

    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        waiting = [gevent.spawn(link.send, f"api {n}") for n in range(3)]
        gevent.sleep(0)
        with pytest.raises(EslNotConnected):
            link.send("api one too many")
        go.set()
        gevent.joinall(waiting, raise_error=True)
        assert [greenlet.value.reply for greenlet in waiting] == ["api 0", "api 1", "api 2"]

    peer = talk(logged_in(script), body)
    assert "api one too many" not in peer.commands


def test_stop_of_a_peer_that_does_not_answer_returns() -> None:
    def body(link: SafeInboundESL, _events: list[EslEvent]) -> None:
        link.connect()
        link.stop()
        assert not link.connected

    peer = talk(logged_in(Connection.only_read), body)
    eventually(lambda: "exit" in peer.commands, "exit")


def test_connect_to_a_closed_port_or_a_bad_name_says_so() -> None:
    with Peer(lambda _connection: None) as peer:
        free_port = peer.port

    def run() -> None:
        for settings in (EslSettings(port=free_port), EslSettings(host="a..b"), EslSettings(port=70000)):
            link = SafeInboundESL(settings, deliver=lambda _event: None)
            with pytest.raises(EslNotConnected):
                link.connect()
            assert not link.connected

    in_greenlets(run)


def test_a_hundred_failed_connects_leave_no_file_descriptor() -> None:
    with Peer(lambda connection: connection.login("-ERR invalid")) as peer:

        def run() -> None:
            link = link_to(peer)

            def attempt() -> None:
                with pytest.raises(EslAuthError):
                    link.connect()
                link.finish(timeout_s=5.0)

            attempt()
            before = open_files()
            for _ in range(100):
                attempt()
            eventually(lambda: open_files() <= before + 1, "closed sockets")  # the peer's last may still be closing

        in_greenlets(run)
