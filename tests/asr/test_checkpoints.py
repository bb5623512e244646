"""The checkpoints that are read: Hugging Face's and OpenAI's layouts, and every fault in them, named."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ctranslate2.specs  # noqa: F401 : here, so that it never takes a fake torch for the real one
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file
from whisper_checkpoints import (
    TOKENIZER,
    random_weights,
    rewritten,
    to_openai,
    trained_weights,
    write_checkpoint,
)

from V3.asr.checkpoints import open_checkpoint
from V3.asr.convert import convert
from V3.errors import ModelError, ModelNotFound


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny", random_weights())


# OpenAI's files. Where torch is not installed, a fake of its load stands for it.


class FakeTorch(ModuleType):
    """A torch whose ``load`` answers with what it was given, or raises it."""

    def __init__(self, content: Any) -> None:
        super().__init__("torch")
        self.content = content

    def load(self, file: Path, *, map_location: str, weights_only: bool, mmap: bool) -> Any:
        assert (map_location, weights_only, file.is_file()) == ("cpu", True, True)
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


@pytest.fixture
def pt(tmp_path: Path) -> Path:
    path = tmp_path / "small.pt"
    path.write_bytes(b"as torch wrote it")
    return path


def fake_openai(tensors: dict[str, Any]) -> dict[str, Any]:
    content = to_openai(tensors)
    state = content["model_state_dict"]
    content["model_state_dict"] = {
        name: SimpleNamespace(dtype="torch.float32", numpy=lambda array=array: array) for name, array in state.items()
    }
    return content


def test_an_openai_file_gives_the_model_of_the_same_weights(
    tiny: Path, pt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(fake_openai(random_weights())))
    (tiny / "generation_config.json").unlink()
    theirs = convert(pt, tmp_path / "theirs", tokenizer=TOKENIZER).directory
    same = convert(tiny, tmp_path / "same").directory
    for name in ("model.bin", "config.json", "vocabulary.json", "tokenizer.json"):
        assert (theirs / name).read_bytes() == (same / name).read_bytes(), name


def test_torch_itself_reads_an_openai_file(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    content = to_openai(trained_weights())
    state = content["model_state_dict"]
    path = tmp_path / "telephone.pt"
    kinds = {"decoder.token_embedding.weight": torch.bfloat16, "decoder.positional_embedding": torch.float16}
    content["model_state_dict"] = {
        name: torch.from_numpy(array).to(kinds.get(name, torch.float32)) for name, array in state.items()
    }
    torch.save(content, path)
    assert convert(path, tmp_path / "out", tokenizer=TOKENIZER, short_context=True).heard == "Oui bonjour."
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"telephone\.pt is no PyTorch file of weights alone, or is damaged"):
        convert(path, tmp_path / "again", tokenizer=TOKENIZER)


def test_an_openai_file_needs_a_tokenizer_and_torch(pt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"small\.pt has no tokenizer in it: pass --tokenizer FILE"):
        convert(pt, tmp_path / "out")
    with pytest.raises(ModelNotFound, match=r"no\.json is missing"):
        convert(pt, tmp_path / "out", tokenizer=tmp_path / "no.json")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match="needs torch: pip install torch"):
        convert(pt, tmp_path / "out", tokenizer=TOKENIZER)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (RuntimeError("PytorchStreamReader failed"), "damaged: PytorchStreamReader"),
        ({"state_dict": {}, "epoch": 3}, "dims and model_state_dict are wanted, it holds state_dict, epoch"),
        ([1], "it holds list"),
        ({"dims": {"n_mels": 40}, "model_state_dict": {}}, "n_mels: Input should be 80 or 128"),
    ],
)
def test_other_pt_files_are_refused(
    pt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(content))
    with pytest.raises(ModelError, match=said):
        convert(pt, tmp_path / "out", tokenizer=TOKENIZER)


def test_widths_that_differ_are_refused(pt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = fake_openai(random_weights())
    content["dims"]["n_text_state"] = 128
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(content))
    with pytest.raises(ModelError, match="n_audio_state and n_text_state"):
        convert(pt, tmp_path / "out", tokenizer=TOKENIZER)


# Faults. Each is made in a copy of a sound checkpoint.


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def lfs_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")


def other_tensors(**changes: Any) -> Callable[[Path], None]:
    """``None`` takes one out."""

    def change(folder: Path) -> None:
        tensors = random_weights() | {f"model.{name.replace('__', '.')}": value for name, value in changes.items()}
        save_file({name: each for name, each in tensors.items() if each is not None}, folder / "model.safetensors")

    return change


def other_json(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: rewritten(folder / name, **changes)


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def written(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def shard_missing(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    names = {"x": "a.safetensors", "y": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def index_without_map(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")


def another_vocabulary(folder: Path) -> None:
    write_checkpoint(folder, random_weights(vocabulary=2000))


FAULTS: dict[str, tuple[Callable[[Path], None], type[ModelError], str]] = {
    "no config": (without("config.json"), ModelNotFound, r"config\.json is missing"),
    "config no JSON": (written("config.json", "{"), ModelError, r"config\.json is no JSON"),
    "config a list": (written("config.json", "[]"), ModelError, r"config\.json is no JSON object"),
    "another model": (
        other_json("config.json", model_type="wav2vec2"), ModelError, r"config\.json .*model_type: .*'whisper'"
    ),
    "bands": (other_json("config.json", num_mel_bins=64), ModelError, "num_mel_bins: Input should be 80 or 128"),
    "positions": (other_json("config.json", max_source_positions=...), ModelError, "max_source_positions: Field req"),
    "settings": (
        other_json("generation_config.json", suppress_tokens="all"), ModelError, r"generation_config\.json .*suppress"
    ),
    "a token out of range": (
        other_json("generation_config.json", suppress_tokens=[2809]), ModelError, "token 2809; there are 2809"
    ),
    "a head out of range": (
        other_json("generation_config.json", alignment_heads=[[2, 0]]), ModelError, r"alignment head \(2, 0\)"
    ),
    "no weights": (without("model.safetensors"), ModelNotFound, "save_pretrained"),
    "cut off": (cut_off, ModelError, r"model\.safetensors is no whole safetensors file"),
    "a pointer": (lfs_pointer, ModelError, "Git LFS pointer"),
    "shard missing": (shard_missing, ModelNotFound, r"b\.safetensors is missing: model\.safetensors\.index\.json"),
    "index without map": (index_without_map, ModelError, "has no weight_map"),
    "a tensor missing": (
        other_tensors(encoder__layers__1__fc1__bias=None), ModelError, r"tiny .*tensor encoder\.layers\.1\.fc1\.bias is"
    ),
    "another shape": (
        other_tensors(encoder__conv1__weight=np.zeros((64, 128, 3), np.float32)), ModelError,
        r"encoder\.conv1\.weight has the shape \(64, 128, 3\), where \(64, 80, 3\)",
    ),
    "inner widths": (
        other_tensors(decoder__layers__0__fc2__weight=np.zeros((64, 255), np.float32)), ModelError,
        r"fc2\.weight has the shape \(64, 255\), where \(64, 256\)",
    ),
    "integers": (
        other_tensors(encoder__conv2__bias=np.zeros(64, np.int8)), ModelError, "stored as I8; F16, BF16, F32 are"
    ),
    "no tokenizer": (written("tokenizer.json", "{}"), ModelError, r"tokenizer\.json is no tokenizer\.json"),
    "another tokenizer": (
        other_json("tokenizer.json", added_tokens=[]), ModelError, "tokenizer is not one of Whisper's"
    ),
    "another vocabulary": (
        another_vocabulary, ModelError,
        "the tokenizer has 2809 tokens and the model 2000",
    ),
    "converted already": (written("model.bin", ""), ModelError, "is a CTranslate2 model already: .*--model"),
    "an adapter": (written("adapter_config.json", "{}"), ModelError, "merge it into its base model"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_leaves_nothing_behind(tiny: Path, tmp_path: Path, fault: str) -> None:
    damage, kind, said = FAULTS[fault]
    damage(tiny)
    with pytest.raises(kind, match=said) as raised:
        convert(tiny, tmp_path / "out")
    assert type(raised.value) is kind
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_no_source_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="nowhere is missing: a Hugging Face directory or an OpenAI"):
        convert(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "ggml.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"ggml\.bin cannot be converted: give .*whole directory"):
        convert(tmp_path / "ggml.bin", tmp_path / "out")


def test_safetensors_missing_or_too_old(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safetensors.__version__", "0.3.9")
    with pytest.raises(ModelError, match=r"safetensors 0\.3\.9 is too old, 0\.4\.5 .*V3\[convert\]"):
        convert(tiny, tmp_path / "out")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModelError, match=r"needs safetensors: pip install 'V3\[convert\]'"):
        convert(tiny, tmp_path / "out")


def test_bfloat16_without_its_package(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_tensors(encoder__conv2__bias=np.zeros(64, ml_dtypes.bfloat16))(tiny)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ModelError, match=r"bfloat16, which needs ml_dtypes: pip install"):
        _ = open_checkpoint(tiny).weights["encoder.conv2.bias"]
