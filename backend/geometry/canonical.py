"""The one place where world coordinates (Blender's: Z up, front faces -Y, metres) become a model's and back.

Canonical shapes are centred on their bounding box with longest side 1.92; the field lives in [-1.05, 1.05]^3.
The source of an edit is smaller, so that what is added to it finds room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

UpAxis = Literal["y", "z"]

BOUNDS = 1.05  # half side of the field's domain
LONGEST_SIDE = 1.92  # of a canonical shape; what published encoders were fed
EDITED_SIDE = 1.4  # of an edit's source: three of four things that are added to an object fit around it


@dataclass(frozen=True, kw_only=True)
class Placement:
    """canonical = axes((world - center) * scale). Y up is (x, y, z) -> (x, z, -y): -Y, the front, is +Z."""

    center: tuple[float, float, float]  # world units
    scale: float  # canonical units per world unit
    up_axis: UpAxis = "z"  # of the canonical frame

    def __post_init__(self) -> None:
        if not np.isfinite(self.center).all() or len(self.center) != 3:
            raise ValueError(f"placement center must be three finite numbers, not {self.center}")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"placement scale must be positive, not {self.scale}")
        _check_axis(self.up_axis)

    def to_canonical(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """(n, 3) world points to canonical ones."""
        return turn((np.asarray(points, np.float64) - self.center) * self.scale, "z", self.up_axis)

    def to_world(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """(n, 3) canonical points to world ones; the inverse of to_canonical to float64 rounding."""
        return turn(points, self.up_axis, "z") / self.scale + self.center


def fit(vertices: NDArray[Any], up_axis: UpAxis = "z", *, side: float = LONGEST_SIDE) -> Placement:
    """Placement of world vertices (n, 3), whose longest side becomes `side`.

    Raises ValueError if there are none, or if they have no extent.
    """
    points = np.asarray(vertices, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise ValueError(f"vertices must be (n, 3) with n > 0, not {points.shape}")
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max())
    if not np.isfinite(longest) or longest <= 0:
        raise ValueError(f"vertices must span a finite, positive extent, not {longest}")
    x, y, z = ((low + high) / 2).tolist()
    return Placement(center=(x, y, z), scale=side / longest, up_axis=up_axis)


def turn(vectors: ArrayLike, from_up: UpAxis, to_up: UpAxis) -> NDArray[np.float64]:
    """Points or directions (n, 3) of one frame in another; exact, since it only permutes and negates."""
    _check_axis(from_up)
    _check_axis(to_up)
    v = np.asarray(vectors, np.float64)
    if from_up == to_up:
        return v
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    return np.stack([x, z, -y] if to_up == "y" else [x, -z, y], axis=-1)


def _check_axis(axis: str) -> None:
    if axis not in get_args(UpAxis):
        raise ValueError(f"up axis must be one of {get_args(UpAxis)}, not {axis!r}")
