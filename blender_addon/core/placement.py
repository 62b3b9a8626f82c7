"""From the canonical frame to the scene: a given longest side, standing on the plane of the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 1.92  # of a canonical shape (docs: geometry conventions)
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a result goes, fixed when it was asked for. Metres; `scene` is the scene's name."""

    location: Point = (0.0, 0.0, 0.0)
    size: float = 1.0
    scene: str = ""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """vertices: (n, 3) float32, metres, Z up, the origin under the shape's middle.

    local = (canonical - center) * scale, so the canonical shape can be had back exactly.
    """

    vertices: NDArray[np.float32]
    center: Point
    scale: float


def place(vertices: NDArray[np.float32], size: float) -> Placed:
    """vertices: (n, 3) canonical, Z up. The longest side becomes `size` metres, the lowest point z = 0."""
    low, high = vertices.min(axis=0).astype(np.float64), vertices.max(axis=0).astype(np.float64)
    longest = float((high - low).max())
    scale = size / longest if longest > 1e-6 else size / LONGEST_SIDE
    center = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2])
    local = ((vertices.astype(np.float64) - center) * scale).astype(np.float32)
    return Placed(vertices=local, center=(float(center[0]), float(center[1]), float(center[2])), scale=scale)


def place_preview(vertices: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """(n, 3) metres, standing on z = 0: a part, at the scale and place the whole shape will have."""
    scale = size / LONGEST_SIDE
    local: NDArray[np.float32] = (vertices - (0.0, 0.0, vertices[:, 2].min())) * scale
    return local.astype(np.float32)


def box_sides(box: Sequence[float] | None, size: float) -> Point:
    """Metres along x, y, z of the box a shape will stand in; `box` gives its proportions."""
    if box is None:
        return (size, size, size)
    scale = size / max(box)
    return (box[0] * scale, box[1] * scale, box[2] * scale)


def box_lines(location: Point, sides: Point) -> NDArray[np.float32]:
    """(24, 3) float32: the twelve edges of a box standing at `location`, in pairs of points."""
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)])
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
    points = corners[np.array(pairs).ravel()] * np.asarray(sides) + np.asarray(location)
    lines: NDArray[np.float32] = points.astype(np.float32)
    return lines
