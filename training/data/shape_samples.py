"""Labelled samples of shapes, read from shards: what shape tokenizers are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.shards.dataset import Dataset
from training.data.shards.shard import Shard

# How often an object of a category is drawn, relative to the others: modular walls and road tiles teach
# little about objects and are a quarter of the corpus that `mini` learns from.
CATEGORY_WEIGHT = {"road_tile": 0.15, "building_part": 0.25, "character": 0.5, "weapon": 0.5, "prop": 0.7}
PROCEDURAL = "procedural/"  # how the sources of procedural objects begin


class Stored:
    """A column of tensors over many files, (S, ...), gathered row by row from the page cache."""

    def __init__(self, parts: Sequence[NDArray[Any]], rows: Sequence[tuple[int, int]]) -> None:
        """Files' arrays, and the file and row of each."""
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) != 1:
            raise ValueError(f"shapes must all be sampled alike, not {sorted(shapes)}; make the shards again")
        self._parts, self._rows = parts, rows
        self.shape: tuple[int, ...] = (len(rows), *shapes.pop())

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        found: NDArray[Any] = np.stack(
            [self._parts[file][row] for file, row in (self._rows[index] for index in rows)]
        )
        return found


@dataclass(frozen=True, kw_only=True)
class ShapeSamples:
    """Many labelled shapes, as their shards store them."""

    ids: list[str]  # sources: procedural/SEED, or the file and object
    sources: list[str]  # categories
    points: Stored | NDArray[np.float16]  # (S, n, 3)
    normals: Stored | NDArray[np.int8]  # (S, n, 3), times 127
    queries: Stored | NDArray[np.float16]  # (S, q, 3), those near the surface first
    distances: Stored | NDArray[np.float16]  # (S, q) negative inside
    n_near: int  # of the queries

    def __len__(self) -> int:
        return len(self.ids)

    def probabilities(self) -> NDArray[np.float64]:
        """How often each shape is drawn, by its category."""
        return category_shares(self.sources)


def category_shares(categories: Sequence[str]) -> NDArray[np.float64]:
    """(S,) probabilities of rows by their categories."""
    weights = np.array([CATEGORY_WEIGHT.get(category, 1.0) for category in categories])
    share: NDArray[np.float64] = weights / weights.sum()
    return share


def is_procedural(source: str) -> bool:
    return source.startswith(PROCEDURAL)


def load_samples(
    data: Path, split: str, keep: Callable[[str], bool] = lambda source: True
) -> ShapeSamples | None:
    """The shapes of a split whose sources are to be kept; None where there are none. Raises ValueError."""
    shards = Dataset(data).shards("shapes")
    rows = rows_of_split(shards, split, keep)
    if not rows:
        return None
    near = {int(count) for shard in shards for count in shard.arrays("near").sum(axis=1)}
    if len(near) != 1:
        raise ValueError(f"shapes must all be sampled alike, not with {sorted(near)} near queries")
    words = {name: [shard.texts(name) for shard in shards] for name in ("source", "category")}
    tensors = {
        name: Stored([shard.arrays(name) for shard in shards], rows)
        for name in ("points", "normals", "queries", "distances")
    }
    return ShapeSamples(
        ids=[words["source"][file][row] for file, row in rows],
        sources=[words["category"][file][row] or "" for file, row in rows],
        n_near=near.pop(),
        **tensors,
    )


def rows_of_split(
    shards: Sequence[Shard], split: str, keep: Callable[[str], bool] = lambda source: True
) -> list[tuple[int, int]]:
    """File and row of all rows of a split whose sources are to be kept."""
    return [
        (file, row)
        for file, shard in enumerate(shards)
        for row, (own, source) in enumerate(zip(shard.texts("split"), shard.texts("source"), strict=True))
        if own == split and keep(source)
    ]
