"""Whisper in PyTorch, of any small shape, with a CTC helper on the encoder.

Parameter names are those of the released ``weights.npz`` (see the model card), so that training resumes from it.
The encoder's positions are Whisper's sinusoid; the output is tied to the token embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.tokens import CTC_LETTERS

__all__ = ["Shape", "Whisper", "load_weights", "save_weights"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model; positions are encoder positions (two mel frames each) and text tokens."""

    width: int = 192
    heads: int = 3
    encoder_layers: int = 4
    decoder_layers: int = 3
    mel_bands: int = 80
    vocabulary: int = 2809
    audio_positions: int = 1500
    text_positions: int = 448


def sinusoid(length: int, width: int) -> Tensor:
    """Whisper's encoder positions: (length, width), sines then cosines."""
    scale = math.log(10000) / (width // 2 - 1)
    rates = torch.exp(-scale * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """Softmax attention over (batch, heads, n, size).

    On a CPU the plain products are used: PyTorch's fused kernel there takes twice (float32) to four times (bfloat16)
    as long for windows of a few seconds, forward and backward together.
    """
    if q.device.type != "cpu":
        return functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    scores = torch.bmm(q.flatten(0, 1) * q.shape[-1] ** -0.5, k.flatten(0, 1).transpose(1, 2))
    if causal:
        ahead = torch.ones(scores.shape[1:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(ahead, float("-inf"))
    return torch.bmm(scores.softmax(-1), v.flatten(0, 1)).unflatten(0, q.shape[:2])


def lowered(x: Tensor) -> Tensor:
    """``x`` in autocast's number format, converted once for all the matrices that read it."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class Attention(nn.Module):
    """Multi-head attention; keys have no bias, as in Whisper."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width)
        self.o = nn.Linear(width, width)

    def forward(self, x: Tensor, source: Tensor, *, causal: bool = False) -> Tensor:
        """(batch, n, width) attending to (batch, m, width)."""
        q, k, v = (self._split(part) for part in (self.q(x), self.k(source), self.v(source)))
        out = attend(q, k, v, causal=causal)
        return cast("Tensor", self.o(out.transpose(1, 2).flatten(2)))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Block(nn.Module):
    """A pre-norm transformer layer; a decoder's has cross-attention."""

    def __init__(self, width: int, heads: int, *, cross: bool, dropout: float) -> None:
        super().__init__()
        self.n1 = nn.LayerNorm(width)
        self.att = Attention(width, heads)
        if cross:
            self.n2 = nn.LayerNorm(width)
            self.xatt = Attention(width, heads)
        self.n3 = nn.LayerNorm(width)
        self.f1 = nn.Linear(width, 4 * width)
        self.f2 = nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)
        self._cross = cross

    def forward(self, x: Tensor, audio: Tensor | None = None) -> Tensor:
        """One layer; ``audio`` is the encoder's output for a decoder layer."""
        normed = lowered(self.n1(x))
        x = x + self.drop(self.att(normed, normed, causal=self._cross))
        if audio is not None:
            x = x + self.drop(self.xatt(lowered(self.n2(x)), audio))
        return cast("Tensor", x + self.drop(self.f2(functional.gelu(self.f1(lowered(self.n3(x)))))))


class Whisper(nn.Module):
    """Encoder and decoder. ``encode`` takes mel frames of any even count up to twice the audio positions."""

    epos: Tensor

    def __init__(self, shape: Shape, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        width, heads = shape.width, shape.heads
        self.c1 = nn.Conv1d(shape.mel_bands, width, 3, padding=1)
        self.c2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("epos", sinusoid(shape.audio_positions, width), persistent=False)
        self.enc = nn.ModuleList(Block(width, heads, cross=False, dropout=dropout) for _ in range(shape.encoder_layers))
        self.eln = nn.LayerNorm(width)
        self.emb = nn.Embedding(shape.vocabulary, width)
        nn.init.normal_(self.emb.weight, std=0.02)
        self.dpos = nn.Parameter(torch.randn(shape.text_positions, width) * 0.01)
        self.dec = nn.ModuleList(Block(width, heads, cross=True, dropout=dropout) for _ in range(shape.decoder_layers))
        self.dln = nn.LayerNorm(width)
        self.ctc = nn.Linear(width, len(CTC_LETTERS) + 1)

    def encode(self, mel: Tensor) -> Tensor:
        """(batch, bands, frames) to (batch, frames / 2, width)."""
        x = functional.gelu(self.c2(functional.gelu(self.c1(mel)))).transpose(1, 2)
        x = x.float() + self.epos[: x.shape[1]]
        for block in self.enc:
            x = block(x)
        return lowered(self.eln(x))

    def decode(self, tokens: Tensor, audio: Tensor) -> Tensor:
        """(batch, n) ids to (batch, n, width), before the output layer."""
        x = self.emb(tokens) + self.dpos[: tokens.shape[1]]
        for block in self.dec:
            x = block(x, audio)
        return lowered(self.dln(x))

    def logits(self, states: Tensor) -> Tensor:
        """Scores over the vocabulary, by the tied embedding."""
        return states @ self.emb.weight.t()


def save_weights(path: Path, model: Whisper) -> None:
    """All parameters as float16 under their names."""
    arrays: dict[str, Any] = {name: value.detach().cpu().half().numpy() for name, value in model.state_dict().items()}
    np.savez(path, **arrays)


def _is_deeper(name: str, weights: Mapping[str, Any]) -> bool:
    """Whether this output of a layer lies deeper than the weights that a smaller model hands over."""
    stack, _, rest = name.partition(".")
    number, _, part = rest.partition(".")
    outputs = ("att.o.", "xatt.o.", "f2.")
    return (
        stack in ("enc", "dec")
        and part.startswith(outputs)
        and f"{stack}.0.n1.weight" in weights
        and f"{stack}.{number}.n1.weight" not in weights
    )


def load_weights(model: Whisper, weights: Mapping[str, Any]) -> list[str]:
    """Take over every array whose name and shape fit; returns the names that stayed as they were initialised.

    A model with more layers than the weights begins by saying what the smaller one says: what the layers beyond add
    is zero at first (the identity blocks of progressive stacking; Net2Net, Chen et al. 2016, calls them Net2DeeperNet).
    """
    state = model.state_dict()
    kept = []
    for name, value in state.items():
        if name in weights and tuple(weights[name].shape) == tuple(value.shape):
            state[name] = torch.from_numpy(np.asarray(weights[name], dtype=np.float32))
            continue
        kept.append(name)
        if _is_deeper(name, weights):
            state[name] = torch.zeros_like(value)
    model.load_state_dict(state)
    return kept
