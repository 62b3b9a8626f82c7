"""Keys and values of one decoding run: static tensors, written by position, keys stored already rotated.

R rows (conditional, unconditional), N heads, C conditioning and L generation positions, H head dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor


class LayerCache:
    """One layer's keys and values (R, N, C + L, H); single-stream layers have C = 0."""

    def __init__(self, rows: int, heads: int, size: int, head_dim: int, like: Tensor) -> None:
        shape = (rows, heads, size, head_dim)
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values = torch.zeros_like(self.keys)

    def fill(self, row: int, keys: Tensor, values: Tensor) -> None:
        """The conditioning of one row, (N, c, H) with c <= C, at the front."""
        self.keys[row, :, : keys.shape[1]] = keys
        self.values[row, :, : values.shape[1]] = values

    def append(self, position: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (R, N, H) at `position` and view everything up to it."""
        self.keys[:, :, position] = keys
        self.values[:, :, position] = values
        return self.keys[:, :, : position + 1], self.values[:, :, : position + 1]
