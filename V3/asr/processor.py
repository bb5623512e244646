"""The interface of whisper_streaming on our policies, for programs that were written for it.

One window of audio grows, is decoded again and again, and is trimmed at committed words. New programs do better with
:class:`V3.asr.online.StreamingSession`, which knows utterances and spends nothing on silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from V3.asr.hypothesis import PolicyName, join_words, new_policy
from V3.asr.transcript import DecodeKind, Decoder, DecodeRequest
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio
from V3.audio.tape import AudioTape
from V3.events import Word

__all__ = ["OnlineASRProcessor", "RecognizerASR", "WordsFromAudio"]

_HARD_WINDOW_S: Final = 28.0  # under Whisper's 30
_KEPT_WORDS: Final = 3


class WordsFromAudio(Protocol):
    """What :class:`OnlineASRProcessor` needs of a recogniser: words with times in ms from the start of ``audio``."""

    def transcribe(self, audio: Audio, init_prompt: str = "") -> Sequence[Word]: ...


class RecognizerASR:
    """A :class:`V3.asr.model.Recognizer` as :class:`OnlineASRProcessor` wants it."""

    def __init__(self, recognizer: Decoder, *, language: str = "fr") -> None:
        self._recognizer = recognizer
        self._language = language

    def transcribe(self, audio: Audio, init_prompt: str = "") -> Sequence[Word]:
        request = DecodeRequest("online", DecodeKind.PARTIAL, audio, language=self._language, prompt=init_prompt)
        return self._recognizer.decode([request])[0].words


class OnlineASRProcessor:
    """The interface of whisper_streaming's OnlineASRProcessor on our LocalAgreement (or AlignAtt, by ``policy``).

    Insert 16 kHz audio, call :meth:`process_iter` whenever a chunk's worth has arrived, and :meth:`finish` at the end.
    Each answers ``(beg_s, end_s, text)`` of what became certain, ``(None, None, "")`` for nothing. The buffer is
    trimmed at committed words from ``trim_after_s`` on, and in any case before 28 s. Unlike the original it decodes
    what arrived after the last ``process_iter`` before it finishes, and gives no prompt of its own text: a prompt
    makes a recogniser repeat itself more often than it helps.
    """

    def __init__(
        self,
        asr: WordsFromAudio,
        *,
        trim_after_s: float = 12.0,
        init_prompt: str = "",
        policy: PolicyName = "local_agreement",
    ) -> None:
        self._asr = asr
        self._policy = policy
        self._trim_after = int(trim_after_s * RATE_HZ)
        self._init_prompt = init_prompt
        self.init()

    def init(self, offset: float | None = None) -> None:
        """Start anew; ``offset`` is the time in seconds at which the audio begins."""
        self._offset_ms = round((offset or 0.0) * 1000)
        self._tape = AudioTape()
        self._start = 0
        self._agreement = new_policy(self._policy)
        self._decoded_to = 0

    def insert_audio_chunk(self, audio: Audio) -> None:
        """The next 16 kHz float32 samples."""
        self._tape.append(audio)

    def process_iter(self) -> tuple[float | None, float | None, str]:
        """Decode the buffer; the words on which this decode and the one before agree."""
        newly = self._take_overlong()
        newly += self._agreement.insert(
            self._decode(self._tape.end), heard_to_ms=self._offset_ms + self._decoded_to // SAMPLES_PER_MS
        )
        self._trim()
        return _span(newly)

    def finish(self) -> tuple[float | None, float | None, str]:
        """Decode what is new since the last :meth:`process_iter`; all that was not yet certain."""
        newly = self._take_overlong()
        if self._decoded_to < self._tape.end:
            newly += self._take_all(self._tape.end)
        newly += self._agreement.flush()
        return _span(newly)

    def _take_overlong(self) -> list[Word]:
        newly: list[Word] = []
        while self._tape.end - self._start > _HARD_WINDOW_S * RATE_HZ:
            newly += self._take_all(self._start + int(_HARD_WINDOW_S * RATE_HZ))
        return newly

    def _take_all(self, end: int) -> list[Word]:
        """Take every word up to sample ``end`` as certain; the buffer begins there now."""
        newly = list(self._agreement.flush(self._decode(end)))
        self._agreement = new_policy(self._policy)
        self._begin_at(end)
        return newly

    def _decode(self, end: int) -> list[Word]:
        self._decoded_to = end
        words = self._asr.transcribe(self._tape.cut(self._start, end), self._init_prompt)
        shift_ms = self._offset_ms + self._start // SAMPLES_PER_MS
        return [replace(word, start_ms=word.start_ms + shift_ms, end_ms=word.end_ms + shift_ms) for word in words]

    def _trim(self) -> None:
        """Begin the buffer at a committed word's end; a few stay, so that words cut by a wrong time are recognised."""
        committed = self._agreement.committed
        if self._tape.end - self._start <= self._trim_after or len(committed) <= _KEPT_WORDS:
            return
        at_ms = committed[-_KEPT_WORDS - 1].end_ms
        self._agreement.trim(at_ms)
        self._begin_at(max(self._start, (at_ms - self._offset_ms) * SAMPLES_PER_MS))

    def _begin_at(self, sample: int) -> None:
        self._start = sample
        self._tape.drop_before(sample)


def _span(words: Sequence[Word]) -> tuple[float | None, float | None, str]:
    if not words:
        return None, None, ""
    return words[0].start_ms / 1000, words[-1].end_ms / 1000, join_words(words)
