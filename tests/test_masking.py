"""Numbers masked: what is one, in whatever dress, and what is none."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.masking import mask_number, mask_numbers


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("0199001202", "01 99 ** ** 02"),
        ("01 99 00 12 02", "01 99 ** ** 02"),
        ("01.99.00.12.02", "01 99 ** ** 02"),
        ("01-99-00-12-02", "01 99 ** ** 02"),
        ("+33199001202", "+33 1 99 ** ** 02"),
        ("+33 (0)1 99 00 12 02", "+33 1 99 ** ** 02"),
        ("0033199001202", "0033*******02"),
        ("%2B33199001202", "+33 1 99 ** ** 02"),
        ("+12025550143", "+1202*****43"),
        ("2025550143", "2025****43"),
        ("5550143", "555**43"),
    ],
)
def test_a_number_in_any_dress_is_masked(number: str, masked: str) -> None:
    assert mask_numbers(f"{number} waits: no room") == f"{masked} waits: no room"
    assert mask_numbers(f"sofia/gateway/trunk/{number}@x") == f"sofia/gateway/trunk/{masked}@x"
    assert mask_number(number) == masked


@pytest.mark.parametrize(
    "text",
    [
        "call 12345678-1234-4123-8123-123456789012: up",
        "2026-11-24T07:02:44.123Z",
        "listening on 192.168.100.200:8021",
        "104857600 bytes, 1234567 samples, 8000000 ms",
        "dialled 15, then 3949 and 118218",
        "0.123456789 of 1.2345678",
        "sha 0a1b2c3d4e5f60718293",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mask_numbers(text) == text


@given(st.from_regex(r"(\+[1-9]|0)[0-9]{8,13}", fullmatch=True), st.sampled_from(["", " ", "/", "'", "(", "«", ":"]))
def test_no_full_number_is_left(number: str, around: str) -> None:
    masked = mask_numbers(f"x{around or ' '}{number}{around} y")
    assert number.lstrip("+") not in masked
    assert len(re.sub(r"\D", "", masked)) <= len(number) - 2


@given(st.uuids())
def test_call_ids_are_told_whole(call_id: uuid.UUID) -> None:
    assert mask_numbers(f"call {call_id}: ended") == f"call {call_id}: ended"
