"""Parts of an asset: the objects its author named, else what hangs together; and which side it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.sampling import face_normals

# A side carries an asset if flat faces within this share of its extent there cover this share of its box.
_CONTACT = 0.01
_CARRIES = 0.35
# Where the box around what is on the ground is less than this share of the footprint, nothing stands there.
_TOUCHES = 0.02


def components(vertices: NDArray[Any], faces: NDArray[Any]) -> NDArray[np.int32]:
    """(m,) connected component of each face, by falling surface area; vertices at one place are one."""
    if len(faces) == 0:
        return np.zeros(0, np.int32)
    step = max(float(np.ptp(vertices, axis=0).max()), 1e-30) * 1e-6
    _, place = np.unique(np.round(np.asarray(vertices, np.float64) / step), axis=0, return_inverse=True)
    a, b, c = place.reshape(-1)[faces].T
    links = coo_array((np.ones(2 * len(a), np.int8), (np.r_[a, b], np.r_[b, c])), shape=(len(place),) * 2)
    _, label = connected_components(links, directed=False)
    _, first, number = np.unique(label[a], return_index=True, return_inverse=True)
    _, areas = face_normals(np.asarray(vertices, np.float64)[faces])
    order = np.lexsort((first, -np.bincount(number, areas)))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    ranked: NDArray[np.int32] = rank[number]
    return ranked


def number_parts(
    vertices: NDArray[Any], faces: NDArray[np.int32], names: Sequence[str], objects: NDArray[np.int32]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Part (m,) of each face and the parts' names; `objects` (m,) is the named object of each face."""
    used, number = np.unique(objects, return_inverse=True)
    if len(used) > 1:
        return number.reshape(-1).astype(np.int32), tuple(names[i] for i in used)
    parts = components(vertices, faces)
    return parts, ("",) * (int(parts.max(initial=0)) + 1)


def lies_down(vertices: NDArray[Any], faces: NDArray[Any]) -> bool:
    """Whether a canonical asset touches the ground at next to nothing but could stand on its front or back.

    A hint for files whose up axis was not what their format says.
    """
    points = np.asarray(vertices, np.float64)[np.unique(faces)]
    low = points.min(axis=0)
    sides = np.maximum(np.ptp(points, axis=0), 1e-9)
    ground = points[points[:, 2] < low[2] + _CONTACT * sides.max()]
    if np.prod(np.ptp(ground[:, :2], axis=0) / sides[:2]) > _TOUCHES:
        return False
    corners = np.asarray(vertices, np.float64)[faces]
    normals, areas = face_normals(corners)
    carried = []
    for edge, sign in ((low[1], -1), (low[1] + sides[1], 1)):
        near = (np.abs(corners[:, :, 1] - edge) < _CONTACT * sides.max()).all(axis=1)
        carried.append(areas[near & (sign * normals[:, 1] > 0.98)].sum() / (sides[0] * sides[2]))
    return bool(max(carried) > _CARRIES)
