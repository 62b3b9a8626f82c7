"""Turns the faces of an artist's mesh outward, as far as it has an outside."""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from backend.geometry.sampling import face_normals

Faces = NDArray[np.int64]
Points = NDArray[np.float64]

# An open patch is turned if the sky behind it is larger than that before it by this share of all directions.
_SURE = 0.05
_SEEN_FACES = 12  # of each patch, the largest
_RAYS = 24  # on each side of a face
_LIFT = 1e-5  # of the extent, off the face


def weld(vertices: NDArray[Any], faces: NDArray[Any]) -> tuple[Points, Faces]:
    """Merges vertices at the same place, so that neighbours share edges; drops faces that collapse."""
    points, merged, whole = merge(vertices, faces)
    return points, np.ascontiguousarray(merged[whole])


def merge(vertices: NDArray[Any], faces: NDArray[Any]) -> tuple[Points, Faces, NDArray[np.int64]]:
    """Vertices by place, the faces (m, 3) that join them, and the numbers of those that do not collapse.

    Positions are compared at 1e-6 of the extent.
    """
    points = np.ascontiguousarray(vertices, np.float64)
    step = max(float(np.ptp(points, axis=0).max()), 1e-30) * 1e-6
    _, first, inverse = np.unique(np.round(points / step), axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[np.asarray(faces, np.int64)]
    whole = (np.diff(merged, axis=1, append=merged[:, :1]) != 0).all(axis=1)
    return points[first], merged, np.flatnonzero(whole)


def outward(vertices: Points, faces: Faces) -> tuple[Faces, NDArray[np.int64]]:
    """Faces (m, 3) of a welded mesh with consistent sides, and the patch number (m,) of each.

    Within a patch (faces joined by edges of exactly two) sides agree with the larger part of its area. A mesh
    mirrored as a whole is turned back; then every closed patch is turned outward, so cavities that nothing
    leads to are filled. Open patches turn the side that sees more of the sky outward, if they see any more on
    one side: together they may close, as where patches meet at edges of three.
    """
    faces, patches = _agree(vertices, faces)
    volumes = _volumes(vertices, faces, patches)
    if volumes.sum() < 0:
        faces, volumes = faces[:, ::-1].copy(), -volumes
    closed = closed_patches(faces, patches)
    inverted = np.where(closed, volumes < 0, _sky(vertices, faces, patches, ~closed) < -_SURE)[patches]
    faces[inverted] = faces[inverted][:, ::-1]
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


def largest_faces(patches: NDArray[np.int64], areas: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Numbers of the `count` largest faces of each patch."""
    order = np.lexsort((-areas, patches))
    owner = patches[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    largest: NDArray[np.int64] = order[rank < count]
    return largest


def _sky(
    vertices: Points, faces: Faces, patches: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(patches,) share of directions that leave the mesh, before less behind; 0 for unwanted patches."""
    asked = np.flatnonzero(wanted[patches])
    normals, areas = face_normals(vertices[faces])
    asked = asked[largest_faces(patches[asked], areas[asked], _SEEN_FACES)]
    if len(asked) == 0:
        return np.zeros(len(wanted))
    free = [_free(vertices, faces, asked, side * normals[asked]) for side in (1, -1)]
    total = np.bincount(patches[asked], areas[asked], minlength=len(wanted))
    balance = np.bincount(patches[asked], areas[asked] * (free[0] - free[1]), minlength=len(wanted))
    share: NDArray[np.float64] = balance / np.maximum(total, 1e-30)
    return share


def _free(vertices: Points, faces: Faces, asked: NDArray[np.int64], normals: Points) -> NDArray[np.float64]:
    """(asked,) share of the directions about each face's normal (asked, 3) that meet nothing."""
    lift = _LIFT * float(np.ptp(vertices, axis=0).max())
    starts = vertices[faces[asked]].mean(axis=1) + lift * normals
    # Points of a sphere on the tip of the normal: directions spread as light falls, by the cosine.
    step = np.arange(_RAYS) + 0.5
    height, angle = 1 - 2 * step / _RAYS, step * np.pi * (3 - np.sqrt(5))
    width = np.sqrt(1 - height**2)
    ball = np.stack([width * np.cos(angle), width * np.sin(angle), height], axis=1)
    rays = (normals[:, None] + 0.999 * ball).reshape(-1, 3)
    tree = igl.AABB()
    tree.init(vertices, faces)
    hit, _, _ = tree.intersect_ray_first(vertices, faces, np.repeat(starts, _RAYS, axis=0), rays)
    free: NDArray[np.float64] = (hit < 0).reshape(-1, _RAYS).mean(axis=1)
    return free
