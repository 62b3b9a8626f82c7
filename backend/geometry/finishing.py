"""What an extracted mesh goes through before an artist gets it: islands, smoothing, a target face count."""

from __future__ import annotations

import fast_simplification
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from backend.geometry.closing import is_watertight, unpinched
from backend.geometry.islands import remove_islands
from backend.geometry.mesh import Mesh

MIN_FACES = 4
# Taubin 1995, "A signal processing approach to fair surface design": a step inward, a longer one outward.
_INWARD, _OUTWARD = 0.5, -0.53
_MOST_STEPS = 20  # pairs of steps at full smoothing
_RELAXED = 1.5  # a target that leaves a mesh open is raised by this factor ...
_ATTEMPTS = 4  # ... as often as this


def finish(
    mesh: Mesh,
    *,
    faces: int | None = None,
    smoothing: float = 0.0,
    islands: float = 0.004,
    spared: NDArray[np.bool_] | None = None,
) -> Mesh:
    """The mesh without parts below `islands` of the largest one's area, smoothed (0 to 1), of about `faces`.

    Parts of `spared` vertices, of (n,), stay however small. A watertight mesh stays so, even where that
    needs more faces than asked for. Colours carry over. Raises ValueError for settings out of range.
    """
    if faces is not None and faces < MIN_FACES:
        raise ValueError(f"a mesh needs at least {MIN_FACES} faces, not {faces}")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be between 0 and 1, not {smoothing}")
    mesh = smoothed(remove_islands(mesh, islands, spared), round(_MOST_STEPS * smoothing))
    return mesh if faces is None else simplified(mesh, faces)


def smoothed(mesh: Mesh, steps: int) -> Mesh:
    """Vertices moved towards their neighbours' mean and back out, so that volume stays and noise goes."""
    if steps == 0 or len(mesh.faces) == 0:
        return mesh
    n = len(mesh.vertices)
    a, b = mesh.faces.reshape(-1), np.roll(mesh.faces, -1, axis=1).reshape(-1)
    ends = np.concatenate([a, b]), np.concatenate([b, a])
    links = coo_array((np.ones(len(ends[0]), np.float32), ends), shape=(n, n)).tocsr()
    links.data[:] = 1  # an edge counts once, however many faces it has
    share = 1 / np.maximum(np.diff(links.indptr), 1).astype(np.float32)[:, None]
    vertices = mesh.vertices
    for _ in range(steps):
        for step in (_INWARD, _OUTWARD):
            vertices = vertices + np.float32(step) * (share * (links @ vertices) - vertices)
    return Mesh(vertices=vertices.astype(np.float32), faces=mesh.faces, colors=mesh.colors)


def simplified(mesh: Mesh, faces: int) -> Mesh:
    """About `faces` faces, by quadric edge collapse (Garland & Heckbert 1997); more if a closed mesh opened.

    A mesh that no target leaves watertight is returned as it was.
    """
    closed = is_watertight(mesh.faces)
    for _ in range(_ATTEMPTS):
        if faces >= len(mesh.faces):
            break
        fewer = _collapsed(mesh, faces)
        whole = unpinched(fewer) if closed else fewer
        if whole is not None and len(whole.faces):
            return whole
        faces = round(faces * _RELAXED)
    return mesh


def _collapsed(mesh: Mesh, faces: int) -> Mesh:
    points, corners = fast_simplification.simplify(mesh.vertices, mesh.faces, target_count=faces)
    vertices = np.ascontiguousarray(points, np.float32)
    colors = None
    if mesh.colors is not None:
        _, nearest = cKDTree(mesh.vertices).query(vertices)
        colors = mesh.colors[nearest]
    return Mesh(vertices=vertices, faces=np.ascontiguousarray(corners, np.int32), colors=colors)
