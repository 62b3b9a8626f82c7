"""Whether a mesh is watertight, and mending the pinches that edge collapses leave in one that was.

Half-edge 3 * f + s leads from corner s of face f to the next one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.mesh import Mesh

Faces = NDArray[np.int32]
_ATTEMPTS = 3


def is_watertight(faces: Faces) -> bool:
    """Whether each edge has exactly two faces, which agree on what is outside."""
    start, end = _half_edges(faces)
    forward = start < end
    up = np.sort(_keys(start[forward], end[forward]))
    down = np.sort(_keys(end[~forward], start[~forward]))
    return np.array_equal(up, down) and not (up[1:] == up[:-1]).any() and not (start == end).any()


def unpinched(mesh: Mesh) -> Mesh | None:
    """A watertight mesh with the same surface, where parts that touch in an edge no longer share it.

    The vertices of such an edge are doubled. None if an edge lacks a face, so that something is open.
    """
    mesh = _without_flaps(mesh)
    for attempt in range(_ATTEMPTS):
        if is_watertight(mesh.faces):
            return mesh
        pairs = _opposite(mesh.faces, swap=attempt > 0)
        if pairs is None:
            return None
        mesh = _split(mesh, *pairs)
    return mesh if is_watertight(mesh.faces) else None


def _half_edges(faces: Faces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return faces.reshape(-1).astype(np.int64), np.roll(faces, -1, axis=1).reshape(-1).astype(np.int64)


def _keys(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = a << 32 | b
    return keys


def _without_flaps(mesh: Mesh) -> Mesh:
    """Drops collapsed faces, and pairs of faces that lie on each other back to back."""
    faces = mesh.faces[(mesh.faces != np.roll(mesh.faces, 1, axis=1)).all(axis=1)]
    corners = np.sort(faces, axis=1)
    even = (faces[np.arange(len(faces)), (faces.argmin(axis=1) + 1) % 3] == corners[:, 1]).astype(np.int64)
    _, same, count = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    sides = np.bincount(same.reshape(-1), 2 * even - 1, minlength=len(count))
    flap = ((count == 2) & (sides == 0))[same.reshape(-1)]
    return Mesh(vertices=mesh.vertices, faces=faces[~flap], colors=mesh.colors)


def _opposite(faces: Faces, *, swap: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Half-edges in pairs that run along each other in opposite directions; None where one is alone.

    Among several at the same place, `swap` chooses other pairs.
    """
    start, end = _half_edges(faces)
    number = np.arange(len(start))
    up, down = number[start < end], number[start > end]
    up_keys, down_keys = _keys(start[up], end[up]), _keys(end[down], start[down])
    up_order = np.argsort(up_keys, kind="stable")
    down_order = np.lexsort((-down if swap else down, down_keys))
    if not np.array_equal(up_keys[up_order], down_keys[down_order]):
        return None
    return up[up_order], down[down_order]


def _split(mesh: Mesh, up: NDArray[np.int64], down: NDArray[np.int64]) -> Mesh:
    """A vertex for each fan of corners that the pairs of half-edges connect."""
    after = np.arange(mesh.faces.size).reshape(-1, 3)[:, [1, 2, 0]].reshape(-1)
    a, b = np.concatenate([up, after[up]]), np.concatenate([after[down], down])
    links = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(mesh.faces.size,) * 2)
    n, fan = connected_components(links, directed=False)
    origin = np.empty(n, np.int64)
    origin[fan] = mesh.faces.reshape(-1)
    colors = None if mesh.colors is None else mesh.colors[origin]
    return Mesh(vertices=mesh.vertices[origin], faces=fan.reshape(-1, 3).astype(np.int32), colors=colors)
