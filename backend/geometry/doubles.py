"""Faces at one place: repeated, modelled for both sides, or where solids touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.orientation import Faces

Numbers = NDArray[np.int64]


def single(faces: Faces) -> tuple[Numbers, NDArray[np.bool_]]:
    """Numbers of the first face (m, 3) of a welded mesh at each place, and whether it closes nothing.

    That is so where faces for both sides lie between solids that touch, or span a closed frame as a sheet:
    over the rim of such a region other faces meet in twos. The rim of a region of a solid that was modelled
    for both sides meets single faces, or nothing.
    """
    ordered = np.sort(faces, axis=1)
    _, first, place = np.unique(ordered, axis=0, return_index=True, return_inverse=True)
    between = np.zeros(len(first), bool)
    if len(first) < len(faces):
        even = _even(faces, ordered)
        ahead, behind = (np.bincount(place.ravel(), side, minlength=len(first)) for side in (even, ~even))
        both = (ahead > 0) & (behind > 0)
        if both.any():
            between[both] = _closes_nothing(ordered[first], both)
    order = np.argsort(first)
    return first[order], between[order]


def _closes_nothing(places: Faces, both: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(both,) whether the rim of the region of places with faces for both sides is closed without it."""
    size = int(places.max(initial=0)) + 1
    low, high = places[:, [0, 0, 1]].ravel(), places[:, [1, 2, 2]].ravel()
    _, edge = np.unique(low * size + high, return_inverse=True)
    edge = edge.reshape(-1, 3)
    singles = np.bincount(edge[~both].ravel(), minlength=int(edge.max()) + 1)
    own = edge[both]
    member = np.repeat(np.arange(len(own)), 3)
    links = coo_array((np.ones(own.size), (member, own.ravel())), shape=(len(own), len(singles))).tocsr()
    _, region = connected_components(links @ links.T, directed=False)
    met = singles[own]
    between = np.bincount(region, ((met > 0) & (met % 2 == 0)).sum(axis=1))
    doubled = np.bincount(region, (met % 2 == 1).sum(axis=1))
    verdict: NDArray[np.bool_] = (between > doubled)[region]
    return verdict


def _even(faces: Faces, ordered: Faces) -> NDArray[np.bool_]:
    """(m,) whether the corners come in rising order, up to rotation."""
    start = (faces == ordered[:, :1]).argmax(axis=1)
    following = np.take_along_axis(faces, ((start + 1) % 3)[:, None], axis=1)
    even: NDArray[np.bool_] = (following == ordered[:, 1:2])[:, 0]
    return even
