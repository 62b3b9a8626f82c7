"""Iso-surface extraction from an occupancy field, querying it only near the surface.

Grid point i of n lies at min + i * size / (n - 1) on [-1.05, 1.05]. The fast path halves the cells of a
coarse grid that the surface passes, level by level, and follows it into every neighbour that it enters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.geometry import refinement
from backend.geometry.bricks import BrickGrid, Numbers
from backend.geometry.marching_cubes import CrossedCells, triangulate
from backend.geometry.mesh import Mesh
from backend.geometry.queries import CPU_CHUNK, Check, FieldFunction, GridField

_COARSEST = 20  # the coarsest grid has at least this many cells along one axis, where the request allows
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
    field: FieldFunction, *, cells: int = 128, chunk: int = CPU_CHUNK, check: Check | None = None
) -> Mesh:
    """Closed triangle mesh of the zero level, outward faces, canonical coordinates.

    `cells` along one axis is rounded up by `rounded_cells`. `check` runs before each chunk and may raise to
    cancel. Raises EmptySurfaceError, or ValueError if the field is not finite.
    """
    return triangulate(find_surface(field, cells=cells, chunk=chunk, check=check)[0])


def extract_surface_dense(
    field: FieldFunction, *, cells: int = 128, chunk: int = CPU_CHUNK, check: Check | None = None
) -> Mesh:
    """The slow twin of extract_surface: queries every grid point."""
    return triangulate(find_surface_dense(field, cells=cells, chunk=chunk, check=check)[0])


def rounded_cells(cells: int) -> int:
    """The next number that halves evenly down to the coarsest grid; at most 5 % above, powers of two stay."""
    if cells < 2:
        raise ValueError(f"a surface needs at least 2 cells along an axis, not {cells}")
    step = 1 << _halvings(cells)
    return -(-cells // step) * step


def find_surface_dense(
    field: FieldFunction, *, cells: int, chunk: int = CPU_CHUNK, check: Check | None = None
) -> tuple[CrossedCells, ExtractionStats]:
    """The crossed cells among all."""
    grid, crossed, ask = _dense(field, rounded_cells(cells), chunk, check)
    return _result(grid, crossed, [ask])


def find_surface(
    field: FieldFunction, *, cells: int, chunk: int = CPU_CHUNK, check: Check | None = None
) -> tuple[CrossedCells, ExtractionStats]:
    """The crossed cells that a search from the coarsest grid finds."""
    cells = rounded_cells(cells)
    coarsest = cells >> _halvings(cells)
    grid, crossed, ask = _dense(field, coarsest, chunk, check)
    asked, tried = [ask], np.arange(coarsest**3)
    while grid.cells < cells:
        bent = refinement.bent(grid, tried)
        if len(crossed) == 0 and len(asked) == 1:
            bent = refinement.nearest(grid, tried, _NEAR_SHARE)
        tried = refinement.children(np.concatenate([crossed, bent]), grid.cells)
        # Bends show where all points around are known; the last level has nothing after it to tell.
        whole = bent if 2 * grid.cells == cells else np.concatenate([crossed, bent])
        grid, crossed, ask = _refined(field, grid, crossed, whole, chunk, check)
        asked.append(ask)
    return _result(grid, crossed, asked)


def _halvings(cells: int) -> int:
    levels = 0
    while cells >> (levels + 1) >= _COARSEST:
        levels += 1
    return levels


def _dense(
    field: FieldFunction, cells: int, chunk: int, check: Check | None
) -> tuple[BrickGrid, Numbers, GridField]:
    """A grid that is known everywhere, and its crossed cells."""
    ask = GridField(field, cells + 1, chunk, check)
    grid = BrickGrid(cells + 1)
    return grid, grid.fill(ask(np.arange((cells + 1) ** 3))), ask


def _refined(
    field: FieldFunction, coarse: BrickGrid, crossed: Numbers, whole: Numbers, chunk: int, check: Check | None
) -> tuple[BrickGrid, Numbers, GridField]:
    """The grid with half the spacing, known in all cells that the surface crosses, and these cells."""
    fine = BrickGrid(2 * coarse.cells + 1)
    ask = GridField(field, fine.points, chunk, check)
    found = []
    points = refinement.first_points(coarse, fine, crossed, whole)
    # Each value may show that its cells are crossed, and those need all their corners.
    while len(points):
        values = refinement.known_points(coarse, points, fine.points)
        unknown = np.isnan(values)
        values[unknown] = ask(points[unknown])
        found.append(fine.put(points, values))
        points = refinement.unknown_corners(fine, found[-1])
    return fine, np.concatenate([*found, np.empty(0, np.int64)]), ask


def _result(
    grid: BrickGrid, crossed: Numbers, asked: list[GridField]
) -> tuple[CrossedCells, ExtractionStats]:
    if len(crossed) == 0 or not any(ask.has_outside for ask in asked):
        raise EmptySurfaceError
    index = np.sort(crossed)
    stats = ExtractionStats(cells=grid.cells, queries=tuple(ask.asked for ask in asked))
    return CrossedCells(cells=grid.cells, index=index, corners=grid.corners(index)), stats
