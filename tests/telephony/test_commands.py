"""Commands: whatever a CSV, a transcript or a setting holds, FreeSWITCH gets that value and one command, or none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from freeswitch_quoting import originated, split_on_blanks
from hypothesis import example, given
from hypothesis import strategies as st

from V3.errors import CommandError, EslCommandFailed
from V3.telephony import commands
from V3.telephony.commands import (
    audio_stream_start,
    audio_stream_stop,
    checked_command,
    checked_number,
    dial_string,
    execute,
    failure_cause,
    kill,
    ok_or_raise,
    originate,
    quoted_variable,
    record_start,
    stop_playback,
    uuid_exists,
)

UUID = "f87251f9-39ca-4ada-b208-2a19b58fda38"
ENDPOINT = "loopback/human/default"

spiky = st.text(st.sampled_from("ab ,='\"\\{}:_^|&$%[]()<>\n\r\tsnrté€\x00\x7f"), max_size=24)
values = spiky | st.text(max_size=24) | st.from_regex(r"(\\*[ ',=\"snrt])*", fullmatch=True)
injections = [
    "x\n\napi shutdown",
    "x\r\n\r\nbgapi originate {}loopback/y &park()",
    "x\n",
    "\nx",
    "x\r",
    "x\0",
    "x y",
    "",
    " ",
    "x}loopback/y &system(rm)",
    "x\u2028y z",
]

# Variables of an originate


@given(values)
@example("ARRAY::x")
@example("ARRAY::x|:y")
@example("'")
@example(" ' \\' ")
@example("\\\\\\s")
@example("   ")
@example("l'été, c'est \\n\\s\\\\ it's")
@example("a,b 'c' d\"e\\f\ng=h ")
@example("^^:a:b")
def test_a_variable_arrives_exactly_or_is_refused(value: str) -> None:
    try:
        quoted = quoted_variable(value)
    except CommandError:
        return
    variables, rest = originated(f"originate {{before=1,name={quoted},after=2}}{ENDPOINT} &park()")
    assert variables == {"before": "1", "name": value, "after": "2"}
    assert rest == [ENDPOINT, "&park()"]


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), values, min_size=1, max_size=6))
def test_all_variables_of_an_originate_arrive_exactly(variables: dict[str, str]) -> None:
    try:
        command = originate(ENDPOINT, variables)
    except CommandError:
        return
    assert originated(command) == (variables, [ENDPOINT, "&park()"])
    assert checked_command(f"bgapi {command}")


@given(st.text(st.characters(codec="utf-8", exclude_characters="{}", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_ordinary_text_is_taken(value: str) -> None:
    if ":_:" not in value and not value.startswith("ARRAY::"):
        assert quoted_variable(value)


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\r\nb", "it's", 'say "x"', "a,b", "a=b", "C:\\new", " a ", "é"])
def test_these_values_are_taken(value: str) -> None:
    assert originated(f"originate {{v={quoted_variable(value)}}}x &park()")[0] == {"v": value}


@pytest.mark.parametrize("value", ["", "{", "a}b", "${x}", "a:_:b", "\0", "a\x07b", "\x7f", "ARRAY::a|:b", "ARRAY::"])
def test_what_the_braces_cannot_carry_is_refused(value: str) -> None:
    with pytest.raises(CommandError):
        quoted_variable(value)


def test_a_value_without_anything_special_is_left_readable() -> None:
    assert originate(ENDPOINT, {"origination_uuid": UUID, "ignore_early_media": "true"}) == (
        f"originate {{origination_uuid={UUID},ignore_early_media=true}}{ENDPOINT} &park()"
    )


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a,b", "a}b", "a[0]", "1a", "a\nb", "a'b"])
def test_a_variable_name_is_a_name(name: str) -> None:
    with pytest.raises(CommandError):
        originate(ENDPOINT, {name: "x"})


@pytest.mark.parametrize(
    "endpoint",
    ["", "a b", "a|b", "a,b", "a:_:b", "{x=1}a", "[x=1]a", "<x=1>a", "a'b", "a\\b", "a\nb", "a\n\napi x", "é"],
)
def test_an_endpoint_is_one_endpoint(endpoint: str) -> None:
    with pytest.raises(CommandError):
        originate(endpoint, {"x": "1"})


@pytest.mark.parametrize(
    "application", ["park()", "&park", "&park() x", "&a()\n\napi x", "&system(rm -rf)", "", "&a(')"]
)
def test_an_application_is_one_application(application: str) -> None:
    with pytest.raises(CommandError):
        originate(ENDPOINT, {"x": "1"}, application=application)


def test_the_words_that_unload_the_event_socket_are_refused_even_in_two_variables() -> None:
    """mod_event_socket searches the whole command for them, case and place aside."""
    assert originate(ENDPOINT, {"a": "please unload it"})
    with pytest.raises(CommandError):
        originate(ENDPOINT, {"a": "please UnLoad", "b": "Mod_Event_Socket"})
    with pytest.raises(CommandError):
        execute(UUID, "playback", "/reload/mod_event_socket.wav", event_uuid="e")


# One command, whatever comes


builders: list[Callable[[str], str]] = [
    kill,
    lambda text: kill(UUID, text),
    stop_playback,
    uuid_exists,
    audio_stream_stop,
    lambda text: audio_stream_start(text, "ws://127.0.0.1:8080/call/x"),
    lambda text: audio_stream_start(UUID, text),
    lambda text: audio_stream_start(UUID, "ws://127.0.0.1/" + text),
    lambda text: audio_stream_start(UUID, "ws://127.0.0.1/", metadata={"caller": text, text: "x"}),
    lambda text: dial_string("sofia/gateway/trunk/{number}", text),
    lambda text: dial_string("sofia/gateway/" + text + "/{number}", "0199001234"),
    lambda text: originate("loopback/" + text, {"a": "b"}),
    lambda text: originate(ENDPOINT, {"a": text}),
    lambda text: execute(UUID, "playback", text, event_uuid="e"),
    lambda text: execute(text, "playback", "/a.wav", event_uuid="e"),
    lambda text: execute(UUID, text, "/a.wav", event_uuid="e"),
    lambda text: execute(UUID, "playback", "/a.wav", event_uuid=text),
]


@given(st.sampled_from(builders), st.text(max_size=40) | spiky | st.sampled_from(injections))
def test_nothing_puts_a_second_line_or_command_into_a_command(build: Callable[[str], str], text: str) -> None:
    try:
        command = build(text)
    except CommandError:
        return
    assert not set("\r\0") & set(command)
    lines = command.split("\n")
    if lines[0].startswith("sendmsg"):
        names = ["call-command", "execute-app-name", "execute-app-arg", "Event-UUID", "event-lock"]
        assert [line.partition(": ")[0] for line in lines[1:]] == names
        assert re.fullmatch(r"sendmsg [0-9A-Za-z._-]+", lines[0])
    else:
        assert len(lines) == 1
    command.encode()


@given(st.sampled_from([kill, stop_playback, uuid_exists, audio_stream_stop]), st.text(max_size=20))
def test_a_uuid_stays_one_word(build: Callable[[str], str], text: str) -> None:
    try:
        command = build(text)
    except CommandError:
        return
    assert split_on_blanks(command, 10)[1] == text


def test_the_commands_of_a_call() -> None:
    assert kill(UUID) == f"uuid_kill {UUID} NORMAL_CLEARING"
    assert kill(UUID, "USER_BUSY") == f"uuid_kill {UUID} USER_BUSY"
    assert stop_playback(UUID) == f"uuid_break {UUID} all"
    assert uuid_exists(UUID) == f"uuid_exists {UUID}"
    assert audio_stream_stop(UUID) == f"uuid_audio_stream {UUID} stop"
    assert execute(UUID, "playback", "/prompts/l'accueil 1.wav", event_uuid="p1") == (
        f"sendmsg {UUID}\ncall-command: execute\nexecute-app-name: playback\n"
        "execute-app-arg: /prompts/l'accueil 1.wav\nEvent-UUID: p1\nevent-lock: true"
    )


@pytest.mark.parametrize(
    "argument",
    [
        "",
        " a",
        "a ",
        "a\nb",
        "a\tb",
        "a\\b",
        "${system(touch x)}",
        "$${domain}",
        "a ${b}",
        "%[a=b]c",
        "%,[a=b]c",
        "\udcff",
    ],
)
def test_an_argument_that_freeswitch_would_change_or_expand_is_refused(argument: str) -> None:
    with pytest.raises(CommandError):
        execute(UUID, "playback", argument, event_uuid="e")


# The audio stream


@given(st.dictionaries(st.text(max_size=12), values | st.text(max_size=20), max_size=4))
@example({"n": "O'zbek so'z \"q\" \\ \\n \n\r\t\b\f\x00 é 😀"})
def test_metadata_of_an_audio_stream_arrives_exactly(metadata: dict[str, str]) -> None:
    """mod_audio_stream splits its arguments at blanks into six and unescapes each."""
    _, _, arguments = audio_stream_start(UUID, "ws://127.0.0.1:80/call/x", metadata=metadata).partition(" ")
    uuid, verb, url, mix, rate, text = split_on_blanks(arguments, 6)
    assert (uuid, verb, url, mix, rate) == (UUID, "start", "ws://127.0.0.1:80/call/x", "mono", "16k")
    assert json.loads(text) == metadata
    assert text.isascii()


def test_an_audio_stream_of_a_rate_url_or_size_that_is_not_taken() -> None:
    assert " mono 8k " in audio_stream_start(UUID, "wss://host/call/x", rate_hz=8000)
    with pytest.raises(CommandError, match="11025"):
        audio_stream_start(UUID, "ws://host/", rate_hz=11025)
    for url in ("http://host/", "ws://", "ws://a b/", "ws://a'b/", "ws://a\\b/", "ws://a/\n"):
        with pytest.raises(CommandError):
            audio_stream_start(UUID, url)
    with pytest.raises(CommandError, match="metadata"):
        audio_stream_start(UUID, "ws://host/", metadata={"x": "é" * 1000})


# Numbers


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("01 99 00 12 34", "0199001234"),
        ("01.99.00.12.34", "0199001234"),
        ("01-99-00-12-34", "0199001234"),
        ("+33 1 99 00 12 34", "+33199001234"),
        ("+33 (0)1 99 00 12 34", "+33199001234"),
        ("+33(0)1.99.00.12.34", "+33199001234"),
        ("0033 1 99 00 12 34", "0033199001234"),
        ("(01) 99 00 12 34", "0199001234"),
        ("01\u00a099\u202f00 12 34", "0199001234"),
        ("  0199001234\t", "0199001234"),
        ("3639", "3639"),
        ("15", "15"),
        ("#31#", "#31#"),
        ("*123#", "*123#"),
    ],
)
def test_numbers_as_people_write_them(written: str, dialled: str) -> None:
    assert checked_number(written) == dialled
    assert dial_string("sofia/gateway/trunk/{number}", written) == f"sofia/gateway/trunk/{dialled}"


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "+",
        "-",
        "++33199001234",
        "33+199001234",
        "+1",
        "+33 1 99 00 12 34 56 78 90",
        "12345678901234567",
        "abc",
        "01 99 00 12 3O",
        "0199001234,0199001235",
        "0199001234|user/1000",
        "0199001234 &system(ls)",
        "0199001234}loopback/x",
        "0199001234\n\napi shutdown",
        "01\n99001234",
        "0199001234\0",
        "=HYPERLINK(1)",
        "٠١٢٣٤٥٦٧٨٩",
        "²3456",
        "0199001234/../x",
        "'0199001234'",
        "\ufeff0199001234",
        "\udcff0199001234",
    ],
)
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(CommandError):
        checked_number(cell)


@given(st.text(max_size=30) | st.from_regex(r"[+0-9 ().\-*#]{0,20}", fullmatch=True))
def test_a_number_is_digits_whatever_the_cell_holds(cell: str) -> None:
    try:
        number = checked_number(cell)
    except CommandError:
        return
    assert re.fullmatch(r"\+?[0-9]+|[0-9*#]+", number)
    assert checked_number(number) == number


@pytest.mark.parametrize(
    "template", ["", "sofia/gateway/trunk/", "a b/{number}", "{x}{number}", "a|{number}", "a\n{number}"]
)
def test_a_dial_string_that_is_none(template: str) -> None:
    with pytest.raises(CommandError):
        dial_string(template, "0199001234")


# Whole commands


@pytest.mark.parametrize("text", ["a\nb", "a\n\nb", "a\rb", "a\0b", "\na", "a\n", "\udcff", "x" * (8 << 20) + "y"])
def test_a_line_that_is_more_than_one_command(text: str) -> None:
    with pytest.raises(CommandError):
        checked_command(text)


@pytest.mark.parametrize(
    "text", ["a\n\nb", "a\rb", "a\n\r\nb", "a\0b", "\na", "a\n", "\udcff", "A: unload\nB: mod_event_socket"]
)
def test_a_block_that_is_more_than_one_command(text: str) -> None:
    with pytest.raises(CommandError):
        checked_command(text, block=True)


def test_a_command_that_is_one_is_left_as_it_is() -> None:
    assert checked_command("status é") == "status é"
    assert checked_command("sendmsg u\ncall-command: hangup", block=True) == "sendmsg u\ncall-command: hangup"
    assert checked_command("reload mod_sofia") == "reload mod_sofia"


# Replies


@pytest.mark.parametrize(
    ("reply", "rest"),
    [("+OK\n", ""), ("+OK Success\n", "Success"), ("+OK", ""), (f"+OK {UUID}\n", UUID), ("true", "true"), ("", "")],
)
def test_a_good_reply_gives_what_follows(reply: str, rest: str) -> None:
    assert ok_or_raise("uuid_x", reply) == rest


def test_a_recording_is_stereo_and_its_sides_are_on_one_clock() -> None:
    assert record_start(UUID, "/calls/x.wav") == (
        f"uuid_record {UUID} start /calls/x.wav 0 {{RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=0}}"
    )
    assert "start C:/calls/été/x.wav 0" in record_start(UUID, "C:/calls/été/x.wav")


@pytest.mark.parametrize(
    "path",
    [
        *("", "x.wav", "../x.wav", "/a b/x.wav", "/x.mp3", "/x.wav\nbgapi x", "/'x.wav", "/${system x}.wav"),
        *("/a\u00a0b.wav", "/x\\y.wav", "/x,y.wav", "{x=y}/a.wav", "/{a=b}.wav"),
    ],
)
def test_a_path_that_is_no_one_path_is_not_recorded_to(path: str) -> None:
    with pytest.raises(CommandError, match="path of a recording"):
        record_start(UUID, path)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("-ERR No such channel!\n", "No such channel!"),
        ("-ERR USER_BUSY\n", "USER_BUSY"),
        ("-ERR no reply\n", "no reply"),
        ("-USAGE: <uuid> start\n", "<uuid> start"),
        ("-ERR\n", "-ERR"),
        ("  -ERR invalid\n", "invalid"),
    ],
)
def test_an_error_reply_raises_its_reason(reply: str, reason: str) -> None:
    with pytest.raises(EslCommandFailed) as failure:
        ok_or_raise(f"uuid_kill {UUID}", reply)
    assert failure.value.reason == reason
    assert failure.value.command == "uuid_kill"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("USER_BUSY", "USER_BUSY"),
        ("USER_BUSY\n", "USER_BUSY"),
        (" NORMAL_TEMPORARY_FAILURE extra", "NORMAL_TEMPORARY_FAILURE"),
        ("CHAN_NOT_IMPLEMENTED", "CHAN_NOT_IMPLEMENTED"),
        ("no reply", ""),
        ("Operation Failed", ""),
        ("", ""),
        (" \n", ""),
    ],
)
def test_the_cause_in_a_failed_originate(reason: str, cause: str) -> None:
    assert failure_cause(reason) == cause


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(commands, name)) for name in commands.__all__)
