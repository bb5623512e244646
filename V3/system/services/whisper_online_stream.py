"""The single stream through somebody's installed ``whisper_online`` module, for comparison with our own engine.

whisper_streaming has no package of its authors: ``whisper_online.py`` from their repository must lie on PYTHONPATH.
It decodes in the caller's thread, once per second of audio as its own server does, and knows no utterances: text is
final as soon as it is committed.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from V3.asr.processor import RecognizerASR
from V3.asr.transcript import Decoder, Transcript
from V3.audio.pcm import RATE_HZ, Audio, as_frame
from V3.errors import ModelNotFound
from V3.events import Word

__all__ = ["WhisperOnlineStream"]

_CHUNK_SAMPLES: Final = RATE_HZ  # whisper_streaming's default --min-chunk-size


class _Backend(RecognizerASR):
    """Our recogniser as whisper_online expects a backend: the names of its ASRBase."""

    sep = " "

    def ts_words(self, words: list[Word]) -> list[tuple[float, float, str]]:
        return [(word.start_ms / 1000, word.end_ms / 1000, word.text) for word in words]

    def segments_end_ts(self, words: list[Word]) -> list[float]:
        return [words[-1].end_ms / 1000] if words else []


class WhisperOnlineStream:
    """``process_chunk``, ``finish`` and ``reset`` on whisper_online's OnlineASRProcessor."""

    def __init__(self, recognizer: Decoder, *, language: str = "fr") -> None:
        try:
            module = importlib.import_module("whisper_online")
        except ImportError as exc:
            raise ModelNotFound(
                "engine whisper_online: the module cannot be imported. Put whisper_online.py of "
                'github.com/ufal/whisper_streaming (and what it imports) on PYTHONPATH, or use engine="voicebot"'
            ) from exc
        self._processor: Any = module.OnlineASRProcessor(_Backend(recognizer, language=language))
        self._language = language
        self._texts: list[str] = []
        self._samples = 0
        self._waiting = 0

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        audio: Audio = as_frame(frame)
        self._processor.insert_audio_chunk(audio)
        self._samples += audio.size
        self._waiting += audio.size
        if self._waiting < _CHUNK_SAMPLES:
            return "", False
        self._waiting = 0
        text = self._note(self._processor.process_iter())
        return text, bool(text)

    def end_utterance(self) -> str:
        """Commit what is left and begin anew at this time; the newly committed text."""
        text = self._note(self._processor.finish())
        self._processor.init(self._samples / RATE_HZ)
        self._waiting = 0
        return text

    def finish(self) -> Transcript:
        self._note(self._processor.finish())
        return Transcript(" ".join(self._texts), (), self._samples / RATE_HZ, self._language)

    def reset(self) -> None:
        self._processor.init()
        self._texts.clear()
        self._samples = self._waiting = 0

    def _note(self, committed: tuple[float | None, float | None, str]) -> str:
        text = committed[2].strip()
        if text:
            self._texts.append(text)
        return text
