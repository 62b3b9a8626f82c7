"""Iso-surface extraction from an occupancy field, querying it only near the surface.

Grid point i of n lies at min + i * size / (n - 1) on [-1.05, 1.05]. The fast path halves the cells of a
coarse grid that the surface passes, level by level; unqueried points keep interpolated values of the right
sign, so marching cubes sees the zero set of the dense grid. G grid points along one axis, P query points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from backend.geometry.canonical import BOUNDS
from backend.geometry.mesh import Mesh

FieldFunction = Callable[
    [torch.Tensor], torch.Tensor
]  # (P, 3) float32 canonical -> (P,) logits, positive inside
Check = Callable[[], None]  # called between chunks; raises to stop
Volume = NDArray[np.float32]  # (G, G, G) logits, axes x, y, z
Mask = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

_COARSEST = 24  # the coarsest grid has at least this many cells along one axis, where the request allows
# A cell without a sign change is still split when a corner is nearer to zero than this many mean steps across
# the surface. For a distance field the mean axis step is 2/3 of the cell, so this is 3/4 of a cell: a sheet
# within a cell is at most 1/2 from a corner, a rod at most 0.71.
_NEAR_STEPS = 1.1
_NEAR_SHARE = 0.02  # of cells split when the coarse grid shows no surface at all


class EmptySurfaceError(ValueError):
    """The field has one sign everywhere, so it bounds nothing."""

    def __init__(self) -> None:
        super().__init__("The shape came out empty. Try another seed or a more concrete prompt.")


@dataclass(frozen=True, kw_only=True)
class ExtractionStats:
    """What an extraction asked of the field."""

    cells: int  # along one axis, after rounding
    queries: tuple[int, ...]  # points queried at each level, coarsest first

    @property
    def share(self) -> float:
        """Queries per point of the dense grid."""
        return sum(self.queries) / (self.cells + 1) ** 3


def extract_surface(
    field: FieldFunction, *, cells: int = 128, chunk: int = 1 << 18, check: Check | None = None
) -> Mesh:
    """Closed triangle mesh of the zero level, outward faces, canonical coordinates.

    `cells` along one axis is rounded up by `rounded_cells`. `check` runs before each chunk and may raise to
    cancel. Raises EmptySurfaceError, or ValueError if the field is not finite.
    """
    return triangulate(sparse_volume(field, cells=cells, chunk=chunk, check=check)[0])


def extract_surface_dense(
    field: FieldFunction, *, cells: int = 128, chunk: int = 1 << 18, check: Check | None = None
) -> Mesh:
    """The slow twin of extract_surface: queries every grid point."""
    return triangulate(dense_volume(field, cells=cells, chunk=chunk, check=check)[0])


def rounded_cells(cells: int) -> int:
    """The next number that halves evenly down to the coarsest grid; at most 8 % above, powers of two stay."""
    if cells < 2:
        raise ValueError(f"a surface needs at least 2 cells along an axis, not {cells}")
    step = 1 << _halvings(cells)
    return -(-cells // step) * step


def dense_volume(
    field: FieldFunction, *, cells: int, chunk: int = 1 << 18, check: Check | None = None
) -> tuple[Volume, ExtractionStats]:
    """Logits at every point of the grid."""
    cells = rounded_cells(cells)
    volume = np.empty((cells + 1,) * 3, np.float32)
    everywhere = np.arange(volume.size)
    volume.reshape(-1)[everywhere] = _query(field, everywhere, cells + 1, chunk, check)
    return volume, ExtractionStats(cells=cells, queries=(volume.size,))


def sparse_volume(
    field: FieldFunction, *, cells: int, chunk: int = 1 << 18, check: Check | None = None
) -> tuple[Volume, ExtractionStats]:
    """Logits exact at both ends of every grid edge that crosses the surface found, interpolated elsewhere."""
    cells = rounded_cells(cells)
    levels = _halvings(cells)
    volume, stats = dense_volume(field, cells=cells >> levels, chunk=chunk, check=check)
    known = np.ones(volume.shape, bool)
    queries = [*stats.queries]
    for _ in range(levels):
        split = _near_surface(volume)
        volume, known = _refined(volume), _spread(known)
        wanted = _corners(split.repeat(2, 0).repeat(2, 1).repeat(2, 2)) & ~known
        asked = 0
        # Queried values may cross zero against interpolated neighbours: follow the surface until none does.
        while wanted.any():
            where = np.flatnonzero(wanted)
            volume.reshape(-1)[where] = _query(field, where, len(volume), chunk, check)
            known |= wanted
            asked += len(where)
            wanted = _corners(_crossed(volume)) & ~known
        queries.append(asked)
    return volume, ExtractionStats(cells=cells, queries=tuple(queries))


def triangulate(volume: Volume) -> Mesh:
    """Marching cubes (Lewiner et al. 2003) of a canonical volume; its border is made outside to close it."""
    inside = volume > 0
    # What is positive on the border alone goes with the border.
    if inside.all() or not inside[1:-1, 1:-1, 1:-1].any():
        raise EmptySurfaceError
    volume = volume.copy()
    for axis in range(3):
        for end in (0, -1):
            border = np.moveaxis(volume, axis, 0)[end]
            np.negative(np.abs(border), out=border)
    volume[volume == 0] = -np.finfo(
        np.float32
    ).tiny  # zero has no sign; a vertex there would collapse triangles
    vertices, faces, _, _ = marching_cubes(  # type: ignore[no-untyped-call]
        volume, level=0.0, gradient_direction="ascent", method="lewiner"
    )
    points = vertices.astype(np.float64) * (2 * BOUNDS / (len(volume) - 1)) - BOUNDS
    return Mesh(vertices=points.astype(np.float32), faces=faces.astype(np.int32))


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


def _halvings(cells: int) -> int:
    levels = 0
    while cells >> (levels + 1) >= _COARSEST:
        levels += 1
    return levels


def _query(
    field: FieldFunction, where: NDArray[np.int64], points: int, chunk: int, check: Check | None
) -> NDArray[np.float32]:
    """(P,) logits at flat indices (P,) of a grid of `points` along one axis."""
    axis = np.linspace(-BOUNDS, BOUNDS, points).astype(np.float32)
    out = np.empty(len(where), np.float32)
    for start in range(0, len(where), chunk):
        if check is not None:
            check()
        part = np.unravel_index(where[start : start + chunk], (points,) * 3)
        queries = torch.from_numpy(np.stack([axis[index] for index in part], axis=1))
        with torch.no_grad():
            out[start : start + chunk] = field(queries).float().cpu().numpy()
    if not np.isfinite(out).all():
        raise ValueError("the occupancy field is not finite")
    return out


def _eight(a: NDArray[T]) -> list[NDArray[T]]:
    """Views (G-1, G-1, G-1) of the eight corners of every cell of a grid (G, G, G)."""
    ends = (slice(None, -1), slice(1, None))
    return [a[x, y, z] for x in ends for y in ends for z in ends]


def _crossed(volume: Volume) -> Mask:
    """Cells whose corners differ in sign."""
    inside = _eight(volume > 0)
    crossed: Mask = np.logical_or.reduce(inside) & ~np.logical_and.reduce(inside)
    return crossed


def _corners(cells: Mask) -> Mask:
    """Grid points (G, G, G) that belong to any of the cells (G-1, G-1, G-1)."""
    out = np.zeros(tuple(size + 1 for size in cells.shape), bool)
    for corner in _eight(out):
        corner |= cells
    return out


def _near_surface(volume: Volume) -> Mask:
    """Cells worth splitting: crossed ones, and those that may hide a part thinner than a cell."""
    crossed = _crossed(volume)
    size = np.abs(volume)
    nearest: NDArray[np.float32] = np.minimum.reduce(_eight(size))
    if not crossed.any():
        return nearest <= np.quantile(nearest, _NEAR_SHARE)
    steps = [_steps_across(volume, axis) for axis in range(3)]
    # Saturated logits say little about distance: then only a dip below half their usual size counts.
    bound = min(_NEAR_STEPS * float(np.concatenate(steps).mean()), float(np.median(size)) / 2)
    return crossed | (nearest < bound)


def _steps_across(volume: Volume, axis: int) -> NDArray[np.float32]:
    """Differences along the grid edges of one axis that cross zero."""
    along = np.moveaxis(volume, axis, 0)
    changes = (along[1:] > 0) != (along[:-1] > 0)
    steps: NDArray[np.float32] = np.abs(along[1:][changes] - along[:-1][changes])
    return steps


def _refined(volume: Volume) -> Volume:
    """Trilinear values on the grid with half the spacing."""
    for axis in range(3):
        along = np.moveaxis(volume, axis, 0)
        fine = np.empty((2 * len(along) - 1, *along.shape[1:]), np.float32)
        fine[::2] = along
        fine[1::2] = (along[1:] + along[:-1]) / 2
        volume = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(volume)


def _spread(known: Mask) -> Mask:
    """Known points of a grid on the grid with half the spacing."""
    out = np.zeros(tuple(2 * size - 1 for size in known.shape), bool)
    out[::2, ::2, ::2] = known
    return out
