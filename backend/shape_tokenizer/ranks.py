"""What data-parallel ranks must agree on while a codebook is trained; nothing where there is one rank."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def summed(tensor: Tensor) -> Tensor:
    """The sum over all ranks, in place."""
    if distributed():
        dist.all_reduce(tensor)
    return tensor


def from_first(tensor: Tensor) -> Tensor:
    """The first rank's values on every rank, in place."""
    if distributed():
        dist.broadcast(tensor, src=0)
    return tensor
