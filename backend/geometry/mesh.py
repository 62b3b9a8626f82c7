"""The triangle mesh that passes between surface extraction, the pipeline and the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles, counter-clockwise seen from outside; checked once here so that nobody else has to.

    Raises ValueError for a wrong shape or dtype, a vertex that is not finite, or a face that names no vertex.
    """

    vertices: NDArray[np.float32]  # (n, 3)
    faces: NDArray[np.int32]  # (m, 3)
    colors: NDArray[np.uint8] | None = None  # (n, 4) sRGB with alpha

    def __post_init__(self) -> None:
        _expect("vertices", self.vertices, np.float32, 3)
        _expect("faces", self.faces, np.int32, 3)
        if not np.isfinite(self.vertices).all():
            raise ValueError("mesh vertices must be finite")
        if self.faces.size and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            raise ValueError(f"mesh faces must index {len(self.vertices)} vertices")
        if self.colors is not None:
            _expect("colors", self.colors, np.uint8, 4)
            if len(self.colors) != len(self.vertices):
                raise ValueError(f"mesh has {len(self.vertices)} vertices and {len(self.colors)} colors")

    def signed_volume(self) -> float:
        """Enclosed volume, positive when faces look outward; meaningful for closed meshes only."""
        a, b, c = (self.vertices[self.faces[:, corner]].astype(np.float64) for corner in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def _expect(name: str, array: NDArray[np.generic], dtype: type[np.generic], columns: int) -> None:
    if array.ndim != 2 or array.shape[1] != columns or array.dtype != dtype:
        wanted = np.dtype(dtype).name
        raise ValueError(f"mesh {name} must be (n, {columns}) {wanted}, not {array.shape} {array.dtype}")
