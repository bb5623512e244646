"""Whisper on CTranslate2: a batch of requests in, a transcript for each out.

``faster_whisper.WhisperModel`` loads the files; its ``transcribe`` is not used, because it pads every request to
30 s, rebuilds its tokenizer each time and knows no batches of several callers. Here ``encode`` runs once per batch,
``generate`` reads its output, and ``align`` gives the words their times.

Requests that can share a batch have the same :meth:`Recognizer.bucket`: CTranslate2 wants equal frame counts (its
encoder has no length mask) and the start token at the same place in every row. A model that was trained for it
(``audio_context`` "auto") hears its window plus a margin, rounded up to whole seconds; any other needs Whisper's 30 s.
A short window whose text looks wrong (it loops, or is unlikely) is decoded once more with more silence after it, and
the likelier of the two is taken; partials are not, the next one comes soon enough.
"""

from __future__ import annotations

import functools
import logging
import math
import statistics
import time
import wave
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from V3.asr.alternatives import LATER_SAMPLES, is_short, on_cpu, score_phrases
from V3.asr.features import Features, assemble, log_mel
from V3.asr.hypothesis import join_words
from V3.asr.loading import (
    SHIPPED_MODEL,
    ModelFiles,
    find_model,
    load_whisper,
    resolve_compute_type,
    resolve_cpu_threads,
    resolve_device,
    resolve_workers,
)
from V3.asr.suspicion import Suppressed, cut_loops, silence_hallucination
from V3.asr.transcript import DETECT, EMPTY_TRANSCRIPT, MAX_REQUEST_S, DecodeKind, DecodeRequest, Task, Transcript
from V3.asr.word_times import timed_words
from V3.audio.pcm import PCM_SCALE, RATE_HZ, Audio, from_l16, peak, resample
from V3.errors import AudioError, ConfigError, ModelError, ModelSelfTestFailed
from V3.events import Word

__all__ = [
    "DETECT",
    "EMPTY_TRANSCRIPT",
    "MAX_REQUEST_S",
    "DecodeKind",
    "DecodeRequest",
    "Recognizer",
    "RecognizerInfo",
    "Transcript",
]

log = logging.getLogger(__name__)

AudioContext = Literal["model", "auto", "full", "forced"]

_SELF_TEST_WAV = Path(__file__).resolve().parent.parent / "models" / "selftest.wav"
_FRAME_SAMPLES: Final = RATE_HZ // 100  # Whisper's mel frames are 10 ms apart
_FULL_FRAMES: Final = MAX_REQUEST_S * 100
_FRAMES_STEP: Final = 100  # measured: 1 s steps give telephone-fr the WER of exact lengths, and larger batches
_MARGIN_FRAMES: Final = 30  # silence after the last word; without it the last word is cut more often
_AUDIBLE: Final = 2.5 / PCM_SCALE  # dither of one or two steps is silence
_MAX_PROMPT_TOKENS: Final = 100
_MAX_HOTWORD_TOKENS: Final = 50
_TOKENS_PER_S: Final = 20  # French needs about 5 pieces a second (10 at most) of a small vocabulary
_TIMED_S: Final = 2.5
_TIMED_TRIES, _TIMING_S = 5, 0.5  # at most, and the seconds spent on them, about
_WIDER_FRAMES: Final = 1000  # the least that a second decode hears, and twice what the first did
_DOUBTFUL_LOGPROB: Final = -1.0  # Whisper's own threshold for decoding again
_NO_SPEECH_PROB: Final = 0.6  # Whisper's own thresholds for silence
_NO_SPEECH_LOGPROB: Final = -1.0


