"""espeak-ng through its C library: speech with the exact time of every word.

The library's word events give each word's place in the text and its start in the audio; the command line tool does
not. One process holds one engine (the library is a singleton), so parallel synthesis uses processes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Engine", "EspeakMissing", "Prosody", "Speech", "WordTime", "engine", "words_of"]

_SYNCHRONOUS: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when the callback has had everything
_POS_CHARACTER: Final = 1
_UTF8: Final = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_EVENT_WORD: Final = 1
_SILENCE: Final = 60  # of 32768: below this a word has ended


class EspeakMissing(RuntimeError):
    """libespeak-ng is not installed (Debian: apt install espeak-ng)."""


class _Event(ctypes.Structure):
    _fields_: Final[Sequence[tuple[str, Any]]] = [  # type: ignore[misc]
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Prosody:
    """How to speak: a voice such as "fr-be+f3", words per minute, pitch and its range (0..99)."""

    voice: str = "fr"
    rate_wpm: int = 175
    pitch: int = 50
    pitch_range: int = 50


@dataclass(frozen=True, slots=True)
class WordTime:
    """A run of the text that espeak speaks as one word ("allô ?", "je ne"): characters and samples, end exclusive."""

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Speech:
    """int16 samples at ``rate_hz`` and when each word was said."""

    samples: NDArray[np.int16]
    rate_hz: int
    words: tuple[WordTime, ...]


class Engine:
    """The library, initialised. Not thread-safe."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise EspeakMissing("libespeak-ng is not installed (Debian: apt install espeak-ng)")
        self._library = ctypes.CDLL(name)
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0))
        if self.rate_hz <= 0:
            raise EspeakMissing("espeak-ng does not find its data")
        self._blocks: list[NDArray[np.int16]] = []
        self._starts: list[tuple[int, int]] = []  # character (from 0), sample
        self._callback = _Callback(self._heard)
        self._library.espeak_SetSynthCallback(self._callback)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        index = 0
        while events[index].type != 0:
            if events[index].type == _EVENT_WORD:
                start = events[index].audio_position * self.rate_hz // 1000
                self._starts.append((events[index].text_position - 1, start))
            index += 1
        return 0

    def say(self, text: str, prosody: Prosody) -> Speech:
        """Speak. Raises ValueError when the voice is unknown or nothing was said."""
        library = self._library
        if library.espeak_SetVoiceByName(prosody.voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {prosody.voice!r}")
        for parameter, value in ((_RATE, prosody.rate_wpm), (_PITCH, prosody.pitch), (_RANGE, prosody.pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        self._blocks, self._starts = [], []
        data = text.encode() + b"\0"
        library.espeak_Synth(data, len(data), 0, _POS_CHARACTER, 0, _UTF8, None, None)
        if not self._blocks or not self._starts:
            raise ValueError(f"espeak-ng said nothing for {text!r}")
        samples = np.concatenate(self._blocks)
        return Speech(samples, self.rate_hz, words_of(text, self._starts, samples))


def words_of(text: str, starts: Sequence[tuple[int, int]], samples: NDArray[np.int16]) -> tuple[WordTime, ...]:
    """Words of the text with their samples; words without an event of their own join the one before.

    A word ends where the next begins, less the silence between them (a comma's pause is not speech).
    """
    runs: list[list[int]] = []  # first character, last character (exclusive), sample
    for found in re.finditer(r"\S+", text):
        own = [sample for character, sample in starts if found.start() <= character < found.end()]
        if own or not runs:
            runs.append([found.start(), found.end(), own[0] if own else 0])
        else:
            runs[-1][1] = found.end()
    words = []
    for index, (first, last, start) in enumerate(runs):
        limit = runs[index + 1][2] if index + 1 < len(runs) else len(samples)
        words.append(WordTime(text[first:last], start, max(start, _sounding_end(samples, start, limit))))
    return tuple(words)


def _sounding_end(samples: NDArray[np.int16], start: int, limit: int) -> int:
    loud = np.flatnonzero(np.abs(samples[start:limit]) > _SILENCE)
    return start + int(loud[-1]) + 1 if loud.size else limit


@cache
def engine() -> Engine:
    """The engine of this process. Raises EspeakMissing."""
    return Engine()
