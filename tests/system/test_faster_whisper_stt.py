"""FasterWhisperSTT: buffers and files, from any thread; and what it refuses."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, silence, speech
from scripted_recognizer import ScriptedRecognizer

from V3.asr.model import Recognizer, RecognizerInfo
from V3.audio.pcm import Audio, resample, to_l16, to_mulaw
from V3.errors import AudioError, ModelNotFound, RecognitionError, RecognitionTimeout
from V3.system.services.faster_whisper_stt import FasterWhisperSTT, SttOptions
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT


@pytest.fixture(scope="module")
def stt() -> Iterator[FasterWhisperSTT]:
    with FasterWhisperSTT("telephone-fr", device="cpu") as service:
        yield service


class Gated(ScriptedRecognizer):
    """A recogniser for the service that answers only when let go."""

    info = RecognizerInfo("scripted", "cpu", "int8", 80, "full", 1)

    def self_test(self) -> None:
        return None

    def decode_time_s(self, *, rows: int, workers: int) -> float:
        return 0.01 * rows


def scripted(recognizer: ScriptedRecognizer, **options: Any) -> FasterWhisperSTT:
    return FasterWhisperSTT(recognizer=cast("Recognizer", recognizer), options=SttOptions(**options))


def test_it_is_the_batch_half_only() -> None:
    assert not hasattr(FasterWhisperSTT, "process_chunk")
    assert hasattr(WhisperStreamingSTT, "process_chunk")


@pytest.mark.parametrize("kind", ["floats", "bytes", "bytearray", "memoryview"])
def test_buffers_of_every_kind(stt: FasterWhisperSTT, kind: str) -> None:
    audio = speech("au_travail")
    data = to_l16(audio)
    buffers: dict[str, Any] = {
        "floats": audio,
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
    }
    transcript = stt.transcribe(buffers[kind])
    assert str(transcript) == TEXTS["au_travail"]
    assert len(transcript.words) == 9
    assert transcript.language == "fr"


def test_no_audio_and_silence_are_no_text(stt: FasterWhisperSTT) -> None:
    for buffer in (b"", silence(0.0), silence(3.0), silence(40.0)):
        assert stt.transcribe(buffer).text == ""


@pytest.mark.parametrize("bad", [b"abc", None, [0.0], np.zeros(10), np.full(10, np.inf, dtype=np.float32)])
def test_what_is_no_audio_is_refused(stt: FasterWhisperSTT, bad: Any) -> None:
    with pytest.raises(AudioError):
        stt.transcribe(bad)


def test_long_audio_is_cut_into_utterances_and_word_times_go_on(stt: FasterWhisperSTT) -> None:
    names = ["allo_qui", "au_travail", "pas_la", "oui_bonjour"] * 3
    audio = np.concatenate([np.concatenate([speech(name), silence(6.0)]) for name in names])
    transcript = stt.transcribe(audio)
    assert transcript.duration_s == pytest.approx(audio.size / 16_000)
    assert transcript.duration_s > 60
    assert transcript.text == " ".join(TEXTS[name] for name in names)
    starts = [word.start_ms for word in transcript.words]
    assert starts == sorted(starts)
    assert starts[-1] > 60_000


def test_several_threads_at_once(stt: FasterWhisperSTT) -> None:
    heard: dict[str, str] = {}

    def transcribe(name: str) -> None:
        heard[name] = stt.transcribe(speech(name)).text

    names = sorted(TEXTS.keys() - {"pas_joignable"})
    threads = [threading.Thread(target=transcribe, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert heard == {name: TEXTS[name] for name in names}


def test_transcribe_async_leaves_the_loop_free(stt: FasterWhisperSTT) -> None:
    async def scenario() -> list[str]:
        both = (stt.transcribe_async(speech(name), call_id=name) for name in ("pas_la", "allo_qui"))
        return [transcript.text for transcript in await asyncio.gather(*both)]

    assert asyncio.run(scenario()) == [TEXTS["pas_la"], TEXTS["allo_qui"]]


def test_a_decode_that_takes_too_long_is_a_timeout_and_is_not_begun_any_more() -> None:
    recognizer = Gated(gated=True)
    service = scripted(recognizer, timeout_s=0.05)
    with pytest.raises(RecognitionTimeout, match=r"0\.05 s"):
        service.transcribe(silence(1.0))
    with pytest.raises(RecognitionTimeout):
        asyncio.run(service.transcribe_async(silence(2.0), timeout_s=0.05))
    recognizer.let_go(2)
    service.close()
    assert [batch[0].duration_ms for batch in recognizer.batches] == [1000]


def test_a_broken_decode_is_a_recognition_error() -> None:
    recognizer = Gated()
    recognizer.broken = {"transcribe"}
    with scripted(recognizer) as service, pytest.raises(RecognitionError, match="broken"):
        service.transcribe(silence(1.0))


def test_pieces_of_long_audio_have_no_gap_and_fit_a_window() -> None:
    recognizer = Gated()
    audio = np.concatenate([speech("pas_joignable")] * 15)
    with scripted(recognizer, max_batch=1) as service:
        service.transcribe(audio)
    asked = sorted((batch[0] for batch in recognizer.batches), key=lambda request: request.start_ms)
    assert np.array_equal(np.concatenate([request.audio for request in asked]), audio)
    assert max(request.duration_ms for request in asked) <= 28_000


def write_wav(path: Path, audio: Audio, *, rate_hz: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(2)
        recording.setframerate(rate_hz)
        samples = resample(audio, from_hz=16_000, to_hz=rate_hz)
        recording.writeframes(to_l16(np.repeat(samples, channels)))
    return path


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (16_000, 2), (44_100, 1), (48_000, 2)])
def test_wav_files_of_any_rate(stt: FasterWhisperSTT, tmp_path: Path, rate_hz: int, channels: int) -> None:
    path = write_wav(tmp_path / "spoken.wav", speech("au_travail"), rate_hz=rate_hz, channels=channels)
    assert stt.transcribe_file(path).text == TEXTS["au_travail"]
    assert stt.transcribe_file(str(path)).text == TEXTS["au_travail"]


def test_a_mulaw_wav_goes_through_ffmpeg(stt: FasterWhisperSTT, tmp_path: Path) -> None:
    octets = to_mulaw(resample(speech("au_travail"), from_hz=16_000, to_hz=8000))
    form = (7).to_bytes(2, "little") + b"\x01\x00" + (8000).to_bytes(4, "little") * 2 + b"\x01\x00\x08\x00"
    body = b"WAVEfmt " + len(form).to_bytes(4, "little") + form + b"data" + len(octets).to_bytes(4, "little") + octets
    path = tmp_path / "mulaw.wav"
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert stt.transcribe_file(path).text == TEXTS["au_travail"]


def test_a_recording_that_was_cut_short_is_read_as_far_as_it_goes(stt: FasterWhisperSTT, tmp_path: Path) -> None:
    whole = (DATA / "au_travail.wav").read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(whole[: len(whole) // 2 + 1])
    assert stt.transcribe_file(path).text.startswith("Je suis au travail")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"this is no audio at all"])
def test_what_is_no_recording_is_refused_by_name(stt: FasterWhisperSTT, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"wrong\.wav"):
        stt.transcribe_file(path)


def test_a_missing_file_is_named(stt: FasterWhisperSTT, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        stt.transcribe_file(tmp_path / "none.wav")


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelNotFound, match="no-such-model"):
        FasterWhisperSTT("no-such-model", device="cpu")


def test_stats_name_the_model_and_count(stt: FasterWhisperSTT) -> None:
    before = stt.stats()
    stt.transcribe(speech("oui_bonjour"))
    after = stt.stats()
    assert (after["model"], after["device"]) == ("telephone-fr", "cpu")
    assert cast("int", after["decoded"]) == cast("int", before["decoded"]) + 1
