"""FasterWhisperSTT: whole pieces of audio to text. The batch half of speech-to-text, without streams.

It has no ``process_chunk`` on purpose: the audio server looks for that name, and without it falls back to windows of
800 ms every 200 ms. :class:`~V3.system.services.whisper_streaming_stt.WhisperStreamingSTT` adds the streams.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from V3.asr.batcher import Batcher
from V3.asr.hypothesis import PolicyName
from V3.asr.load import LoadMeter
from V3.asr.loading import SHIPPED_MODEL
from V3.asr.model import Recognizer, RecognizerInfo
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest, Task, Transcript
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio, as_audio, quietest_sample
from V3.errors import RecognitionTimeout
from V3.system.services.audio_files import read_audio

__all__ = ["SHIPPED_MODEL", "FasterWhisperSTT", "SttOptions", "Wish"]

_FULL_PIECE_S: Final = 28.0  # under Whisper's 30
_SHORT_PIECE_S: Final = 10.0  # a model trained for short windows hears less in longer ones, or in several utterances
_CPU_BATCH, _GPU_BATCH = 4, 16
_LEAST_STALL_S: Final = 4.0
_STALL_DECODES: Final = 30  # of 2.5 s, each decoded twice at worst, of up to 30 s: with room for a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class SttOptions:
    """What is rarely changed about a speech-to-text service."""

    timeout_s: float = 30.0
    """How long a caller waits for a decode before RecognitionTimeout."""
    audio_context: Literal["model", "auto", "full", "forced"] = "model"
    """Windows of Whisper: as the model says, short ones, always 30 s, or short ones with a model not made for them."""
    cpu_threads: int = 0
    """Threads of one decode on a CPU; 0 lets the model's size decide."""
    workers: int = 0
    """Decodes side by side; 0 lets the machine decide (a GPU wants 1)."""
    max_batch: int = 0
    """Rows of one decode; 0 means 4 on a CPU and 16 on a GPU."""
    max_queue: int = 512
    """Requests that may wait; beyond it partials are dropped first."""
    stall_s: float = 0.0
    """A decode that takes longer is given up and its thread replaced; 0: by what one takes, at least 4 s."""
    local_files_only: bool = False
    """Never download a model."""
    self_test: bool = True
    """Refuse a model that hears nothing in a bundled word."""
    prompt: str = ""
    """Text that came before, given to every decode."""
    hotwords: str = ""
    """Words to expect, given to every decode."""
    policy: PolicyName = "local_agreement"
    """What commits the words of a stream's partials."""
    hop_ms: int = 300
    """New audio between two partials of a stream."""
    endpoint_ms: int = 500
    """Silence that ends an utterance of a stream."""
    preroll_ms: int = 200
    """Audio before the onset that is decoded too."""
    max_window_s: float = 12.0
    """The most audio one decode of a stream holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a buffer is to be heard, where that is not as the service's calls are."""

    kind: DecodeKind = DecodeKind.ANSWER
    language: str = ""
    """A code, or "auto"; empty: the service's."""
    task: Task = "transcribe"
    prompt: str = ""
    """Text that came before; empty: the service's."""


