"""Whether a field can hold an asset: how much of its skin has no inside behind it. Needs libigl.

Large thin walls are invisible in pictures, but a signed distance field loses its negative side there (paper,
section 3.2: discontinuities of the sign).
"""

from __future__ import annotations

import igl
import numpy as np

from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.sampling import sample_surface
from training.data.filtering.shape import WeldedMesh

# Inside a solid the winding number is one, beside a folded sheet it may pass one half.
_SURE = 0.7


def thin_walls(mesh: WeldedMesh, wall: float, samples: int) -> tuple[float, float]:
    """Share of the exposed area with no inside a `wall` behind it: sheets, and walls up to that thin.

    Inside is told by the winding number. Points with an inside on both sides are buried in other parts and
    count for nothing. And the area of those walls, both sides, in squares of the longest side.
    """
    rng = np.random.default_rng(0)  # the same points every time
    points, _, face = sample_surface(mesh.vertices, mesh.oriented, samples, rng)
    offset = mesh.normals[face] * (wall * LONGEST_SIDE)
    probes = np.concatenate([points + offset, points - offset]).astype(np.float64)
    inside = np.abs(igl.fast_winding_number(mesh.vertices, mesh.oriented, probes)) > _SURE
    front, back = np.split(inside, 2)
    exposed, thin = ~(front & back), ~front & ~back
    area = float(thin.mean() * mesh.areas.sum()) / LONGEST_SIDE**2
    return float(thin.sum() / max(int(exposed.sum()), 1)), area
