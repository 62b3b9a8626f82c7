"""Triangles of the cells that the surface crosses, given those cells alone (see `cases` for the method).

Cells are visited in the order of their numbers, so the mesh does not depend on how they were found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.geometry import cases
from backend.geometry.bricks import axes_of
from backend.geometry.canonical import BOUNDS
from backend.geometry.compiled import compiled
from backend.geometry.mesh import Mesh

# A vertex keeps this share of its edge from either end, so that no triangle collapses.
_MARGIN = 1e-3
_FACES = np.array(cases.FACES, np.int64)
_EDGES = np.array(cases.EDGES, np.int64)


@dataclass(frozen=True, kw_only=True)
class CrossedCells:
    """The cells of a grid whose corners differ in sign; none of them reaches over the grid's border."""

    cells: int  # of the grid, along one axis
    index: NDArray[np.int64]  # (n,) ascending, (x * cells + y) * cells + z
    corners: NDArray[np.float32]  # (n, 8) logits, corner c at (c >> 2, c >> 1, c) & 1; none of them zero


def triangulate(crossed: CrossedCells) -> Mesh:
    """Closed mesh of the zero level, outward faces, canonical coordinates; every edge has two faces."""
    starts, triangles = cases.table()
    kinds = _kinds(crossed.corners)
    # A closed surface has fewer vertices than faces.
    faces = np.empty(((starts[kinds + 1] - starts[kinds]).sum(), 3), np.int32)
    vertices = np.empty(faces.shape, np.float32)
    n = _march(crossed.index, crossed.cells, crossed.corners, kinds, starts, triangles, vertices, faces)
    return Mesh(vertices=vertices[:n].copy(), faces=faces)


@compiled
def _kinds(corners: NDArray[np.float32]) -> NDArray[np.int32]:
    """The case (n,) of every cell's corner values (n, 8)."""
    kinds = np.empty(len(corners), np.int32)
    for i in range(len(corners)):
        values = corners[i]
        signs = joined = 0
        for corner in range(8):
            if values[corner] > 0:
                signs |= 1 << corner
        for f in range(6):
            a, b = np.float64(values[_FACES[f, 0]]), np.float64(values[_FACES[f, 1]])
            c, d = np.float64(values[_FACES[f, 2]]), np.float64(values[_FACES[f, 3]])
            if (a > 0) == (c > 0) and (b > 0) == (d > 0) and (a > 0) != (b > 0):
                inner, outer = (a * c, b * d) if a > 0 else (b * d, a * c)
                if inner > outer:  # at its bilinear saddle the face is inside
                    joined |= 1 << f
        kinds[i] = signs * 64 + joined
    return kinds


@compiled
def _march(
    index: NDArray[np.int64],
    cells: int,
    corners: NDArray[np.float32],
    kinds: NDArray[np.int32],
    starts: NDArray[np.int32],
    triangles: NDArray[np.int8],
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
) -> int:
    """Fills vertices and faces and returns the number of vertices."""
    # The vertex on each edge that starts in the last two layers of points, and the layer it was made for.
    made = np.empty((2, 3, cells + 1, cells + 1), np.int32)
    layer = np.full((2, 3, cells + 1, cells + 1), -1, np.int32)
    point = np.empty(3, np.int64)
    n_vertices = n_faces = 0
    for i in range(len(index)):
        x, y, z = axes_of(index[i], cells)
        middle, on_rim = -1, 0
        for t in range(starts[kinds[i]], starts[kinds[i] + 1]):
            for side in range(3):
                edge = np.int64(triangles[t, side])
                if edge == cases.CENTER:
                    continue
                low, high = _EDGES[edge]
                axis = edge // 4
                point[0], point[1], point[2] = x + (low >> 2), y + (low >> 1 & 1), z + (low & 1)
                place = (point[0] & 1, axis, point[1], point[2])
                if layer[place] != point[0]:
                    layer[place], made[place] = point[0], n_vertices
                    a, b = np.float64(corners[i, low]), np.float64(corners[i, high])
                    share = min(max(a / (a - b), _MARGIN), 1 - _MARGIN)
                    for k in range(3):
                        along = point[k] + (share if k == axis else 0.0)
                        vertices[n_vertices, k] = along * (2 * BOUNDS / cells) - BOUNDS
                    n_vertices += 1
                faces[n_faces, side] = made[place]
            if triangles[t, 2] == cases.CENTER:
                if middle < 0:
                    middle, on_rim = n_vertices, 0
                    vertices[middle] = 0
                    n_vertices += 1
                faces[n_faces, 2] = middle
                # The middle is the mean of its rim, met one vertex at a time.
                on_rim += 1
                vertices[middle] += (vertices[faces[n_faces, 0]] - vertices[middle]) / np.float32(on_rim)
            n_faces += 1
    return n_vertices
