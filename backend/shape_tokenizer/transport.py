"""Optimal-transport assignment of latents to codes (Omni123 section 4.2; Cube3D; OptVQ, arXiv 2412.15195).

Under nearest codes a codebook collapses: what is never chosen never moves. Here the latents of a batch are
assigned together, every code receiving the same share. R latents of this rank, V codes, C code dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from backend.shape_tokenizer.ranks import summed

# Entries of the plan in memory at once, 0.5 GB, whatever the batch: 8,192 latents times 16,384 codes.
_ENTRIES_AT_ONCE = 1 << 27


@dataclass(frozen=True, kw_only=True)
class OptimalTransport:
    """Sinkhorn-Knopp on distances of unit deviation, so that one epsilon suits every stage of training."""

    epsilon: float = 0.1  # weight of the entropy; towards zero, the cheapest balanced assignment
    iterations: int = 5  # of Sinkhorn-Knopp; after none, each row's nearest code is left

    def __post_init__(self) -> None:
        if self.epsilon <= 0 or self.iterations < 0:
            raise ValueError(f"epsilon must be positive and iterations not negative: {self}")

    @torch.no_grad()
    def assign(self, rows: Tensor, table: Tensor) -> Tensor:
        """Index (R,) of the code in (V, C) that takes most of each row of (R, C), in fp32 under any autocast.

        The batch is that of all ranks: each calls this with the same table and rows of its own.
        """
        with torch.autocast(rows.device.type, enabled=False):
            raised = self._raised(rows, table)
            return torch.cat([scores.add_(raised).argmax(dim=1) for scores in self._scores(rows, table)])

    @torch.no_grad()
    def plan(self, rows: Tensor, table: Tensor) -> Tensor:
        """(R, V) share of each row for each code: 1 over the codes, near R / V over the rows of all ranks."""
        raised = self._raised(rows, table)
        return torch.cat([scores.add_(raised).softmax(dim=1) for scores in self._scores(rows, table)])

    def _raised(self, rows: Tensor, table: Tensor) -> Tensor:
        """(V,) by how much each code's scores rise so that all codes receive alike.

        Only the codes' side of Sinkhorn-Knopp is kept, as logarithms; the rows' side is a softmax, which no
        epsilon overflows, and is done again for each part of the batch.
        """
        even = float(summed(torch.tensor(float(len(rows)), device=rows.device))) / len(table)
        raised = table.new_zeros(len(table))
        least = torch.finfo(raised.dtype).tiny
        for _ in range(self.iterations):
            received = torch.zeros_like(raised)
            for scores in self._scores(rows, table):
                received += scores.add_(raised).softmax(dim=1).sum(dim=0)
            raised -= (summed(received) / even).clamp_min(least).log()
        return raised

    def _scores(self, rows: Tensor, table: Tensor) -> Iterator[Tensor]:
        """Negative distances (r, V) over epsilon, part by part; what is constant along a row is left out."""
        half_squares = table.square().sum(dim=1) / 2
        scale = 1 / (self.epsilon * _deviation(rows, table, half_squares))
        codes, offset = scale * table.T, -scale * half_squares
        for part in torch.split(rows, max(1, _ENTRIES_AT_ONCE // len(table))):
            yield torch.addmm(offset, part, codes)


def _deviation(rows: Tensor, table: Tensor, half_squares: Tensor) -> float:
    """Standard deviation of half_squares[v] - rows[r] . table[v] over all ranks' rows and all codes.

    From second moments, so that the distances themselves need no pass of their own.
    """
    left = torch.cat([-rows, torch.ones_like(rows[:, :1])], dim=1).double()
    right = torch.cat([table, half_squares[:, None]], dim=1).double()
    moments = summed(torch.cat([left.T @ left, left.sum(dim=0)[None]]))
    count, V = moments[-2, -1], len(table)
    mean = moments[-1] @ right.sum(dim=0) / (count * V)
    square = (moments[:-1] * (right.T @ right)).sum() / (count * V)
    return float((square - mean.square()).clamp_min(1e-12).sqrt())
