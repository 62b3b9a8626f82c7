"""Recognisability without a person: which family of procedural objects is a generated mesh nearest to?

Shapes are canonical; nearness is the Chamfer distance (mean of both directions' mean nearest distances) of
2,048 surface points to the nearest of a family's references, whose seeds no training set holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from training.data.synthetic import FAMILIES, generate

N_POINTS = 2048
REFERENCES = 12  # objects of each family
FIRST_SEED = 20_000_000  # of the references; objects that measure the ceiling follow them
_COARSE = 256  # points of the comparison that draws up the shortlist
_SHORTLIST = 10  # families compared in full
Points = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class References:
    """Objects that meshes are compared with, grouped by family in the order of `names`."""

    names: tuple[str, ...]
    points: Points  # (families, references, N_POINTS, 3)

    def ranking(self, points: Points) -> tuple[str, ...]:
        """Families from nearest to farthest; those off the shortlist in the coarse comparison's order."""
        coarse = self._coarse(points)
        order = np.argsort(coarse)
        tree = cKDTree(points)
        full = [
            min(_chamfer(points, tree, reference) for reference in self.points[family])
            for family in order[:_SHORTLIST]
        ]
        best = [*order[:_SHORTLIST][np.argsort(full)], *order[_SHORTLIST:]]
        return tuple(self.names[family] for family in best)

    def _coarse(self, points: Points) -> NDArray[np.float32]:
        """Chamfer distance on few points to the nearest reference of each family, (families,)."""
        ours = torch.from_numpy(points[:_COARSE])
        theirs = torch.from_numpy(self.points[:, :, :_COARSE].reshape(-1, _COARSE, 3))
        distances = torch.cdist(ours.expand(len(theirs), -1, -1), theirs)
        chamfer = distances.amin(dim=1).mean(dim=1) + distances.amin(dim=2).mean(dim=1)
        nearest: NDArray[np.float32] = chamfer.view(self.points.shape[:2]).amin(dim=1).numpy()
        return nearest


def _chamfer(points: Points, tree: cKDTree, reference: Points) -> float:
    there = cKDTree(reference).query(points)[0]
    back = tree.query(reference)[0]
    return float(there.mean() + back.mean()) / 2


def references(names: Sequence[str] = tuple(FAMILIES), count: int = REFERENCES) -> References:
    """Surface points of `count` objects of each family."""
    points = [[_object_points(name, FIRST_SEED + index) for index in range(count)] for name in names]
    return References(names=tuple(names), points=np.array(points, np.float32))


def held_out(name: str, index: int) -> Points:
    """Points of an object that is no reference: what the classifier makes of these is its ceiling."""
    return _object_points(name, FIRST_SEED + REFERENCES + index)


def _object_points(name: str, seed: int) -> Points:
    return generate(seed, name).sample_surface(N_POINTS, np.random.default_rng((seed, 5)))[0]


def mesh_points(mesh: Mesh, seed: int = 0) -> Points:
    """Surface points of a canonical mesh."""
    return sample_surface(mesh.vertices, mesh.faces, N_POINTS, np.random.default_rng((seed, 6)))[0]


def prompt(name: str) -> str:
    """The bare noun of a family, as an artist would type it."""
    noun = name.replace("_", " ")
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a shape meant to be of a family was ranked; no ranking where there was no mesh."""

    family: str
    ranking: tuple[str, ...]


def report(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Top-1 and top-5 accuracy, overall and by family, with the nearest family of each shape."""

    def accuracy(rows: Sequence[Verdict], top: int) -> float:
        return round(sum(row.family in row.ranking[:top] for row in rows) / max(len(rows), 1), 4)

    names = dict.fromkeys(row.family for row in verdicts)
    by_family = {name: [row for row in verdicts if row.family == name] for name in names}
    return {
        "shapes": len(verdicts),
        "no_mesh": sum(not row.ranking for row in verdicts),
        "top_1": accuracy(verdicts, 1),
        "top_5": accuracy(verdicts, 5),
        "by_family": {
            name: {
                "top_1": accuracy(rows, 1),
                "top_5": accuracy(rows, 5),
                "nearest": [row.ranking[0] if row.ranking else "" for row in rows],
            }
            for name, rows in by_family.items()
        },
    }
