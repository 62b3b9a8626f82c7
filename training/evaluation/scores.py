"""How close two shapes are: IoU of inside masks, Chamfer distance and F-score of surface points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

F_THRESHOLD = 0.02  # canonical units, 1 % of the longest side


@dataclass(frozen=True, kw_only=True)
class SurfaceDistance:
    """Of two point sets (n, 3) and (m, 3), in their units; depends on how many points there are."""

    chamfer: float  # mean of both directions' mean nearest distances, not squared
    chamfer_squared: float  # sum of both directions' mean squared nearest distances
    f_score: float  # harmonic mean of the shares nearer than F_THRESHOLD


def surface_distance(a: NDArray[Any], b: NDArray[Any]) -> SurfaceDistance:
    """Both ways between point sets."""
    there, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    precision, recall = (float((nearest < F_THRESHOLD).mean()) for nearest in (back, there))
    return SurfaceDistance(
        chamfer=float(there.mean() + back.mean()) / 2,
        chamfer_squared=float(np.square(there).mean() + np.square(back).mean()),
        f_score=2 * precision * recall / max(precision + recall, 1e-12),
    )


def normal_consistency(
    a: NDArray[Any], a_normals: NDArray[Any], b: NDArray[Any], b_normals: NDArray[Any]
) -> float:
    """Mean of both directions' mean |cosine| of each point's normal with that of the nearest other point.

    Points (n, 3) and (m, 3) with unit normals; sides do not matter, so that sheets count too.
    """
    there, back = cKDTree(b).query(a)[1], cKDTree(a).query(b)[1]
    means = (
        float(np.abs(np.einsum("ij,ij->i", own, others[nearest])).mean())
        for own, others, nearest in ((a_normals, b_normals, there), (b_normals, a_normals, back))
    )
    return sum(means) / 2


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of the same points; 1 where both are empty."""
    union = int((a | b).sum())
    return 1.0 if union == 0 else int((a & b).sum()) / union
