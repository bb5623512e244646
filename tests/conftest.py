"""What all rooms of tests share. Its place puts ``tests/`` on the import path, for the helpers beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from patient_loop import PatientRecognizer

from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

settings.register_profile("patient", deadline=None)  # speed is measured by scripts/bench_*.py, never asserted
settings.load_profile("patient")


@pytest.fixture(scope="session")
def stt() -> Iterator[WhisperStreamingSTT]:
    """One recogniser for all: loading it is what takes time."""
    with WhisperStreamingSTT(recognizer=PatientRecognizer.load(device="cpu")) as loaded:
        yield loaded


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test begins first, so that other workers run the rest meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)
