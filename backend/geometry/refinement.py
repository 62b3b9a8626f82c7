"""Which points a search for the surface asks for next, on a grid with half the spacing of the one before.

A cell is crossed when its corners differ in sign. Every point asked for is a corner of a fine cell that is
crossed for certain, but for those of cells that are asked for as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.bricks import BrickGrid, Bricks, Numbers, Table, axes_of, value_at
from backend.geometry.cases import EDGES
from backend.geometry.compiled import compiled

# A cell whose corners agree may still hide a thin part, where the field bends towards zero between them: it
# is bent when the second differences along its edges, summed over the axes and times this, reach zero from
# the corner nearest to it.
_BEND = 0.25
_PENDING = np.inf  # stands for a value that is on its way
_EDGES = np.array(EDGES, np.int64)


def bent(grid: BrickGrid, cells: Numbers) -> Numbers:
    """Those of the cells whose corners are known and agree, but that may hide a part."""
    found: Numbers = cells[_bent(grid.table, grid.values, cells, grid.cells)]
    return found


def nearest(grid: BrickGrid, cells: Numbers, share: float) -> Numbers:
    """The share of the cells that have the corners nearest to zero."""
    size = np.abs(grid.corners(cells)).min(axis=1)
    near: Numbers = cells[size <= np.quantile(size, share)]
    return near


def first_points(coarse: BrickGrid, fine: BrickGrid, crossed: Numbers, whole: Numbers) -> Numbers:
    """Points of the fine grid: ends and middles of crossed edges, and all points of the cells `whole`."""
    n = coarse.cells
    for cells in (crossed, whole):
        fine.make_room(cells, n, scale=2, low=-1, high=2)
    on_edges = _on_edges(coarse.table, coarse.values, fine.table, fine.values, crossed, n)
    return np.concatenate([on_edges, _unknown(fine.table, fine.values, whole, n, 2)])


def unknown_corners(grid: BrickGrid, cells: Numbers) -> Numbers:
    """Points of the cells whose value nobody knows or asked for yet."""
    grid.make_room(cells, grid.cells, low=-1, high=1)
    return _unknown(grid.table, grid.values, cells, grid.cells, 1)


def known_points(coarse: BrickGrid, points: Numbers, n: int) -> NDArray[np.float32]:
    """What the coarse grid knows of points (m,) of the fine grid of n along one axis, NaN elsewhere."""
    x, y, z = points // (n * n), points // n % n, points % n
    shared = (x | y | z) & 1 == 0
    values = np.full(len(points), np.nan, np.float32)
    half = ((x * coarse.points + y) * coarse.points + z) // 2
    values[shared] = coarse.at(half[shared])
    return values


def children(cells: Numbers, n: int) -> Numbers:
    """The eight parts of cells (m,) of a grid of n along one axis, numbered in the grid of 2 n."""
    x, y, z = cells // (n * n), cells // n % n, cells % n
    corner = ((4 * n * n * x + 2 * n * y + z) * 2)[:, None]
    step = np.array([[(dx * 2 * n + dy) * 2 * n + dz for dx in (0, 1) for dy in (0, 1) for dz in (0, 1)]])
    found: Numbers = (corner + step).reshape(-1)
    return found


@compiled
def _on_edges(
    coarse_table: Table, coarse: Bricks, table: Table, values: Bricks, cells: Numbers, n: int
) -> Numbers:
    found = np.empty(20 * len(cells), np.int64)
    count, points = 0, 2 * n + 1
    for cell in cells:
        x, y, z = axes_of(cell, n)
        for e in range(12):
            low, high = _EDGES[e]
            a = value_at(coarse_table, coarse, x + (low >> 2), y + (low >> 1 & 1), z + (low & 1))
            b = value_at(coarse_table, coarse, x + (high >> 2), y + (high >> 1 & 1), z + (high & 1))
            if (a > 0) == (b > 0):
                continue
            for ends in ((low, low), (low, high), (high, high)):
                i = 2 * x + (ends[0] >> 2) + (ends[1] >> 2)
                j = 2 * y + (ends[0] >> 1 & 1) + (ends[1] >> 1 & 1)
                k = 2 * z + (ends[0] & 1) + (ends[1] & 1)
                brick = table[i >> 3, j >> 3, k >> 3]
                if np.isnan(values[brick, i & 7, j & 7, k & 7]):
                    values[brick, i & 7, j & 7, k & 7] = _PENDING
                    found[count] = (i * points + j) * points + k
                    count += 1
    return found[:count].copy()


@compiled
def _unknown(table: Table, values: Bricks, cells: Numbers, n: int, scale: int) -> Numbers:
    """Points of cells (m,) of a grid whose spacing is `scale` times as large, not yet known or asked for."""
    found = np.empty((scale + 1) ** 3 * len(cells), np.int64)
    count, points = 0, scale * n + 1
    for cell in cells:
        i, j, k = axes_of(cell, n)
        x, y, z = scale * i, scale * j, scale * k
        for i in range(x, x + scale + 1):
            for j in range(y, y + scale + 1):
                for k in range(z, z + scale + 1):
                    brick = table[i >> 3, j >> 3, k >> 3]
                    if np.isnan(values[brick, i & 7, j & 7, k & 7]):
                        values[brick, i & 7, j & 7, k & 7] = _PENDING
                        found[count] = (i * points + j) * points + k
                        count += 1
    return found[:count].copy()


@compiled
def _bent(table: Table, values: Bricks, cells: Numbers, n: int) -> NDArray[np.bool_]:
    found = np.zeros(len(cells), np.bool_)
    step = np.zeros(3, np.int64)
    for at in range(len(cells)):
        x, y, z = axes_of(cells[at], n)
        inside = known = 0
        smallest = np.inf
        for corner in range(8):
            here = value_at(table, values, x + (corner >> 2), y + (corner >> 1 & 1), z + (corner & 1))
            inside += here > 0
            known += not np.isnan(here)
            smallest = min(smallest, abs(here))
        if known < 8 or 0 < inside < 8:
            continue
        sign = 1.0 if inside else -1.0
        most = np.zeros(3)
        for e in range(12):
            axis = e // 4
            step[:] = 0
            step[axis] = 1
            low = _EDGES[e, 0]
            i, j, k = x + (low >> 2), y + (low >> 1 & 1), z + (low & 1)
            a = value_at(table, values, i, j, k)
            b = value_at(table, values, i + step[0], j + step[1], k + step[2])
            before = value_at(table, values, i - step[0], j - step[1], k - step[2])
            after = value_at(table, values, i + 2 * step[0], j + 2 * step[1], k + 2 * step[2])
            if not np.isnan(before):
                most[axis] = max(most[axis], sign * (before + b - 2 * a))
            if not np.isnan(after):
                most[axis] = max(most[axis], sign * (after + a - 2 * b))
        found[at] = smallest <= _BEND * most.sum()
    return found
