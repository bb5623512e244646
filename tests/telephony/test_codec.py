"""The event-socket protocol: whatever the split, the lie or the rubbish, messages come out whole and apart."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.telephony import codec
from V3.telephony.codec import EslDecoder, EslEvent, EslMessage, encode_event, encode_message

HERE = Path(__file__).parent / "traces"
BESIDE = Path(__file__).parents[3] / "shared" / "freeswitch" / "traces"
REPLY = b"Content-Type: command/reply\nReply-Text: +OK\n\n"

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True).filter(lambda name: name != "Content-Length")
plain_values = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=30)
any_values = st.text(st.characters(codec="utf-8"), max_size=30)
bodies = st.none() | st.binary(max_size=80) | st.sampled_from([b"", b"\n\n", b"a\n\nb: c\n\n", "héé\n\n".encode()])


def headers_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(names, values), min_size=1, max_size=6, unique_by=lambda header: header[0])


def decode(data: bytes) -> tuple[EslDecoder, list[EslMessage]]:
    decoder = EslDecoder()
    return decoder, decoder.feed(data)


def only_event(data: bytes) -> EslEvent:
    decoder, (message,) = decode(data)
    event = decoder.event(message)
    assert event is not None
    return event


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        yield data[start:end]


# Round trips


@given(headers_of(plain_values), bodies)
def test_a_message_comes_back_as_it_was_written(headers: list[tuple[str, str]], body: bytes | None) -> None:
    decoder, (message,) = decode(encode_message(headers, body))
    expected = dict(headers) | ({} if body is None else {"Content-Length": str(len(body))})
    assert dict(message.headers) == expected
    assert message.body == (body or b"")
    assert decoder.error_count == 0


@given(headers_of(any_values), bodies)
def test_an_event_comes_back_as_it_was_written(headers: list[tuple[str, str]], body: bytes | None) -> None:
    """Any text in a value: line breaks, percent signs, UTF-8, blanks at its ends."""
    headers = [("Event-Name", "CUSTOM"), *((f"variable_{name}", value) for name, value in headers)]
    event = only_event(encode_event(headers, body))
    expected = dict(headers) | ({} if body is None else {"Content-Length": str(len(body))})
    assert dict(event.headers) == expected
    assert event.body == (body or b"")


@given(st.lists(st.tuples(headers_of(any_values), bodies), max_size=5), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_split_gives_the_same_messages(
    stream: list[tuple[list[tuple[str, str]], bytes | None]], cuts: list[int]
) -> None:
    data = b"".join(encode_event([("Event-Name", "E"), *headers], body) + REPLY for headers, body in stream)
    whole_decoder, whole = decode(data)
    decoder, parts = EslDecoder(), []
    for piece in pieces(data, cuts):
        parts += decoder.feed(piece)
    assert parts == whole
    assert len(whole) == 2 * len(stream)
    assert decoder.error_count == whole_decoder.error_count == 0


@given(st.lists(st.sampled_from(b"\n: aC%\xff") | st.integers(0, 255), max_size=200), st.lists(st.integers(0, 200)))
def test_any_split_of_rubbish_gives_the_same_messages_and_errors(noise: list[int], cuts: list[int]) -> None:
    data = bytes(noise) + b"\n\nContent-Length: 3\n\nabc" + REPLY
    whole_decoder, whole = decode(data)
    decoder, parts = EslDecoder(), []
    for piece in pieces(data, cuts):
        parts += decoder.feed(piece)
    assert parts == whole
    assert [str(error) for error in decoder.errors] == [str(error) for error in whole_decoder.errors]


def test_one_byte_at_a_time() -> None:
    data = REPLY + encode_event([("Event-Name", "DTMF")], b"a\n\nb") + REPLY
    decoder = EslDecoder()
    messages = [message for byte in data for message in decoder.feed(bytes([byte]))]
    assert messages == decode(data)[1]
    assert len(messages) == 3


# Rubbish


@given(st.binary(max_size=300))
def test_rubbish_never_raises_and_a_good_message_still_comes_after_it(noise: bytes) -> None:
    if b"content-length" in noise.lower():
        return  # a length that lies takes what follows: see below
    decoder, before = decode(noise)
    after = decoder.feed(b"\n\n" + REPLY)
    assert after[-1].reply == "+OK"
    for message in before + after:
        decoder.event(message)
    decoder.eof()
    assert decoder.feed(REPLY)[0].reply == "+OK"


@given(st.binary(max_size=200))
def test_an_event_of_rubbish_is_no_event_and_no_exception(noise: bytes) -> None:
    decoder = EslDecoder()
    event = decoder.event(EslMessage({"Content-Type": "text/event-plain"}, noise))
    assert event is None or event.headers["Event-Name"]
    assert event is not None or decoder.error_count > 0


@pytest.mark.parametrize(
    ("rubbish", "word"),
    [
        (b"no colon here\n\n", "without a name and a colon"),
        (b": no name\n\n", "without a name and a colon"),
        (b"X: \xff\xfe\n\n", "not UTF-8"),
        (b"\xc3: x\n\n", "not UTF-8"),
    ],
)
def test_rubbish_is_recorded(rubbish: bytes, word: str) -> None:
    decoder, messages = decode(rubbish + REPLY)
    assert messages[-1].reply == "+OK"
    assert decoder.error_count >= 1
    assert word in str(decoder.errors[0])


def test_a_line_without_a_colon_leaves_the_other_headers_of_its_block() -> None:
    _, (message,) = decode(b"Content-Type: command/reply\nrubbish\nReply-Text: +OK x\n\n")
    assert message.reply == "+OK x"


def test_bytes_that_are_not_utf8_become_replacement_characters_in_that_value_only() -> None:
    _, (message,) = decode(b"A: caf" + b"\xe9\n" + "B: café\n\n".encode())
    assert dict(message.headers) == {"A": "caf\ufffd", "B": "café"}


def test_only_the_newest_errors_are_kept_and_all_are_counted() -> None:
    decoder, _ = decode(b"".join(b"bad %d\n\n" % n for n in range(250)))
    assert decoder.error_count == 250
    assert len(decoder.errors) == codec.MAX_ERRORS
    assert "bad 249" in str(decoder.errors[-1])


@pytest.mark.parametrize("cut", [0, 1, 7, 40, 1000])
def test_headers_without_end_are_skipped_whole_however_they_come(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the first part of them is not taken for headers: a caller could have written it."""
    monkeypatch.setattr(codec, "MAX_HEADER_BYTES", 50)
    data = b"X: " + b"y" * 60 + b"\nContent-Length: 3\nReply-Text: forged\n\n" + REPLY
    decoder = EslDecoder()
    messages = [m for start in range(0, len(data), cut or 1) for m in decoder.feed(data[start : start + (cut or 1)])]
    assert [message.reply for message in messages] == ["+OK"]
    assert decoder.error_count == 1


