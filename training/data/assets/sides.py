"""Surfaces modelled twice, once for each side, as one surface that looks outward. Needs libigl (`train`).

Engines that draw one side of a face only made artists double leaves, and whole objects. Winding numbers of
such pairs cancel, and a closed tree would count as a heap of sheets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.orientation import outward
from backend.geometry.sampling import face_normals
from training.data.assets.parts import components

_EVERYWHERE = 0.9  # of a part's area


def one_sided(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(m,) faces to keep and (m,) those of them to turn over; all and none where nothing is doubled.

    Of a face and its reverse at the same place the first is kept, but only in connected parts that are
    doubled (nearly) everywhere: where two solids touch, their faces are each other's reverse too.
    """
    nothing = np.zeros(len(faces), bool)
    step = max(float(np.ptp(vertices, axis=0).max()), 1e-30) * 1e-6
    _, first, place = np.unique(np.round(vertices / step), axis=0, return_index=True, return_inverse=True)
    welded = place.reshape(-1)[faces]
    ordered = np.sort(welded, axis=1)
    _, lead, group = np.unique(ordered, axis=0, return_index=True, return_inverse=True)
    even = _even(welded, ordered)
    solid = (np.diff(ordered, axis=1) != 0).all(axis=1)
    reverse = solid & (even != even[lead[group.reshape(-1)]])
    if not reverse.any():
        return ~nothing, nothing
    reverse &= _doubled(vertices, faces, group.reshape(-1), reverse)
    if not reverse.any():
        return ~nothing, nothing
    kept = ~reverse
    shown = np.flatnonzero(kept & solid)
    before = np.ascontiguousarray(welded[shown])
    after, _ = outward(np.ascontiguousarray(vertices[first], np.float64), before)
    turned = nothing.copy()
    turned[shown] = (after != before).any(axis=1)
    return kept, turned


def _doubled(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int64],
    group: NDArray[np.int64],
    reverse: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(m,) whether a face's connected part is doubled; group: (m,) number of the face's place."""
    _, areas = face_normals(vertices[faces])
    part = components(vertices, faces)
    twins = np.bincount(group, reverse) > 0
    share = np.bincount(part, areas * twins[group]) / np.maximum(np.bincount(part, areas), 1e-30)
    doubled: NDArray[np.bool_] = (share > _EVERYWHERE)[part]
    return doubled


def _even(faces: NDArray[Any], ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """(m,) whether the corners come in rising order, up to rotation."""
    start = (faces == ordered[:, :1]).argmax(axis=1)
    following = np.take_along_axis(faces, ((start + 1) % 3)[:, None], axis=1)
    even: NDArray[np.bool_] = (following == ordered[:, 1:2])[:, 0]
    return even
