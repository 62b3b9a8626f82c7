"""Captioned objects as unions of coloured parts, in the canonical frame: exact labels without meshing.

Z up, front -Y, bounding box centred at the origin, longest side 1.92. Distances are negative inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.mesh import Mesh

from .palette import Color
from .primitives import Bools, Floats, Primitive, Vector

MINIMUM_THICKNESS = 0.066  # what a decoder of about 0.045 units a cell can still show
# A sample is not on the outer surface if, lifted along its normal, it is this deep in another part. The lift
# also drops faces in contact (a book beside a book) and keeps coplanar ones that face the same way.
LIFT, INSIDE_MARGIN = 3e-4, 1e-4

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A primitive placed in the object: point = rotation @ local + translation."""

    name: str
    primitive: Primitive
    rotation: Matrix
    translation: Vector
    color: Color

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """Lowest and highest corner of the tight axis-aligned box."""
        high = self.primitive.support(self.rotation) + np.asarray(self.translation)
        low = np.asarray(self.translation) - self.primitive.support(-self.rotation)
        return low.astype(np.float32), high.astype(np.float32)

    def to_local(self, points: Floats) -> Floats:
        return (points - np.asarray(self.translation, dtype=np.float32)) @ self.rotation.astype(np.float32)

    def to_object(self, vectors: Floats, *, translate: bool = True) -> Floats:
        turned = vectors @ self.rotation.T.astype(np.float32)
        return turned + np.asarray(self.translation, dtype=np.float32) if translate else turned

    def scaled(self, factor: float) -> Part:
        x, y, z = (factor * t for t in self.translation)
        return replace(self, primitive=self.primitive.scaled(factor), translation=(x, y, z))

    def moved(self, offset: NDArray[np.float64]) -> Part:
        x, y, z = (float(t + o) for t, o in zip(self.translation, offset, strict=True))
        return replace(self, translation=(x, y, z))


@dataclass(frozen=True, kw_only=True)
class SyntheticObject:
    """One training example: a shape, what is true of it, and ways of saying so."""

    family: str
    parts: tuple[Part, ...]
    attributes: dict[str, str | int]
    captions: tuple[str, ...]  # shortest first

    @cached_property
    def _boxes(self) -> tuple[Floats, Floats]:
        lows, highs = zip(*(part.bounds for part in self.parts), strict=True)
        return np.stack(lows), np.stack(highs)

    def signed_distance(self, points: Floats) -> Floats:
        """Least of the parts' distances, (n,) float32; inside the union that is a bound."""
        points = np.asarray(points, dtype=np.float32)
        best = np.full(len(points), np.inf, dtype=np.float32)
        lows, highs = self._boxes
        columns = np.ascontiguousarray(points.T)
        order = np.argsort(-np.prod(highs - lows, axis=1))
        for k in order:
            apart = np.zeros(len(points), dtype=np.float32)
            for axis in range(3):
                middle, half = (lows[k, axis] + highs[k, axis]) / 2, (highs[k, axis] - lows[k, axis]) / 2
                gap = np.maximum(np.abs(columns[axis] - middle) - half, 0)
                apart += gap * gap
            # A part whose box is farther than the best distance so far cannot change it.
            near = np.flatnonzero(apart <= np.square(np.maximum(best, 0)))
            if len(near):
                part = self.parts[k]
                distance = part.primitive.signed_distance(part.to_local(points[near]))
                best[near] = np.minimum(best[near], distance)
        return best

    def _within(self, points: Floats, k: int) -> NDArray[np.intp]:
        """Indices of the points in the box of part k."""
        lows, highs = self._boxes
        return np.flatnonzero(((points >= lows[k]) & (points <= highs[k])).all(axis=1))

    def occupancy(self, points: Floats) -> Bools:
        """Whether each of points (n, 3) is inside some part."""
        points = np.asarray(points, dtype=np.float32)
        filled = np.zeros(len(points), dtype=bool)
        for k, part in enumerate(self.parts):
            near = self._within(points, k)
            if len(near):
                filled[near] |= part.primitive.inside(part.to_local(points[near]))
        return filled

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        """n points, normals (float32) and colours (uint8), uniform on the outer surface of the union."""
        areas = np.array([part.primitive.area for part in self.parts])
        kept: list[tuple[Floats, Floats, NDArray[np.uint8]]] = []
        missing = n
        while missing > 0:
            counts = rng.multinomial(int(1.5 * missing) + 32, areas / areas.sum())
            batch = self._outer_samples(counts, rng)
            kept.append(batch)
            missing -= len(batch[0])
        points, normals, colors = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
        chosen = rng.permutation(len(points))[:n]
        return points[chosen], normals[chosen], colors[chosen]

    def _outer_samples(
        self, counts: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        points, normals = [], []
        for part, count in zip(self.parts, counts, strict=True):
            local, direction = part.primitive.sample_surface(int(count), rng)
            points.append(part.to_object(local))
            normals.append(part.to_object(direction, translate=False))
        where, facing = np.concatenate(points), np.concatenate(normals)
        source = np.repeat(np.arange(len(self.parts)), counts)
        hidden = np.zeros(len(where), dtype=bool)
        lifted = where + np.float32(LIFT) * facing
        for k, part in enumerate(self.parts):
            near = self._within(lifted, k)
            near = near[(source[near] != k) & ~hidden[near]]
            if len(near):
                distance = part.primitive.signed_distance(part.to_local(lifted[near]))
                hidden[near] = distance < -INSIDE_MARGIN
        colors = np.array([part.color for part in self.parts], dtype=np.uint8)[source]
        return where[~hidden], facing[~hidden], colors[~hidden]

    def to_mesh(self) -> Mesh:
        """The parts' closed meshes side by side, with vertex colours; they overlap where parts do."""
        vertices, faces, colors = [], [], []
        start = 0
        for part in self.parts:
            local, triangles = part.primitive.to_mesh()
            vertices.append(part.to_object(local))
            faces.append(triangles + start)
            colors.append(np.tile(np.array([*part.color, 255], dtype=np.uint8), (len(local), 1)))
            start += len(local)
        return Mesh(
            vertices=np.concatenate(vertices).astype(np.float32),
            faces=np.concatenate(faces).astype(np.int32),
            colors=np.concatenate(colors),
        )


def canonical(parts: tuple[Part, ...], like: tuple[Part, ...] | None = None) -> tuple[Part, ...]:
    """Parts moved and scaled into the canonical frame (of `like`, if given), thin ones thickened there."""
    guide = parts if like is None else like
    for _ in range(2):  # thickening can grow the bounding box, so fit, thicken, fit again
        parts, guide = (
            tuple(replace(part, primitive=part.primitive.thickened(MINIMUM_THICKNESS)) for part in fitted)
            for fitted in (_fitted(parts, guide), _fitted(guide, guide))
        )
    return _fitted(parts, guide)


def _fitted(parts: tuple[Part, ...], guide: tuple[Part, ...]) -> tuple[Part, ...]:
    low = np.min([part.bounds[0] for part in guide], axis=0).astype(np.float64)
    high = np.max([part.bounds[1] for part in guide], axis=0).astype(np.float64)
    factor = LONGEST_SIDE / float((high - low).max())
    return tuple(part.moved(-(low + high) / 2).scaled(factor) for part in parts)
