"""WhisperStreamingSTT with the shipped model, and its streams with a scripted one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from audio_samples import DATA, TEXTS, noise, silence, speech
from scripted_recognizer import ScriptedRecognizer

from V3.asr.batcher import Batcher
from V3.asr.hypothesis import PolicyName
from V3.asr.model import Recognizer
from V3.asr.online import StreamingSession
from V3.asr.transcript import DecodeKind, DecodeRequest
from V3.audio.pcm import Audio, to_l16
from V3.errors import AudioError, ConfigError, ModelNotFound, RecognitionTimeout, RecognizerClosed
from V3.events import Event, Final, Partial, StreamFailed
from V3.system.services import whisper_streaming_stt
from V3.system.services.speech_stream import OnEvent, SpeechStream
from V3.system.services.whisper_streaming_stt import SttOptions, WhisperStreamingSTT, main

SCRIPT = Path(whisper_streaming_stt.__file__)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(device="cpu")


@pytest.fixture
def stt(recognizer: Recognizer) -> Iterator[WhisperStreamingSTT]:
    with WhisperStreamingSTT(recognizer=recognizer) as service:
        yield service


def frames(audio: Audio, size: int = 320) -> Iterator[Audio]:
    for start in range(0, audio.size // size * size, size):
        yield audio[start : start + size]


def call(*names: str, pause_s: float = 1.0) -> Audio:
    parts = [silence(0.5)]
    for name in names:
        parts += [speech(name), silence(pause_s)]
    return np.concatenate(parts) + noise(sum(part.size for part in parts) / 16_000, dbfs=-66.0)


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Final)]


# ---- the single stream: waits, deterministic


def test_a_loop_over_a_recording_gives_partials_and_each_utterance_once(stt: WhisperStreamingSTT) -> None:
    answers = [stt.process_chunk(frame) for frame in frames(call("allo_qui", "au_travail", "oui_bonjour"))]
    assert [text for text, is_final in answers if is_final] == [
        TEXTS["allo_qui"],
        TEXTS["au_travail"],
        TEXTS["oui_bonjour"],
    ]
    assert len({text for text, is_final in answers if text and not is_final}) >= 5
    assert answers[-1] == ("", False)
    transcript = stt.finish()
    assert str(transcript) == " ".join(TEXTS[name] for name in ("allo_qui", "au_travail", "oui_bonjour"))
    starts = [word.start_ms for word in transcript.words]
    assert starts == sorted(starts)


def test_frames_of_bytes_and_of_floats_and_any_multiple_of_20_ms_say_the_same(stt: WhisperStreamingSTT) -> None:
    audio = call("allo_qui", "oui_bonjour")
    heard = []
    for size, as_bytes in ((320, True), (320, False), (1600, False), (audio.size // 320 * 320, True)):
        stt.reset()
        finals = [
            text
            for frame in frames(audio, size)
            for text, is_final in [stt.process_chunk(to_l16(frame) if as_bytes else frame)]
            if is_final
        ]
        assert finals[:1] == [TEXTS["allo_qui"]]
        heard.append(stt.finish().text)
    assert heard == [f"{TEXTS['allo_qui']} {TEXTS['oui_bonjour']}"] * 4


def test_the_tail_after_the_last_frame_is_in_finish(stt: WhisperStreamingSTT) -> None:
    for frame in frames(speech("pas_la")):
        assert not stt.process_chunk(frame)[1]
    assert stt.finish().text == TEXTS["pas_la"]
    stt.reset()
    assert stt.finish().text == ""


def test_a_bad_frame_is_refused_and_the_stream_goes_on(stt: WhisperStreamingSTT) -> None:
    audio = speech("oui_bonjour")
    for index, frame in enumerate(frames(audio)):
        if index == 10:
            for bad in (b"abc", np.zeros(100, np.float32), np.full(320, np.nan, np.float32), "oui"):
                with pytest.raises(AudioError):
                    stt.process_chunk(bad)
        stt.process_chunk(frame)
    assert stt.finish().text == TEXTS["oui_bonjour"]


def test_silence_costs_no_decode(stt: WhisperStreamingSTT) -> None:
    before = stt.stats()["decoded"]
    for frame in frames(np.concatenate([silence(3.0), noise(3.0, dbfs=-62.0)])):
        assert stt.process_chunk(frame) == ("", False)
    assert stt.finish().text == ""
    assert stt.stats()["decoded"] == before


# ---- many streams


def test_many_streams_on_one_model_each_hear_their_own(stt: WhisperStreamingSTT) -> None:
    names = [name for name in TEXTS if name != "pas_joignable"]
    streams = {name: stt.open_stream(f"call-{name}") for name in names}
    audio = {name: list(frames(call(name, name))) for name in names}
    for index in range(max(map(len, audio.values()))):
        for name, stream in streams.items():
            if index < len(audio[name]):
                stream.process_chunk(audio[name][index])
    for name, stream in streams.items():
        assert stream.finish(timeout_s=30).text == f"{TEXTS[name]} {TEXTS[name]}"
        stream.close()


def test_long_speech_is_heard_whole_by_a_stream(stt: WhisperStreamingSTT) -> None:
    stream = stt.open_stream("c", partials=False)
    for frame in frames(call("pas_joignable")):
        stream.process_chunk(frame)
    assert stream.finish(timeout_s=30).text == TEXTS["pas_joignable"]


class Desk:
    """A stream on a scripted recogniser, with its events."""

    def __init__(self, recognizer: ScriptedRecognizer, **fields: Any) -> None:
        self.recognizer = recognizer
        self.batcher = Batcher(recognizer, max_batch=1)
        self.events: list[Event] = []
        session = StreamingSession("c", partials=fields.pop("partials", True))
        on_event: OnEvent = fields.pop("on_event", self.events.append)
        self.stream = SpeechStream(self.batcher, session, on_event=on_event, **fields)

    def feed(self, audio: Audio) -> list[tuple[str, bool]]:
        return [self.stream.process_chunk(frame) for frame in frames(audio)]

    def close(self) -> None:
        self.recognizer.let_go(1000)
        self.batcher.close()


@pytest.fixture
def gated() -> Iterator[Desk]:
    desk = Desk(ScriptedRecognizer(gated=True))
    yield desk
    desk.close()


def test_process_chunk_never_waits_for_a_decode(gated: Desk) -> None:
    answers = gated.feed(np.concatenate([speech("oui_bonjour"), silence(0.7), speech("allo_qui"), silence(0.7)]))
    assert set(answers) == {("", False)}  # nothing was let go, and yet every frame came back
    gated.recognizer.wait_until_busy()
    assert len(gated.recognizer.batches) == 1


def test_results_are_taken_at_the_next_frame_and_finals_one_by_one(gated: Desk) -> None:
    gated.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)] * 2))
    gated.recognizer.let_go(10)
    transcript = gated.stream.finish(timeout_s=20)
    assert transcript.text == "oui bonjour oui bonjour"
    assert gated.feed(silence(0.06)) == [("oui bonjour", True), ("oui bonjour", True), ("", False)]
    assert texts(gated.events) == ["oui bonjour", "oui bonjour"]


def test_finish_waits_no_longer_than_told_and_keeps_the_last_partial(gated: Desk) -> None:
    gated.feed(speech("oui_bonjour"))
    gated.recognizer.let_go(2)
    behind = DecodeRequest("other", DecodeKind.PARTIAL, silence(0.1))
    gated.batcher.submit(behind).result(20)  # it was decoded after the partial: that one is back
    gated.feed(silence(0.02))
    assert isinstance(gated.events[-1], Partial)
    transcript = gated.stream.finish(timeout_s=0.05)
    assert transcript.text == "oui bonjour"
    assert [type(event) for event in gated.events[-2:]] == [StreamFailed, Final]


def test_a_failing_recogniser_loses_no_utterance_and_fails_no_frame() -> None:
    desk = Desk(ScriptedRecognizer(), wait_s=20.0)
    desk.feed(speech("oui_bonjour"))
    desk.recognizer.broken = {"c"}
    desk.feed(silence(1.0))
    assert texts(desk.events) == ["oui bonjour"]
    assert [event.error for event in desk.events if isinstance(event, StreamFailed)] == ["RecognitionError"]
    desk.recognizer.broken = set()
    desk.feed(np.concatenate([speech("oui_bonjour"), silence(1.0)]))
    assert texts(desk.events) == ["oui bonjour"] * 2
    desk.close()


def test_a_closed_engine_is_told_and_the_stream_still_finishes() -> None:
    desk = Desk(ScriptedRecognizer(), wait_s=20.0)
    desk.feed(speech("oui_bonjour"))
    desk.batcher.close()
    desk.feed(silence(1.0))
    assert desk.stream.finish().text == "oui bonjour"
    assert [event.error for event in desk.events if isinstance(event, StreamFailed)] == ["RecognizerClosed"]


def test_reset_and_close(gated: Desk) -> None:
    gated.feed(speech("oui_bonjour"))
    gated.stream.reset()
    assert gated.stream.at_ms == 0
    gated.recognizer.let_go(10)
    gated.feed(silence(0.1))
    assert gated.stream.finish().text == ""
    gated.stream.close()
    with pytest.raises(RecognizerClosed):
        gated.stream.process_chunk(silence(0.02))


def test_partials_can_be_turned_off_and_on() -> None:
    desk = Desk(ScriptedRecognizer(), wait_s=20.0, partials=False)
    desk.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)]))
    assert not any(isinstance(event, Partial) for event in desk.events)
    desk.stream.partials = True
    desk.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)]))
    assert any(isinstance(event, Partial) for event in desk.events)
    assert desk.stream.speech_ms > 800
    desk.close()


def test_with_a_loop_events_come_without_another_frame() -> None:
    async def scenario() -> list[str]:
        recognizer = ScriptedRecognizer(gated=True)
        final = asyncio.Event()
        where: set[int] = set()
        events: list[Event] = []

        def note(event: Event) -> None:
            where.add(threading.get_ident())
            events.append(event)
            if isinstance(event, Final):
                final.set()

        desk = Desk(recognizer, loop=asyncio.get_running_loop(), on_event=note)
        desk.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)]))
        assert texts(events) == []
        recognizer.let_go(100)
        await asyncio.wait_for(final.wait(), 20)
        assert where == {threading.get_ident()}
        desk.close()
        return texts(events)

    assert asyncio.run(scenario()) == ["oui bonjour"]


def test_afinish_leaves_the_loop_free_and_bounded() -> None:
    async def scenario() -> tuple[str, str]:
        recognizer = ScriptedRecognizer(gated=True)
        desk = Desk(recognizer, loop=asyncio.get_running_loop())
        desk.feed(speech("oui_bonjour"))
        finishing = asyncio.create_task(desk.stream.afinish(timeout_s=20))
        await asyncio.sleep(0)
        assert not finishing.done()
        recognizer.let_go(100)
        heard = (await finishing).text
        desk.close()
        stuck = Desk(ScriptedRecognizer(gated=True))
        stuck.feed(speech("oui_bonjour"))
        missed = (await stuck.stream.afinish(timeout_s=0.05)).text
        stuck.close()
        return heard, missed

    assert asyncio.run(scenario()) == ("oui bonjour", "")


def test_a_client_that_is_faster_than_speech_is_held_back() -> None:
    async def scenario() -> list[int]:
        desk = Desk(ScriptedRecognizer(gated=True), partials=False, loop=asyncio.get_running_loop())
        for _ in range(4):
            desk.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)]))
        pending = [desk.stream.pending]
        with pytest.raises(RecognitionTimeout, match="4 decodes of c are not done"):
            await desk.stream.calm(2, timeout_s=0.05)
        waiting = asyncio.create_task(desk.stream.calm(2))
        desk.recognizer.let_go(2)
        await asyncio.wait_for(waiting, 20)
        pending.append(desk.stream.pending)
        desk.close()
        return pending

    assert asyncio.run(scenario()) == [4, 2]


def test_language_and_task_are_the_streams_own(gated: Desk) -> None:
    gated.stream.language, gated.stream.task = "en", "translate"
    gated.stream.reset()
    assert (gated.stream.language, gated.stream.task) == ("en", "translate")
    gated.feed(np.concatenate([speech("oui_bonjour"), silence(0.7)]))
    gated.recognizer.wait_until_busy()
    (asked,) = gated.recognizer.batches[0]
    assert (asked.language, asked.task) == ("en", "translate")


def test_a_stream_may_have_its_own_policy(stt: WhisperStreamingSTT) -> None:
    """LocalAgreement never commits a word of a first hypothesis, AlignAtt does."""

    def newly_certain(policy: PolicyName) -> list[int]:
        events: list[Event] = []
        stream = stt.open_stream(policy, on_event=events.append, policy=policy)
        spoken = np.concatenate([silence(0.3), speech("au_travail")])
        for frame in frames(spoken, size=spoken.size // 320 * 320):  # one piece: one hypothesis before the final
            stream.process_chunk(frame)
        stream._wait(lambda: bool(stream._futures), 20)
        stream.close()
        return [sum(word.stable for word in event.words) for event in events if isinstance(event, Partial)][:1]

    assert newly_certain("local_agreement") == [0]
    assert newly_certain("align_att") > [0]


def test_results_after_the_loop_has_ended_are_dropped() -> None:
    recognizer = ScriptedRecognizer(gated=True)
    desks: list[Desk] = []

    async def scenario() -> None:
        desks.append(Desk(recognizer, loop=asyncio.get_running_loop()))
        desks[0].feed(speech("oui_bonjour"))

    asyncio.run(scenario())
    desks[0].close()
    assert texts(desks[0].events) == []


# ---- the service


def test_a_service_loads_its_model_in_the_constructor(tmp_path: Path) -> None:
    with WhisperStreamingSTT("telephone-fr", device="auto", compute_type="default") as service:
        assert service.transcribe(speech("oui_bonjour")).text == TEXTS["oui_bonjour"]
        stats = service.stats()
        assert (stats["model"], stats["engine"], stats["decoded"]) == ("telephone-fr", "voicebot", 1)
    with pytest.raises(RecognizerClosed):
        service.transcribe(speech("oui_bonjour"))


def test_closing_leaves_no_thread(recognizer: Recognizer) -> None:
    before = set(threading.enumerate())
    service = WhisperStreamingSTT(recognizer=recognizer, options=SttOptions(workers=2, self_test=False))
    started = set(threading.enumerate()) - before
    assert sorted(thread.name for thread in started) == ["decode-0", "decode-1", "decode-watch"]
    service.close()
    service.close()
    assert not started & set(threading.enumerate())


def test_whisper_online_as_engine_names_the_remedy_or_is_used(
    recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "whisper_online", None)  # so that it is not there afterwards either
    del sys.modules["whisper_online"]
    with pytest.raises(ModelNotFound, match="PYTHONPATH"):
        WhisperStreamingSTT(recognizer=recognizer, engine="whisper_online")
    (tmp_path / "whisper_online.py").write_text(
        "from V3.asr.online import OnlineASRProcessor as Ours\n"
        "class OnlineASRProcessor(Ours):\n"
        "    def __init__(self, asr):\n"
        "        assert asr.sep == ' '\n"
        "        super().__init__(asr)\n"
    )
    with WhisperStreamingSTT(recognizer=recognizer, engine="whisper_online") as service:
        for frame in frames(np.concatenate([speech("pas_la"), silence(1.0)])):
            service.process_chunk(frame)
        assert service.finish().text == TEXTS["pas_la"]
        service.reset()
        assert service.finish().text == ""


def test_an_unknown_engine_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(ConfigError, match="other"):
        WhisperStreamingSTT(recognizer=recognizer, engine=cast("Any", "other"))


def test_the_script_tests_itself_from_anywhere(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--device", "cpu", str(DATA / "au_travail.wav")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "partial" in ran.stdout
    assert f"transcript {TEXTS['au_travail']}" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "no-such-model"], "ModelNotFound"),
        (["missing.wav"], "missing.wav: no such file"),
    ],
)
def test_the_script_fails_with_a_message(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--device", "cpu"]) == 1
    assert said in capsys.readouterr().out


def test_the_script_fails_when_nothing_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import wave

    with wave.open(str(tmp_path / "silence.wav"), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(bytes(16_000))
    assert main(["--device", "cpu", str(tmp_path / "silence.wav")]) == 1
    assert "no text came out" in capsys.readouterr().out


def test_a_minute_of_silence_in_a_stream_costs_no_decode(stt: WhisperStreamingSTT) -> None:
    stream = stt.open_stream("idle")
    for frame in frames(silence(60.0)):
        assert stream.process_chunk(frame) == ("", False)
    assert (stream.at_ms, stream.speech_ms, stt.stats()["batches"]) == (60_000, 0, 0)
