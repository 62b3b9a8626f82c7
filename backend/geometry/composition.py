"""The field of an edited shape: the source's own where its decoded codes and the target's agree.

Codes lose detail, and decoding them moves every surface a little (0.4 % of the object in the median, for
`mini`). What was not edited should not move at all, so the decoded target counts only near places where it
parts from the decoded source; the distances below were chosen on procedural edits with their true codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from backend.geometry.canonical import BOUNDS
from backend.geometry.queries import Check, FieldFunction, GridField

Grid = NDArray[np.float32]
# Canonical units; shapes are 1.92 long.
BAND = 0.15  # fields count up to this distance from their surface
_CERTAIN = 0.04  # a surface that moved farther was edited, ...
_LIKELY = 0.025  # ... and so was what adjoins it and moved this far; the rest is the codes' noise
_REACH = 0.035  # around it the target counts this far in full, ...
_FADE = 0.045  # ... and less and less over this length
_LEAST = 3  # points of the grid that make an edit
CELLS = 64  # of the grid that is searched for edits, along one axis
_NEIGHBOURS = np.ones((3, 3, 3), bool)


class Composition:
    """A field to extract, (P, 3) -> (P,): positive inside, canonical units of distance, cut at BAND."""

    def __init__(
        self,
        source: FieldFunction | None,
        before: FieldFunction,
        after: FieldFunction,
        *,
        chunk: int,
        check: Check | None = None,
        cells: int = CELLS,
    ) -> None:
        """source: distances of the given mesh, positive inside; None where its codes are all there is.

        before, after: logits of the decoded source and target. `check` may raise to stop.
        """
        self._step = 2 * BOUNDS / cells
        old, new = (_read(field, cells + 1, chunk, check) for field in (before, after))
        slope = _slope(old, self._step) or _slope(new, self._step) or 1.0
        self._after = _distance(after, slope)
        self._source = source or _distance(before, slope)
        self._weight = _weights(old / slope, new / slope, self._step)

    def __call__(self, queries: torch.Tensor) -> torch.Tensor:
        weight = torch.from_numpy(self.weight(queries.numpy()))
        values = torch.zeros(len(queries))
        for field, share in ((self._source, 1 - weight), (self._after, weight)):
            used = share > 0
            if used.any():
                values[used] += share[used] * field(queries[used]).float().cpu().clamp(-BAND, BAND)
        return values

    def weight(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """(n,) how much the target counts at points (n, 3); 0 where the source stays as it is."""
        places = (np.asarray(points, np.float32).T + np.float32(BOUNDS)) / np.float32(self._step)
        found: Grid = ndimage.map_coordinates(self._weight, places, order=1, mode="nearest")
        return found


def _read(field: FieldFunction, n: int, chunk: int, check: Check | None) -> Grid:
    """(n, n, n) values on the grid of the field's domain."""
    return GridField(field, n, chunk, check)(np.arange(n**3)).reshape(n, n, n)


def _distance(field: FieldFunction, slope: float) -> FieldFunction:
    return lambda queries: field(queries) / slope


def _slope(values: Grid, step: float) -> float:
    """Logits per unit of distance at the surface; 0 where there is none."""
    inside = values > 0
    inside = inside[1:-1, 1:-1, 1:-1]
    beside = ndimage.binary_dilation(inside) & ~ndimage.binary_erosion(inside)
    if not beside.any():
        return 0.0
    # The border was made outside, which is no slope of the field.
    gradient = np.stack(np.gradient(values[1:-1, 1:-1, 1:-1], step))[:, beside]
    return float(np.median(np.linalg.norm(gradient, axis=0)))


def _weights(old: Grid, new: Grid, step: float) -> Grid:
    """1 where the target differs, falling to 0 around it; all 1 where there is no source to compare with."""
    if not (old > 0).any():
        return np.ones_like(old)
    moved = np.abs(np.clip(new, -BAND, BAND) - np.clip(old, -BAND, BAND))
    moved[(old > 0) == (new > 0)] = 0
    regions, count = ndimage.label(moved > _LIKELY, _NEIGHBOURS)
    if count == 0:
        return np.zeros_like(old)
    # An edit so slight that nothing moved far is still an edit.
    for least in (_CERTAIN, _LIKELY):
        points = ndimage.sum_labels(moved > least, regions, np.arange(count + 1))
        points[0] = 0
        if (points >= _LEAST).any():
            break
    edited = (points >= _LEAST)[regions]
    if not edited.any():
        return np.zeros_like(old)
    far = ndimage.distance_transform_edt(~edited, sampling=step)
    weight: Grid = np.clip((_REACH + _FADE - far) / _FADE, 0, 1).astype(np.float32)
    return weight
