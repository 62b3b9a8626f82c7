"""Whether an object's two sides mirror each other, and by how much they fail to where they are meant to."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np

from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.sampling import sample_surface
from training.data.filtering.shape import WeldedMesh

_SAMPLES = 1500
_NEAR = 0.05  # of the longest side: mirrored points this near the surface have found their other half
_MEANT = 0.9  # share of them from which the halves are meant to mirror each other


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """The better of the two upright planes."""

    share: float  # of the surface that has another half
    residual: float  # mean distance of that part to its mirror image, of the longest side

    @property
    def meant(self) -> bool:
        return self.share > _MEANT


def mirror(mesh: WeldedMesh) -> Mirror:
    """Left against right and front against back; the same for the same mesh."""
    points, _, _ = sample_surface(mesh.vertices, mesh.faces, _SAMPLES, np.random.default_rng(0))
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    found = []
    for axis in (0, 1):
        turned = points.astype(np.float64)
        turned[:, axis] = 2 * middle[axis] - turned[:, axis]
        squared, _, _ = igl.point_mesh_squared_distance(
            turned, mesh.vertices.astype(np.float64), np.ascontiguousarray(mesh.faces)
        )
        away = np.sqrt(squared) / LONGEST_SIDE
        near = away < _NEAR
        found.append(
            Mirror(share=float(near.mean()), residual=float(away[near].mean()) if near.any() else _NEAR)
        )
    return min(found, key=lambda side: (-round(side.share, 2), side.residual))
