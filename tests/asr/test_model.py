"""The shipped model: what it hears, in batches, with times; and every way in which loading fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from audio_samples import TEXTS, noise, silence, speech

from V3.asr import loading, model
from V3.asr.model import DETECT, DecodeKind, DecodeRequest, Recognizer, Transcript
from V3.audio.pcm import Audio, resample
from V3.errors import (
    AudioError,
    ConfigError,
    DeviceUnavailable,
    ModelError,
    ModelNotFound,
    ModelSelfTestFailed,
)

SHIPPED = Path(loading.__file__).resolve().parent.parent / "models" / "telephone-fr"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(device="cpu")


def request(audio: Audio, **fields: object) -> DecodeRequest:
    return DecodeRequest("c", DecodeKind.FINAL, audio, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(TEXTS.keys() - {"pas_joignable"}))
def test_what_is_said_is_heard(recognizer: Recognizer, name: str) -> None:
    transcript = recognizer.decode([request(speech(name))])[0]
    assert str(transcript) == TEXTS[name]
    assert " ".join(word.text for word in transcript.words) == TEXTS[name]
    assert transcript.duration_s == pytest.approx(speech(name).size / 16_000, abs=0.001)
    assert transcript.avg_logprob < 0.0
    assert transcript.no_speech_prob < 0.1


def test_word_times_rise_and_lie_in_the_stream(recognizer: Recognizer) -> None:
    audio = np.concatenate([silence(0.5), speech("au_travail"), silence(0.5)])
    words = recognizer.decode([request(audio, start_ms=60_000)])[0].words
    assert [word.text for word in words][:3] == ["Je", "suis", "au"]
    starts = [word.start_ms for word in words]
    assert starts == sorted(starts)
    assert all(word.start_ms <= word.end_ms for word in words)
    assert starts[0] >= 60_000
    assert words[-1].end_ms <= 60_000 + audio.size // 16
    assert abs(words[-1].end_ms - 62_600) < 400
    assert all(0.0 < word.confidence <= 1.0 for word in words)


def test_without_word_times_there_is_text_only(recognizer: Recognizer) -> None:
    transcript = recognizer.decode([request(speech("pas_la"), word_times=False)])[0]
    assert (transcript.text, transcript.words) == (TEXTS["pas_la"], ())


def test_a_batch_says_what_each_says_alone_whatever_its_lengths(recognizer: Recognizer) -> None:
    requests = [request(speech(name)) for name in TEXTS]
    requests += [request(silence(1.0)), request(speech("pas_la"), prompt="Bonjour"), request(np.zeros(0, np.float32))]
    together = recognizer.decode(requests)
    assert together == [recognizer.decode([alone])[0] for alone in requests]
    assert [transcript.text for transcript in together[: len(TEXTS)]] == [
        recognizer.decode([request(speech(name))])[0].text for name in TEXTS
    ]
    assert recognizer.decode([]) == []


def test_buckets_are_whole_seconds_and_never_the_number_of_mel_bands(recognizer: Recognizer) -> None:
    def frames(seconds: float) -> int:
        bucket = recognizer.bucket(request(silence(seconds)))
        return bucket.frames  # type: ignore[attr-defined, no-any-return]

    assert [frames(seconds) for seconds in (0.0, 0.5, 0.7, 0.71, 2.3, 29.9, 30.0)] == [
        100,
        100,
        100,
        200,
        300,
        3000,
        3000,
    ]
    bands = recognizer.info.mel_bands
    assert all(frames(tenths / 10) not in (bands, 128) for tenths in range(300))
    assert recognizer.bucket(request(silence(0.4))) == recognizer.bucket(request(speech("oui_bonjour"), start_ms=9))
    assert recognizer.bucket(request(silence(1.0))) != recognizer.bucket(request(silence(1.0), prompt="Bonjour"))


def test_silence_and_noise_give_no_text(recognizer: Recognizer) -> None:
    dither = (np.random.default_rng(1).integers(-2, 3, 16_000) / 32768).astype(np.float32)
    for audio in (silence(0.0), silence(2.0), dither, noise(2.0, dbfs=-60.0), noise(2.0, dbfs=-40.0)):
        transcript = recognizer.decode([request(audio)])[0]
        assert (transcript.text, transcript.words, transcript.avg_logprob) == ("", (), 0.0)
        assert np.isfinite(transcript.no_speech_prob)


def test_full_context_hears_the_same() -> None:
    full = Recognizer.load(device="cpu", audio_context="full")
    assert full.info.audio_context == "full"
    assert full.decode([request(speech("pas_la"))])[0].text == TEXTS["pas_la"]


def test_more_than_a_window_and_unknown_languages_are_refused(recognizer: Recognizer) -> None:
    with pytest.raises(AudioError, match=r"30\.5 s"):
        recognizer.decode([request(silence(30.5))])
    with pytest.raises(ConfigError, match="'xx'"):
        recognizer.bucket(request(silence(1.0), language="xx"))


def test_a_long_prompt_is_bounded(recognizer: Recognizer) -> None:
    transcript = recognizer.decode([request(speech("pas_la"), prompt="bonjour " * 2000)])[0]
    assert transcript.duration_s > 1.0
    assert recognizer.bucket(request(silence(1.0), prompt="bonjour " * 2000)).prompt_tokens < 120  # type: ignore[attr-defined]


def test_info_and_self_test(recognizer: Recognizer) -> None:
    info = recognizer.info
    assert (info.name, info.device, info.mel_bands, info.audio_context) == ("telephone-fr", "cpu", 80, "auto")
    assert info.compute_type.startswith("int8")
    assert recognizer.self_test().text == "Oui bonjour."


def test_a_model_that_was_loaded_again_hears_the_same(recognizer: Recognizer) -> None:
    before = recognizer.self_test().text
    recognizer.reload()
    assert recognizer.self_test().text == before


def test_a_model_that_hears_nothing_fails_its_self_test(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "_self_test_audio", lambda: silence(1.0))
    with pytest.raises(ModelSelfTestFailed, match="telephone-fr"):
        recognizer.self_test()


def test_float16_on_a_cpu_becomes_int8() -> None:
    loaded = Recognizer.load(device="cpu", compute_type="float16")
    assert loaded.info.compute_type.startswith("int8")


@pytest.mark.skipif(ctranslate2.get_cuda_device_count() > 0, reason="there is a GPU")
def test_cuda_without_a_gpu_names_the_remedy() -> None:
    with pytest.raises(DeviceUnavailable, match='device="auto"'):
        Recognizer.load(device="cuda")


@pytest.mark.parametrize("name", ["does-not-exist", "/no/such/directory", "../none"])
def test_unknown_names_name_the_remedy(name: str) -> None:
    with pytest.raises(ModelNotFound, match="telephone-fr"):
        Recognizer.load(name)


@pytest.mark.parametrize("name", ["large-v1", "somebody/no-such-model"])
def test_a_known_name_that_is_not_on_this_machine_names_the_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound, match="telephone-fr"):
        Recognizer.load(name, local_files_only=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def test_a_directory_loads_and_has_full_context_unless_it_says_otherwise(copy: Path) -> None:
    assert Recognizer.load(str(copy), device="cpu").info.audio_context == "auto"
    (copy / "voicebot.json").unlink()
    assert Recognizer.load(str(copy), device="cpu").info.audio_context == "full"
    with pytest.raises(ConfigError, match=r"not trained|trained on windows of 30 s"):
        Recognizer.load(str(copy), device="cpu", audio_context="auto")
    assert Recognizer.load(str(copy), device="cpu", audio_context="forced").info.audio_context == "auto"


def test_a_language_is_detected_when_it_is_not_given(recognizer: Recognizer) -> None:
    detected = recognizer.decode([request(speech("pas_la"), language="auto")])[0]
    given = recognizer.decode([request(speech("pas_la"))])[0]
    assert (detected.text, detected.words, detected.language) == (given.text, given.words, "fr")
    assert 0.5 < detected.language_prob <= 1.0
    assert given.language_prob == 1.0


def test_prompt_and_hotwords_are_bounded(recognizer: Recognizer) -> None:
    def tokens(**fields: str) -> int:
        return recognizer.bucket(request(speech("pas_la"), **fields)).prompt_tokens  # type: ignore[attr-defined, no-any-return]

    bare = tokens()
    assert tokens(prompt="  ", hotwords="") == bare
    assert tokens(hotwords="mutuelle") > bare + 1
    assert tokens(prompt="bonjour " * 1000) == bare + 1 + 100
    assert tokens(prompt="bonjour " * 1000, hotwords="mutuelle " * 1000) == bare + 1 + 100 + 50
    heard = recognizer.decode([request(speech("au_travail"), hotwords="travail", prompt="Bonjour madame.")])[0]
    assert "travail" in heard.text


def test_a_doubtful_final_is_heard_again_with_more_context_and_a_partial_is_not(recognizer: Recognizer) -> None:
    def partial_of(audio: Audio) -> Transcript:
        return recognizer.decode([DecodeRequest("c", DecodeKind.PARTIAL, audio)])[0]

    # speech played backwards, or half as fast: the model writes something and is not sure of it
    odd = [np.ascontiguousarray(speech(name)[::-1]) for name in TEXTS]
    odd += [resample(speech(name), from_hz=10, to_hz=20) for name in TEXTS]
    unlikely = next(audio for audio in odd if partial_of(audio).avg_logprob < -1.0)
    partial = partial_of(unlikely)
    final = recognizer.decode([request(unlikely)])[0]
    sure = recognizer.decode([request(speech("peut_etre"))])[0]
    assert (final.redone, partial.redone, sure.redone) == (True, False, False)
    assert final.avg_logprob >= partial.avg_logprob


def test_silence_says_why_it_has_no_text(recognizer: Recognizer) -> None:
    assert recognizer.decode([request(silence(1.0))])[0].suppressed == ("inaudible",)


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(ModelNotFound, match=missing):
        Recognizer.load(str(copy), device="cpu")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.bin", "junk"),
        ("tokenizer.json", "{"),
        ("vocabulary.json", json.dumps(["a", "b"])),
        ("voicebot.json", "{}"),
        ("voicebot.json", '{"audio_context": "short"}'),
    ],
)
def test_a_damaged_file_is_a_model_error(copy: Path, name: str, content: str) -> None:
    (copy / name).write_text(content)
    with pytest.raises(ModelError):
        Recognizer.load(str(copy), device="cpu")


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"beam_size": 0}, {"audio_context": "short"}])
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Recognizer.load(**wrong)  # type: ignore[arg-type]


# ---- what a model was trained for


def test_languages_and_tasks_that_a_model_was_not_trained_for_are_refused_by_name(recognizer: Recognizer) -> None:
    for language in ("fr", DETECT):
        recognizer.check(language)
    with pytest.raises(ConfigError, match="'telephone-fr' hears fr only, not 'en'"):
        recognizer.check("en")
    with pytest.raises(ConfigError, match="trained to transcribe only"):
        recognizer.check("fr", "translate")


def test_a_model_that_does_not_say_may_do_all_that_its_tokens_allow(copy: Path) -> None:
    (copy / "voicebot.json").write_text('{"audio_context": "auto"}')
    free = Recognizer.load(str(copy), device="cpu")
    free.check("en", "translate")
    with pytest.raises(ConfigError, match="no language 'zz'"):
        free.check("zz")
    asked = [DecodeRequest("a", DecodeKind.FINAL, silence(1), task=task) for task in ("transcribe", "translate")]
    assert free.bucket(asked[0]) != free.bucket(asked[1])  # the task is a token of the prompt
    (heard,) = free.decode([DecodeRequest("a", DecodeKind.FINAL, speech("oui_bonjour"), task="translate")])
    assert heard.duration_s > 0


@pytest.mark.parametrize(
    "told", ['{"audio_context": "auto", "languages": "fr"}', '{"audio_context": "auto", "tasks": [1]}']
)
def test_what_a_model_says_of_itself_must_be_lists(copy: Path, told: str) -> None:
    (copy / "voicebot.json").write_text(told)
    with pytest.raises(ModelError, match="lists of names"):
        Recognizer.load(str(copy), device="cpu")


def test_whether_text_that_came_before_helps_is_told_by_the_model(recognizer: Recognizer, copy: Path) -> None:
    assert not recognizer.info.rolling_prompt
    (copy / "voicebot.json").write_text('{"audio_context": "auto"}')
    assert Recognizer.load(str(copy), device="cpu").info.rolling_prompt
    (copy / "voicebot.json").write_text('{"audio_context": "auto", "rolling_prompt": 1}')
    with pytest.raises(ModelError, match="rolling_prompt is true or false"):
        Recognizer.load(str(copy), device="cpu")
