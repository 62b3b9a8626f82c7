"""Exponential moving average of a model's weights, kept in float32 beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Averaged:
    """Holds nothing where the decay is zero: then the trained weights are the average."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = (
            {name: value.detach().clone() for name, value in model.state_dict().items()} if decay else {}
        )

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Early steps decay less, so that the start is soon forgotten. Integers are copied."""
        if not self.tensors:
            return
        state = model.state_dict()
        moving = [name for name, value in state.items() if value.is_floating_point()]
        decay = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_([self.tensors[n] for n in moving], [state[n] for n in moving], 1 - decay)
        for name in state.keys() - set(moving):
            self.tensors[name].copy_(state[name])

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[nn.Module]:
        """The model holding the average, in evaluation mode; afterwards it is as it was."""
        kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.tensors or kept)
        model.eval()
        try:
            yield model
        finally:
            model.train()
            model.load_state_dict(kept)