@pytest.mark.parametrize("size", [49, 50, 51, 52])
def test_the_longest_headers_taken_do_not_depend_on_the_split(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_HEADER_BYTES", 50)
    data = b"X: " + b"y" * (size - 3) + b"\n\n"
    split = EslDecoder()
    bytewise = [message for byte in data for message in split.feed(bytes([byte]))]
    assert bytewise == decode(data)[1]
    assert len(bytewise) == (1 if size <= 50 else 0)


def test_a_flood_without_a_blank_line_keeps_no_memory() -> None:
    decoder = EslDecoder()
    for _ in range(40):
        assert decoder.feed(b"x" * 100_000) == []
    assert len(decoder._buffer) <= codec.MAX_HEADER_BYTES + 100_000
    assert decoder.error_count == 1
    assert decoder.feed(b"\n\n" + REPLY)[0].reply == "+OK"


# Lengths that lie


@pytest.mark.parametrize("length", ["-5", "99999999999999999999", "16777217", "abc", "1e3", "0x10", "٣", "3 4", ""])
def test_a_content_length_that_is_none_is_recorded_and_taken_as_nothing(length: str) -> None:
    decoder, messages = decode(f"A: b\nContent-Length: {length}\n\n".encode() + REPLY)
    assert [m.body for m in messages] == [b"", b""]
    assert messages[1].reply == "+OK"
    assert "Content-Length" in str(decoder.errors[0])


def test_a_content_length_that_is_too_short_leaves_rubbish_and_then_sound_messages() -> None:
    decoder, messages = decode(b"Content-Length: 3\n\nabcdef\n\n" + REPLY)
    assert messages[0].body == b"abc"
    assert messages[-1].reply == "+OK"
    assert decoder.error_count == 1


def test_a_content_length_that_is_too_long_takes_what_follows_and_the_end_is_recorded() -> None:
    decoder, messages = decode(b"Content-Length: 1000\n\nabc" + REPLY)
    assert messages == []
    decoder.eof()
    assert "inside a body" in str(decoder.errors[0])


def test_content_length_counts_bytes_not_characters() -> None:
    _, messages = decode(encode_message([("Content-Type", "api/response")], "é€\n".encode()) + REPLY)
    assert messages[0].reply == "é€\n"
    assert messages[1].reply == "+OK"


def test_an_inner_content_length_that_is_too_long_gives_what_there_is() -> None:
    inner = b"Event-Name: BACKGROUND_JOB\nContent-Length: 50\n\n+OK\n"
    decoder, (message,) = decode(encode_message([("Content-Type", "text/event-plain")], inner) + b"")
    event = decoder.event(message)
    assert event is not None
    assert event.body == b"+OK\n"
    assert "body of 50 bytes" in str(decoder.errors[0])


# The end of the stream


@pytest.mark.parametrize(
    ("left", "word"),
    [
        (b"Content-Length: 9\n\nabc", "3 of 9 bytes"),
        (b"Content-Length: 9\n\n", "0 of 9 bytes"),
        (b"Content-Type: comm", "inside headers"),
        (b"Content-Type: x\n", "inside headers"),
    ],
)
def test_an_end_inside_a_message_is_recorded(left: bytes, word: str) -> None:
    decoder, messages = decode(REPLY + left)
    assert len(messages) == 1
    assert decoder.error_count == 0
    decoder.eof()
    assert decoder.error_count == 1
    assert word in str(decoder.errors[0])


@pytest.mark.parametrize("tail", [b"", b"\n", b"\n\n\n"])
def test_an_end_between_messages_is_no_error(tail: bytes) -> None:
    decoder, _ = decode(REPLY + tail)
    decoder.eof()
    assert decoder.error_count == 0


# Events


def test_a_percent_newline_in_a_variable_forges_nothing() -> None:
    inner = (
        b"Event-Name: CHANNEL_ANSWER\nvariable_x: a%0AEvent-Name: CHANNEL_HANGUP%0A%0Abody\n"
        b"variable_y: %0a%0aContent-Length: 3\nUnique-ID: u1\n\n"
    )
    event = only_event(encode_message([("Content-Type", "text/event-plain")], inner))
    assert event.name == "CHANNEL_ANSWER"
    assert event.uuid == "u1"
    assert event["variable_x"] == "a\nEvent-Name: CHANNEL_HANGUP\n\nbody"
    assert event.body == b""


@given(any_values)
def test_no_value_of_a_variable_changes_another_header(value: str) -> None:
    headers = [("Event-Name", "CHANNEL_ANSWER"), ("variable_x", value), ("Unique-ID", "u1")]
    event = only_event(encode_event(headers, b"body"))
    assert (event.name, event.uuid, event["variable_x"], event.body) == ("CHANNEL_ANSWER", "u1", value, b"body")


def test_the_first_header_of_a_name_wins() -> None:
    inner = b"Event-Name: CHANNEL_ANSWER\nUnique-ID: u1\nEvent-Name: CHANNEL_HANGUP\nUnique-ID: u2\n\n"
    event = only_event(encode_message([("Content-Type", "text/event-plain")], inner))
    assert (event.name, event.uuid) == ("CHANNEL_ANSWER", "u1")


def test_a_body_is_kept_apart_and_raw() -> None:
    body = b"%41\n\nEvent-Name: X\n\xff"
    event = only_event(encode_event([("Event-Name", "BACKGROUND_JOB"), ("Job-UUID", "j")], body))
    assert event.body == body
    assert event.text == "%41\n\nEvent-Name: X\n\ufffd"
    assert set(event.headers) == {"Event-Name", "Job-UUID", "Content-Length"}


def test_the_name_of_a_custom_event_is_its_subclass() -> None:
    subclass = ("Event-Subclass", "mod_audio_stream::connect")
    assert only_event(encode_event([("Event-Name", "CUSTOM"), subclass])).name == "mod_audio_stream::connect"
    assert only_event(encode_event([("Event-Name", "CUSTOM")])).name == "CUSTOM"
    assert only_event(encode_event([("Event-Name", "DTMF"), subclass])).name == "DTMF"


def test_a_header_that_is_missing_reads_as_empty() -> None:
    event = only_event(encode_event([("Event-Name", "BACKGROUND_JOB")]))
    assert event["Unique-ID"] == event.uuid == ""
    assert EslMessage({}).content_type == ""


def test_percent_bytes_that_are_not_utf8_are_replaced() -> None:
    inner = b"Event-Name: E\nvariable_x: caf%E9%4\n\n"
    assert only_event(encode_message([], inner))["variable_x"] == "caf\ufffd%4"


@pytest.mark.parametrize("header", [("a:b", "x"), ("a\nb", "x"), ("a", "x\ny"), ("", "x"), ("  ", "x")])
def test_a_header_that_would_break_the_block_is_not_written(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="a header cannot hold"):
        encode_message([header])


# What a real FreeSWITCH sent


def received(path: Path) -> bytes:
    """The bytes FreeSWITCH sent in a trace: the ``<<< T N`` blocks, each of N bytes and one newline."""
    data, stream, at = path.read_bytes(), b"", 0
    while at < len(data):
        end = data.index(b"\n", at) + 1
        block = re.match(rb"(<<<|>>>) [0-9.]+ ([0-9]+)$", data[at : end - 1])
        at = end
        if block:
            size = int(block[2])
            stream += data[at : at + size] if block[1] == b"<<<" else b""
            at += size + 1
    return stream


def events_in(path: Path) -> list[EslEvent]:
    """Decoded whole, without one error; every event of the text is there."""
    stream = received(path)
    decoder, messages = decode(stream)
    decoder.eof()
    assert messages
    assert messages[0].content_type == "auth/request"
    events = [decoder.event(message) for message in messages if message.content_type == "text/event-plain"]
    assert list(decoder.errors) == []
    found = [event for event in events if event is not None]
    assert len(found) == stream.count(b"\nContent-Type: text/event-plain\n\n")
    assert all(event.body == b"" or event["Content-Length"] == str(len(event.body)) for event in found)
    return found


def test_trace_of_a_missing_gateway() -> None:
    destroyed, state, job = events_in(HERE / "05c_bad_gateway.esl.txt")
    assert (destroyed.name, state.name, job.name) == ("CHANNEL_DESTROY", "CHANNEL_STATE", "BACKGROUND_JOB")
    assert job.text == "-ERR INVALID_GATEWAY\n"
    assert job["Job-Command"] == "originate"
    assert destroyed.uuid in job["Job-Command-Arg"]


def test_trace_of_a_filter() -> None:
    path = HERE / "30e_esl_filter.esl.txt"
    assert [event.name for event in events_in(path)] == ["CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE"]


def test_trace_of_a_wrong_password() -> None:
    path = HERE / "30b_esl_auth_fail.esl.txt"
    assert events_in(path) == []
    messages = decode(received(path))[1]
    assert [m.content_type for m in messages] == ["auth/request", "command/reply", "text/disconnect-notice"]
    assert messages[1].reply == "-ERR invalid"
    assert messages[2].body.startswith(b"Disconnected, goodbye.\n")


def test_trace_of_replies_of_every_kind() -> None:
    path = HERE / "30c_esl_misc.esl.txt"
    assert events_in(path) == []
    replies = [message.reply for message in decode(received(path))[1]]
    assert replies[:4] == ["", "+OK accepted", "-ERR command not found", "-ERR nosuch Command not found!\n"]
    assert {"false", "\n0 total.\n", "+OK filter added. [Unique-ID]=[abc]"} <= set(replies)


def test_all_traces_decode_whole() -> None:
    paths = sorted(BESIDE.glob("*.esl.txt"))
    if not paths:
        pytest.skip("the folder of all traces is not beside the repository")
    names = {event.name for path in paths for event in events_in(path)}
    assert {"CHANNEL_ANSWER", "PLAYBACK_STOP", "BACKGROUND_JOB", "mod_audio_stream::json"} <= names
