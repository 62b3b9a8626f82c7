"""What a run optimises, which its recipe says, and how this machine does it, which no recipe says."""

from __future__ import annotations

import math
from dataclasses import dataclass

PRECISIONS = ("bf16", "no")


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """Optimisation (paper Table 6: AdamW (0.9, 0.999), weight decay 0.1, cosine with warm-up, clip)."""

    steps: int
    batch: int  # samples per optimiser step, over all devices and micro-batches
    peak_lr: float
    warmup: int
    seed: int = 0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 5.0
    final_lr: float = 0.02  # share of the peak that the cosine ends at
    ema: float = 0.999  # decay of the averaged weights that are exported; 0 exports the trained ones
    save_every: int = 500
    log_every: int = 25
    evaluate_every: int = 500
    sheet_every: int = 1000  # steps between sample sheets

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.steps:
            raise ValueError(f"warm-up of {self.warmup} steps does not fit into {self.steps}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"the average's decay must be in [0, 1), not {self.ema}")

    def lr(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then cosine to `final_lr` of the peak."""
        if step < self.warmup:
            return self.peak_lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak_lr * (self.final_lr + (1 - self.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How the devices at hand run a recipe; none of it changes what is learned, but for rounding."""

    micro_tokens: int = 16_384  # positions of one forward pass at most; whoever builds the task hands it on
    micro_samples: int = 64  # the same for tokenizers, whose samples are all of one size
    precision: str = "bf16"  # of matrix products: bf16, or no for float32
    compile: bool = False  # torch.compile
    checkpoint_activations: bool = False  # computes activations anew in the backward pass
    fsdp: bool = False  # shard parameters, gradients and moments over the devices
    trackers: tuple[str, ...] = ()  # names that accelerate knows, such as tensorboard
    read_ahead: bool | None = None  # the next batch while this one is computed; None: beside a GPU
    keep: int = 1  # checkpoints that stay in the run's folder

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, not {self.precision}")
        if self.keep < 1 or self.micro_tokens < 1 or self.micro_samples < 1:
            raise ValueError("keep, micro_tokens and micro_samples must be at least one")
