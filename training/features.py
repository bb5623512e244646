"""Whisper's log-mel in PyTorch, for batches: the same numbers as faster_whisper.feature_extractor (tests hold 1e-4)."""

from __future__ import annotations

from functools import cache
from typing import Final

import torch
from faster_whisper.feature_extractor import FeatureExtractor
from torch import Tensor

__all__ = ["FRAME_SAMPLES", "MEL_BANDS", "RATE_HZ", "log_mel"]

RATE_HZ: Final = 16000
FRAME_SAMPLES: Final = 160
MEL_BANDS: Final = 80
_FFT_SAMPLES: Final = 400


@cache
def _filters(bands: int) -> Tensor:
    return torch.from_numpy(FeatureExtractor(feature_size=bands).mel_filters).float()


@cache
def _window() -> Tensor:
    return torch.hann_window(_FFT_SAMPLES)


def log_mel(audio: Tensor, *, bands: int = MEL_BANDS) -> Tensor:
    """(batch, samples) at 16 kHz to (batch, bands, samples / 160). Each row is scaled to its own loudest frame."""
    window = _window().to(audio.device)
    spectrum = torch.stft(audio, _FFT_SAMPLES, FRAME_SAMPLES, window=window, return_complex=True)[..., :-1]
    power = torch.view_as_real(spectrum).square().sum(-1)
    mel = _filters(bands).to(audio.device) @ power
    log = mel.clamp(min=1e-10).log10()
    log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
    return (log + 4.0) / 4.0
