"""Points on the surface of a triangle soup, by area: what shape encoders read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sample_surface(
    vertices: NDArray[Any], faces: NDArray[Any], n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Points (n, 3), unit face normals (n, 3) and face numbers (n,); index face colours with the last.

    Area-weighted, with stratified face choice: every region gets its share to within one point. Shuffled, so
    any slice is a sample too. Raises ValueError when no face has area.
    """
    triangles = np.asarray(vertices, np.float64)[faces]
    normals, areas = face_normals(triangles)
    cumulative = np.cumsum(areas)
    if len(cumulative) == 0 or not cumulative[-1] > 0:
        raise ValueError(f"a surface of {len(faces)} faces without area cannot be sampled")
    ticks = (np.arange(n) + rng.random(n)) * (cumulative[-1] / n)
    face = np.searchsorted(cumulative, rng.permutation(ticks), side="right").clip(max=len(faces) - 1)
    # A square folded along its diagonal covers the triangle evenly.
    weights = rng.random((n, 2))
    weights = np.where(weights.sum(axis=1, keepdims=True) > 1, 1 - weights, weights)
    origin = triangles[face, 0]
    points = origin + np.einsum("nk,nkd->nd", weights, triangles[face, 1:] - origin[:, None])
    return points.astype(np.float32), normals[face].astype(np.float32), face


def face_normals(triangles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit normals (m, 3), zero where a triangle (m, 3, 3) has no area, and areas (m,)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    cross = np.cross(b - a, c - a)
    length = np.linalg.norm(cross, axis=1)
    unit = np.divide(cross, length[:, None], out=np.zeros_like(cross), where=length[:, None] > 0)
    return unit, length / 2
