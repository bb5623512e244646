"""WhisperStreamingSTT: speech-to-text of whole buffers and of live streams, many calls on one model.

``transcribe`` hears a buffer at once (the first seconds of a call); ``open_stream`` gives one call a stream whose
``process_chunk`` never waits; ``process_chunk`` of the service itself is a single stream for simple programs, which
waits for the decode a frame causes.

Run as a script it tests itself: loads a model, streams a recording and prints what comes out.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run as a script: the package is three directories up
    sys.path[0] = str(Path(__file__).resolve().parents[3])

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from rich.console import Console

from V3.asr.hypothesis import PolicyName
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, Transcript
from V3.audio.pcm import FRAME_SAMPLES, RATE_HZ, Audio
from V3.errors import ConfigError, VoicebotError
from V3.system.services.audio_files import read_audio
from V3.system.services.faster_whisper_stt import SHIPPED_MODEL, FasterWhisperSTT, SttOptions
from V3.system.services.speech_stream import OnEvent, SpeechStream
from V3.system.services.whisper_online_call import WhisperOnlineCall
from V3.system.services.whisper_online_stream import WhisperOnlineStream

__all__ = ["SpeechStream", "SttOptions", "WhisperStreamingSTT", "main"]

Engine = Literal["voicebot", "whisper_online"]

_SELF_TEST_WAV: Final = Path(__file__).resolve().parents[2] / "models" / "selftest.wav"


class WhisperStreamingSTT(FasterWhisperSTT):
    """Whisper for buffers, files and live streams. See :class:`FasterWhisperSTT` for the arguments.

    ``engine="whisper_online"`` runs the single stream of :meth:`process_chunk` through an installed whisper_online
    module instead of ours, to compare the two; ModelNotFound says how to install it when it is missing.
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
        engine: Engine = "voicebot",
    ) -> None:
        if engine not in ("voicebot", "whisper_online"):
            raise ConfigError(f"engine is voicebot or whisper_online, not {engine!r}")
        super().__init__(model_name, device, compute_type, language, beam_size, recognizer=recognizer, options=options)
        self._streams = itertools.count(1)
        self._engine = engine
        self._single: SpeechStream | WhisperOnlineStream | None = None
        if engine == "whisper_online":
            self._single = WhisperOnlineStream(self.recognizer, language=language)

    @property
    def engine(self) -> Engine:
        """What hears the calls of an audio server: our own sessions, or whisper_online."""
        return self._engine

    def open_stream(
        self,
        call_id: str,
        *,
        on_event: OnEvent | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        partials: bool = True,
        policy: PolicyName | None = None,
        endpoint: Callable[[Sequence[str]], int] | None = None,
        expected: Sequence[str] = (),
        file: bool = False,
    ) -> SpeechStream:
        """A stream for one call. Its ``process_chunk`` never waits; all its methods are called from one thread.

        With ``loop`` (then that thread is the loop's) events come as soon as a decode is done; without it, with the
        next frame. ``call_id`` is one per stream: a call heard in stereo has two. ``policy`` commits the words of
        partials; the service's by default. ``endpoint`` says by its words how many ms of silence end an utterance
        (:class:`V3.asr.online.StreamingSession`); ``expected`` are phrases that may be all that is said. ``file``: a
        recording, which takes the time that calls leave and is no call that counts.
        """
        session = self._session(call_id, partials=partials and not file, policy=policy, endpoint=endpoint)
        session.expected = tuple(expected)
        if file:
            session.final_kind = DecodeKind.FILE
        return SpeechStream(self._batcher, session, on_event=on_event, loop=loop)

    def open_online_call(self, call_id: str, *, on_event: OnEvent) -> WhisperOnlineCall:
        """A call's stream through whisper_online, to compare with ours. Needs a running event loop."""
        return WhisperOnlineCall(self.recognizer, call_id, language=self.language, on_event=on_event)

    def process_chunk(self, frame: Any) -> tuple[str, bool]:
        """Feed the service's single stream; waits for the decode that this frame causes, so it is deterministic.

        Takes 20 ms (or a multiple) of float32 in [-1, 1] or L16 bytes at 16 kHz. Returns ``(text, is_final)``: each
        utterance's text once with True, else what is known of the current one. Raises AudioError for a bad frame.
        """
        return self._single_stream().process_chunk(frame)

    def finish(self) -> Transcript:
        """The single stream has ended: all its text, the tail after the last decode included."""
        return self._single_stream().finish()

    def reset(self) -> None:
        """Make the single stream new."""
        self._single_stream().reset()

    def stats(self) -> dict[str, float | str]:
        """As :meth:`FasterWhisperSTT.stats`, with the engine's name."""
        return {"engine": self._engine, **super().stats()}

    def _single_stream(self) -> SpeechStream | WhisperOnlineStream:
        if self._single is None:
            session = self._session(f"stream-{next(self._streams)}", partials=True)
            self._single = SpeechStream(self._batcher, session, wait_s=self.options.timeout_s)
        return self._single

    def _session(
        self,
        call_id: str,
        *,
        partials: bool,
        policy: PolicyName | None = None,
        endpoint: Callable[[Sequence[str]], int] | None = None,
    ) -> StreamingSession:
        options = self.options
        session = StreamingSession(
            call_id,
            hop_ms=options.hop_ms,
            endpoint_ms=options.endpoint_ms,
            preroll_ms=options.preroll_ms,
            max_window_s=options.max_window_s,
            language=self.language,
            partials=partials,
            policy=policy or options.policy,
            mel_bands=self.info.mel_bands,
            endpoint=endpoint,
        )
        session.prompt, session.hotwords = options.prompt, options.hotwords
        return session


