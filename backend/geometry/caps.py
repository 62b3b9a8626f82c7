"""Closes what solids leave open: bottoms that nobody sees, walls behind doors, cracks.

Every edge that some face passes and none passes back is joined to the middle of its rim. With these fans all
winding numbers are whole, so the inside has an edge everywhere, and distances know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.orientation import Faces, Points
from backend.geometry.sampling import face_normals

_STEP = 0.04  # of the extent: pieces that a fan is cut into
_MOST = 2500  # pieces of all fans
_LIFT = 3e-4  # of the extent: where the two sides of a piece are asked


def fans(vertices: Points, faces: Faces) -> Points:
    """(k, 3, 3) triangles from open edges to the middle of their rim, facing as the solid's faces do.

    An edge that two faces pass the same way gets two, which puts right a wall that was turned over.
    """
    start, end, times = _open_edges(faces)
    if len(start) == 0:
        return np.empty((0, 3, 3))
    n = len(vertices)
    _, rim = connected_components(
        coo_array((np.ones(len(start)), (start, end)), shape=(n, n)), directed=False
    )
    rim = np.unique(rim[start], return_inverse=True)[1].ravel()
    lengths = np.linalg.norm(vertices[end] - vertices[start], axis=1) + 1e-12
    middles = (vertices[start] + vertices[end]) / 2
    total = np.bincount(rim, lengths)
    apex = np.stack([np.bincount(rim, lengths * middles[:, axis]) / total for axis in range(3)], axis=1)
    triangles = np.stack([vertices[end], vertices[start], apex[rim]], axis=1)
    return np.repeat(triangles, times, axis=0)


def caps(triangles: Points, extent: float, inside: Callable[[NDArray[Any]], NDArray[np.bool_]]) -> Points:
    """(k, 3, 3) the pieces of fans that part inside from outside: fans of bent rims overlap themselves."""
    pieces = _pieces(np.unique(triangles, axis=0), _STEP * extent)
    normals, areas = face_normals(pieces)
    pieces, normals = pieces[areas > 0], normals[areas > 0]
    middles, lift = pieces.mean(axis=1), _LIFT * extent * normals
    parting: Points = pieces[inside(middles + lift) != inside(middles - lift)]
    return parting


def _open_edges(faces: Faces) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Start and end of the edges passed more often this way than back, and how much more."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    size = int(faces.max()) + 1
    key, edge = np.unique(np.minimum(start, end) * size + np.maximum(start, end), return_inverse=True)
    balance = np.bincount(edge.ravel(), np.where(start < end, 1, -1)).astype(np.int64)
    left = np.flatnonzero(balance)
    low, high, forth = key[left] // size, key[left] % size, balance[left] > 0
    return np.where(forth, low, high), np.where(forth, high, low), np.abs(balance[left])


def _pieces(triangles: Points, step: float) -> Points:
    """Triangles (k, 3, 3) cut between rim and middle, and along the rim, into parts of about a step."""
    while True:
        edge = np.linalg.norm(triangles[:, 1] - triangles[:, 0], axis=1)
        middle = triangles[:, :2].mean(axis=1)
        across = np.ceil(edge / step).clip(1).astype(np.int64)
        rings = np.ceil(np.linalg.norm(triangles[:, 2] - middle, axis=1) / step).clip(1).astype(np.int64)
        if 2 * int((across * rings).sum()) <= _MOST or step > 1e3:
            break
        step *= 1.5
    cut = _along_the_rim(triangles, across)
    return _rings(cut, np.repeat(rings, across))


def _along_the_rim(triangles: Points, across: NDArray[np.int64]) -> Points:
    owner = np.repeat(np.arange(len(triangles)), across)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(across) - across, across)
    a, b, apex = (triangles[owner, corner] for corner in range(3))
    low, high = (number / across[owner])[:, None], ((number + 1) / across[owner])[:, None]
    return np.stack([a + low * (b - a), a + high * (b - a), apex], axis=1)


def _rings(triangles: Points, rings: NDArray[np.int64]) -> Points:
    owner = np.repeat(np.arange(len(triangles)), rings)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(rings) - rings, rings)
    a, b, apex = (triangles[owner, corner] for corner in range(3))
    low, high = (number / rings[owner])[:, None], ((number + 1) / rings[owner])[:, None]
    outer = a + low * (apex - a), b + low * (apex - b)
    inner = a + high * (apex - a), b + high * (apex - b)
    first = np.stack([*outer, inner[1]], axis=1)
    second = np.stack([outer[0], inner[1], inner[0]], axis=1)
    return np.concatenate([first, second])
