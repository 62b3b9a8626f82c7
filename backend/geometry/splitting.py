"""Large triangles in pieces, so that each piece can be told from the others by its middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.orientation import Faces, Points

_MOST = 20_000  # pieces, unless there were more faces to begin with


def split(vertices: Points, faces: Faces, longest: float) -> tuple[Points, Faces, NDArray[np.int64]]:
    """Vertices with more behind them, faces (m, 3) with no edge over `longest`, and whose piece each is.

    Longest edges are halved, of each face by itself: neighbours no longer share their vertices.
    """
    origin = np.arange(len(faces))
    while len(faces) < _MOST:
        corners = vertices[faces]
        lengths = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        large = np.flatnonzero(lengths.max(axis=1) > longest)
        if len(large) == 0:
            break
        turn = (lengths[large].argmax(axis=1)[:, None] + np.arange(3)) % 3
        a, b, c = np.take_along_axis(faces[large], turn, axis=1).T
        middle = len(vertices) + np.arange(len(large))
        vertices = np.concatenate([vertices, (vertices[a] + vertices[b]) / 2])
        faces = np.concatenate([faces, np.stack([middle, b, c], axis=1)])
        faces[large] = np.stack([a, middle, c], axis=1)
        origin = np.concatenate([origin, origin[large]])
    return vertices, faces, origin
