"""Novelty: how far shapes are from the nearest training shape, so that memorising shows.

Distances are Chamfer distances between canonical shapes. What they mean is seen beside the same distance of
training shapes to the nearest other training shape, and of shapes held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.shards.pack import LEVELS

N_POINTS = 2048
_COARSE = 64  # points of the comparison that draws up the shortlist
_SHORTLIST = 32  # training shapes compared in full
_AT_ONCE = 1024  # training shapes of one coarse comparison
Points = NDArray[np.float32]

DEFINITION = (
    f"mean of both directions' mean nearest distances, not squared, between {N_POINTS} surface points each; "
    f"canonical units, longest side 1.92; nearest of the {_SHORTLIST} training shapes that are nearest by "
    f"{_COARSE} points"
)


@dataclass(frozen=True, kw_only=True)
class ShapeSet:
    """Captioned shapes of a split as their shards store them; those of `train` can be memorised."""

    points: list[NDArray[np.float16]]  # each (n, 3), shuffled, so that any slice is a sample
    normals: list[NDArray[np.int8]]  # each (n, 3), times 127
    captions: list[str]  # one of each

    def __len__(self) -> int:
        return len(self.points)

    def cloud(self, row: int) -> Points:
        """All its points."""
        return self.points[row].astype(np.float32)

    @cached_property
    def _few(self) -> Tensor:
        """(shapes, _COARSE, 3)."""
        return torch.from_numpy(np.stack([cloud[:_COARSE] for cloud in self.points]).astype(np.float32))

    def nearest(self, points: Points, but: int | None = None) -> tuple[int, float]:
        """The nearest training shape of a shape's surface points, and its distance; `but` is passed over."""
        points = points[:N_POINTS]
        coarse = self._coarse(points)
        if but is not None:
            coarse[but] = np.inf
        listed = np.argsort(coarse)[: min(_SHORTLIST, len(self) - (but is not None))]
        tree = cKDTree(points)
        distances = [chamfer(points, self.cloud(row)[:N_POINTS], tree) for row in listed]
        best = int(np.argmin(distances))
        return int(listed[best]), distances[best]

    def _coarse(self, points: Points) -> NDArray[np.float32]:
        ours = torch.from_numpy(points[:_COARSE])
        found = []
        for start in range(0, len(self), _AT_ONCE):
            theirs = self._few[start : start + _AT_ONCE]
            apart = torch.cdist(ours.expand(len(theirs), -1, -1), theirs)
            found.append(apart.amin(dim=1).mean(dim=1) + apart.amin(dim=2).mean(dim=1))
        distances: NDArray[np.float32] = torch.cat(found).numpy()
        return distances


def chamfer(a: Points, b: Points, tree: cKDTree | None = None) -> float:
    """Of points (n, 3) and (m, 3); `tree` of a."""
    there = cKDTree(b).query(a)[0]
    back = (tree or cKDTree(a)).query(b)[0]
    return float(there.mean() + back.mean()) / 2


def read_shapes(data: Path, split: str = "train") -> ShapeSet:
    """The captioned shapes of a split. ValueError where there are none."""
    dataset = Dataset(data)
    points: list[NDArray[np.float16]] = []
    normals: list[NDArray[np.int8]] = []
    captions: list[str] = []
    for (shapes, texts), rows in joined_rows(dataset, ("shapes", "texts"), split):
        shard, words = dataset.open(shapes), dataset.open(texts)
        levels = {level: words.texts(level) for level in LEVELS}
        clouds, sides = shard.arrays("points"), shard.arrays("normals")
        points += [clouds[row] for row in rows[:, 0]]  # views of the files: only what is read is in memory
        normals += [sides[row] for row in rows[:, 0]]
        captions += [_caption({level: said[row] for level, said in levels.items()}) for row in rows[:, 1]]
    if not points:
        raise ValueError(f"{data} has no captioned shapes in its {split} split")
    return ShapeSet(points=points, normals=normals, captions=captions)


def _caption(said: dict[str, Sequence[str]]) -> str:
    """The one that an artist would most likely type: of middle length, where there is one."""
    return next(said[level][0] for level in ("medium", "short", "long") if said[level])


def summary(distances: Sequence[float]) -> dict[str, float]:
    """Median, tenth percentile and least of distances to the nearest."""
    return {
        "median": round(float(np.median(distances)), 4),
        "p10": round(float(np.quantile(distances, 0.1)), 4),
        "least": round(float(np.min(distances)), 4),
        "shapes": len(distances),
    }


def between(known: ShapeSet, count: int, seed: int = 0) -> list[float]:
    """Distance of so many training shapes, drawn by a seed, to the nearest other one."""
    rows = np.random.default_rng(seed).choice(len(known), min(count, len(known)), replace=False)
    return [known.nearest(known.cloud(row), but=int(row))[1] for row in rows]
