"""Surfaces modelled twice, once for each side, as one surface that looks outward. Needs libigl (`train`).

Engines that draw one side of a face only made artists double leaves, and whole objects. Winding numbers of
such pairs cancel, and a closed tree would count as a heap of sheets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.orientation import outward


def one_sided(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(m,) faces to keep and (m,) those of them to turn over; all and none where nothing is doubled.

    Of a face and its reverse at the same place the first is kept.
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
    kept = ~reverse
    shown = np.flatnonzero(kept & solid)
    before = np.ascontiguousarray(welded[shown])
    after, _ = outward(np.ascontiguousarray(vertices[first], np.float64), before)
    turned = nothing.copy()
    turned[shown] = (after != before).any(axis=1)
    return kept, turned


def _even(faces: NDArray[Any], ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """(m,) whether the corners come in rising order, up to rotation."""
    start = (faces == ordered[:, :1]).argmax(axis=1)
    following = np.take_along_axis(faces, ((start + 1) % 3)[:, None], axis=1)
    even: NDArray[np.bool_] = (following == ordered[:, 1:2])[:, 0]
    return even
