"""NumPy's .npy bytes as float32 mono audio, read without NumPy's reader. A core.

numpy.load would obey the header: unpickle where it is allowed to, and make room for whatever shape it claims. Here
the header is only matched: float32, little-endian, one dimension, and just as many bytes as that takes.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from V3.audio.pcm import Audio, as_audio
from V3.errors import AudioError, WireError

__all__ = ["audio_from_npy"]

_MAGIC: Final = b"\x93NUMPY"
_MAX_HEADER_BYTES: Final = 4096
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]{1,16})['"]""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(\s*((?:\d{1,12}\s*,?\s*){0,8})\)""", re.ASCII)


def audio_from_npy(data: bytes) -> Audio:
    """The samples. Raises WireError that names what was given instead."""
    header, start = _header(data)
    found = _DESCR.search(header)
    if found is None:
        raise WireError("an .npy without one plain type of value: float32 is taken")
    if found[1] != "<f4":
        why = " (pickled objects are never read)" if "O" in found[1] else ""
        raise WireError(f"an .npy of type {found[1]}{why}: float32 ('<f4') is taken")
    shape = _SHAPE.search(header)
    sizes = [int(part) for part in re.split(r"[\s,]+", shape[1]) if part] if shape else []
    if len(sizes) != 1:
        raise WireError(f"an .npy of {len(sizes)} dimensions: mono audio has 1")
    if len(data) - start != 4 * sizes[0]:
        raise WireError(f"an .npy of {sizes[0]} samples with {len(data) - start} bytes of them")
    try:
        return as_audio(np.frombuffer(data, "<f4", offset=start).astype(np.float32))
    except AudioError as exc:
        raise WireError(str(exc)) from exc


def _header(data: bytes) -> tuple[str, int]:
    """The header's text, and where the values begin."""
    if len(data) < 10 or not data.startswith(_MAGIC):
        raise WireError("bytes that are no .npy: numpy.save writes what is taken")
    if data[6] not in (1, 2, 3):
        raise WireError(f"an .npy of version {data[6]}; 1 to 3 are taken")
    start = 10 if data[6] == 1 else 12
    size = int.from_bytes(data[8:start], "little")
    if size > _MAX_HEADER_BYTES or len(data) < start + size:
        raise WireError(f"an .npy whose header of {size} bytes is not whole, or too long")
    return data[start : start + size].decode("latin-1"), start + size
