"""Users' checkpoints converted: what they hear afterwards, what becomes of their settings, where the result goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import ctranslate2
import ml_dtypes
import numpy as np
import pytest
from audio_samples import TEXTS, speech
from faster_whisper import WhisperModel
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from whisper_checkpoints import (
    SHIPPED,
    TOKENIZER,
    random_weights,
    rewritten,
    trained_weights,
    write_checkpoint,
)

from V3.asr.convert import convert, known_heads
from V3.asr.model import DecodeKind, DecodeRequest, Recognizer
from V3.asr.model_bin import read_model_bin
from V3.asr.specification import WhisperShape, late_heads, specification
from V3.errors import ConfigError, ModelError, ModelNotFound

HEADS = json.loads((SHIPPED / "config.json").read_text())["alignment_heads"]


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "trained", trained_weights(), generation={"alignment_heads": HEADS})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny", random_weights())


def config_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return loaded


def beside(out: Path) -> set[str]:
    return {path.name for path in out.parent.iterdir()}


def test_the_shipped_models_weights_hear_what_the_shipped_model_hears(trained: Path, tmp_path: Path) -> None:
    converted = convert(trained, tmp_path / "out", short_context=True).directory
    for name in ("config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json"):
        assert (converted / name).read_bytes() == (SHIPPED / name).read_bytes(), name
    assert json.loads((converted / "voicebot.json").read_text()) == {"audio_context": "auto"}
    recordings = [DecodeRequest(name, DecodeKind.FINAL, speech(name)) for name in TEXTS]
    ours, shipped = (Recognizer.load(str(folder), device="cpu").decode(recordings) for folder in (converted, SHIPPED))
    assert [each.text for each in ours] == [each.text for each in shipped]
    assert [each.text for each in ours[:3]] == list(TEXTS.values())[:3]
    starts = [[word.start_ms for each in heard for word in each.words] for heard in (ours, shipped)]
    assert starts[0] == pytest.approx(starts[1], abs=40)  # two steps: the fixed positions are computed anew here


@pytest.mark.parametrize("quantization", ["int8", "int8_float16", "float16", "float32"])
def test_every_number_format_hears(trained: Path, tmp_path: Path, quantization: str) -> None:
    done = convert(trained, tmp_path / "out", quantization=quantization, short_context=True)
    assert done.heard == "Oui bonjour."
    header = read_model_bin(done.directory / "model.bin")
    assert (header.quantization, header.mel_bands) == (quantization, 80)
    assert header.parameters == read_model_bin(SHIPPED / "model.bin").parameters


def test_faster_whisper_loads_it_and_hears(trained: Path, tmp_path: Path) -> None:
    done = convert(trained, tmp_path / "out", quantization="float32")
    loaded = WhisperModel(str(done.directory), device="cpu", compute_type="int8", cpu_threads=1)
    segments, _ = loaded.transcribe(speech("au_travail"), language="fr", beam_size=1)
    assert " ".join(segment.text.strip() for segment in segments) == TEXTS["au_travail"]


def test_short_windows_are_only_for_who_says_so(tiny: Path, tmp_path: Path) -> None:
    full = convert(tiny, tmp_path / "full").directory
    short = convert(tiny, tmp_path / "short", short_context=True).directory
    contexts = [Recognizer.load(str(folder), device="cpu").info.audio_context for folder in (full, short)]
    assert contexts == ["full", "auto"]


def test_128_mel_bands(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "large", random_weights(bands=128))
    recognizer = Recognizer.load(str(convert(source, tmp_path / "out").directory), device="cpu")
    assert recognizer.info.mel_bands == 128
    recognizer.decode([DecodeRequest("c", DecodeKind.FINAL, speech("oui_bonjour"))])
    assert json.loads((tmp_path / "out" / "preprocessor_config.json").read_text())["feature_size"] == 128


def test_shards_and_names_without_prefix_give_the_same_model(tiny: Path, tmp_path: Path) -> None:
    whole = convert(tiny, tmp_path / "whole").directory
    shards = shutil.copytree(tiny, tmp_path / "shards")
    (shards / "model.safetensors").unlink()
    tensors = {name.removeprefix("model."): array for name, array in random_weights().items()}
    files = {name: f"model-0000{1 + ('decoder' in name)}-of-00002.safetensors" for name in tensors}
    for file in set(files.values()):
        save_file({name: tensors[name] for name in tensors if files[name] == file}, shards / file)
    (shards / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    sharded = convert(shards, tmp_path / "sharded").directory
    assert (sharded / "model.bin").read_bytes() == (whole / "model.bin").read_bytes()


@pytest.mark.parametrize("stored", [ml_dtypes.bfloat16, np.float16])
def test_weights_of_16_bits_are_widened_before_they_are_quantized(tmp_path: Path, stored: Any) -> None:
    narrow = {name: array.astype(stored) for name, array in random_weights().items()}
    wide = {name: array.astype(np.float32) for name, array in narrow.items()}
    from_narrow = convert(write_checkpoint(tmp_path / "narrow", narrow), tmp_path / "a").directory
    from_wide = convert(write_checkpoint(tmp_path / "wide", wide), tmp_path / "b").directory
    assert (from_narrow / "model.bin").read_bytes() == (from_wide / "model.bin").read_bytes()


def test_an_output_layer_counts_only_where_it_is_untied(tmp_path: Path) -> None:
    tensors = random_weights()
    tensors["proj_out.weight"] = -tensors["model.decoder.embed_tokens.weight"]
    plain = convert(write_checkpoint(tmp_path / "plain", random_weights()), tmp_path / "a").directory
    tied = convert(write_checkpoint(tmp_path / "tied", tensors), tmp_path / "b").directory
    untied_source = write_checkpoint(tmp_path / "untied", tensors, config={"tie_word_embeddings": False})
    untied = convert(untied_source, tmp_path / "c").directory
    assert (tied / "model.bin").read_bytes() == (plain / "model.bin").read_bytes()
    assert read_model_bin(untied / "model.bin").parameters == read_model_bin(plain / "model.bin").parameters + 2809 * 64


def test_an_english_only_model_stays_one(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "english", random_weights(), generation={"is_multilingual": False})
    loaded = ctranslate2.models.Whisper(str(convert(source, tmp_path / "out").directory), device="cpu")
    assert not loaded.is_multilingual


def test_what_a_checkpoint_does_not_say_is_whispers_default(tiny: Path, tmp_path: Path) -> None:
    (tiny / "generation_config.json").unlink()
    config = config_of(convert(tiny, tmp_path / "out").directory)
    pieces = Tokenizer.from_file(str(TOKENIZER))
    for piece in ("[", "(", "<|startoftranscript|>", "<|nospeech|>"):
        assert pieces.token_to_id(piece) in config["suppress_ids"]
    for piece in ("a", ",", "<|endoftext|>", "<|fr|>"):
        assert pieces.token_to_id(piece) not in config["suppress_ids"]
    assert config["suppress_ids_begin"] == [pieces.token_to_id("Ġ"), pieces.token_to_id("<|endoftext|>")]
    assert config["alignment_heads"] == [[1, 0]]
    assert config["lang_ids"] == config_of(SHIPPED)["lang_ids"]


def test_older_checkpoints_say_it_in_config_json(tiny: Path, tmp_path: Path) -> None:
    rewritten(tiny / "generation_config.json", suppress_tokens=..., begin_suppress_tokens=[5])
    rewritten(tiny / "config.json", suppress_tokens=[3, 4], begin_suppress_tokens=[9])
    config = config_of(convert(tiny, tmp_path / "out").directory)
    assert (config["suppress_ids"], config["suppress_ids_begin"]) == ([3, 4], [5])


def test_timestamps_that_a_tokenizer_leaves_out_are_added(tiny: Path, tmp_path: Path) -> None:
    content = json.loads((tiny / "tokenizer.json").read_text())
    first = next(token["id"] for token in content["added_tokens"] if token["content"] == "<|0.00|>")
    content["added_tokens"] = [token for token in content["added_tokens"] if token["id"] < first]
    (tiny / "tokenizer.json").write_text(json.dumps(content))
    converted = convert(tiny, tmp_path / "out").directory
    assert (converted / "vocabulary.json").read_bytes() == (SHIPPED / "vocabulary.json").read_bytes()


def test_a_tokenizer_that_is_given_is_taken(tiny: Path, tmp_path: Path) -> None:
    (tiny / "tokenizer.json").unlink()
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json is missing: pass --tokenizer FILE"):
        convert(tiny, tmp_path / "out")
    converted = convert(tiny, tmp_path / "out", tokenizer=TOKENIZER).directory
    assert (converted / "tokenizer.json").read_bytes() == TOKENIZER.read_bytes()


def test_quantizing_leaves_the_callers_weights_as_they_were() -> None:
    weights = {name.removeprefix("model."): array for name, array in random_weights().items()}
    before = {name: array.copy() for name, array in weights.items()}
    shape = WhisperShape(64, 2, 1, 2, 1, 80, 2809)
    spec = specification(weights, shape)
    spec.register_vocabulary([""] * 2809)
    spec.validate()
    spec.optimize(quantization="int8")
    assert all(np.array_equal(weights[name], before[name]) for name in before)


# Alignment heads.

OPENAI_SHAPES = {
    "tiny": WhisperShape(384, 4, 6, 4, 6, 80, 51865),
    "tiny.en": WhisperShape(384, 4, 6, 4, 6, 80, 51864),
    "base": WhisperShape(512, 6, 8, 6, 8, 80, 51865),
    "small": WhisperShape(768, 12, 12, 12, 12, 80, 51865),
    "medium": WhisperShape(1024, 24, 16, 24, 16, 80, 51865),
    "large-v2": WhisperShape(1280, 32, 20, 32, 20, 80, 51865),
    "large-v3": WhisperShape(1280, 32, 20, 32, 20, 128, 51866),
}


@pytest.mark.parametrize("name", OPENAI_SHAPES)
def test_heads_of_openais_shapes_are_the_measured_ones(name: str) -> None:
    shape = OPENAI_SHAPES[name]
    heads = known_heads(shape)
    assert 5 <= len(heads) <= 24
    assert all(layer < shape.decoder_layers and head < shape.decoder_heads for layer, head in heads)
    assert heads != late_heads(shape)


def test_heads_of_other_shapes_are_the_later_half() -> None:
    turbo = WhisperShape(1280, 32, 20, 4, 20, 128, 51866)
    assert known_heads(turbo) == [(layer, head) for layer in (2, 3) for head in range(20)]
    small_vocabulary = WhisperShape(384, 4, 6, 4, 6, 80, 2809)
    assert known_heads(small_vocabulary) == [(layer, head) for layer in (2, 3) for head in range(6)]


def test_an_unknown_number_format_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of int8, int8_float16, float16, float32, not 'int4'"):
        convert(tiny, tmp_path / "out", quantization="int4")


# The place of the result.


def test_what_is_there_is_replaced_only_by_force(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    convert(tiny, out, quantization="float32")
    (out / "note.txt").write_text("of the model before")
    with pytest.raises(ModelError, match="out exists: give another place, or --force"):
        convert(tiny, out)
    assert read_model_bin(out / "model.bin").quantization == "float32"
    convert(tiny, out, force=True)
    assert read_model_bin(out / "model.bin").quantization == "int8"
    assert not (out / "note.txt").exists()
    assert beside(out) == {"out"}


def test_force_replaces_nothing_but_models(tiny: Path, tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "dear.txt").write_text("x")
    (tmp_path / "linked").symlink_to(letters)
    for place in (letters, letters / "dear.txt", tmp_path / "linked"):
        with pytest.raises(ModelError, match="is no model's directory"):
            convert(tiny, place, force=True)
    assert (letters / "dear.txt").read_text() == "x"
    for place in (tiny, tmp_path):
        with pytest.raises(ModelError, match="holds the checkpoint itself"):
            convert(tiny, place, force=True)


@pytest.mark.parametrize("step", ["reading", "quantizing", "writing", "loading"])
def test_an_interruption_leaves_what_was_there(tiny: Path, tmp_path: Path, step: str) -> None:
    def interrupt(said: str) -> None:
        if said.startswith(step):
            raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        convert(tiny, out, force=True, say=interrupt)
    assert list(out.iterdir()) == []
    assert beside(out) == {"out", "tiny"}


def test_a_place_that_cannot_be_written_is_the_systems_error(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        convert(tiny, tmp_path / "file" / "out")


def test_the_result_is_readable_to_all_that_may_read_the_folder_it_is_in(tiny: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    assert convert(tiny, tmp_path / "out").directory.stat().st_mode == plain.stat().st_mode
