"""The whole recipe once, tiny, so that a test can show that its parts fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.batches import BatchSettings, BatchSource
from training.corpus import generate
from training.evaluate import decode
from training.export import export
from training.model import Shape
from training.recordings import Recording
from training.synthesis import Shards, synthesize
from training.tokens import Tokens
from training.train import TrainSettings, train
from V3.asr.loading import SHIPPED_MODEL, find_model
from V3.asr.model import Recognizer

__all__ = ["smoke"]


def smoke(work: Path, *, utterances: int = 30, steps: int = 10) -> str:
    """Corpus, synthesis, training, export and one decode; returns what the model heard (nonsense, after ten steps)."""
    tokenizer = find_model(SHIPPED_MODEL).directory / "tokenizer.json"
    for _ in synthesize(work / "clips", list(generate(utterances, seed=1)), seed=1, processes=1):
        pass
    shape = Shape(width=64, heads=1, encoder_layers=1, decoder_layers=1, vocabulary=Tokens(tokenizer).size)
    source = BatchSource(
        work / "clips", tokenizer, seed=1, settings=BatchSettings(frames=2000, pool_windows=24, full=0.0)
    )
    weights = train(work / "run", source, shape, TrainSettings(steps=steps, cooldown=5, warmup=2))
    model = export(dict(np.load(weights)), tokenizer, work / "model")
    clip = Shards(work / "clips")[0]
    recording = Recording("0", np.repeat(clip.samples, 2), clip.text, clip.category)
    recognizer = Recognizer.load(str(model), device="cpu", cpu_threads=1)
    return decode(recognizer, [recording.samples])[0].text
