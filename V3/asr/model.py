"""Whisper on CTranslate2: a batch of requests in, a transcript for each out.

``faster_whisper.WhisperModel`` loads the files; its ``transcribe`` is not used, because it pads every request to
30 s, rebuilds its tokenizer each time and knows no batches of several callers. Here ``encode`` runs once per batch,
``generate`` reads its output, and ``align`` gives the words their times.

Requests that can share a batch have the same :meth:`Recognizer.bucket`: CTranslate2 wants equal frame counts (its
encoder has no length mask) and the start token at the same place in every row. A model that was trained for it
(``audio_context`` "auto") hears its window plus a margin, rounded up to whole seconds; any other needs Whisper's 30 s.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from V3.asr.features import Features, assemble, log_mel
from V3.asr.hypothesis import cut_loops, join_words
from V3.asr.loading import (
    SHIPPED_MODEL,
    ModelFiles,
    find_model,
    load_whisper,
    resolve_compute_type,
    resolve_cpu_threads,
    resolve_device,
)
from V3.asr.transcript import EMPTY_TRANSCRIPT, MAX_REQUEST_S, DecodeKind, DecodeRequest, Transcript
from V3.audio.pcm import PCM_SCALE, RATE_HZ, Audio, from_l16, peak, resample
from V3.errors import AudioError, ConfigError, ModelSelfTestFailed
from V3.events import Word

__all__ = [
    "EMPTY_TRANSCRIPT",
    "MAX_REQUEST_S",
    "DecodeKind",
    "DecodeRequest",
    "Recognizer",
    "RecognizerInfo",
    "Transcript",
]

AudioContext = Literal["model", "auto", "full"]

_SELF_TEST_WAV = Path(__file__).resolve().parent.parent / "models" / "selftest.wav"
_FRAME_SAMPLES: Final = RATE_HZ // 100  # Whisper's mel frames are 10 ms apart
_FULL_FRAMES: Final = MAX_REQUEST_S * 100
_FRAMES_STEP: Final = 100  # measured: 1 s steps give telephone-fr the WER of exact lengths, and larger batches
_MARGIN_FRAMES: Final = 30  # silence after the last word; without it the last word is cut more often
_AUDIBLE: Final = 2.5 / PCM_SCALE  # dither of one or two steps is silence
_MAX_PROMPT_TOKENS: Final = 100
_TOKENS_PER_S: Final = 20  # French needs about 5 pieces a second (10 at most) of a small vocabulary
_NO_SPEECH_PROB: Final = 0.6  # Whisper's own thresholds for silence
_NO_SPEECH_LOGPROB: Final = -1.0


@dataclass(frozen=True, slots=True)
class RecognizerInfo:
    """What was loaded; ``audio_context`` is ``auto`` (short windows) or ``full`` (always 30 s)."""

    name: str
    device: str
    compute_type: str
    mel_bands: int
    audio_context: str
    cpu_threads: int


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What rows of one batch have in common."""

    frames: int
    prompt_tokens: int
    language: str
    word_times: bool


