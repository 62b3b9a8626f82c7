"""Signed distances to any triangle mesh: open, overlapping, many parts, mixed sides.

Inside is where the generalised winding number (Jacobson et al. 2013; fast form Barill et al. 2018) exceeds
one half, once all openings are closed. Sheets (leaves, cloth, cards) enclose nothing and would only disturb
it: they are set apart and given a thickness, and so are walls too thin for the grids that surfaces are read
from.
"""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from backend.geometry.caps import caps, fans
from backend.geometry.doubles import single
from backend.geometry.orientation import (
    Faces,
    Points,
    closed_patches,
    largest_faces,
    merge,
    outward,
)
from backend.geometry.sampling import face_normals
from backend.geometry.splitting import split

# Winding numbers are read this share of the mesh's extent above and below a face.
_PROBE = 3e-4
_PROBES_PER_PATCH = 8
# Outside a solid's face the number is whole, beside a lone sheet it is a half; the limit between them.
_SHEET_FRACTION = 0.4
# Barill et al.'s accuracy. Numbers of a closed surface are whole: what comes out farther than _OFF from that
# is asked again, finer.
_ROUGH, _FINE, _OFF = 1.1, 3.0, 0.1
# Thickness is that behind the middle of a face, or of its pieces: no edge is over this share of the extent.
_PIECE = 0.12
# Thickness is looked for at these shares of the least one.
_DEPTHS = (0.875, 0.625, 0.375, 0.125)


