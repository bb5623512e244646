"""How the simulator takes an originate apart, and that it hears exactly what telephony/commands.py means."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from V3.simulator.originate import parse_originate, separate
from V3.telephony.commands import originate

VALUES = st.text(
    st.characters(exclude_characters="{}\x7f", exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\r\t',\\\" =^"),
    min_size=1,
    max_size=30,
).filter(lambda text: ":_:" not in text)


@given(VALUES, VALUES)
@example('it\'s, \\n a "test"\n', "a=b")
@example(" lead and trail ", "^^:a:b")
@example("'", "''")
@example("\\", "\\s")
def test_a_quoted_variable_arrives_as_it_was(first: str, second: str) -> None:
    command = originate("sofia/gateway/trunk/0601020304", {"one": first, "two": second})
    dialling = parse_originate(command.removeprefix("originate "))
    assert dialling is not None
    assert dict(dialling.variables) == {"one": first, "two": second}
    assert dialling.destinations == ("sofia/gateway/trunk/0601020304",)
    assert (dialling.application, dialling.argument) == ("park", "")


def test_a_quoted_api_on_answer_as_in_the_transcript() -> None:
    line = "{origination_uuid=u,api_on_answer='uuid_audio_stream u start ws://h:1/u mono 16k u'}sofia/a/b@c &park()"
    dialling = parse_originate(line)
    assert dialling is not None
    assert dialling.variables["api_on_answer"] == "uuid_audio_stream u start ws://h:1/u mono 16k u"


def test_every_endpoint_of_a_list_is_named() -> None:
    dialling = parse_originate("{a=1}sofia/gateway/t/1,sofia/gateway/t/2|[b=2]loopback/3 &park()")
    assert dialling is not None
    assert dialling.destinations == ("sofia/gateway/t/1", "sofia/gateway/t/2", "loopback/3")


@pytest.mark.parametrize("line", ["", "loopback/1", "a b c d e f g h"])
def test_too_few_or_too_many_words_are_no_originate(line: str) -> None:
    assert parse_originate(line) is None


@pytest.mark.parametrize(
    ("variables", "timeout_s"), [("originate_timeout=3", 3.0), ("a=1", 60.0), ("originate_timeout=x", 60.0)]
)
def test_the_time_limit(variables: str, timeout_s: float) -> None:
    dialling = parse_originate(f"{{{variables}}}loopback/1 &park()")
    assert dialling is not None
    assert dialling.timeout_s == timeout_s


def test_an_application_with_an_argument() -> None:
    dialling = parse_originate("loopback/1 '&playback(silence_stream://-1)'")
    assert dialling is not None
    assert (dialling.application, dialling.argument) == ("playback", "silence_stream://-1")


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("a b c d", 3, ["a", "b", "c d"]),
        (
            'u start ws://x mono 16k {"n":"O\'zbek so\'z"}',
            6,
            ["u", "start", "ws://x", "mono", "16k", '{"n":"Ozbek soz"}'],
        ),
        ("'/a b.wav' aleg", 4, ["/a b.wav", "aleg"]),
        ("/a b.wav aleg", 4, ["/a", "b.wav", "aleg"]),
        (r"a\sb c", 4, ["a b", "c"]),
        (r"a\\b", 4, ["a\\b"]),
        ("^^:a:b c", 4, ["a", "b c"]),
    ],
)
def test_words_are_cut_and_unquoted_as_freeswitch_does(text: str, limit: int, parts: list[str]) -> None:
    assert separate(text, " ", limit) == parts
