"""What tests of threads share."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """No decoding thread outlives the test that began it. Others' may run: a recogniser is shared by the session."""
    before = _decoding()
    yield
    gc.collect()
    assert _decoding() <= before


def _decoding() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("decode-")}
