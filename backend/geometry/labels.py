"""Signed distances to any triangle mesh: open, overlapping, many parts, mixed sides. Needs libigl (`train`).

Inside is where the generalised winding number (Jacobson et al. 2013; fast form Barill et al. 2018) exceeds
one half. Sheets (leaves, cloth, cards) enclose nothing and would only disturb it: they are set apart and
given a thickness.
"""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from backend.geometry.orientation import Faces, Points, closed_patches, outward, weld
from backend.geometry.sampling import face_normals

# Winding numbers are read this share of the mesh's extent above and below a face.
_PROBE = 3e-4
_PROBES_PER_PATCH = 8
# Outside a solid's face the number is whole, beside a lone sheet it is a half; the limit between them.
_SHEET_FRACTION = 0.4


def label_points(
    vertices: NDArray[Any], faces: NDArray[Any], points: NDArray[Any], *, min_thickness: float = 0.0
) -> NDArray[np.float32]:
    """Signed distance (n,) of points (n, 3), NEGATIVE inside, in the units of the mesh.

    Sheets become slabs of `min_thickness`; solids keep their own. Where parts overlap, depth inside is that
    to the nearest face of any part, hence a lower bound. Raises ValueError when no face has area.
    """
    solid_vertices, welded = weld(vertices, faces)
    if len(welded) == 0:
        raise ValueError(f"a mesh of {len(faces)} faces without area has no inside")
    oriented, patches = outward(solid_vertices, welded)
    sheet = _sheets(solid_vertices, oriented, patches)[patches]
    queries = np.ascontiguousarray(points, np.float64)
    distance = np.full(len(queries), np.inf)
    if not sheet.all():
        solid = np.ascontiguousarray(oriented[~sheet])
        distance = _distance(queries, solid_vertices, solid)
        distance[_inside(queries, solid_vertices, solid)] *= -1
    if sheet.any():
        slab = _distance(queries, solid_vertices, np.ascontiguousarray(oriented[sheet])) - min_thickness / 2
        distance = np.minimum(distance, slab)
    return distance.astype(np.float32)


def exposed(vertices: NDArray[Any], faces: NDArray[Any], points: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether surface points (n, 3) lie on the skin of the mesh, not buried in another part."""
    welded_vertices, welded = weld(vertices, faces)
    oriented, _ = outward(welded_vertices, welded)
    queries = np.ascontiguousarray(points, np.float64)
    normals, _ = face_normals(welded_vertices[oriented])
    _, face, _ = igl.point_mesh_squared_distance(queries, welded_vertices, oriented)
    offset = normals[face] * _probe_distance(welded_vertices)
    buried = [_inside(queries + side * offset, welded_vertices, oriented) for side in (1, -1)]
    return ~(buried[0] & buried[1])


def _inside(queries: Points, vertices: Points, faces: Faces) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.abs(igl.fast_winding_number(vertices, faces, queries)) > 0.5
    return inside


def _distance(queries: Points, vertices: Points, faces: Faces) -> NDArray[np.float64]:
    squared, _, _ = igl.point_mesh_squared_distance(queries, vertices, faces)
    distance: NDArray[np.float64] = np.sqrt(squared)
    return distance


def _probe_distance(vertices: Points) -> float:
    return _PROBE * float(np.ptp(vertices, axis=0).max())


def _sheets(vertices: Points, faces: Faces, patches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(patches,) whether a patch has no inside, told by the winding number beside its largest faces.

    Across a face the number falls by one: at a solid from 1 to 0 (or 2 to 1 where parts overlap), at a lone
    sheet from 1/2 to -1/2. Across a sheet modelled twice, back to back, it does not fall.
    """
    normals, areas = face_normals(vertices[faces])
    n_patches = int(patches.max()) + 1
    probed = _largest_faces(patches, areas, ~_solids(vertices, faces, patches)[patches])
    centres = vertices[faces[probed]].mean(axis=1)
    offset = normals[probed] * _probe_distance(vertices)
    winding = igl.fast_winding_number(vertices, faces, np.concatenate([centres + offset, centres - offset]))
    front, back = np.split(winding, 2)
    fraction = np.where(np.abs(back - front) < 0.5, 0.5, np.abs(front - np.round(front)))
    weight = np.bincount(patches[probed], areas[probed], minlength=n_patches)
    mean = np.bincount(patches[probed], areas[probed] * fraction, minlength=n_patches) / np.maximum(
        weight, 1e-30
    )
    sheets: NDArray[np.bool_] = mean > _SHEET_FRACTION
    return sheets


def _solids(vertices: Points, faces: Faces, patches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(patches,) closed patches with volume, which need no probing."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    volumes = np.bincount(patches, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)
    extent = float(np.ptp(vertices, axis=0).max())
    return closed_patches(faces, patches) & (np.abs(volumes) > 1e-9 * extent**3)


def _largest_faces(
    patches: NDArray[np.int64], areas: NDArray[np.float64], wanted: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Numbers of the few largest wanted faces of each patch."""
    order = np.lexsort((-areas, patches))
    order = order[wanted[order]]
    owner = patches[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    largest: NDArray[np.int64] = order[rank < _PROBES_PER_PATCH]
    return largest
