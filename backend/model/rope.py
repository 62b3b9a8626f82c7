"""Rotary positions on interleaved pairs (RoFormer; published Cube3D), in real arithmetic so that it compiles.

Letters: L sequence, H head dimension.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotary_table(length: int, head_dim: int, theta: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of positions 0 .. length-1, each (L, H) float32, for `rotate`.

    Pair i turns by position * theta^(-2i/H); the sine of a pair's first element carries the minus sign of
    (a + ib)(cos + i sin) = (a cos - b sin) + i(b cos + a sin).
    """
    exponent = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
    angle = torch.outer(
        torch.arange(length, dtype=torch.float32, device=device), theta**-exponent
    )  # (L, H/2)
    cos = angle.cos().repeat_interleave(2, dim=-1)
    sin = torch.stack((-angle.sin(), angle.sin()), dim=-1).flatten(-2)
    return cos, sin


def as_complex(cos: Tensor, sin: Tensor) -> Tensor:
    """The same table (..., H/2): what a pair, as a complex number, is multiplied by."""
    return torch.complex(cos[..., ::2], sin[..., 1::2])


def as_pairs(x: Tensor) -> Tensor:
    """(..., H) float32 -> (..., H/2) complex, the same memory."""
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))


def swap_pairs(x: Tensor) -> Tensor:
    """(..., H) -> (..., H) with the two elements of every pair exchanged."""
    return x.reshape(*x.shape[:-1], -1, 2).flip(-1).flatten(-2)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate x (..., L, H) by the rows of a `rotary_table`; computed in float32, returned in x's type."""
    full = x.float()
    return torch.addcmul(full * cos, swap_pairs(full), sin).to(x.dtype)
