"""Values at some points of a cubic grid, kept in bricks of 8^3 points; NaN where a value is unknown.

A surface touches few bricks, so time and memory follow its area and not the grid's volume. Points and cells
are named by flat numbers, (x * n + y) * n + z for n of them along one axis; a cell lies in the brick of its
lowest corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.geometry.compiled import compiled

SIDE = 8  # points of a brick along one axis
Numbers = NDArray[np.int64]
Table = NDArray[np.int32]
Bricks = NDArray[np.float32]
States = NDArray[np.uint8]

_INSIDE, _OUTSIDE = 1, 2  # bits of a cell's state: it has a known corner of that kind
_MIXED = 3


class BrickGrid:
    """A grid of `points` along one axis: `table` (b, b, b) numbers the bricks that exist, -1 elsewhere."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.table: Table = np.full((-(-points // SIDE),) * 3, -1, np.int32)
        self.values: Bricks = np.empty((0, SIDE, SIDE, SIDE), np.float32)
        self.states: States = np.empty((0, SIDE, SIDE, SIDE), np.uint8)
        self._count = 0

    @property
    def cells(self) -> int:
        return self.points - 1

    def make_room(self, numbers: Numbers, n: int, *, scale: int = 1, low: int = 0, high: int = 0) -> None:
        """Bricks for the points from `scale * p + low` to `scale * p + high`, for each p of a grid of n."""
        self._count = _number_bricks(self.table, numbers, n, scale, low, high, self.points, self._count)
        missing = self._count - len(self.values)
        if missing > 0:
            shape = (missing + self._count // 4, SIDE, SIDE, SIDE)
            self.values = np.concatenate([self.values, np.full(shape, np.nan, np.float32)])
            self.states = np.concatenate([self.states, np.zeros(shape, np.uint8)])

    def put(self, points: Numbers, values: NDArray[np.float32]) -> Numbers:
        """Sets the values (n,) of points (n,); returns the cells whose known corners now differ in sign.

        There must be room for the points and for the cells around them.
        """
        return _put(self.table, self.values, self.states, points, self.points, values)

    def fill(self, values: NDArray[np.float32]) -> Numbers:
        """`put` for all points at once."""
        everywhere = np.arange(self.points**3)
        self._count = self.table.size
        self.table = np.arange(self._count, dtype=np.int32).reshape(self.table.shape)
        self.values = np.full((self._count, SIDE, SIDE, SIDE), np.nan, np.float32)
        self.states = np.zeros(self.values.shape, np.uint8)
        return _put(self.table, self.values, self.states, everywhere, self.points, values)

    def at(self, points: Numbers) -> NDArray[np.float32]:
        """Values (n,) of points (n,), NaN where unknown."""
        return _gather(self.table, self.values, points, self.points, 1)[:, 0]

    def corners(self, cells: Numbers) -> NDArray[np.float32]:
        """Values (n, 8) of the corners of cells (n,), corner c at (c >> 2, c >> 1, c) & 1."""
        return _gather(self.table, self.values, cells, self.cells, 8)


@compiled
def axes_of(number: int, n: int) -> tuple[int, int, int]:
    """What a flat number stands for along x, y and z."""
    rest = number // n
    x = rest // n
    return x, rest - x * n, number - rest * n


@compiled
def value_at(table: Table, values: Bricks, x: int, y: int, z: int) -> float:
    """The value of a point; NaN if it is unknown or outside the grid."""
    if x < 0 or y < 0 or z < 0:
        return np.nan
    if x >> 3 >= len(table) or y >> 3 >= len(table) or z >> 3 >= len(table):
        return np.nan
    brick = table[x >> 3, y >> 3, z >> 3]
    return values[brick, x & 7, y & 7, z & 7] if brick >= 0 else np.nan


@compiled
def _number_bricks(
    table: Table, numbers: Numbers, n: int, scale: int, low: int, high: int, points: int, count: int
) -> int:
    for number in numbers:
        i, j, k = axes_of(number, n)
        x, y, z = scale * i, scale * j, scale * k
        for bx in range(max(x + low, 0) >> 3, (min(x + high, points - 1) >> 3) + 1):
            for by in range(max(y + low, 0) >> 3, (min(y + high, points - 1) >> 3) + 1):
                for bz in range(max(z + low, 0) >> 3, (min(z + high, points - 1) >> 3) + 1):
                    if table[bx, by, bz] < 0:
                        table[bx, by, bz] = count
                        count += 1
    return count


@compiled
def _put(
    table: Table, values: Bricks, states: States, points: Numbers, n: int, new: NDArray[np.float32]
) -> Numbers:
    mixed = np.empty(1024, np.int64)
    count = 0
    for at in range(len(points)):
        x, y, z = axes_of(points[at], n)
        values[table[x >> 3, y >> 3, z >> 3], x & 7, y & 7, z & 7] = new[at]
        kind = _INSIDE if new[at] > 0 else _OUTSIDE
        if count + 8 > len(mixed):
            mixed = np.concatenate((mixed, np.empty_like(mixed)))
        for i in range(max(x - 1, 0), min(x + 1, n - 1)):
            for j in range(max(y - 1, 0), min(y + 1, n - 1)):
                for k in range(max(z - 1, 0), min(z + 1, n - 1)):
                    brick = table[i >> 3, j >> 3, k >> 3]
                    before = states[brick, i & 7, j & 7, k & 7]
                    if before | kind != before:
                        states[brick, i & 7, j & 7, k & 7] = before | kind
                        if before | kind == _MIXED:
                            mixed[count] = (i * (n - 1) + j) * (n - 1) + k
                            count += 1
    return mixed[:count].copy()


@compiled
def _gather(table: Table, values: Bricks, numbers: Numbers, n: int, corners: int) -> NDArray[np.float32]:
    found = np.empty((len(numbers), corners), np.float32)
    for at in range(len(numbers)):
        x, y, z = axes_of(numbers[at], n)
        for corner in range(corners):
            i, j, k = x + (corner >> 2), y + (corner >> 1 & 1), z + (corner & 1)
            found[at, corner] = value_at(table, values, i, j, k)
    return found
