"""Connected parts of a mesh, and dropping those that are too small to be meant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.compiled import compiled
from backend.geometry.mesh import Mesh


def remove_islands(mesh: Mesh, min_fraction: float, spared: NDArray[np.bool_] | None = None) -> Mesh:
    """Drops connected parts with less than `min_fraction` of the largest part's surface area.

    A part stays where all its vertices, of (n,), are spared.
    """
    if len(mesh.faces) == 0:
        return mesh
    part = parts(mesh.faces, len(mesh.vertices))
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = np.bincount(part[mesh.faces[:, 0]], areas, minlength=len(mesh.vertices))
    small = share < min_fraction * share.max()
    if spared is not None:
        touched = np.zeros(len(mesh.vertices), bool)
        touched[part[~spared]] = True
        small &= touched
    if not small[part[mesh.faces[:, 0]]].any():
        return mesh
    keep = ~small[part]
    number = np.cumsum(keep, dtype=np.int32) - 1
    colors = None if mesh.colors is None else mesh.colors[keep]
    faces = number[mesh.faces[keep[mesh.faces[:, 0]]]]
    return Mesh(vertices=mesh.vertices[keep], faces=faces, colors=colors)


@compiled
def parts(faces: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """For each of n vertices the lowest vertex that faces connect it to."""
    root = np.arange(n).astype(np.int32)
    for face in faces:
        for side in range(3):
            a, b = face[side], face[side - 1]
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            if a < b:
                root[b] = a
            else:
                root[a] = b
    for v in range(n):
        root[v] = root[root[v]]  # a root is lower, so already flat
    return root