@dataclass(frozen=True, slots=True)
class RecognizerInfo:
    """What was loaded; ``audio_context`` is ``auto`` (short windows) or ``full`` (always 30 s).

    ``workers`` batches run side by side, each on ``cpu_threads`` where the device is a CPU.
    """

    name: str
    device: str
    compute_type: str
    mel_bands: int
    audio_context: str
    cpu_threads: int
    workers: int = 1
    languages: tuple[str, ...] = ()
    """What it was trained for; empty: all that Whisper knows."""
    tasks: tuple[str, ...] = ()
    """The same of transcribe and translate."""
    rolling_prompt: bool = True
    """Whether what was said before helps it to hear what follows."""


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What rows of one batch have in common."""

    frames: int
    prompt_tokens: int
    language: str
    task: Task
    word_times: bool


class Recognizer:
    """One loaded model. Its methods may be called from several threads. ``load_again`` loads the same files anew."""

    def __init__(
        self,
        model: WhisperModel,
        info: RecognizerInfo,
        *,
        beam_size: int = 1,
        load_again: Callable[[], WhisperModel] | None = None,
    ) -> None:
        self._load_again = load_again
        self._whisper: ctranslate2.models.Whisper = model.model
        self._hf_tokenizer = model.hf_tokenizer
        self._tokenizers: dict[tuple[str, Task], Tokenizer] = {}
        self._any_language = _first_language(model)
        self._suppressed = [-1]  # what the model's config.json names
        self._beam_size = beam_size
        # on a CPU, a model for windows of 30 s is too slow to score fifty phrases
        self._weighs = info.audio_context == "auto" or info.device != "cpu"
        self.info = info

    @classmethod
    def load(
        cls,
        name: str = SHIPPED_MODEL,
        *,
        device: str = "auto",
        compute_type: str = "default",
        cpu_threads: int = 0,
        workers: int = 0,
        beam_size: int = 1,
        local_files_only: bool = False,
        audio_context: AudioContext = "model",
    ) -> Self:
        """Load ``telephone-fr``, a CTranslate2 directory or a faster-whisper name such as "small".

        ``audio_context`` "model" does what the model's voicebot.json says (30 s without one); "full" is always 30 s;
        "auto" is short windows, refused for a model that was not trained for them unless it is "forced". ``workers``
        is how many batches may run side by side; 0 lets the machine decide, as it does for ``cpu_threads``.
        ``beam_size``: hypotheses kept; 1 is greedy. Raises ModelNotFound, DeviceUnavailable, ModelError or ConfigError.
        """
        if beam_size < 1 or audio_context not in get_args(AudioContext):
            raise ConfigError(f"beam_size {beam_size} and audio_context {audio_context!r} cannot be used")
        files = find_model(name, local_files_only=local_files_only)
        context = _audio_context(files, audio_context)
        where = resolve_device(device)
        threads = resolve_cpu_threads(cpu_threads, files)
        side_by_side = resolve_workers(workers, device=where, cpu_threads=threads)
        compute = resolve_compute_type(compute_type, where)
        load = functools.partial(
            load_whisper, files, device=where, compute_type=compute, cpu_threads=threads, workers=side_by_side
        )
        model = load()
        info = replace(
            _describe(model, files, context),
            cpu_threads=threads,
            workers=side_by_side,
            languages=files.languages,
            tasks=files.tasks or _tasks(files.name),
            rolling_prompt=files.rolling_prompt,
        )
        return cls(model, info, beam_size=beam_size, load_again=load)

    def reload(self) -> None:
        """Load the model anew: one that ran out of memory, or whose decode never ends. Raises ModelError.

        Its memory is freed first, unless a decode holds it. A decode that began with the old model may fail.
        """
        if self._load_again is None:
            raise ModelError(f"model {self.info.name!r} was loaded elsewhere: it cannot be loaded again here")
        self._whisper.unload_model()
        self._whisper = self._load_again().model

    def check(self, language: str, task: Task = "transcribe") -> None:
        """Raises ConfigError, by name, for a language or a task that this model was not trained for."""
        info = self.info
        if info.languages and language not in info.languages and language != DETECT:
            raise ConfigError(f"model {info.name!r} hears {', '.join(info.languages)} only, not {language!r}")
        if task == "translate" and (not self._whisper.is_multilingual or "translate" not in (info.tasks or (task,))):
            raise ConfigError(f"model {info.name!r} was trained to transcribe only: it cannot translate")
        self._tokenizer(language, task)

    def bucket(self, request: DecodeRequest) -> Hashable:
        """Requests with equal buckets can be decoded in one batch.

        Raises AudioError for more than 30 s and ConfigError for a language the model does not have.
        """
        return self._bucket(request, wider=False)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Transcript]:
        """A transcript for each request, in their order; those of one bucket go through the model together.

        Audio without a sample above two steps of 16 bits is silence and costs nothing.
        """
        transcripts = self._pass(requests, wider=False)
        doubtful = [index for index, each in enumerate(transcripts) if self._looks_wrong(requests[index], each)]
        again = self._pass([requests[index] for index in doubtful], wider=True)
        for index, transcript in zip(doubtful, again, strict=True):
            transcripts[index] = replace(_better(transcripts[index], transcript), redone=True)
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

    def decode_time_s(self, *, rows: int = 1, workers: int = 1) -> float:
        """How long a decode of 2.5 s of speech takes here and now, per row of a batch of ``rows``.

        With ``workers`` at it side by side, as under load: cores that share their arithmetic are slower together. The
        best of some tries: what else a machine does as it starts shows soon enough in what decodes really take.
        """
        window = np.resize(_self_test_audio(), round(_TIMED_S * RATE_HZ))
        requests = [DecodeRequest(f"timing-{row}", DecodeKind.PARTIAL, window) for row in range(rows)]

        def timed(_worker: int) -> float:
            began = time.perf_counter()
            self.decode(requests)
            return (time.perf_counter() - began) / rows

        tries: list[float] = []
        with ThreadPoolExecutor(workers, thread_name_prefix="timing") as pool:
            while len(tries) < _TIMED_TRIES and sum(tries) * rows < _TIMING_S:
                tries.append(statistics.fmean(pool.map(timed, range(workers))))
        return min(tries)

    def _pass(self, requests: Sequence[DecodeRequest], *, wider: bool) -> list[Transcript]:
        groups: dict[_Bucket, list[int]] = {}
        for index, request in enumerate(requests):
            bucket = self._bucket(request, wider=wider)
            if peak(request.audio) > _AUDIBLE:
                groups.setdefault(bucket, []).append(index)
        transcripts = [_silent(request) for request in requests]
        for bucket, indices in groups.items():
            decoded = self._decode_bucket([requests[index] for index in indices], bucket)
            for index, transcript in zip(indices, decoded, strict=True):
                transcripts[index] = transcript
        return transcripts

    def _looks_wrong(self, request: DecodeRequest, transcript: Transcript) -> bool:
        if request.kind is DecodeKind.PARTIAL or self._frames(request, wider=False) == _FULL_FRAMES:
            return False
        looped = {Suppressed.LOOP, Suppressed.TOO_FAST}.intersection(transcript.suppressed)
        return bool(looped) or transcript.avg_logprob < _DOUBTFUL_LOGPROB

    def _bucket(self, request: DecodeRequest, *, wider: bool) -> _Bucket:
        tokens = self._prompt_tokens(request, request.language)
        frames = self._frames(request, wider=wider)
        return _Bucket(frames, len(tokens), request.language, request.task, request.word_times)

    def _frames(self, request: DecodeRequest, *, wider: bool) -> int:
        spoken = -(-request.audio.size // _FRAME_SAMPLES)
        if spoken > _FULL_FRAMES:
            raise AudioError(f"a request holds at most {MAX_REQUEST_S} s, not {request.duration_ms / 1000:.1f} s")
        if self.info.audio_context == "full":
            return _FULL_FRAMES
        frames = -(-(spoken + _MARGIN_FRAMES) // _FRAMES_STEP) * _FRAMES_STEP
        if frames == self.info.mel_bands:  # CTranslate2 would take the features for encoder output
            frames += _FRAMES_STEP
        return min(max(2 * frames, _WIDER_FRAMES) if wider else frames, _FULL_FRAMES)

    def _tokenizer(self, language: str, task: Task = "transcribe") -> Tokenizer:
        """The tokenizer of a language; of any, where it is still to be detected."""
        language = self._any_language if language == DETECT else language
        tokenizer = self._tokenizers.get((language, task))
        if tokenizer is None:
            if self._whisper.is_multilingual and self._hf_tokenizer.token_to_id(f"<|{language}|>") is None:
                raise ConfigError(f"model {self.info.name!r} has no language {language!r}")
            multilingual = bool(self._whisper.is_multilingual)
            tokenizer = Tokenizer(self._hf_tokenizer, multilingual, task=task, language=language)
            self._tokenizers[language, task] = tokenizer
        return tokenizer

    def _prompt_tokens(self, request: DecodeRequest, language: str) -> list[int]:
        tokenizer = self._tokenizer(language, request.task)
        expected = _encoded(tokenizer, request.hotwords)[:_MAX_HOTWORD_TOKENS]
        before = _encoded(tokenizer, request.prompt)[-_MAX_PROMPT_TOKENS:]
        tokens = [tokenizer.sot_prev, *expected, *before] if expected or before else []
        return [*tokens, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _languages(self, encoded: Any, requests: Sequence[DecodeRequest]) -> list[tuple[str, float]]:
        """Each request's language and how likely it is; detected, from the encoder's output, where it is asked for."""
        if requests[0].language != DETECT or not self._whisper.is_multilingual:
            return [(self._tokenizer(request.language, request.task).language_code, 1.0) for request in requests]
        best = [ranked[0] for ranked in self._whisper.detect_language(encoded)]
        return [(token.strip("<|>"), float(likelihood)) for token, likelihood in best]

    def _log_mel(self, request: DecodeRequest, frames: int) -> Features:
        if request.mel is not None and request.mel.shape[1] == self.info.mel_bands:
            return assemble(request.mel, frames=frames)
        return log_mel(request.audio, bands=self.info.mel_bands, frames=frames)

    def _decode_bucket(self, requests: Sequence[DecodeRequest], bucket: _Bucket) -> list[Transcript]:
        """All requests of one bucket, at once; one language for all of them, or all to be detected."""
        mel = np.stack([self._log_mel(request, bucket.frames) for request in requests])
        encoded = self._whisper.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel)))
        languages = self._languages(encoded, requests)
        results = self._whisper.generate(
            encoded,
            [self._prompt_tokens(request, code) for request, (code, _) in zip(requests, languages, strict=True)],
            beam_size=self._beam_size,
            max_length=self._max_length(requests, bucket),
            suppress_tokens=self._suppressed,
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokenizer = self._tokenizer(bucket.language, bucket.task)
        spoken = [_Spoken.of(result, tokenizer) for result in results]
        words = self._align(encoded, requests, spoken, tokenizer) if bucket.word_times else [()] * len(spoken)
        transcripts = [
            replace(_transcript(request, said, timed, tokenizer), language=code, language_prob=likelihood)
            for request, said, timed, (code, likelihood) in zip(requests, spoken, words, languages, strict=True)
        ]
        self._weigh(encoded, bucket.frames, requests, spoken, transcripts)
        return transcripts

    def _max_length(self, requests: Sequence[DecodeRequest], bucket: _Bucket) -> int:
        """A bound on what a looping decoder may cost. CTranslate2 halves what it is given, and counts the prompt."""
        seconds = max(request.duration_ms for request in requests) / 1000
        return min(448, 2 * (bucket.prompt_tokens + 16 + math.ceil(seconds * _TOKENS_PER_S)))

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
            timed_words(said.tokens, alignment, tokenizer, start_ms=request.start_ms) if said.tokens else ()
            for said, alignment, request in zip(spoken, alignments, requests, strict=True)
        ]

    def _weigh(
        self,
        encoded: Any,
        frames: int,
        requests: Sequence[DecodeRequest],
        spoken: Sequence[_Spoken],
        transcripts: list[Transcript],
    ) -> None:
        """Give the transcripts of short audio their alternatives, where phrases were expected."""
        short = [row for row, each in enumerate(requests) if each.expected and is_short(each)]
        if not short or not self._weighs:
            return
        try:
            hearings = np.stack((on_cpu(encoded)[short], self._hear_later([requests[row] for row in short], frames)))
            for at, row in enumerate(short):
                said, request = spoken[row], requests[row]
                tokenizer = self._tokenizer(transcripts[row].language, request.task)
                found = score_phrases(self._whisper, tokenizer, hearings[:, at], request, written=said.tokens)
                transcripts[row] = replace(transcripts[row], alternatives=found)
        except (RuntimeError, ValueError, AttributeError, LookupError) as exc:
            self._weighs = False  # a second opinion must not cost the first
            log.warning("few words are not weighed any more, this model cannot: %r", exc)

    def _hear_later(self, requests: Sequence[DecodeRequest], frames: int) -> Features:
        """The encoder's output for the requests' audio without its first samples: rows x positions x width."""
        bands = self.info.mel_bands
        mel = np.stack([log_mel(request.audio[LATER_SAMPLES:], bands=bands, frames=frames) for request in requests])
        return on_cpu(self._whisper.encode(ctranslate2.StorageView.from_array(mel)))


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One row of what ``generate`` gave."""

    tokens: list[int]
    avg_logprob: float
    no_speech_prob: float
    suppressed: tuple[Suppressed, ...] = ()

    @classmethod
    def of(cls, result: Any, tokenizer: Tokenizer) -> _Spoken:
        tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        # CTranslate2 divides by the tokens without the end token; Whisper's average counts it
        score = float(result.scores[0]) * len(tokens) / (len(tokens) + 1) if tokens else 0.0
        spoken = cls(tokens, score, float(result.no_speech_prob))
        if spoken.no_speech_prob > _NO_SPEECH_PROB and spoken.avg_logprob < _NO_SPEECH_LOGPROB:
            return cls([], 0.0, spoken.no_speech_prob, (Suppressed.NO_SPEECH,))
        text = tokenizer.decode(tokens)
        if silence_hallucination(text, no_speech_prob=spoken.no_speech_prob):
            return cls([], 0.0, spoken.no_speech_prob, (Suppressed.HALLUCINATION,))
        return spoken


