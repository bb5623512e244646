"""Containers taken apart: whatever the pieces, whatever is damaged."""

from __future__ import annotations

import itertools

import pytest
from audio_samples import speech
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import CONTAINERS, pieces, recorded

from V3.wire.containers import ContainerSplitter, Gap, Head, Media, Part
from V3.wire.ogg import page_checksum

SPOKEN = speech("au_travail")


def parts_of(*messages: bytes) -> list[Part]:
    splitter = ContainerSplitter()
    return [part for message in messages for part in splitter.push(message)]


def media(parts: list[Part]) -> bytes:
    return b"".join(part.data for part in parts if isinstance(part, Media))


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_stream_is_a_head_and_its_units(container: str) -> None:
    parts = parts_of(recorded(SPOKEN, container))
    assert [type(part) for part in parts] == [Head, Media]
    assert len(media(parts)) > 0.9 * len(recorded(SPOKEN, container))


@given(st.sampled_from(list(CONTAINERS)), st.lists(st.integers(1, 3000), max_size=40))
@settings(max_examples=50)
def test_pieces_of_any_size_give_the_same(container: str, sizes: list[int]) -> None:
    data = recorded(SPOKEN, container)
    ends = [*itertools.accumulate(sizes), len(data)]
    cut = parts_of(*(data[start:end] for start, end in itertools.pairwise([0, *ends])))
    assert media(cut) == media(parts_of(data))
    assert [type(part) for part in cut if not isinstance(part, Media)] == [Head]


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_follows_damage_is_used_with_the_head_given_again(container: str) -> None:
    messages = list(pieces(recorded(SPOKEN, container), 12))
    messages[5] = bytes(len(messages[5]))
    parts = parts_of(*messages)
    heads = [part for part in parts if isinstance(part, Head)]
    gaps = [part for part in parts if isinstance(part, Gap)]
    assert len(heads) == 2
    assert heads[0] == heads[1]
    assert len(gaps) == 1
    assert "damaged" in gaps[0].message
    assert media(parts)[-100:] == media(parts_of(recorded(SPOKEN, container)))[-100:]


def test_a_lost_message_is_told_too() -> None:
    messages = list(pieces(recorded(SPOKEN, "ogg"), 12))
    del messages[5]
    assert [part.message for part in parts_of(*messages) if isinstance(part, Gap)] != []


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(CONTAINERS, 2)))
def test_another_recorder_may_begin_on_the_same_connection(first: str, second: str) -> None:
    parts = parts_of(recorded(SPOKEN, first), recorded(SPOKEN, second))
    assert [part.format for part in parts if isinstance(part, Head)] == [
        {"webm": "matroska"}.get(each, each) for each in (first, second)
    ]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_recorder_that_begins_anew_is_a_new_stream(container: str) -> None:
    data = recorded(SPOKEN, container)
    parts = parts_of(data, data)
    assert [type(part) for part in parts] == [Head, Media, Head, Media]


def test_bytes_that_are_no_container_are_named_once_a_message() -> None:
    parts = parts_of(b"x" * 5000, b"y" * 20, recorded(SPOKEN, "webm"))
    assert [type(part) for part in parts] == [Gap, Head, Media]
    assert parts[0] == Gap("bytes that are no WebM, Ogg or MP4 stream's beginning")


def test_units_without_their_head_are_named() -> None:
    webm, mp4 = recorded(SPOKEN, "webm"), recorded(SPOKEN, "mp4")
    ogg_pages = recorded(SPOKEN, "ogg").split(b"OggS")
    assert parts_of(webm[:40] + webm[webm.index(b"\x1f\x43\xb6\x75") :])[0] != parts_of(webm)[0]
    assert isinstance(parts_of(mp4[: mp4.index(b"moov") - 4] + mp4[mp4.index(b"moof") - 4 :])[0], Gap)
    assert isinstance(parts_of(b"OggS" + ogg_pages[4])[0], Gap)


def test_an_mp4_that_is_not_fragmented_is_refused_by_name() -> None:
    data = recorded(SPOKEN, "mp4").replace(b"mvex", b"free")
    assert parts_of(data)[0] == Gap("an MP4 that is not fragmented cannot be streamed")


def test_the_checksum_of_a_page() -> None:
    page = bytearray(b"OggS" + recorded(SPOKEN, "ogg").split(b"OggS")[1])
    told, page[22:26] = page[22:26], bytes(4)
    assert page_checksum(bytes(page)).to_bytes(4, "little") == told


@given(
    st.sampled_from(list(CONTAINERS)),
    st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=40)), max_size=10),
    st.integers(1, 5000),
)
@settings(max_examples=150)
def test_nothing_escapes_and_memory_is_bounded(container: str, damage: list[tuple[int, bytes]], size: int) -> None:
    data = bytearray(recorded(SPOKEN, container))
    for at, junk in damage:
        data[at : at + len(junk)] = junk
    splitter = ContainerSplitter()
    for start in range(0, len(data), size):
        splitter.push(bytes(data[start : start + size]))
    assert len(splitter._buffer) <= len(data)
    sound = recorded(SPOKEN, container)
    assert any(isinstance(part, Media) for part in [*splitter.push(sound), *splitter.push(sound)])


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_random_bytes(messages: list[bytes]) -> None:
    splitter = ContainerSplitter()
    for message in messages:
        assert not any(isinstance(part, Media) for part in splitter.push(message))
    kept = splitter._buffer
    assert len(kept) < 12 or kept.startswith((b"\x1a\x45\xdf\xa3", b"OggS")) or kept[4:8] == b"ftyp"
