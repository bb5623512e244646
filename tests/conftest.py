"""What all rooms of tests share. Its place puts ``tests/`` on the import path, for the helpers beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


@pytest.fixture(scope="session")
def stt() -> Iterator[WhisperStreamingSTT]:
    """One recogniser for all: loading it is what takes time."""
    with WhisperStreamingSTT("telephone-fr", "cpu", "default") as loaded:
        yield loaded
