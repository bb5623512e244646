"""Features as faster-whisper's, weights there and back, CTranslate2 as PyTorch, and the whole recipe once."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

import ctypes.util
import json
import os
import subprocess
import sys
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.feature_extractor import FeatureExtractor

from training.augment import a_law, band_limit, mu_law, opus, phone_line, reverb, warp
from training.checkpoints import read_checkpoint, read_shape
from training.export import all_heads, export, shape_of
from training.features import log_mel
from training.model import Shape, Whisper, load_weights, save_weights
from training.noises import NoiseBank
from training.tokens import Tokens
from training.train import TrainSettings, learning_rate
from V3.asr.loading import SHIPPED_MODEL, find_model

TOKENIZER = find_model(SHIPPED_MODEL).directory / "tokenizer.json"
TINY = Shape(width=128, heads=2, encoder_layers=2, decoder_layers=2)
NEEDS_ESPEAK = pytest.mark.skipif(ctypes.util.find_library("espeak-ng") is None, reason="espeak-ng is not installed")


def _tone(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    rng = np.random.default_rng(0)
    return (0.3 * np.sin(np.arange(count) / 7) + 0.02 * rng.standard_normal(count)).astype(np.float32)


@pytest.mark.parametrize("seconds", [1, 3, 30])
def test_features_are_faster_whispers(seconds: int) -> None:
    audio = _tone(16000 * seconds)
    wanted = FeatureExtractor()(audio, padding=0)
    ours = log_mel(torch.from_numpy(audio)[None])[0].numpy()
    assert ours.shape == wanted.shape
    assert float(np.abs(ours - wanted).max()) < 1e-4


def test_weights_come_back(tmp_path: Path) -> None:
    model, other = Whisper(TINY), Whisper(TINY)
    save_weights(tmp_path / "weights.npz", model)
    assert load_weights(other, np.load(tmp_path / "weights.npz")) == []
    mel = torch.randn(1, 80, 100)
    assert torch.allclose(model.encode(mel), other.encode(mel), atol=2e-2)
    assert shape_of(dict(np.load(tmp_path / "weights.npz"))) == TINY


def test_a_deeper_model_begins_by_saying_what_the_smaller_one_says() -> None:
    smaller = Whisper(Shape(width=64, heads=1, encoder_layers=1, decoder_layers=1, vocabulary=50)).eval()
    deeper = Whisper(Shape(width=64, heads=1, encoder_layers=3, decoder_layers=2, vocabulary=50)).eval()
    weights = {name: value.numpy() for name, value in smaller.state_dict().items()}
    kept = load_weights(deeper, weights)
    assert {name.rsplit(".", 2)[0][:5] for name in kept} == {"enc.1", "enc.2", "dec.1"}
    mel, ids = torch.randn(1, 80, 40), torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        said, again = (model.logits(model.decode(ids, model.encode(mel))) for model in (smaller, deeper))
    torch.testing.assert_close(said, again)
    assert float(deeper.enc[2].f1.weight.detach().abs().max()) > 0  # and it can learn


def test_ctranslate2_computes_what_pytorch_does(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model, tokens = Whisper(TINY).eval(), Tokens(TOKENIZER)
    for name, value in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(value, std=0.05)  # a bias in the wrong place must show
    save_weights(tmp_path / "weights.npz", model)
    folder = export(dict(np.load(tmp_path / "weights.npz")), TOKENIZER, tmp_path / "model", quantization="float32")
    mel = log_mel(torch.from_numpy(_tone(16000 * 2))[None])
    loaded = ctranslate2.models.Whisper(str(folder), device="cpu", intra_threads=1)
    with torch.no_grad():
        audio = model.encode(mel)
        prompt = torch.tensor([[tokens.sot, tokens.french, tokens.transcribe, tokens.no_timestamps]])
        scores = model.logits(model.decode(prompt[:, :1], audio))[0, -1].softmax(-1)
    encoded = loaded.encode(ctranslate2.StorageView.from_array(mel.numpy()))
    assert np.abs(np.array(encoded.to_device(ctranslate2.Device.cpu)) - audio.numpy()).max() < 2e-2
    result = loaded.generate(encoded, prompt.tolist(), max_length=8, return_no_speech_prob=True)[0]
    assert result.no_speech_prob == pytest.approx(float(scores[tokens.no_speech]), rel=0.05)


def test_an_exported_folder_is_a_faster_whisper_model(tmp_path: Path) -> None:
    save_weights(tmp_path / "weights.npz", Whisper(TINY))
    for quantization in ("int8", "float16"):
        folder = export(
            dict(np.load(tmp_path / "weights.npz")), TOKENIZER, tmp_path / quantization, quantization=quantization
        )  # type: ignore[arg-type]
        names = {
            "model.bin",
            "config.json",
            "vocabulary.json",
            "tokenizer.json",
            "preprocessor_config.json",
            "voicebot.json",
        }
        assert {path.name for path in folder.iterdir()} == names
    loaded = WhisperModel(str(tmp_path / "int8"), device="cpu", compute_type="int8", cpu_threads=1)
    assert loaded.model.is_multilingual
    segments, _ = loaded.transcribe(_tone(16000), language="fr", max_new_tokens=5)
    assert isinstance(" ".join(segment.text for segment in segments), str)
    assert json.loads((tmp_path / "int8" / "config.json").read_text())["alignment_heads"] == [
        list(pair) for pair in all_heads(TINY)
    ]


def test_a_checkpoint_of_a_user_is_read_as_it_is(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="only to make a checkpoint to read")
    torch.manual_seed(2)
    config = transformers.WhisperConfig(
        vocab_size=2809, num_mel_bins=80, d_model=128, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=512, decoder_ffn_dim=512, max_source_positions=1500,
        max_target_positions=448, pad_token_id=1200, bos_token_id=1200, eos_token_id=1200, decoder_start_token_id=1201,
    )  # fmt: skip
    theirs = transformers.WhisperForConditionalGeneration(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = Whisper(read_shape(tmp_path)).eval()
    assert load_weights(ours, read_checkpoint(tmp_path)) == ["ctc.weight", "ctc.bias"]
    mel = log_mel(torch.from_numpy(_tone(16000 * 30))[None])
    ids = torch.tensor([[1201, 1219, 1303, 1307, 400, 500]])
    with torch.no_grad():
        wanted = theirs(input_features=mel, decoder_input_ids=ids).logits
        got = ours.logits(ours.decode(ids, ours.encode(mel)))
    assert float((wanted - got).abs().max()) < 1e-3


def test_a_telephone_line_keeps_the_length_and_the_range() -> None:
    rng, speech = np.random.default_rng(1), _tone(8000)
    bank = NoiseBank(1)
    for _ in range(40):
        heard = phone_line(speech, rng, bank=bank, babble=speech[::-1].copy())
        assert heard.shape == speech.shape
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        assert float(np.abs(heard).max()) <= 1.01


def test_no_effect_delays_the_sound() -> None:
    click = np.zeros(8000, dtype=np.float32)
    click[4000:4040] = np.hanning(40) * 0.5
    rng = np.random.default_rng(2)
    for heard in (
        mu_law(click),
        a_law(click),
        band_limit(click, low_hz=300, high_hz=3400),
        reverb(click, rng),
        opus(click, bits_per_s=16000),
    ):
        assert abs(int(np.argmax(np.abs(heard))) - 4020) < 24  # 3 ms
    warped, factor = warp(click, rng)
    assert abs(len(warped) - 8000 * factor) < 2
    assert abs(int(np.argmax(np.abs(warped))) - 4020 * factor) < 24


def test_companding_is_as_fine_as_g711() -> None:
    speech = _tone(8000)
    for law in (mu_law, a_law):
        noise = law(speech) - speech
        assert 30 < 10 * np.log10(np.mean(speech**2) / np.mean(noise**2)) < 45


def test_the_learning_rate_rises_stays_and_falls() -> None:
    settings = TrainSettings(steps=100, cooldown=20, warmup=10, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[50] == 1.0
    assert rates[90] == pytest.approx(0.5)
    assert rates[80:] == sorted(rates[80:], reverse=True)


@NEEDS_ESPEAK
def test_the_whole_recipe_once(tmp_path: Path) -> None:
    from training.smoke import smoke

    heard = smoke(tmp_path)
    assert isinstance(heard, str)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["step"] == 10
    assert (tmp_path / "model" / "model.bin").stat().st_size > 10_000


@NEEDS_ESPEAK
def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    from training.batches import BatchSettings, BatchSource
    from training.corpus import generate
    from training.synthesis import synthesize
    from training.train import train

    for _ in synthesize(tmp_path / "clips", list(generate(20, seed=1)), seed=1):
        pass
    source = BatchSource(
        tmp_path / "clips", TOKENIZER, seed=1, settings=BatchSettings(frames=1500, pool_windows=12, full=0.0)
    )
    shape = Shape(width=64, heads=1, encoder_layers=1, decoder_layers=1)
    said: list[str] = []
    for steps in (3, 6):
        train(tmp_path / "run", source, shape, TrainSettings(steps=steps, cooldown=1, warmup=1), say=said.append)
    assert "resumed at step 3" in said
    assert json.loads((tmp_path / "run" / "run.json").read_text())["step"] == 6


def test_the_help_walks_through_the_steps() -> None:
    root = Path(__file__).resolve().parents[2]
    shown = subprocess.run(
        [sys.executable, "-m", "training", "--help"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "120"},
    )
    for step in ("corpus", "synthesis", "train", "heads", "export", "evaluate", "card", "smoke"):
        assert step in shown.stdout
