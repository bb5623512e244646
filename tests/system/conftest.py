"""One recogniser for all tests of the robot: loading it is what takes time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


@pytest.fixture(scope="session")
def stt() -> Iterator[WhisperStreamingSTT]:
    with WhisperStreamingSTT("telephone-fr", "cpu", "default") as loaded:
        yield loaded
