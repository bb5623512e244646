"""The models on a machine, from their files alone: the shipped one, folders, the Hugging Face cache, damaged ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from whisper_checkpoints import SHIPPED, rewritten

from V3.asr.model_bin import read_model_bin
from V3.asr.shelf import ShelvedModel, describe, list_models
from V3.errors import ModelError, ModelNotFound


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "models" / "copy")


def cache_of(folder: Path, repository: str, *, ref: str = "main") -> Path:
    """A snapshot of the shipped model as the Hugging Face client lays it out; returns its folder."""
    root = folder / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / "abc"
    (root / "blobs").mkdir(parents=True)
    (root / "refs").mkdir()
    snapshot.mkdir(parents=True)
    (root / "refs" / ref).write_text("abc")
    for number, file in enumerate(sorted(SHIPPED.iterdir())):
        shutil.copy(file, root / "blobs" / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    return snapshot


def test_the_shipped_model_is_always_there(tmp_path: Path) -> None:
    (shipped,) = list_models(hub_cache=tmp_path / "no cache")
    assert shipped == ShelvedModel(
        name="telephone-fr",
        directory=SHIPPED,
        size_bytes=sum(file.stat().st_size for file in SHIPPED.iterdir()),
        parameters=5_232_768,
        mel_bands=80,
        languages=100,
        quantization="int8",
        audio_context="auto",
        faults=(),
    )


def test_folders_are_looked_through_to_the_bottom(copy: Path, tmp_path: Path) -> None:
    deep = shutil.copytree(copy, tmp_path / "models" / "a" / "b" / "deep")
    shutil.copytree(copy, tmp_path / "models" / ".copy.partial" / "model")  # what an interrupted conversion is called
    (tmp_path / "models" / "loop").symlink_to(tmp_path / "models")
    other = tmp_path / "models" / "bert"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    (other / "model.bin").write_bytes(b"not Whisper")
    found = list_models([tmp_path / "models", copy])
    assert [model.name for model in found] == ["telephone-fr", str(deep), str(copy)]


def test_models_of_the_current_directory_need_no_argument(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = list_models(hub_cache=tmp_path / "no cache")
    assert [model.name for model in found] == ["telephone-fr", str(Path("models") / "copy")]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="nowhere is no directory"):
        list_models([tmp_path / "nowhere"])


def test_downloaded_models_go_by_the_name_they_load_by(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "models" / "copy")
    cache = tmp_path / "hub"
    cache_of(cache, "Somebody/faster-whisper-fr")
    incomplete = cache_of(cache, "Somebody/faster-whisper-cut")
    (incomplete / "model.bin").unlink()
    cache_of(cache, "Somebody/only-a-pull-request", ref="refs-pr-1")
    bert = cache_of(cache, "Somebody/bert")
    for name in ("config.json", "model.bin"):
        (bert / name).unlink()
    found = list_models(hub_cache=cache)[1:]
    assert [(model.name, model.faults) for model in found] == [
        ("Somebody/faster-whisper-cut", ("model.bin is missing",)),
        ("Somebody/faster-whisper-fr", ()),
    ]
    assert found[1].size_bytes == sum(file.stat().st_size for file in SHIPPED.iterdir())


def test_all_that_is_missing_is_named(copy: Path) -> None:
    for name in ("model.bin", "tokenizer.json", "vocabulary.json"):
        (copy / name).unlink()
    shown = describe(copy)
    assert shown.faults == ("model.bin is missing", "tokenizer.json is missing", "vocabulary.json is missing")
    assert (shown.parameters, shown.quantization, shown.languages, shown.audio_context) == (None,) * 4


def test_without_its_config_it_is_known_by_its_weights(copy: Path) -> None:
    (copy / "config.json").unlink()
    (_, shown) = list_models([copy])
    assert shown.faults == ("config.json is missing",)
    assert shown.parameters == 5_232_768


@pytest.mark.parametrize("kept_bytes", [0, 3, 30, 100_000, -100])
def test_weights_that_were_cut_off(copy: Path, kept_bytes: int) -> None:
    path = copy / "model.bin"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    assert describe(copy).faults == (f"{path} is cut off, or no Whisper of CTranslate2's",)


@pytest.mark.parametrize("content", [b"\x09\0\0\0", b"\x06\0\0\0\x02\0\xff\0", b"\x06\0\0\0\x03\0ab\0"])
def test_other_binaries_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content + bytes(100))
    with pytest.raises(ModelError, match=r"model\.bin is cut off, or no Whisper"):
        read_model_bin(path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.json", "{", "config.json is no JSON"),
        ("vocabulary.json", "[", "vocabulary.json is no JSON"),
        ("voicebot.json", '{"audio_context": "long"}', "audio_context is auto or full, not 'long'"),
    ],
)
def test_damaged_json_is_a_fault_of_that_model_only(copy: Path, name: str, text: str, said: str) -> None:
    (copy / name).write_text(text)
    (shipped, shown) = list_models([copy])
    assert shipped.faults == ()
    assert len(shown.faults) == 1
    assert said in shown.faults[0]


def test_english_only_and_older_vocabularies(copy: Path) -> None:
    pieces = json.loads((copy / "vocabulary.json").read_text())
    (copy / "vocabulary.json").write_text(json.dumps(["Ā" if piece == "" else piece for piece in pieces]))
    assert describe(copy).languages == 1
    (copy / "vocabulary.json").rename(copy / "vocabulary.txt")
    shown = describe(copy)
    assert (shown.languages, shown.faults) == (None, ())


def test_a_model_without_voicebot_json_hears_30_s(copy: Path) -> None:
    (copy / "voicebot.json").unlink()
    rewritten(copy / "config.json", lang_ids=...)
    shown = describe(copy)
    assert (shown.audio_context, shown.languages) == ("full", None)
