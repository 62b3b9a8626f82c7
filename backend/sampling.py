"""Logits to the next id: guidance, temperature, top-k and nucleus, as functions of arrays.

One token of one chain costs microseconds here, whatever the vocabulary. V codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]  # (V,)
# Codes below this share of the probability are looked at only where the likelier ones do not fill a nucleus.
LIKELY = 1e-3
BLOCK = 256  # codes summed at a time; a running sum over a whole vocabulary is ten times slower


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How one chain is drawn. ValueErrors are sentences an artist may read."""

    seed: int = 0
    guidance: float = 5.0  # how much the words count beyond what they say; 0 runs no row without words
    source_guidance: float = 0.0  # the same for the source; 0 runs no row without source
    guidance_schedule: Literal["constant", "linear"] = "constant"  # paper; published Cube3D falls linearly
    temperature: float = 0.0  # 0 is greedy (paper)
    top_k: int = 0  # only the k likeliest; 0 is all
    top_p: float = 1.0  # smallest set of likeliest ids with at least this probability

    def __post_init__(self) -> None:
        _check(
            math.isfinite(self.guidance) and 0 <= self.guidance <= 50, "guidance", self.guidance, "0 to 50"
        )
        _check(
            math.isfinite(self.source_guidance) and 0 <= self.source_guidance <= 50,
            "source guidance",
            self.source_guidance,
            "0 to 50",
        )
        _check(
            math.isfinite(self.temperature) and 0 <= self.temperature <= 10,
            "temperature",
            self.temperature,
            "0 to 10",
        )
        _check(self.top_k >= 0, "top-k", self.top_k, "0 or more")
        _check(0 < self.top_p <= 1, "top-p", self.top_p, "above 0, up to 1")
        _check(0 <= self.seed < 2**63, "seed", self.seed, "0 or more, below 2^63")
        if self.guidance_schedule not in ("constant", "linear"):
            raise ValueError(
                f"guidance schedule is {self.guidance_schedule!r}, it must be constant or linear"
            )

    def schedule(self, index: int, total: int) -> float:
        """Share of both guidances at token `index` of `total`; the linear one falls from 1 to 1 / total."""
        return 1.0 if self.guidance_schedule == "constant" else (total - index) / total


def _check(holds: bool, name: str, value: float, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value}, it must be {wanted}")


def guided(rows: Sequence[Logits], scales: Sequence[float]) -> Logits:
    """rows[0] + the sum of scale * (row - next row): classifier-free guidance, away from what each row lacks.

    Rows hold less and less: with words and sources, full + g (full - source) + s (source - none)
    (Omni123 section 5).
    """
    mixed = rows[0]
    for scale, more, less in zip(scales, rows, rows[1:], strict=False):
        difference = more - less
        difference *= np.float32(scale)
        difference += mixed
        mixed = difference
    return mixed


def choose(logits: Logits, settings: SamplingSettings, generator: np.random.Generator) -> int:
    """The next id."""
    if settings.temperature == 0:
        return int(logits.argmax())
    ids = None
    if 0 < settings.top_k < len(logits):
        ids = np.argpartition(logits, -settings.top_k)[-settings.top_k :]
        logits = logits[ids]
    weights = logits * np.float32(1 / settings.temperature)
    weights -= weights.max()
    np.exp(weights, out=weights)
    if settings.top_p < 1:
        kept = nucleus(weights, settings.top_p)
        index = int(kept[_draw(weights[kept], generator)])
    else:
        index = _draw(weights, generator)
    return index if ids is None else int(ids[index])


def nucleus(weights: Logits, p: float) -> NDArray[np.intp]:
    """The likeliest ids that together hold share p of the weights, likeliest first (Holtzman 2020).

    The id that reaches p stays.
    """
    total = float(weights.sum())
    wanted = p * total
    likely = np.flatnonzero(weights >= LIKELY * total)
    if weights[likely].sum(dtype=np.float64) < wanted:
        # All ids below this share hold less than 1 - p together, so none of them is in the nucleus.
        likely = np.flatnonzero(weights >= (1 - p) / len(weights) * total)
    order: NDArray[np.intp] = likely[np.argsort(-weights[likely], kind="stable")]
    reached = weights[order].cumsum(dtype=np.float64)
    return order[: int(reached.searchsorted(wanted)) + 1]


def _draw(weights: Logits, generator: np.random.Generator) -> int:
    """An index with the probability of its share of the weights."""
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), BLOCK)).cumsum(dtype=np.float64)
    at = generator.random() * blocks[-1]
    block = min(int(blocks.searchsorted(at, side="right")), len(blocks) - 1)
    inside = weights[block * BLOCK : (block + 1) * BLOCK].cumsum(dtype=np.float64)
    # Within the block, measured from its start; the sums differ in rounding, so the last id is a bound.
    left = at - (blocks[block - 1] if block else 0.0)
    return block * BLOCK + min(int(inside.searchsorted(left, side="right")), len(inside) - 1)
