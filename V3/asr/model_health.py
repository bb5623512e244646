"""When a model is to be loaded again: out of memory, failing again and again, or stalling twice in a row. A core.

A decode that succeeds makes everything well. Loading is tried again with back-off while nothing succeeds, so that a
machine without memory is not kept busy with loading.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ModelHealth", "is_out_of_memory"]

_FAILURES: Final = 5  # in a row: one caller's bad request fails once
_STALLS: Final = 2  # in a row: one stall is the machine's, whose other thread finds the model as it was
_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


def is_out_of_memory(error: BaseException) -> bool:
    """Of the processor (std::bad_alloc comes as MemoryError) or of a GPU, which only says so in words."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()


class ModelHealth:
    """Tell it how decodes went; times are given as ``now_s``, on any clock that does not go back."""

    def __init__(self) -> None:
        self._failures = self._stalls = 0
        self._wait_s = _WAIT_S
        self._not_before_s: float | None = None

    def heard(self) -> None:
        """A decode succeeded."""
        self._failures = self._stalls = 0
        self._wait_s, self._not_before_s = _WAIT_S, None

    def failed(self, error: BaseException, *, now_s: float) -> bool:
        """A decode raised. True: load the model again now."""
        self._failures = _FAILURES if is_out_of_memory(error) else self._failures + 1
        return self._failures >= _FAILURES and self._may_load(now_s)

    def stalled(self, *, now_s: float) -> bool:
        """A decode was given up. True: load the model again now."""
        self._stalls += 1
        return self._stalls >= _STALLS and self._may_load(now_s)

    def _may_load(self, now_s: float) -> bool:
        if self._not_before_s is not None and now_s < self._not_before_s:
            return False
        self._not_before_s = now_s + self._wait_s
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        return True
