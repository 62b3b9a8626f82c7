"""Connected parts of a mesh, and dropping those that are too small to be meant."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.mesh import Mesh


def remove_islands(mesh: Mesh, min_fraction: float) -> Mesh:
    """Drops connected parts with less than `min_fraction` of the largest part's surface area."""
    n = len(mesh.vertices)
    a, b, c = mesh.faces.T
    links = coo_array((np.ones(2 * len(a), np.int8), (np.r_[a, b], np.r_[b, c])), shape=(n, n))
    _, part = connected_components(links, directed=False)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = np.bincount(part[a], areas, minlength=int(part.max(initial=0)) + 1)
    keep_part = share >= min_fraction * share.max()
    keep = np.zeros(n, bool)
    keep[mesh.faces[keep_part[part[a]]]] = True
    number = np.cumsum(keep, dtype=np.int32) - 1
    colors = None if mesh.colors is None else mesh.colors[keep]
    faces = number[mesh.faces[keep[a]]].astype(np.int32)
    return Mesh(vertices=mesh.vertices[keep], faces=faces, colors=colors)