def _audio_context(files: ModelFiles, wanted: AudioContext) -> Literal["auto", "full"]:
    """Short windows or 30 s. Raises ConfigError for short ones that the model was not trained for."""
    if wanted == "auto" and files.audio_context != "auto":
        raise ConfigError(
            f"audio_context auto (short windows) was asked of model {files.name!r}, which was trained on windows of "
            '30 s only: with less it loops or leaves words out. Use "full", take a checkpoint trained for short '
            'windows (telephone-fr; ACFT checkpoints, converted with --short-context), or pass "forced" to try it'
        )
    if wanted == "model":
        return files.audio_context
    return "full" if wanted == "full" else "auto"


def _describe(model: WhisperModel, files: ModelFiles, audio_context: Literal["auto", "full"]) -> RecognizerInfo:
    return RecognizerInfo(
        name=files.name,
        device=str(model.model.device),
        compute_type=str(model.model.compute_type),
        mel_bands=int(model.model.n_mels),
        audio_context=audio_context,
        cpu_threads=1,
    )


def _tasks(name: str) -> tuple[str, ...]:
    """Checkpoints known by name to have been trained without translation; nothing is known of others."""
    name = Path(name).name
    return ("transcribe",) if "turbo" in name or "distil" in name else ()


def _first_language(model: WhisperModel) -> str:
    """A language that the model has: French, or else the first of its tokenizer, after the start token."""
    tokenizer = model.hf_tokenizer
    first = tokenizer.id_to_token(tokenizer.token_to_id("<|startoftranscript|>") + 1) or ""
    return "fr" if tokenizer.token_to_id("<|fr|>") is not None else first.strip("<|>")


