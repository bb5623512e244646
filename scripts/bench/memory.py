"""How much a stream holds: the bytes of all objects reachable from it, arrays included, shared ones left out.

Working memory of a decode in progress is not among them: that belongs to the worker, not to the stream.
"""

from __future__ import annotations

import gc
import io
import logging
import sys
import types
from collections.abc import Iterable
from enum import Enum

import numpy as np

__all__ = ["held_bytes"]

_SHARED_KINDS = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    logging.Logger,
    io.IOBase,
    Enum,
    np.dtype,
)


def held_bytes(roots: Iterable[object], shared: Iterable[object] = ()) -> int:
    """Bytes of what is reachable from ``roots`` without passing through ``shared``, classes, functions or files."""
    apart = list(shared)  # kept, so that no id is used again
    seen = {id(thing) for thing in apart}
    todo = list(roots)
    total = 0
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, _SHARED_KINDS):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        todo += gc.get_referents(thing)
        if isinstance(thing, np.ndarray) and thing.base is not None:
            todo.append(thing.base)
    return total
