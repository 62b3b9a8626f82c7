"""Turns the faces of an artist's mesh outward, as far as it has an outside. Needs libigl (extra `train`)."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

Faces = NDArray[np.int64]
Points = NDArray[np.float64]

# A part turned inside out is taken for a cavity if this share of its vertices lies within the other parts.
_CAVITY_SHARE = 0.75


def weld(vertices: NDArray[Any], faces: NDArray[Any]) -> tuple[Points, Faces]:
    """Merges vertices at the same place, so that neighbours share edges; drops faces that collapse.

    Positions are compared at 1e-6 of the extent.
    """
    points = np.ascontiguousarray(vertices, np.float64)
    step = max(float(np.ptp(points, axis=0).max()), 1e-30) * 1e-6
    _, first, inverse = np.unique(np.round(points / step), axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[np.asarray(faces, np.int64)]
    distinct = (np.diff(merged, axis=1, append=merged[:, :1]) != 0).all(axis=1)
    return points[first], np.ascontiguousarray(merged[distinct])


def outward(vertices: Points, faces: Faces) -> tuple[Faces, NDArray[np.int64]]:
    """Faces (m, 3) of a welded mesh with consistent sides, and the patch number (m,) of each.

    Within a patch (faces joined by edges of exactly two) sides agree with the larger part of its area. A mesh
    mirrored as a whole is turned back; then every closed patch is turned outward, unless it lies inside the
    others and so bounds a cavity. Open patches keep their author's side: nothing tells which is right.
    """
    faces, patches = _agree(vertices, faces)
    volumes = _volumes(vertices, faces, patches)
    if volumes.sum() < 0:
        faces, volumes = faces[:, ::-1].copy(), -volumes
    for patch in np.flatnonzero(closed_patches(faces, patches) & (volumes < 0)):
        own = patches == patch
        if not _within(vertices[np.unique(faces[own])], vertices, faces[~own]):
            faces[own] = faces[own][:, ::-1]
    return np.ascontiguousarray(faces), patches


def closed_patches(faces: Faces, patches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(patches,) whether each directed edge of a patch is met by its reverse."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    owner = np.repeat(patches, 3)
    low, high = np.minimum(start, end), np.maximum(start, end)
    size = int(faces.max()) + 1
    _, edge = np.unique((owner * size + low) * size + high, return_inverse=True)
    balance = np.bincount(edge.ravel(), np.where(start < end, 1.0, -1.0))
    closed = np.ones(int(patches.max()) + 1, bool)
    closed[owner[balance[edge.ravel()] != 0]] = False
    return closed


def _agree(vertices: Points, faces: Faces) -> tuple[Faces, NDArray[np.int64]]:
    """One side per patch: the one that most of its area was given."""
    agreed, patches = igl.bfs_orient(faces)
    turned = (agreed != faces).any(axis=1)
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    votes = np.bincount(patches, np.where(turned, -area, area))
    wrong = votes[patches] < 0
    agreed[wrong] = agreed[wrong][:, ::-1]
    return agreed, patches


def _volumes(vertices: Points, faces: Faces, patches: NDArray[np.int64]) -> NDArray[np.float64]:
    """(patches,) signed volume between each patch and the middle of the mesh: exact for closed patches."""
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    a, b, c = (vertices[faces[:, corner]] - middle for corner in range(3))
    volumes: NDArray[np.float64] = np.bincount(patches, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)  # type: ignore[assignment]
    return volumes


def _within(points: Points, vertices: Points, faces: Faces) -> bool:
    if len(faces) == 0:
        return False
    winding = igl.fast_winding_number(vertices, faces, points[:: max(1, len(points) // 64)])
    return bool((winding > 0.5).mean() > _CAVITY_SHARE)
