"""whisper_streaming, from a folder of somebody's own, as one more engine. Nothing of it is copied here.

Its processors and its FasterWhisperASR run as they are, with their own settings (beam 5, previous text as prompt,
buffer trimmed at segments from 15 s). Two things are replaced: the loading of the model, because theirs insists on a
GPU, and for ``--vac``, which cuts the stream into utterances, Silero's voice detector by ours, because it needs torch
and a download. Audio is handed over as its own simulation in real time does: when a chunk's worth has arrived and the
last work is done, all that has arrived.

Its output is what is certain. What it knows besides (the "incomplete" of its log) counts as shown, to its advantage.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from scripts.bench.accounts import Showing, show
from scripts.bench.clock import Job
from scripts.bench.engines import LANGUAGE
from V3.audio.pcm import RATE_HZ, SAMPLES_PER_MS, Audio
from V3.audio.vad import EdgeKind, VoiceActivity
from V3.errors import ConfigError

__all__ = ["Peer", "WhisperStreaming", "WhisperStreamingVac"]

_TRIMMING: Final = ("segment", 15)
_VAC_CHUNK_S: Final = 0.04  # its default --vac-chunk-size
_VAC_PAD_MS: Final = 100  # what Silero's iterator leaves around speech

Texts = tuple[str, str]
"""What is certain of a line, and what is not."""


class Peer:
    """Its module, and its backend on a faster_whisper.WhisperModel that is loaded already.

    Raises ConfigError when the folder does not hold it, or when something it imports is not installed.
    """

    def __init__(self, directory: Path, model: Any, *, chunk_s: float) -> None:
        if not (directory / "whisper_online.py").is_file():
            raise ConfigError(f"{directory} holds no whisper_online.py: give a checkout of ufal/whisper_streaming")
        with _importing_from(directory):
            self.module: Any = importlib.import_module("whisper_online")
        self.backend: Any = _loaded_backend(self.module, model)
        self.chunk_s = chunk_s
        self.log = _Unread()

    def processor(self) -> Any:
        """A new stream of it."""
        return self.module.OnlineASRProcessor(self.backend, buffer_trimming=_TRIMMING, logfile=self.log)

    def vac_processor(self) -> Any:
        """A new stream of its ``--vac``: its constructor would load Silero, so its parts are put in here."""
        kind = self.module.VACOnlineASRProcessor
        processor = kind.__new__(kind)
        processor.online_chunk_size = self.chunk_s
        processor.online = self.processor()
        processor.logfile = self.log
        processor.vac = _Voice()
        processor.init()
        return processor


class WhisperStreaming:
    """One stream of its OnlineASRProcessor: one line that grows."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._online: Any = peer.processor()
        self._least = int(peer.chunk_s * RATE_HZ)
        self._arrived: list[Audio] = []
        self._given = 0
        self._ended = self._finished = False
        self._line = 0
        self._begin_s = 0.0
        self._showings: list[tuple[int, float, int, Texts]] = []

    def hear(self, frame: Audio) -> None:
        self._arrived.append(frame)

    def end(self) -> None:
        self._ended = True

    def wanted(self, *, idle: bool) -> list[Job]:
        waiting = sum(frame.size for frame in self._arrived)
        if idle and waiting and (self._ended or waiting >= self._least):
            return [Job(0, self._iterate, self._note)]
        if idle and self._ended and not self._finished:
            self._finished = True
            return [Job(0, self._finish, self._note)]
        return []

    def take_shown(self, at_s: float) -> list[Showing]:
        taken, self._showings = self._showings, []
        return [
            show(at_s, line, [(certain, True), (rest, False)], begin_s=begin_s, heard_s=given / RATE_HZ)
            for line, begin_s, given, (certain, rest) in taken
        ]

    def holds(self) -> tuple[list[object], list[object]]:
        return [self._online, self._arrived], [self._peer.backend]

    def _iterate(self) -> Texts | None:
        self._online.insert_audio_chunk(self._take_arrived())
        try:
            self._online.process_iter()
        except AssertionError:  # its own simulation goes on after one, too
            return None
        return self._texts()

    def _finish(self) -> Texts | None:
        self._online.finish()
        return " ".join(self._texts()), ""

    def _take_arrived(self) -> Audio:
        audio = np.concatenate(self._arrived)
        self._arrived = []
        self._given += audio.size
        return audio

    def _texts(self) -> Texts:
        separator, online = self._peer.backend.sep, self._online
        certain, rest = (
            separator.join(text for _, _, text in words)
            for words in (online.commited, online.transcript_buffer.complete())
        )
        return certain, rest

    def _note(self, texts: Texts | None) -> None:
        if texts is not None:
            self._showings.append((self._line, self._begin_s, self._given, texts))


class WhisperStreamingVac(WhisperStreaming):
    """One stream of its VACOnlineASRProcessor: a line for each utterance."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer)
        self._vac: Any = peer.vac_processor()
        self._online = self._vac.online
        self._least = int(_VAC_CHUNK_S * RATE_HZ)
        self._shown: Texts = ("", "")

    def holds(self) -> tuple[list[object], list[object]]:
        return [self._vac, self._arrived], [self._peer.backend]

    def _iterate(self) -> Texts | None:
        before = self._vac.status
        self._vac.insert_audio_chunk(self._take_arrived())
        if self._vac.status == "voice" and before != "voice":
            self._line, self._begin_s = self._line + 1, self._online.buffer_time_offset
            self._shown = "", ""
        ends = self._vac.is_currently_final
        self._vac.process_iter()
        if self._vac.status != "voice" and not ends:
            return None
        certain, rest = self._texts()
        return self._if_new((f"{certain} {rest}", "") if ends else (certain, rest))

    def _finish(self) -> Texts | None:
        return super()._finish() if self._vac.status == "voice" else None

    def _if_new(self, texts: Texts) -> Texts | None:
        if texts == self._shown:
            return None
        self._shown = texts
        return texts


class _Voice:
    """Our voice activity in the words of Silero's iterator: samples where speech starts and ends."""

    def __init__(self) -> None:
        self._voice = VoiceActivity()

    def reset_states(self) -> None:
        self._voice.reset()

    def __call__(self, audio: Audio) -> dict[str, int] | None:
        found: dict[str, int] = {}
        for edge in self._voice.push(audio):
            if edge.kind is EdgeKind.STARTED:
                found["start"] = max(0, edge.edge_ms - _VAC_PAD_MS) * SAMPLES_PER_MS
            else:
                found["end"] = (edge.edge_ms + _VAC_PAD_MS) * SAMPLES_PER_MS
        return found or None


class _Unread(io.TextIOBase):
    """Its log, which tells at every step that nothing happened."""

    def write(self, text: str) -> int:
        return len(text)


@contextmanager
def _importing_from(directory: Path) -> Iterator[None]:
    sys.path.insert(0, str(directory.resolve()))
    try:
        yield
    except ImportError as exc:
        raise ConfigError(f"whisper_online cannot be imported ({exc}): pip install librosa soundfile") from exc
    finally:
        sys.path.pop(0)


def _loaded_backend(module: Any, model: Any) -> Any:
    class LoadedASR(module.FasterWhisperASR):  # type: ignore[misc]
        def load_model(self, *_arguments: Any, **_named: Any) -> Any:
            return model

    return LoadedASR(lan=LANGUAGE)
