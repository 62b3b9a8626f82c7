"""How the next id is drawn: guidance, temperature, top-k, nucleus. V codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.decode.choice import chosen

Logits = NDArray[np.float32]  # (V,)


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How one chain is drawn. ValueErrors are sentences an artist may read."""

    seed: int = 0
    guidance: float = 5.0  # how much the words count beyond what they say; 0 runs no row without words
    source_guidance: float = 0.0  # the same for the source; 0 runs no row without source
    guidance_schedule: Literal["constant", "linear"] = "constant"  # paper; published Cube3D falls linearly
    temperature: float = 0.0  # 0 is greedy (paper)
    top_k: int = 0  # only the k likeliest; 0 is all
    top_p: float = (
        1.0  # the fewest likeliest ids of at least this probability, and their equals (Holtzman 2020)
    )

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


def choose(
    rows: Sequence[Logits],
    scales: Sequence[float],
    settings: SamplingSettings,
    generator: np.random.Generator,
) -> int:
    """The next id, from rows[0] + the sum of scale * (row - next row): away from what each row lacks.

    One to three rows that hold less and less: with words and sources,
    full + g (full - source) + s (source - none) (Omni123 section 5).
    """
    full, source, none = rows[0], rows[min(1, len(rows) - 1)], rows[-1]
    near, far = (*scales, 0.0, 0.0)[:2]
    uniform = generator.random() if settings.temperature > 0 else 0.0
    return chosen(
        full, source, none, near, far, settings.temperature, settings.top_k, settings.top_p, uniform
    )
