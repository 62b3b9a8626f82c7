"""Phase-modulated Fourier features of positions, as in the published Cube3D tokenizer.

P points, F frequencies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PhaseModulatedFourier(nn.Module):
    """(..., 3) positions to (..., 3 + 6 F): the position itself, then cosines and sines, coordinate-major.

    Each feature adds a wave of learned frequency to one of fixed low frequency and its own phase, the
    carrier; the phases tell apart points that the learned wave alone would confuse.
    """

    def __init__(self, n_freqs: int) -> None:
        super().__init__()
        self.n_freqs = n_freqs
        self.weight = nn.Parameter(torch.randn(3, n_freqs) * math.sqrt(n_freqs / 2))

    @property
    def width(self) -> int:
        return 3 + 6 * self.n_freqs

    def forward(self, positions: Tensor) -> Tensor:
        # Arguments reach 100 radians: half precision would lose the angle.
        with torch.autocast(positions.device.type, enabled=False):
            x = positions.float()[..., None]  # (..., 3, 1)
            learned = x * self.weight.float()
            # Computed here, not kept as a buffer: a model made on the meta device has nothing to rebuild.
            modulated = x * (math.pi / 2) + carriers(self.n_freqs, positions.device)
            cosines = (learned.cos() + modulated.cos()).flatten(-2)
            sines = (learned.sin() + modulated.sin()).flatten(-2)
            return torch.cat([positions.float(), cosines, sines], dim=-1)


def carriers(n_freqs: int, device: torch.device) -> Tensor:
    """(F,) phases 2 pi ((F / 8)^(1 - t) + t) for t evenly over [0, 1]; up to 100 at the published F = 128."""
    t = torch.linspace(0, 1, n_freqs, device=device)
    return 2 * math.pi * ((n_freqs / 8) ** (1 - t) + t)


class PointEmbedding(nn.Module):
    """Two linear layers from point features to the tokenizer's width."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(n_features, width)
        self.out_layer = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        hidden = nn.functional.silu(self.in_layer(features.to(self.in_layer.weight.dtype)))
        embedding: Tensor = self.out_layer(hidden)
        return embedding
