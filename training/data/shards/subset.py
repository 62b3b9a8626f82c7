"""Few of a dataset's assets: what experiments with little 3D data train on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from training.data.shards.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class Subset:
    """The training assets whose hashed keys come first: the same ones in every pool and on every machine."""

    assets: int  # how many
    seed: int = 0  # another seed chooses others

    def __post_init__(self) -> None:
        if self.assets < 1:
            raise ValueError(f"a subset needs at least one asset, not {self.assets}")

    def keys(self, dataset: Dataset) -> frozenset[str]:
        """Of those with shape tokens. Raises ValueError where the dataset has fewer."""
        found: list[str] = []
        for shard in dataset.shards("shape_tokens"):
            rows = zip(shard.texts("key"), shard.texts("split"), strict=True)
            found += [key for key, split in rows if split == "train"]
        if len(found) < self.assets:
            raise ValueError(f"{dataset.folder} has {len(found)} shapes to train on, not {self.assets}")
        return frozenset(sorted(found, key=self._rank)[: self.assets])

    def _rank(self, key: str) -> str:
        return hashlib.sha256(f"{self.seed}:{key}".encode()).hexdigest()
