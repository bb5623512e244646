"""Room for calls: what a service tells of it, and how many calls a robot elsewhere has by that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from V3.calls.room import FarRoom, RoomNews
from V3.events import Capacity


def news(room: int, *, draining: bool = False) -> Capacity:
    return Capacity(call_id="c", at_ms=0, capacity=40, calls=40 - room, room=room, draining=draining)


def calling(*, ringing: int = 0, heard: int = 0) -> FarRoom:
    far = FarRoom()
    for n in range(ringing + heard):
        far.dialled(f"c{n}")
    for n in range(heard):
        far.heard(f"c{n}")
    return far


# ---- what is told


def test_the_first_room_is_news_and_a_change_that_matters() -> None:
    told = RoomNews()
    assert told.worth_telling(capacity=40, room=30, now_s=0.0)
    assert not told.worth_telling(capacity=40, room=28, now_s=5.0)  # less than a tenth of the capacity
    assert told.worth_telling(capacity=40, room=26, now_s=6.0)
    assert not told.worth_telling(capacity=40, room=20, now_s=6.5)  # at most once a second
    assert told.worth_telling(capacity=40, room=20, now_s=7.0)


def test_no_room_is_news_however_little_there_was() -> None:
    told = RoomNews()
    assert told.worth_telling(capacity=100, room=2, now_s=0.0)
    assert told.worth_telling(capacity=100, room=0, now_s=2.0)
    assert told.worth_telling(capacity=100, room=1, now_s=4.0)


# ---- what a robot makes of it


def test_before_it_is_told_a_robot_elsewhere_has_two_calls() -> None:
    far = FarRoom()
    assert far.room(now_s=0.0) == 2
    far.dialled("a")
    far.dialled("b")
    assert far.room(now_s=0.0) == 0
    far.ended("a")
    assert far.room(now_s=0.0) == 1


def test_room_that_is_told_is_for_calls_beside_those_that_are_heard() -> None:
    far = calling(ringing=1, heard=1)
    far.told(news(10), now_s=1.0)
    assert far.bound(now_s=1.0) == 11  # ten more than the one that is heard; the other rings
    assert far.room(now_s=1.0) == 9
    far.told(news(0), now_s=2.0)
    assert far.room(now_s=2.0) == 0


def test_news_of_a_service_that_hears_none_of_ours_grows_old() -> None:
    far = calling(heard=1)
    far.told(news(10), now_s=0.0)
    assert far.bound(now_s=300.0) == 11  # it would have told, had that changed
    far.ended("c0")
    assert far.bound(now_s=10.0) == 11
    assert far.bound(now_s=31.0) == 2


def test_refusals_stop_the_dialling_longer_and_longer_until_a_stream_is_taken() -> None:
    far = calling(ringing=1)
    held = []
    now_s = 0.0
    for _ in range(8):
        far.refused(now_s=now_s)
        far.refused(now_s=now_s + 0.1)  # the same call tries once more
        held.append(far.held_s(now_s=now_s))
        assert far.room(now_s=now_s) == 0
        now_s += held[-1]
        far.ended("c0")
        assert far.room(now_s=now_s) == 1  # one call finds out
        far.dialled("c0")
    assert held == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    far.heard("c0")
    far.told(news(5), now_s=now_s)
    assert far.room(now_s=now_s) == 5


def test_a_service_that_drains_is_left_alone_for_a_minute() -> None:
    far = calling(heard=1)
    far.told(news(0, draining=True), now_s=0.0)
    far.ended("c0")
    assert far.room(now_s=59.0) == 0
    assert far.room(now_s=61.0) == 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["dial", "hear", "end", "tell", "refuse"]), st.integers(0, 9), st.floats(0, 40)),
        max_size=60,
    )
)
def test_whatever_comes_there_are_never_more_calls_than_allowed_when_they_were_dialled(
    steps: list[tuple[str, int, float]],
) -> None:
    far, now_s = FarRoom(), 0.0
    for step, number, passed_s in steps:
        now_s += passed_s
        match step:
            case "dial" if far.room(now_s=now_s) > 0:
                far.dialled(f"c{len(far.calls)}-{now_s}")
                assert len(far.calls) <= far.bound(now_s=now_s)
            case "hear" if far.calls:
                far.heard(next(iter(far.calls)))
            case "end" if far.calls:
                far.ended(next(iter(far.calls)))
            case "tell":
                far.told(news(number), now_s=now_s)
            case "refuse":
                far.refused(now_s=now_s)
        assert far.bound(now_s=now_s) >= 0
        assert far.held_s(now_s=now_s) <= 60.0