class MeshField:
    """A mesh with an inside: its faces turned outward, and distances NEGATIVE inside, in the mesh's units.

    Sheets become slabs of `sheet_thickness`; walls of solids thinner than `min_thickness` are thickened to
    about that on both sides. Where parts overlap, depth inside is that to the nearest face of any part, hence
    a lower bound. Raises ValueError when no face has area.
    """

    def __init__(
        self,
        vertices: NDArray[Any],
        faces: NDArray[Any],
        *,
        sheet_thickness: float = 0.0,
        min_thickness: float = 0.0,
    ) -> None:
        welded, merged, whole = merge(vertices, faces)
        if len(whole) == 0:
            raise ValueError(f"a mesh of {len(faces)} faces without area has no inside")
        first, between = single(merged[whole])
        first = whole[np.concatenate([first[~between], first[between]])]
        oriented = np.ascontiguousarray(merged[first])
        sheet = np.ones(len(first), bool)
        if not between.all():
            closing = oriented[: int((~between).sum())]
            closing[:], patches = outward(welded, closing.copy())
            sheet[: len(closing)] = _sheets(welded, closing, patches)[patches]
        self._extent = float(np.ptp(welded, axis=0).max())
        self.caps = np.empty((0, 3, 3))  # (k, 3, 3) triangles that close the solids
        self._winding: _Winding | None = None
        self._solid: _Surface | None = None
        if not sheet.all():
            self._close(welded, oriented[~sheet])
        self.vertices, self.faces, piece = split(welded, oriented, _PIECE * self._extent)  # (n, 3), (m, 3)
        self.origin = first[piece]  # (m,) numbers in the faces that were given
        missing = self._missing_thickness(sheet[piece], min_thickness)
        self.sheet = np.isinf(missing)  # (m,)
        # (m,) of the thickness that a face is given
        self.half = np.where(self.sheet, sheet_thickness / 2, missing / 2)
        groups = (self.sheet, ~self.sheet & (self.half > 0))
        self._slabs = [
            (_Surface(self.vertices[self.faces[own]]), self.half[own]) for own in groups if own.any()
        ]

    def distance(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """(n,) of points (n, 3)."""
        queries = np.ascontiguousarray(points, np.float64)
        distance = np.full(len(queries), np.inf)
        if self._solid is not None:
            distance, _ = self._solid.nearest(queries)
            distance[self.inside(queries)] *= -1
        for surface, half in self._slabs:
            far, face = surface.nearest(queries)
            distance = np.minimum(distance, far - half[face])
        return distance.astype(np.float32)

    def inside(self, points: NDArray[Any]) -> NDArray[np.bool_]:
        """(n,) whether the solids hold points (n, 3); sheets hold none."""
        if self._winding is None:
            return np.zeros(len(points), bool)
        found: NDArray[np.bool_] = self._winding(points) > 0.5
        return found

    def exposed(self, points: NDArray[Any], normals: NDArray[Any]) -> NDArray[np.bool_]:
        """(n,) whether points (n, 3) of the surface lie on its skin, not buried in another part."""
        offset = np.asarray(normals, np.float64) * (_PROBE * self._extent)
        buried = self.inside(points + offset)
        buried[buried] = self.inside((points - offset)[buried])
        return ~buried

    def _close(self, vertices: Points, faces: Faces) -> None:
        """Fans close the winding number; distances see only those that part inside from outside."""
        solid, open_to = vertices[faces], fans(vertices, faces)
        self._winding = _Winding(np.concatenate([solid, open_to]))
        if len(open_to):
            self.caps = caps(open_to, self._extent, self.inside)
        self._solid = _Surface(np.concatenate([solid, self.caps]))

    def _missing_thickness(self, sheet: NDArray[np.bool_], wanted: float) -> NDArray[np.float64]:
        """(m,) how much the wall behind each face's middle lacks, 0 for buried faces, also of sheets.

        Infinite where there is no wall: of sheets, and where solids end in one, such as trees on a lawn.
        """
        corners = self.vertices[self.faces]
        normals, _ = face_normals(corners)
        centres = corners.mean(axis=1)
        missing = np.where(sheet, np.inf, 0.0)
        lift = _PROBE * self._extent
        outer = ~self.inside(centres + normals * lift)
        inner = np.flatnonzero(sheet & ~outer)
        missing[inner[self.inside(centres[inner] - normals[inner] * lift)]] = 0.0
        left = np.flatnonzero(outer & ~sheet)
        for share in _DEPTHS if wanted > lift else ():
            left = left[~self.inside(centres[left] - normals[left] * (share * wanted))]
            missing[left] = wanted * (1.125 - share)
        flat = left[~self.inside(centres[left] - normals[left] * lift)]
        missing[flat] = np.inf
        return missing


def label_points(
    vertices: NDArray[Any], faces: NDArray[Any], points: NDArray[Any], *, min_thickness: float = 0.0
) -> NDArray[np.float32]:
    """Signed distance (n,) of points (n, 3), sheets as slabs of `min_thickness`; see MeshField."""
    return MeshField(vertices, faces, sheet_thickness=min_thickness).distance(points)


def exposed(vertices: NDArray[Any], faces: NDArray[Any], points: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether surface points (n, 3) lie on the skin of the mesh, not buried in another part."""
    field = MeshField(vertices, faces)
    normals, _ = face_normals(field.vertices[field.faces])
    _, face = _Surface(field.vertices[field.faces]).nearest(np.ascontiguousarray(points, np.float64))
    return field.exposed(np.asarray(points, np.float64), normals[face])


class _Surface:
    """Nearest points on triangles (m, 3, 3)."""

    def __init__(self, triangles: Points) -> None:
        self._corners, self._faces = _soup(triangles)
        self._tree = igl.AABB()
        self._tree.init(self._corners, self._faces)

    def nearest(self, queries: Points) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances (n,) and numbers of the triangles (n,)."""
        squared, number, _ = self._tree.squared_distance(self._corners, self._faces, queries)
        return np.sqrt(squared), number


class _Winding:
    """How often triangles (m, 3, 3) wind around a point, whichever way: (n, 3) -> (n,) not negative."""

    def __init__(self, triangles: Points) -> None:
        self._tree = igl.FastWindingNumberBVH()
        self._tree.init(*_soup(triangles))

    def __call__(self, points: NDArray[Any]) -> NDArray[np.float64]:
        queries = np.ascontiguousarray(points, np.float64)
        number: NDArray[np.float64] = np.abs(self._tree.winding_number(queries, _ROUGH))
        unsure = np.flatnonzero(np.abs(number - np.round(number)) > _OFF)
        if len(unsure):
            number[unsure] = np.abs(self._tree.winding_number(queries[unsure], _FINE))
        return number


def _soup(triangles: Points) -> tuple[Points, Faces]:
    return np.ascontiguousarray(triangles.reshape(-1, 3)), np.arange(3 * len(triangles)).reshape(-1, 3)


def _sheets(vertices: Points, faces: Faces, patches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(patches,) whether a patch has no inside, told by the winding number beside its largest faces.

    Across a face the number falls by one: at a solid from 1 to 0 (or 2 to 1 where parts overlap), at a lone
    sheet from 1/2 to -1/2. Across a sheet modelled twice, back to back, it does not fall.
    """
    normals, areas = face_normals(vertices[faces])
    n_patches = int(patches.max()) + 1
    probed = np.flatnonzero(~_solids(vertices, faces, patches)[patches])
    probed = probed[largest_faces(patches[probed], areas[probed], _PROBES_PER_PATCH)]
    centres = vertices[faces[probed]].mean(axis=1)
    offset = normals[probed] * (_PROBE * float(np.ptp(vertices, axis=0).max()))
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
