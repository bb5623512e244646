"""Arenas are bounded where the C library can be asked, before threads have their own."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest

from V3.asr import heap

# sixteen threads that each hold memory: as many arenas as there may be, told by glibc itself
COUNT_ARENAS = """
import ctypes, threading
from V3.asr.heap import bound_arenas
assert BOUND is False or bound_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
gate = threading.Barrier(17)
def hold():
    libc.malloc(ctypes.c_size_t(5000))
    gate.wait(30)
threads = [threading.Thread(target=hold) for _ in range(16)]
for thread in threads: thread.start()
gate.wait(30)
for thread in threads: thread.join()
libc.malloc_stats()
"""


def arenas(*, bound: bool) -> int:
    code = COUNT_ARENAS.replace("BOUND", str(bound))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_threads_share_two_arenas() -> None:
    assert arenas(bound=True) <= 2
    assert arenas(bound=False) > 2


@pytest.fixture
def asked_anew() -> Iterator[None]:
    heap.bound_arenas.cache_clear()
    yield
    heap.bound_arenas.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("error", [OSError("no library"), AttributeError("mallopt"), TypeError("no name")])
def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def none(_name: None) -> ctypes.CDLL:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none)
    assert not heap.bound_arenas()
