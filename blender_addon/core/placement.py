"""From the canonical frame to the scene: a given longest side, standing on the plane of the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 1.92  # of a canonical shape (docs: geometry conventions)
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Source:
    """An object that is edited, as it was when that was asked for.

    The matrices are 12 numbers, three rows of (3, 4), and take what the backend sends: into the object's own
    coordinates, and into the world.
    """

    object: str  # its name
    uid: int  # Blender's, of this session
    fingerprint: str  # of its mesh as seen
    local: tuple[float, ...]
    world: tuple[float, ...]
    low: Point  # of its box in the world, metres
    high: Point

    @property
    def sides(self) -> Point:
        low, high = self.low, self.high
        return (high[0] - low[0], high[1] - low[1], high[2] - low[2])

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Source:
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()})


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a result goes, fixed when it was asked for. Metres; `scene` is the scene's name."""

    location: Point = (0.0, 0.0, 0.0)
    size: float = 1.0
    scene: str = ""
    title: str = ""  # what the artist knows the request by; empty: its prompt
    source: Source | None = None  # the object that the result takes the mesh of

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Target:
        """What `dataclasses.asdict` and JSON made of one. Raises TypeError or KeyError."""
        source = raw.get("source")
        known = {**raw, "location": tuple(raw["location"])}
        return cls(**{**known, "source": None if source is None else Source.from_json(source)})


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


def transformed(matrix: Sequence[float], points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(n, 3) points by 12 numbers, three rows of (3, 4)."""
    rows = np.asarray(matrix, np.float64).reshape(3, 4)
    moved: NDArray[np.float32] = (points.astype(np.float64) @ rows[:, :3].T + rows[:, 3]).astype(np.float32)
    return moved


def outward(matrix: Sequence[float], faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """(m, 3) faces that look outward again after a matrix that may mirror."""
    mirrors = np.linalg.det(np.asarray(matrix, np.float64).reshape(3, 4)[:, :3]) < 0
    return np.ascontiguousarray(faces[:, ::-1]) if mirrors else faces


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
