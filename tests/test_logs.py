"""Logs: what a line holds, and what never."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from V3.calls.report import CallUpdate
from V3.config import RobotConfig
from V3.logs import LogFormat, hide_secrets, set_up_logs, tell_story

CALL_ID = "12345678-1234-4123-8123-123456789012"
log = logging.getLogger("V3.somewhere")


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.setLevel(logging.INFO)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(form: LogFormat, message: str, *args: object, mask: bool = True, **options: Any) -> str:
    out = io.StringIO()
    set_up_logs(form, mask=mask, stream=out)
    log.warning(message, *args, **options)
    return out.getvalue()


def test_json_is_one_object_a_line_and_names_the_call() -> None:
    line = written(LogFormat.JSON, "call %s: « à bientôt »\nsecond", CALL_ID)
    assert line.count("\n") == 1
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    message = f"call {CALL_ID}: « à bientôt »\\x0asecond"
    assert told == {"level": "warning", "logger": "V3.somewhere", "message": message, "call_id": CALL_ID}


def test_a_message_that_is_of_no_call_has_no_call_id() -> None:
    assert "call_id" not in json.loads(written(LogFormat.JSON, "no call answered: everybody is away"))


def test_a_call_id_may_be_given_beside_the_message() -> None:
    line = written(LogFormat.JSON, "it ended", extra={"call_id": CALL_ID})
    assert json.loads(line)["call_id"] == CALL_ID


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        int("0199001202 is wrong")
    except ValueError:
        line = written(LogFormat.JSON, "it failed", exc_info=True)
        text = written(LogFormat.TEXT, "it failed", exc_info=True)
    assert line.count("\n") == 1
    assert "'01 99 ** ** 02 is wrong'" in json.loads(line)["error"]
    assert all(part.startswith("    ") for part in text.splitlines()[1:])
    assert "0199001202" not in text


def test_text_cannot_be_made_to_look_like_another_line() -> None:
    text = written(LogFormat.TEXT, "heard: %s", "oui\n2026-01-01T00:00:00.000Z ERROR   V3: forged\x1b[2J")
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


@pytest.mark.parametrize("form", LogFormat)
def test_numbers_are_masked_unless_asked_for(form: LogFormat) -> None:
    hidden = written(form, "%s waits", "+33199001202")
    assert "+33 1 99 ** ** 02 waits" in hidden
    assert "+33199001202 waits" in written(form, "%s waits", "+33199001202", mask=False)


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize("mask", [True, False])
def test_secrets_are_in_no_log(form: LogFormat, mask: bool) -> None:
    settings = RobotConfig().replacing(
        freeswitch={"password": "esl-secret-1"}, server={"token": "srv-secret-2"}, clients={"token": "cli-secret-3"}
    )
    hide_secrets(settings)
    message = "auth esl-secret-1 ws://h/call/1?token=srv-secret-2&x=1 Authorization: Bearer cli-secret-3 esl-secret-1"
    line = written(form, message, mask=mask)
    assert "secret-" not in line
    assert line.count("[hidden]") == 4


@pytest.mark.parametrize(
    "text", ["?token=unknown9", "password: unknown9", "Bearer unknown9", '{"api_key": "unknown9"}']
)
def test_what_is_called_a_secret_is_taken_for_one(text: str) -> None:
    assert "unknown9" not in written(LogFormat.TEXT, "%s", text)


# ---- the calls' story


def story(form: LogFormat, *, level: int = logging.WARNING, mask: bool = True) -> list[str]:
    out = io.StringIO()
    set_up_logs(form, mask=mask, stream=out)
    logging.getLogger().setLevel(level)
    for state, text in (("DIALLING", ""), ("DETECTING", "« allô »"), ("VERDICT", "HUMAN: words\nforged")):
        tell_story(CallUpdate(call_id=CALL_ID, number="0199001202", at_ms=2300, state=state, text=text))
    return out.getvalue().splitlines()


def test_the_story_of_calls_is_in_json_logs_without_what_was_said() -> None:
    told = [json.loads(line) for line in story(LogFormat.JSON)]
    assert [line["state"] for line in told] == ["DIALLING", "VERDICT"]
    last = told[-1]
    assert (last["call_id"], last["level"], last["at_ms"]) == (CALL_ID, "info", 2300)
    assert last["number"] == "01 99 ** ** 02"
    assert last["text"] == "HUMAN: words\nforged"
    assert last["message"] == f"call {CALL_ID}: VERDICT HUMAN: words\\x0aforged"


def test_numbers_and_words_are_there_for_who_asks_for_them() -> None:
    told = [json.loads(line) for line in story(LogFormat.JSON, level=logging.DEBUG, mask=False)]
    assert [line["text"] for line in told] == ["", "« allô »", "HUMAN: words\nforged"]
    assert {line["number"] for line in told} == {"0199001202"}


def test_text_logs_have_the_story_at_their_level_only() -> None:
    assert story(LogFormat.TEXT) == []
    assert len(story(LogFormat.TEXT, level=logging.INFO)) == 2