class Recognizer:
    """One loaded model. Its methods may be called from several threads."""

    def __init__(self, model: WhisperModel, info: RecognizerInfo, *, beam_size: int = 1) -> None:
        self._whisper: ctranslate2.models.Whisper = model.model
        self._hf_tokenizer = model.hf_tokenizer
        self._tokenizers: dict[str, Tokenizer] = {}
        self._beam_size = beam_size
        self.info = info

    @classmethod
    def load(
        cls,
        name: str = SHIPPED_MODEL,
        *,
        device: str = "auto",
        compute_type: str = "default",
        cpu_threads: int = 0,
        workers: int = 1,
        beam_size: int = 1,
        local_files_only: bool = False,
        audio_context: AudioContext = "model",
    ) -> Self:
        """Load ``telephone-fr``, a CTranslate2 directory or a faster-whisper name such as "small".

        ``audio_context`` "model" does what the model's voicebot.json says (30 s without one). ``workers`` is how many
        batches CTranslate2 may run side by side. Raises ModelNotFound, DeviceUnavailable, ModelError or ConfigError.
        """
        if beam_size < 1 or audio_context not in ("model", "auto", "full"):
            raise ConfigError(f"beam_size {beam_size} and audio_context {audio_context!r} cannot be used")
        files = find_model(name, local_files_only=local_files_only)
        where = resolve_device(device)
        threads = resolve_cpu_threads(cpu_threads, files)
        compute = resolve_compute_type(compute_type, where)
        model = load_whisper(files, device=where, compute_type=compute, cpu_threads=threads, workers=workers)
        return cls(model, _describe(model, files, audio_context, threads), beam_size=beam_size)

    def bucket(self, request: DecodeRequest) -> Hashable:
        """Requests with equal buckets can be decoded in one batch.

        Raises AudioError for more than 30 s and ConfigError for a language the model does not have.
        """
        return self._bucket(request)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        """A transcript for each request, in their order; those of one bucket go through the model together.

        Audio without a sample above two steps of 16 bits is silence and costs nothing.
        """
        groups: dict[_Bucket, list[int]] = {}
        for index, request in enumerate(requests):
            bucket = self._bucket(request)
            if peak(request.audio) > _AUDIBLE:
                groups.setdefault(bucket, []).append(index)
        transcripts = [_silent(request) for request in requests]
        for bucket, indices in groups.items():
            decoded = self._decode_bucket([requests[index] for index in indices], bucket)
            for index, transcript in zip(indices, decoded, strict=True):
                transcripts[index] = transcript
        return transcripts

    def self_test(self) -> Transcript:
        """Hear the bundled word. Raises ModelSelfTestFailed when no text comes out."""
        request = DecodeRequest("self-test", DecodeKind.ANSWER, _self_test_audio())
        transcript = self.decode([request])[0]
        if not transcript.text:
            raise ModelSelfTestFailed(
                f"model {self.info.name!r} loads but hears nothing in the bundled word: its files may be damaged, or "
                'it was not trained for short windows (then pass audio_context="full")'
            )
        return transcript

    def _bucket(self, request: DecodeRequest) -> _Bucket:
        tokens = self._prompt_tokens(request)
        return _Bucket(self._frames(request), len(tokens), request.language, request.word_times)

    def _frames(self, request: DecodeRequest) -> int:
        spoken = -(-request.audio.size // _FRAME_SAMPLES)
        if spoken > _FULL_FRAMES:
            raise AudioError(f"a request holds at most {MAX_REQUEST_S} s, not {request.duration_ms / 1000:.1f} s")
        if self.info.audio_context == "full":
            return _FULL_FRAMES
        frames = -(-(spoken + _MARGIN_FRAMES) // _FRAMES_STEP) * _FRAMES_STEP
        if frames == self.info.mel_bands:  # CTranslate2 would take the features for encoder output
            frames += _FRAMES_STEP
        return min(frames, _FULL_FRAMES)

    def _tokenizer(self, language: str) -> Tokenizer:
        tokenizer = self._tokenizers.get(language)
        if tokenizer is None:
            if self._whisper.is_multilingual and self._hf_tokenizer.token_to_id(f"<|{language}|>") is None:
                raise ConfigError(f"model {self.info.name!r} has no language {language!r}")
            multilingual = bool(self._whisper.is_multilingual)
            tokenizer = Tokenizer(self._hf_tokenizer, multilingual, task="transcribe", language=language)
            self._tokenizers[language] = tokenizer
        return tokenizer

    def _prompt_tokens(self, request: DecodeRequest) -> list[int]:
        tokenizer = self._tokenizer(request.language)
        tokens: list[int] = []
        if request.prompt.strip():
            tokens = [tokenizer.sot_prev, *tokenizer.encode(" " + request.prompt.strip())[-_MAX_PROMPT_TOKENS:]]
        return [*tokens, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _log_mel(self, request: DecodeRequest, frames: int) -> Features:
        if request.mel is not None and request.mel.shape[1] == self.info.mel_bands:
            return assemble(request.mel, frames=frames)
        return log_mel(request.audio, bands=self.info.mel_bands, frames=frames)

    def _decode_bucket(self, requests: Sequence[DecodeRequest], bucket: _Bucket) -> list[Transcript]:
        mel = np.stack([self._log_mel(request, bucket.frames) for request in requests])
        encoded = self._whisper.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel)))
        results = self._whisper.generate(
            encoded,
            [self._prompt_tokens(request) for request in requests],
            beam_size=self._beam_size,
            max_length=_max_length(requests, bucket),
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokenizer = self._tokenizer(bucket.language)
        spoken = [_Spoken.of(result, tokenizer) for result in results]
        words = self._align(encoded, requests, spoken, tokenizer) if bucket.word_times else [()] * len(spoken)
        return [
            _transcript(request, said, timed, tokenizer)
            for request, said, timed in zip(requests, spoken, words, strict=True)
        ]

    def _align(
        self, encoded: Any, requests: Sequence[DecodeRequest], spoken: Sequence[_Spoken], tokenizer: Tokenizer
    ) -> list[tuple[Word, ...]]:
        if not any(said.tokens for said in spoken):
            return [()] * len(spoken)
        alignments = self._whisper.align(
            encoded,
            tokenizer.sot_sequence,
            [said.tokens for said in spoken],
            [max(2, request.audio.size // _FRAME_SAMPLES) for request in requests],
        )
        return [
            _timed_words(said.tokens, alignment, request, tokenizer) if said.tokens else ()
            for said, alignment, request in zip(spoken, alignments, requests, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One row of what ``generate`` gave."""

    tokens: list[int]
    avg_logprob: float
    no_speech_prob: float

    @classmethod
    def of(cls, result: Any, tokenizer: Tokenizer) -> _Spoken:
        tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        # CTranslate2 divides by the tokens without the end token; Whisper's average counts it
        score = float(result.scores[0]) * len(tokens) / (len(tokens) + 1) if tokens else 0.0
        spoken = cls(tokens, score, float(result.no_speech_prob))
        if spoken.no_speech_prob > _NO_SPEECH_PROB and spoken.avg_logprob < _NO_SPEECH_LOGPROB:
            return cls([], 0.0, spoken.no_speech_prob)
        return spoken


def _describe(model: WhisperModel, files: ModelFiles, audio_context: AudioContext, cpu_threads: int) -> RecognizerInfo:
    return RecognizerInfo(
        name=files.name,
        device=str(model.model.device),
        compute_type=str(model.model.compute_type),
        mel_bands=int(model.model.n_mels),
        audio_context=files.audio_context if audio_context == "model" else audio_context,
        cpu_threads=cpu_threads,
    )


def _silent(request: DecodeRequest) -> Transcript:
    return Transcript("", (), request.duration_ms / 1000, request.language, 0.0, 1.0)


def _max_length(requests: Sequence[DecodeRequest], bucket: _Bucket) -> int:
    """A bound on what a looping decoder may cost. CTranslate2 halves what it is given, and counts the prompt."""
    seconds = max(request.duration_ms for request in requests) / 1000
    return min(448, 2 * (bucket.prompt_tokens + 16 + math.ceil(seconds * _TOKENS_PER_S)))


def _transcript(request: DecodeRequest, said: _Spoken, words: tuple[Word, ...], tokenizer: Tokenizer) -> Transcript:
    if words:
        words = cut_loops(words, duration_ms=request.duration_ms)
    text = join_words(words) if words else tokenizer.decode(said.tokens).strip()
    return Transcript(text, words, request.duration_ms / 1000, request.language, said.avg_logprob, said.no_speech_prob)


def _timed_words(tokens: list[int], alignment: Any, request: DecodeRequest, tokenizer: Tokenizer) -> tuple[Word, ...]:
    """Words with times from attention, as in faster-whisper's find_alignment (after Whisper's timing.py)."""
    texts, pieces = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    pairs = np.asarray(alignment.alignments)
    first_of_token = np.diff(pairs[:, 0], prepend=-1) > 0
    times_ms = pairs[first_of_token, 1] * 20 + request.start_ms
    ends = np.minimum(np.cumsum([len(piece) for piece in pieces[:-1]]), len(times_ms) - 1)
    words: list[Word] = []
    begin = 0
    for text, end in zip(texts, ends.tolist(), strict=False):
        confidence = float(np.mean(alignment.text_token_probs[begin:end])) if end > begin else 0.0
        start_ms = int(times_ms[min(begin, len(times_ms) - 1)])
        _append(words, Word(text, start_ms, int(times_ms[end]), round(confidence, 3)))
        begin = end
    return tuple(words)


def _append(words: list[Word], word: Word) -> None:
    """Add a word as Whisper spells it, with its leading space or without.

    Without one it goes on the word before ("vous" on "êtes-"), and so does punctuation alone (" ?" on "allô").
    """
    if words and (not word.text.startswith(" ") or not any(letter.isalnum() for letter in word.text)):
        last = words[-1]
        words[-1] = Word(last.text + word.text, last.start_ms, max(last.end_ms, word.end_ms), last.confidence)
    elif word.text.strip():
        words.append(replace(word, text=word.text.strip()))


def _self_test_audio() -> Audio:
    with wave.open(str(_SELF_TEST_WAV), "rb") as recording:
        rate_hz = recording.getframerate()
        samples = from_l16(recording.readframes(recording.getnframes()))
    return resample(samples, from_hz=rate_hz, to_hz=RATE_HZ)
