"""How often each pool of training data is drawn: paper section 4.4, Eq. 2 and Table 5.

Every draw is a function of (seed, step, rank), so a resumed run goes on with the same draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def temperature_probabilities(
    sizes: Mapping[str, int], priorities: Mapping[str, float], temperature: float
) -> dict[str, float]:
    """P_i proportional to size_i^T * priority_i (Eq. 2), T in (0, 1].

    No T gives the probabilities that Table 5 prints (T = 0.70 is nearest and off by 0.06), so recipes store
    the printed ones and this serves users' own pools.
    """
    if not 0 < temperature <= 1:
        raise ValueError(f"the mixture's temperature is {temperature}, it must be above 0, up to 1")
    if sizes.keys() != priorities.keys():
        odd = sorted(sizes.keys() ^ priorities.keys())
        raise ValueError(f"each pool needs a size and a priority; one is missing for {', '.join(odd)}")
    if wrong := sorted(name for name in sizes if sizes[name] < 1 or not priorities[name] > 0):
        raise ValueError(f"pools need at least one sample and a positive priority: {', '.join(wrong)}")
    weights = {name: size**temperature * priorities[name] for name, size in sizes.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Pools and how often each is drawn."""

    probabilities: dict[str, float]  # of each pool; they sum to 1
    seed: int = 0

    def __post_init__(self) -> None:
        total = sum(self.probabilities.values())
        if not self.probabilities or min(self.probabilities.values()) < 0 or not math.isclose(total, 1):
            raise ValueError(f"the mixture's probabilities must be 0 or more and sum to 1, not to {total}")

    def draw(self, step: int, rank: int, size: int) -> NDArray[np.str_]:
        """The pools of `size` samples of this step on this rank, (size,) names."""
        rng = np.random.default_rng((self.seed, step, rank))
        names = list(self.probabilities)
        return rng.choice(np.array(names), size=size, p=[self.probabilities[name] for name in names])
