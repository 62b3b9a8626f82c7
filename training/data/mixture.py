"""How often each pool of training data is drawn: paper section 4.4, Eq. 2 and Table 5.

Every draw is a function of (seed, step, rank), so a resumed run goes on with the same draws; samples
come from one reader per pool, each continued to the sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.shards.reader import Reader, Sample


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


class MixedReader:
    """Batches of samples from the readers of several pools, mixed as the mixture says.

    The readers must be of this rank. Its state is this rank's own: pools advance differently on each.
    """

    def __init__(self, mixture: Mixture, readers: Mapping[str, Reader], *, rank: int = 0) -> None:
        drawn = {name for name, share in mixture.probabilities.items() if share > 0}
        if lacking := sorted(drawn - readers.keys()):
            raise ValueError(f"the mixture draws pools that have no reader: {', '.join(lacking)}")
        if wrong := sorted(name for name, reader in readers.items() if reader.rank != rank):
            raise ValueError(f"readers must be of rank {rank}: {', '.join(wrong)}")
        self.mixture, self.readers, self.rank = mixture, dict(readers), rank
        self._step = 0

    def batch(self, size: int) -> Sequence[tuple[str, Sample]]:
        """The next `size` samples of this rank, each with the name of its pool."""
        pools = self.mixture.draw(self._step, self.rank, size)
        self._step += 1
        return [(str(pool), next(self.readers[pool])) for pool in pools]

    def state_dict(self) -> dict[str, Any]:
        readers = {name: reader.state_dict() for name, reader in self.readers.items()}
        return {"step": self._step, "rank": self.rank, "readers": readers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for a state of other pools or of another rank."""
        if state["rank"] != self.rank:
            raise ValueError(f"this state is of rank {state['rank']}, not of {self.rank}")
        if state["readers"].keys() != self.readers.keys():
            odd = sorted(state["readers"].keys() ^ self.readers.keys())
            raise ValueError(f"this state has other pools: {', '.join(odd)}")
        for name, reader in self.readers.items():
            reader.load_state_dict(state["readers"][name])
        self._step = state["step"]
