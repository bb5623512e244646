"""Training: AdamW, bfloat16 where it pays, a CTC helper on the encoder, an averaged copy of the weights, checkpoints.

The learning rate warms up, stays, and cools down over the last ``cooldown`` steps: so a run can be made longer (or cut
short) from any checkpoint. The same seed, settings and number of threads give the same weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from training.batches import Batch, BatchSource
from training.features import log_mel
from training.model import Shape, Whisper, load_weights, save_weights

__all__ = ["TrainSettings", "batch_loss", "learning_rate", "train"]

_CHECKPOINT: Final = "checkpoint.pt"
_SHOWN_EVERY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The run. ``steps`` counts from the first step ever made of these checkpoints."""

    steps: int
    cooldown: int = 500
    warmup: int = 150
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    ctc_weight: float = 0.3
    label_smoothing: float = 0.05
    dropout: float = 0.0
    average: float = 0.995
    spec_masks: int = 1
    seed: int = 1
    bfloat16: bool = True
    threads: int = 1
    data_processes: int = 0
    checkpoint_s: float = 180.0
    device: str = "cpu"
    stop_at_s: float = 0.0
    """Wall-clock seconds after which the run stops with a checkpoint; 0: never."""


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, a plateau, linear cool-down to a hundredth."""
    rate = settings.learning_rate * min(1.0, (step + 1) / max(1, settings.warmup))
    left = (settings.steps - step) / max(1, settings.cooldown)
    return rate * max(0.01, min(1.0, left))


def _masked(mel: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """SpecAugment: ``count`` bands of mel and of time (at most a tenth) set to the row's mean."""
    for _ in range(count):
        width, span = (
            int(torch.randint(1, limit, (1,), generator=generator)) for limit in (12, max(2, mel.shape[2] // 12))
        )
        band = int(torch.randint(0, mel.shape[1] - width, (1,), generator=generator))
        at = int(torch.randint(0, mel.shape[2] - span, (1,), generator=generator))
        mel[:, band : band + width] = mel.mean(dim=1, keepdim=True)
        if span < 25:
            mel[:, :, at : at + span] = mel.mean(dim=2, keepdim=True)
    return mel


def batch_loss(
    model: Whisper, batch: Batch, settings: TrainSettings, generator: torch.Generator
) -> tuple[Tensor, float]:
    """The loss to go down from, and the text's own cross-entropy without the helper."""
    device = settings.device
    mel = log_mel(torch.from_numpy(batch.audio).to(device), bands=model.shape.mel_bands)
    mel = _masked(mel, settings.spec_masks, generator)
    ids, wanted = torch.from_numpy(batch.ids).to(device), torch.from_numpy(batch.wanted).to(device)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=settings.bfloat16):
        audio = model.encode(mel)
        learned = wanted != -100
        scores = model.logits(model.decode(ids, audio)[learned])
        helper = model.ctc(audio)
    text = functional.cross_entropy(scores.float(), wanted[learned], label_smoothing=settings.label_smoothing)
    ctc = functional.ctc_loss(
        helper.float().log_softmax(-1).transpose(0, 1), torch.from_numpy(batch.ctc), torch.from_numpy(batch.positions),
        torch.from_numpy(batch.ctc_lengths), zero_infinity=True,
    )  # fmt: skip
    return text + settings.ctc_weight * ctc, float(text.detach())


class _Run:
    """What a checkpoint holds: model, its average, optimiser, step and pool."""

    def __init__(self, shape: Shape, settings: TrainSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.model = Whisper(shape, dropout=settings.dropout).to(settings.device)
        decayed = [value for value in self.model.parameters() if value.ndim > 1]
        plain = [value for value in self.model.parameters() if value.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-7, fused=True)
        self.average = [value.detach().clone() for value in self.model.parameters()]
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        self.pool = 0
        self.trained_s = 0.0

    def update(self, batch: Batch) -> float:
        """One step; returns the text loss."""
        rate = learning_rate(self.step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, text = batch_loss(self.model, batch, self.settings, self.generator)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [value.detach() for value in self.model.parameters()], 1 - decay)
        self.step += 1
        return text

    def save(self, folder: Path) -> None:
        """The checkpoint, and the averaged weights beside it."""
        state = {"model": self.model.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict(),
                 "step": self.step, "pool": self.pool, "trained_s": self.trained_s,
                 "generator": self.generator.get_state()}  # fmt: skip
        part = folder / (_CHECKPOINT + ".part")
        torch.save(state, part)
        part.rename(folder / _CHECKPOINT)
        averaged = Whisper(self.model.shape)
        averaged.load_state_dict(self.model.state_dict())
        for parameter, value in zip(averaged.parameters(), self.average, strict=True):
            parameter.data.copy_(value)
        save_weights(folder / "weights.npz", averaged)
        facts = {
            "step": self.step,
            "trained_s": round(self.trained_s),
            "settings": asdict(self.settings),
            "shape": asdict(self.model.shape),
        }
        (folder / "run.json").write_text(json.dumps(facts, indent=2))

    def restore(self, folder: Path) -> bool:
        """Go on from the folder's checkpoint, if it has one."""
        path = folder / _CHECKPOINT
        if not path.exists():
            return False
        state: dict[str, Any] = torch.load(path, map_location=self.settings.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.pool = state["average"], state["step"], state["pool"]
        self.trained_s = state["trained_s"]
        self.generator.set_state(state["generator"])
        return True


def _batches(run: _Run, source: BatchSource) -> Iterator[Batch]:
    for number, batches in source.pools(run.pool, processes=run.settings.data_processes):
        yield from batches
        run.pool = number + 1


def _loop(run: _Run, source: BatchSource, folder: Path, say: Callable[[str], None]) -> None:
    """Steps until the last one, or until the time is over; a line every ten seconds."""
    settings = run.settings
    began = saved = shown = time.monotonic()
    earlier_s = run.trained_s
    losses: list[float] = []
    for batch in _batches(run, source):
        if run.step >= settings.steps or (settings.stop_at_s and time.monotonic() - began > settings.stop_at_s):
            break
        losses.append(run.update(batch))
        now = time.monotonic()
        run.trained_s = earlier_s + now - began
        if now - shown > _SHOWN_EVERY_S or run.step == settings.steps:
            rate = len(losses) / (now - shown)
            left_min = (settings.steps - run.step) / rate / 60
            mean = sum(losses) / len(losses)
            say(
                f"step {run.step}/{settings.steps} loss {mean:.3f} lr {learning_rate(run.step, settings):.2e} "
                f"{rate:.2f} steps/s {left_min:.0f} min left"
            )
            shown, losses = now, []
        if now - saved > settings.checkpoint_s:
            run.save(folder)
            saved = now


def train(
    folder: Path, source: BatchSource, shape: Shape, settings: TrainSettings, *,
    initial: Mapping[str, Any] | None = None, say: Callable[[str], None] = print,
) -> Path:  # fmt: skip
    """Train up to ``settings.steps`` and return the path of the averaged weights.

    Goes on from the folder's checkpoint; without one it starts from ``initial`` (arrays by name) or from nothing.
    """
    torch.set_num_threads(settings.threads)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(shape, settings)
    if run.restore(folder):
        say(f"resumed at step {run.step}")
    elif initial is not None:
        kept = load_weights(run.model, initial)
        run.average = [value.detach().clone() for value in run.model.parameters()]
        say(f"{len(initial)} arrays taken over; new: {', '.join(kept) or 'none'}")
    run.model.train()
    try:
        _loop(run, source, folder, say)
    except KeyboardInterrupt:
        say("interrupted: the checkpoint holds what was learned")
    run.save(folder)
    return folder / "weights.npz"
