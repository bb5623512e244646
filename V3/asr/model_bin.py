"""The headers of a CTranslate2 model.bin: names, shapes and number formats of its tensors, never their contents.

The file is a count and then, for each tensor, its name, shape, type, length in bytes and contents; then the names of
those that equal another (CTranslate2's ``ModelSpec._serialize``, binary versions 4 to 6). Contents are skipped, so
that a model of 3 GB takes milliseconds.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from V3.errors import ModelError

__all__ = ["ModelBin", "read_model_bin"]

_VERSIONS: Final = range(4, 7)
_TYPES: Final = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
_CONV: Final = "encoder/conv1/weight"
_MATRIX: Final = "decoder/embeddings/weight"
_REST: Final = "decoder/layer_norm/gamma"
_UNTRAINED: Final = ("_scale", "encoder/position_encodings/encodings")


@dataclass(frozen=True, slots=True)
class ModelBin:
    """What the headers tell of a Whisper. ``quantization`` is CTranslate2's name, such as int8 or int8_float16.

    ``parameters`` are those that were trained: not the scales of 8-bit rows, nor the encoder's fixed positions.
    """

    parameters: int
    mel_bands: int
    quantization: str


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    dtype: str


def read_model_bin(path: Path) -> ModelBin:
    """Raises ModelError for a file that is cut off, or no Whisper of CTranslate2's; OSError when it cannot be read."""
    try:
        with path.open("rb") as file:
            tensors = _tensors(file, size_bytes=path.stat().st_size)
            same = _aliases(file)
        conv, matrix, rest = (tensors[same.get(name, name)] for name in (_CONV, _MATRIX, _REST))
        bands = conv.shape[1]
    except (struct.error, UnicodeDecodeError, IndexError, KeyError) as exc:
        raise ModelError(f"{path} is cut off, or no Whisper of CTranslate2's") from exc
    counted = (math.prod(each.shape) for name, each in tensors.items() if each.shape and not name.endswith(_UNTRAINED))
    plain = matrix.dtype == rest.dtype or (matrix.dtype, rest.dtype) == ("int8", "float32")
    return ModelBin(sum(counted), bands, matrix.dtype if plain else f"{matrix.dtype}_{rest.dtype}")


def _tensors(file: BinaryIO, *, size_bytes: int) -> dict[str, _Tensor]:
    version = _number(file, "I")
    if version not in _VERSIONS or _text(file) != "WhisperSpec":
        raise KeyError("WhisperSpec")
    _number(file, "I")  # the specification's revision
    found = {}
    for _ in range(_number(file, "I")):
        name = _text(file)
        shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
        found[name] = _Tensor(shape, _TYPES[_number(file, "B")])
        if file.seek(_number(file, "I"), 1) > size_bytes:
            raise IndexError(name)
    return found


def _aliases(file: BinaryIO) -> dict[str, str]:
    """Tensors that equal another one are written once: all ones, say, or an output layer tied to the embedding."""
    return {_text(file): _text(file) for _ in range(_number(file, "I"))}


def _number(file: BinaryIO, kind: str) -> int:
    return int(struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0])


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).rstrip(b"\0").decode()
