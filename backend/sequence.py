"""The token layout of the generation stream: segments, who sees whom, and what is fed to predict what.

B batch, L generation positions.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Modality = Literal["shape", "image"]


def target_inputs(ids: Tensor, start: int) -> Tensor:
    """What is fed for position i to predict ids[:, i]: the segment's start token, then all ids but the last.

    ids: (B, L) -> (B, L).
    """
    begin = torch.full_like(ids[:, :1], start)
    return torch.cat((begin, ids[:, :-1]), dim=1)


def visibility(prefix: int, length: int, device: torch.device | None = None) -> Tensor:
    """(L, L) bool, rows see columns: the first `prefix` positions each other, others causally.

    Paper section 4.2: sources are a non-causal prefix, targets follow causally.
    """
    if not 0 <= prefix <= length:
        raise ValueError(f"a prefix of {prefix} does not fit into {length} positions")
    seen = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    seen[:prefix, :prefix] = True
    return seen
