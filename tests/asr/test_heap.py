"""Freed memory goes back to the system, where the C library can be asked."""

from __future__ import annotations

import ctypes
import gc
import platform

import numpy as np
import psutil
import pytest

from V3.asr import heap

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


@on_glibc
def test_arenas_are_bounded_once() -> None:
    assert heap.bound_arenas()
    assert heap.bound_arenas()


@on_glibc
def test_free_blocks_between_used_ones_go_back() -> None:
    """Blocks below glibc's own threshold for giving back whole mappings, with one in use after every hundred."""
    process = psutil.Process()
    blocks = [np.ones(60_000, dtype=np.uint8) for _ in range(4000)]  # 240 MB
    kept = blocks[::100]
    before = process.memory_info().rss
    del blocks
    gc.collect()
    heap.trim()
    assert before - process.memory_info().rss > 150e6
    assert len(kept) == 40


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: None) -> ctypes.CDLL:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", none)
    heap._glibc.cache_clear()
    heap.bound_arenas.cache_clear()
    try:
        assert not heap.trim()
        assert not heap.bound_arenas()
    finally:
        heap._glibc.cache_clear()
        heap.bound_arenas.cache_clear()
