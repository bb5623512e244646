"""The tree drawn in V3/errors.py is the tree of its classes."""

from __future__ import annotations

import re

import pytest

from V3 import errors
from V3.errors import EslCommandFailed, EslConnectionLost, EslTimeout, VoicebotError, WireError

DRAWN = re.compile(r"^    (?P<bars>[ |]*)\+-- (?P<name>\w+)", re.MULTILINE)


def drawn() -> dict[str, str]:
    """Each class of the docstring and the one it hangs from, by how far it is indented."""
    assert errors.__doc__ is not None
    above = {-1: "VoicebotError"}  # depth -> the last class drawn at it
    parents: dict[str, str] = {}
    for line in DRAWN.finditer(errors.__doc__):
        depth = len(line["bars"]) // 5
        parents[line["name"]] = above[depth - 1]
        above[depth] = line["name"]
    return parents


def defined() -> dict[str, type[VoicebotError]]:
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, VoicebotError) and kind is not VoicebotError
    }


def test_every_class_is_drawn_below_the_class_it_derives_from() -> None:
    assert {name: kind.__bases__[0].__name__ for name, kind in defined().items()} == drawn()


def test_the_drawing_begins_with_the_root() -> None:
    assert errors.__doc__ is not None
    assert "::\n\n    VoicebotError\n     +-- " in errors.__doc__


def test_every_class_is_exported_and_says_what_it_is() -> None:
    assert sorted(errors.__all__) == sorted([*defined(), "VoicebotError"])
    assert all(kind.__doc__ for kind in defined().values())


def test_only_what_was_sent_without_an_answer_has_an_unknown_outcome() -> None:
    unknown = {kind for kind in defined().values() if kind.outcome_unknown}
    assert unknown == {EslConnectionLost, EslTimeout}


@pytest.mark.parametrize("name", sorted(defined()))
def test_a_message_comes_out_as_it_went_in(name: str) -> None:
    kind = defined()[name]
    error = EslCommandFailed("uuid_kill", "x") if kind is EslCommandFailed else kind("x")
    assert "x" in str(error)


def test_what_some_carry() -> None:
    assert WireError("x").close_code == 1003
    assert WireError("x", close_code=1008).close_code == 1008
    failed = EslCommandFailed("uuid_kill", "No such channel!")
    assert (failed.command, failed.reason) == ("uuid_kill", "No such channel!")
    assert str(failed) == "uuid_kill: -ERR No such channel!"
    assert errors.CallEnded("USER_BUSY").cause == "USER_BUSY"