def _encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(" " + text.strip())) if text.strip() else []


def _silent(request: DecodeRequest) -> Transcript:
    duration_s = request.duration_ms / 1000
    return Transcript("", (), duration_s, request.language, 0.0, 1.0, suppressed=(Suppressed.INAUDIBLE,))


def _better(first: Transcript, second: Transcript) -> Transcript:
    """The one that does not loop; of two alike the likelier."""

    def sound(transcript: Transcript) -> tuple[bool, float]:
        return not transcript.suppressed, transcript.avg_logprob

    return second if sound(second) > sound(first) else first


def _transcript(request: DecodeRequest, said: _Spoken, words: tuple[Word, ...], tokenizer: Tokenizer) -> Transcript:
    suppressed = said.suppressed
    if words:
        words, cut = cut_loops(words, duration_ms=request.duration_ms)
        suppressed += cut
    text = join_words(words) if words else tokenizer.decode(said.tokens).strip()
    duration_s = request.duration_ms / 1000
    return Transcript(
        text, words, duration_s, avg_logprob=said.avg_logprob, no_speech_prob=said.no_speech_prob, suppressed=suppressed
    )


def _self_test_audio() -> Audio:
    with wave.open(str(_SELF_TEST_WAV), "rb") as recording:
        rate_hz = recording.getframerate()
        samples = from_l16(recording.readframes(recording.getnframes()))
    return resample(samples, from_hz=rate_hz, to_hz=RATE_HZ)