class FasterWhisperSTT:
    """Whisper for whole buffers and files; one model, shared by all callers, from any thread.

    The model loads in the constructor: "telephone-fr" (shipped), a CTranslate2 directory, or a name such as "small".
    ``recognizer`` takes one that is loaded already; then the first five arguments but ``language`` are ignored.
    Raises ModelNotFound, DeviceUnavailable (``device="cuda"`` without one; "auto" takes what is there), ModelError.
    """

    def __init__(
        self,
        model_name: str = "small",
        device: str = "cuda",
        compute_type: str = "float16",
        language: str = "fr",
        beam_size: int = 1,
        *,
        recognizer: Recognizer | None = None,
        options: SttOptions | None = None,
    ) -> None:
        self.options = options or SttOptions()
        self.language = language
        self.recognizer = recognizer or self._load(model_name, device, compute_type, beam_size)
        if self.options.self_test:
            self.recognizer.self_test()
        self._batcher = self._new_batcher()

    @property
    def info(self) -> RecognizerInfo:
        """The model that was loaded, and how."""
        return self.recognizer.info

    @property
    def capacity(self) -> int:
        """How many calls this machine can hear at once, by what their decodes take; at least one."""
        return int(self._batcher.stats()["capacity"])

    @property
    def batcher(self) -> Batcher:
        """What all decodes go through: to be told of batches, and to tell of the event loop's load."""
        return self._batcher

    def transcribe(self, buffer: Any) -> Transcript:
        """The text of float32 samples in [-1, 1] or L16 bytes, 16 kHz, of any length. Blocks; thread-safe.

        Goes before all streaming decodes. Audio longer than a window is cut: at its quietest spots for a model that
        hears 30 s, into utterances for one with short windows.
        Raises AudioError, RecognitionTimeout, RecognizerOverloaded or another RecognitionError.
        """
        audio = as_audio(buffer)
        futures = self._submit("transcribe", audio, Wish())
        until = time.monotonic() + self.options.timeout_s
        try:
            heard = [future.result(timeout=max(0.0, until - time.monotonic())) for future in futures]
        except concurrent.futures.TimeoutError as exc:
            raise _timed_out(self.options.timeout_s) from exc
        finally:
            _cancel(futures)
        return _joined(heard, audio, self.language)

    async def transcribe_async(
        self, buffer: Any, *, call_id: str = "transcribe", timeout_s: float | None = None, wish: Wish | None = None
    ) -> Transcript:
        """:meth:`transcribe` for coroutines: the event loop is never held up. A cancelled wait cancels the decode."""
        wish = wish or Wish()
        audio = as_audio(buffer)
        limit_s = self.options.timeout_s if timeout_s is None else timeout_s
        futures = self._submit(call_id, audio, wish)
        try:
            async with asyncio.timeout(limit_s):
                heard = [await asyncio.wrap_future(future) for future in futures]
        except TimeoutError as exc:
            raise _timed_out(limit_s) from exc
        finally:
            _cancel(futures)
        return _joined(heard, audio, wish.language or self.language)

    def check(self, language: str, task: Task = "transcribe") -> None:
        """Raises ConfigError, by name, for a language or a task that the model was not trained for."""
        self.recognizer.check(language, task)

    def transcribe_file(self, path: str | Path) -> Transcript:
        """The text of a recording: WAV of any rate, or whatever FFmpeg reads. Raises AudioError when it is neither."""
        return self.transcribe(read_audio(path))

    def stats(self) -> dict[str, float | str]:
        """Model, device and what the batcher counted: decodes, batches, drops, seconds of work, what waits."""
        info = self.info
        return {"model": info.name, "device": info.device, "compute_type": info.compute_type, **self._batcher.stats()}

    def close(self) -> None:
        """End the decoding threads; what waits fails with RecognizerClosed. Closing twice does nothing."""
        self._batcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, model_name: str, device: str, compute_type: str, beam_size: int) -> Recognizer:
        return Recognizer.load(
            model_name,
            device=device,
            compute_type=compute_type,
            cpu_threads=self.options.cpu_threads,
            workers=self.options.workers,
            beam_size=beam_size,
            local_files_only=self.options.local_files_only,
            audio_context=self.options.audio_context,
        )

    def _new_batcher(self) -> Batcher:
        on_gpu = self.info.device == "cuda"
        rows = self.options.max_batch or (_GPU_BATCH if on_gpu else _CPU_BATCH)
        workers = self.options.workers or self.info.workers
        timing = {"rows": rows if on_gpu else 1, "workers": workers}
        decode_s = self.recognizer.decode_time_s(**timing) if self.options.self_test else 0.0
        meter = LoadMeter(workers=workers, hop_ms=self.options.hop_ms, decode_s=decode_s)
        return Batcher(
            self.recognizer,
            max_batch=rows,
            max_queue=self.options.max_queue,
            workers=workers,
            meter=meter,
            stall_s=self.options.stall_s or max(_LEAST_STALL_S, _STALL_DECODES * rows * decode_s),
        )

    def _submit(self, call_id: str, audio: Audio, wish: Wish) -> list[Future[Transcript]]:
        return [
            self._batcher.submit(
                DecodeRequest(
                    call_id,
                    wish.kind,
                    piece,
                    start_ms=start // SAMPLES_PER_MS,
                    language=wish.language or self.language,
                    task=wish.task,
                    prompt=wish.prompt or self.options.prompt,
                    hotwords=self.options.hotwords,
                )
            )
            for start, piece in self._pieces(audio)
        ]

    def _pieces(self, audio: Audio) -> Iterator[tuple[int, Audio]]:
        """(first sample, samples) of what is decoded at once."""
        if self.info.audio_context == "auto" and audio.size > _SHORT_PIECE_S * RATE_HZ:
            return _utterances(audio)
        return _windows(audio)


def _utterances(audio: Audio) -> Iterator[tuple[int, Audio]]:
    """What somebody says, as a streaming session would cut it."""
    session = StreamingSession("pieces", partials=False, max_window_s=_SHORT_PIECE_S)
    for start in range(0, audio.size, RATE_HZ):
        session.push(audio[start : start + RATE_HZ])
        if start + RATE_HZ >= audio.size:
            session.flush()
        while (request := session.next_request()) is not None:
            yield request.start_ms * SAMPLES_PER_MS, request.audio


def _windows(audio: Audio) -> Iterator[tuple[int, Audio]]:
    """All of it, in windows that end at the quietest spot of their second half."""
    most = int(_FULL_PIECE_S * RATE_HZ)
    start = 0
    while audio.size - start > most:
        middle = start + most // 2
        end = middle + quietest_sample(audio[middle : start + most], block_ms=200)
        yield start, audio[start:end]
        start = end
    if audio.size > start:
        yield start, audio[start:]


def _joined(heard: Sequence[Transcript], audio: Audio, language: str) -> Transcript:
    spoken = [transcript for transcript in heard if transcript.text]
    return Transcript(
        text=" ".join(transcript.text for transcript in spoken),
        words=tuple(word for transcript in spoken for word in transcript.words),
        duration_s=audio.size / RATE_HZ,
        language=language,
        avg_logprob=sum(transcript.avg_logprob for transcript in spoken) / len(spoken) if spoken else 0.0,
        no_speech_prob=min((transcript.no_speech_prob for transcript in heard), default=1.0),
    )


def _cancel(futures: Sequence[Future[Transcript]]) -> None:
    for future in futures:
        future.cancel()


def _timed_out(limit_s: float) -> RecognitionTimeout:
    return RecognitionTimeout(f"no transcript after {limit_s:g} s: the recogniser is too slow or overloaded")
