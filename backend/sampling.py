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
# Logits so far below the greatest, at temperature 1, add less to a sum of 2^16 than float32 rounds away.
FAINT = 30.0
LIKELY = 1e-3  # share of the probability; codes above it are few, and mostly fill a nucleus
FEW = 1024  # codes that are worth sorting
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
    top, inverse = logits.max(), np.float32(1 / settings.temperature)
    ids = np.flatnonzero(logits >= top - np.float32(FAINT * settings.temperature))
    if 0 < settings.top_k < len(ids):
        ids = ids[_largest(logits[ids], None, settings.top_k)]
    weights = np.exp((logits[ids] - top) * inverse)
    if settings.top_p < 1:
        kept = nucleus(weights, settings.top_p)
        ids, weights = ids[kept], weights[kept]
    return int(ids[_draw(weights, generator)])


def nucleus(weights: Logits, p: float) -> NDArray[np.intp]:
    """The likeliest ids that together hold share p of the weights (Holtzman 2020), in no order.

    The id that reaches p stays, and so do those exactly as likely.
    """
    total = float(weights.sum())
    likely = np.flatnonzero(weights >= LIKELY * total)
    few = weights[likely]
    if few.sum(dtype=np.float64) >= p * total:
        return likely[_largest(few, few, p * total)]
    return _largest(np.log(weights), weights, p * total)


def _largest(values: Logits, weights: Logits | None, wanted: float) -> NDArray[np.intp]:
    """Where the largest values are whose weights (their number, if None) reach `wanted`; equals stay."""
    held, inside = 0.0, np.arange(len(values))
    high, low = values.max(), values.min()
    if len(values) > FEW and high > low:
        # Sort only around the end: the sums of even steps in value say where that is.
        steps = ((high - values) * np.float32(FEW / (high - low))).astype(np.intp)
        sums = np.bincount(steps, weights).cumsum()
        end = min(int(sums.searchsorted(wanted)), len(sums) - 1)
        held, inside = float(sums[end - 1]) if end else 0.0, np.flatnonzero(steps == end)
    inside = inside[np.argsort(-values[inside])]
    added = np.ones(len(inside)) if weights is None else weights[inside]
    count = int(added.cumsum(dtype=np.float64).searchsorted(wanted - held))
    return np.flatnonzero(values >= values[inside[min(count, len(inside) - 1)]])


def _draw(weights: Logits, generator: np.random.Generator) -> int:
    """An index with the probability of its share of the weights."""
    blocks = np.add.reduceat(weights, np.arange(0, len(weights), BLOCK)).cumsum(dtype=np.float64)
    at = generator.random() * blocks[-1]
    block = min(int(blocks.searchsorted(at, side="right")), len(blocks) - 1)
    inside = weights[block * BLOCK : (block + 1) * BLOCK].cumsum(dtype=np.float64)
    # Within the block, measured from its start; the sums differ in rounding, so the last id is a bound.
    left = at - (blocks[block - 1] if block else 0.0)
    return block * BLOCK + min(int(inside.searchsorted(left, side="right")), len(inside) - 1)