def main(arguments: list[str] | None = None) -> int:
    """The self-test: 0 when text came out, 1 with a message when anything is wrong."""
    asked = _parser().parse_args(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        audio = read_audio(asked.wav)
        began = time.perf_counter()
        with WhisperStreamingSTT(asked.model, asked.device, asked.compute_type, asked.language) as stt:
            info = stt.info
            loaded_s = time.perf_counter() - began
            console.print(f"model      {info.name}, {info.device}, {info.compute_type}, context {info.audio_context}")
            console.print(f"loaded in  {loaded_s:.2f} s, heard the bundled word")
            return _stream(stt, audio, console)
    except VoicebotError as exc:
        console.print(f"FAILED     {type(exc).__name__}: {exc}")
        return 1


def _stream(stt: WhisperStreamingSTT, audio: Audio, console: Console) -> int:
    began = time.perf_counter()
    shown = ""
    for start in range(0, audio.size // FRAME_SAMPLES * FRAME_SAMPLES, FRAME_SAMPLES):
        text, is_final = stt.process_chunk(audio[start : start + FRAME_SAMPLES])
        if text and text != shown:
            heard_s = (start + FRAME_SAMPLES) / RATE_HZ
            console.print(f"{heard_s:8.2f} s  {'final  ' if is_final else 'partial'}  {text}")
            shown = text
    transcript = stt.finish()
    took_s = time.perf_counter() - began
    console.print(f"transcript {transcript.text or '(no speech heard)'}")
    console.print(
        f"took       {took_s:.2f} s for {transcript.duration_s:.2f} s of audio, {stt.stats()['decoded']:.0f} decodes"
    )
    if not transcript.text:
        console.print("FAILED     no text came out")
    return 0 if transcript.text else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Stream a recording through the speech-to-text of the voicebot, as a call would, and print "
        "partials, finals and timing. Exit status 1 when something does not work.",
        epilog='example: whisper_streaming_stt.py --model small --device auto greeting.wav  ("small" is downloaded '
        "once; telephone-fr needs no network)",
    )
    parser.add_argument("wav", nargs="?", type=Path, default=_SELF_TEST_WAV, help="a recording; default: a bundled one")
    parser.add_argument("--model", default=SHIPPED_MODEL, help="telephone-fr, a directory, small, large-v3-turbo, ...")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: a GPU if there is one")
    parser.add_argument("--compute-type", default="default", help="int8, float16, ...; default: as stored")
    parser.add_argument("--language", default="fr", help="language spoken (default: fr)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
