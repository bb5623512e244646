"""Connections counted by address: bounds that hold, places that come back, memory that ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.system.services import doors as module
from V3.system.services.doors import Doors, address_of


def test_one_address_leaves_room_for_others() -> None:
    doors = Doors(most=3, most_each=2, new_per_s=0)
    assert [doors.enter("a", now_s=0) for _ in range(2)] == ["", ""]
    assert doors.enter("a", now_s=0) == "2 connections of one address are open"
    assert doors.enter("b", now_s=0) == ""
    assert doors.enter("c", now_s=0) == "3 connections are open"
    doors.leave("a")
    assert doors.enter("c", now_s=0) == ""


def test_four_seconds_worth_may_come_at_once_and_then_as_many_as_are_said() -> None:
    doors = Doors(most=0, most_each=0, new_per_s=2)
    assert [doors.enter("a", now_s=5) for _ in range(8)] == [""] * 8
    assert "2 new connections a second" in doors.enter("a", now_s=5)
    assert doors.enter("b", now_s=5) == ""
    assert [bool(doors.enter("a", now_s=6)) for _ in range(3)] == [False, False, True]
    assert doors.enter("a", now_s=0) != ""  # a clock that goes back gives nothing


def test_a_flood_of_addresses_is_forgotten_and_those_inside_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 10)
    doors = Doors(most=0, most_each=1, new_per_s=1)
    assert doors.enter("stays", now_s=0) == ""
    for n in range(1000):
        assert doors.enter(str(n), now_s=n) == ""
        doors.leave(str(n))
    assert doors.known <= 10
    assert doors.enter("stays", now_s=2000) == "1 connections of one address are open"


def test_a_flood_of_refusals_is_a_few_lines_of_a_log() -> None:
    doors = Doors(most=1, most_each=0, new_per_s=0)
    assert sum(doors.worth_telling(now_s=n / 100) for n in range(3000)) == 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 100)), max_size=60))
def test_no_order_of_coming_and_going_breaks_the_bounds(steps: list[tuple[str, bool, float]]) -> None:
    doors, inside = Doors(most=4, most_each=2, new_per_s=3), dict.fromkeys("abc", 0)
    for address, comes, now_s in steps:
        if comes:
            inside[address] += not doors.enter(address, now_s=now_s)
        elif inside[address]:
            doors.leave(address)
            inside[address] -= 1
        assert max(inside.values()) <= 2
        assert doors.inside == sum(inside.values()) <= 4


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8:1:2:aaaa::1", 5, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:bbbb::1", 5, 0, 0), "2001:db8:1:2::/64"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        (("::1", 5, 0, 0), "::1"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_counts_as_one_address(peer: object, address: str) -> None:
    assert address_of(peer) == address
