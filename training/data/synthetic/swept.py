"""Primitives made from an outline: Lathe (revolved profile, round or n-sided), Extrusion, Convex hull."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from .primitives import (
    ROUND_SEGMENTS,
    FacetedPrimitive,
    Floats,
    Triangles,
    hull_triangles,
    sample_triangles,
)

Outline = tuple[tuple[float, float], ...]
_ON_AXIS = 1e-6


def polygon_distance(u: Floats, v: Floats, outline: NDArray[np.float64], skip_axis: bool = False) -> Floats:
    """Signed distance (negative inside) of points (u, v) to a closed polygon (m, 2).

    With skip_axis, edges on u = 0 bound nothing: they lie inside the solid that the outline sweeps.
    """
    outline = outline.astype(np.float32)
    squared = np.full(u.shape, np.inf, dtype=np.float32)
    crossings = np.zeros(u.shape, dtype=bool)
    for (au, av), (bu, bv) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        eu, ev = bu - au, bv - av
        length = eu * eu + ev * ev
        if length < 1e-14:
            continue
        wu, wv = u - au, v - av
        if ev != 0:
            crossings ^= ((v >= av) != (v >= bv)) & (wu < wv * (eu / ev))
        if skip_axis and au < _ON_AXIS and bu < _ON_AXIS:
            continue
        t = np.clip((wu * eu + wv * ev) / length, 0, 1)
        np.minimum(squared, np.square(wu - t * eu) + np.square(wv - t * ev), out=squared)
    distance = np.sqrt(squared)
    return np.where(crossings, -distance, distance)


def counter_clockwise(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same polygon (m, 2), its interior on the left of every edge."""
    following = np.roll(outline, -1, axis=0)
    doubled = (outline[:, 0] * following[:, 1] - outline[:, 1] * following[:, 0]).sum()
    return outline if doubled > 0 else outline[::-1]


def triangulate(outline: NDArray[np.float64]) -> Triangles:
    """Triangles (m - 2, 3) of a simple counter-clockwise polygon, by clipping ears."""
    left = list(range(len(outline)))
    triangles: list[tuple[int, int, int]] = []
    while len(left) > 3:
        for k in range(len(left)):
            ear = left[k - 1], left[k], left[(k + 1) % len(left)]
            a, b, c = outline[list(ear)]
            turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            others = outline[[i for i in left if i not in ear]]
            if turn > 1e-12 and not _any_inside(others, a, b, c):
                break
        else:
            raise ValueError(f"outline is not a simple counter-clockwise polygon: {outline.tolist()}")
        triangles.append(ear)
        del left[k]
    return np.asarray([*triangles, tuple(left)], dtype=np.int32)


def _any_inside(
    points: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> bool:
    inside = np.ones(len(points), dtype=bool)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, to = end - start, points - start
        inside &= edge[0] * to[:, 1] - edge[1] * to[:, 0] >= 0
    return bool(inside.any())


@dataclass(frozen=True, kw_only=True)
class Lathe(FacetedPrimitive):
    """A closed profile of (radius, z) corners swept about Z; radius 0 closes it on the axis.

    sides = 0 sweeps a circle. With n sides the section is a regular n-gon with one flat side towards -Y, and
    the radius is measured to the flats; the distance is then a bound outside (exact facing a flat).
    """

    profile: Outline
    sides: int = 0

    @cached_property
    def _corners(self) -> NDArray[np.float64]:
        return counter_clockwise(np.asarray(self.profile, dtype=np.float64))

    def signed_distance(self, points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        if self.sides == 0:
            radius = np.hypot(x, y)
        else:
            angles = -np.pi / 2 + 2 * np.pi * np.arange(self.sides) / self.sides
            flats = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
            radius = np.maximum((points[:, :2] @ flats).max(axis=1), 0)
        return polygon_distance(radius, points[:, 2], self._corners, skip_axis=True)

    @cached_property
    def _edge_areas(self) -> NDArray[np.float64]:
        a, b = self._corners, np.roll(self._corners, -1, axis=0)
        return np.asarray(np.pi * (a[:, 0] + b[:, 0]) * np.hypot(*(b - a).T))

    @property
    def area(self) -> float:
        return float(self._edge_areas.sum()) if self.sides == 0 else super().area

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        if self.sides:
            return sample_triangles(*self.mesh, self._crosses, n, rng)
        edge = np.searchsorted(np.cumsum(self._edge_areas), rng.random(n) * self.area, side="right")
        edge = np.minimum(edge, len(self._corners) - 1)
        a, b = self._corners[edge], np.roll(self._corners, -1, axis=0)[edge]
        u = rng.random(n)
        # Radius is linear along an edge, so the density of area is linear in it too: invert its integral.
        radius = np.sqrt(a[:, 0] ** 2 + u * (b[:, 0] ** 2 - a[:, 0] ** 2))
        change = b[:, 0] - a[:, 0]
        steep = np.abs(change) > 1e-9
        t = np.where(steep, (radius - a[:, 0]) / np.where(steep, change, 1.0), u)
        height = a[:, 1] + t * (b[:, 1] - a[:, 1])
        run = (b - a) / np.maximum(np.hypot(*(b - a).T), 1e-12)[:, None]
        theta = rng.uniform(0, 2 * np.pi, n)
        cos, sin = np.cos(theta), np.sin(theta)
        points = np.stack([radius * cos, radius * sin, height], axis=1)
        normals = np.stack([run[:, 1] * cos, run[:, 1] * sin, -run[:, 0]], axis=1)
        return points.astype(np.float32), normals.astype(np.float32)

    def _build_mesh(self) -> tuple[Floats, Triangles]:
        around = self.sides or ROUND_SEGMENTS
        angles = -np.pi / 2 + 2 * np.pi * (np.arange(around) + 0.5) / around
        stretch = 1 / np.cos(np.pi / around) if self.sides else 1.0
        m = len(self._corners)
        vertices = np.empty((m, around, 3))
        vertices[:, :, 0] = stretch * self._corners[:, :1] * np.cos(angles)
        vertices[:, :, 1] = stretch * self._corners[:, :1] * np.sin(angles)
        vertices[:, :, 2] = self._corners[:, 1:]
        index = np.arange(m * around).reshape(m, around)
        on_axis = self._corners[:, 0] < _ON_AXIS
        index[on_axis] = index[on_axis, :1]
        below, above = index, np.roll(index, -1, axis=0)
        quads = below, np.roll(below, -1, axis=1), np.roll(above, -1, axis=1), above
        a, b, c, d = (corner.ravel() for corner in quads)
        faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
        real = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
        used, inverse = np.unique(faces[real], return_inverse=True)
        return vertices.reshape(-1, 3)[used].astype(np.float32), inverse.reshape(-1, 3).astype(np.int32)

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.sides:
            return super().support(directions)
        flat = np.hypot(directions[:, 0], directions[:, 1])
        reach = self._corners[:, :1] * flat + self._corners[:, 1:] * directions[:, 2]
        return np.asarray(reach.max(axis=0))

    def scaled(self, factor: float) -> Self:
        return replace(self, profile=tuple((factor * r, factor * z) for r, z in self.profile))

    def thickened(self, minimum: float) -> Self:
        radii, heights = np.asarray(self.profile).T
        wider = max(1.0, minimum / 2 / max(radii.max(), 1e-9))
        taller = max(1.0, minimum / max(np.ptp(heights), 1e-9))
        return replace(self, profile=tuple((wider * r, taller * z) for r, z in self.profile))


@dataclass(frozen=True, kw_only=True)
class Extrusion(FacetedPrimitive):
    """A simple polygon in the XY plane extruded along Z from -half_height to half_height."""

    outline: Outline
    half_height: float

    @cached_property
    def _corners(self) -> NDArray[np.float64]:
        return counter_clockwise(np.asarray(self.outline, dtype=np.float64))

    def signed_distance(self, points: Floats) -> Floats:
        flat = polygon_distance(points[:, 0], points[:, 1], self._corners)
        tall = np.abs(points[:, 2]) - np.float32(self.half_height)
        outside = np.hypot(np.maximum(flat, 0), np.maximum(tall, 0))
        return np.asarray(outside + np.minimum(np.maximum(flat, tall), 0))

    def _build_mesh(self) -> tuple[Floats, Triangles]:
        m = len(self._corners)
        bottom = np.column_stack([self._corners, np.full(m, -self.half_height)])
        top = np.column_stack([self._corners, np.full(m, self.half_height)])
        cap = triangulate(self._corners)
        i = np.arange(m)
        j = (i + 1) % m
        walls = [np.stack([i, j, j + m], axis=1), np.stack([i, j + m, i + m], axis=1)]
        faces = np.concatenate([cap[:, ::-1], cap + m, *walls])
        return np.concatenate([bottom, top]).astype(np.float32), faces.astype(np.int32)

    def scaled(self, factor: float) -> Self:
        outline = tuple((factor * x, factor * y) for x, y in self.outline)
        return replace(self, outline=outline, half_height=factor * self.half_height)

    def thickened(self, minimum: float) -> Self:
        return replace(self, half_height=max(self.half_height, minimum / 2))


@dataclass(frozen=True, kw_only=True)
class Convex(FacetedPrimitive):
    """Convex hull of corners; the distance is the largest one to a face's plane (a bound outside)."""

    corners: tuple[tuple[float, float, float], ...]

    @cached_property
    def _planes(self) -> Floats:
        equations = ConvexHull(np.asarray(self.corners, dtype=np.float64)).equations
        return np.asarray(np.unique(np.round(equations, 6), axis=0), dtype=np.float32)

    def signed_distance(self, points: Floats) -> Floats:
        return np.asarray((points @ self._planes[:, :3].T + self._planes[:, 3]).max(axis=1))

    def _build_mesh(self) -> tuple[Floats, Triangles]:
        return hull_triangles(np.asarray(self.corners, dtype=np.float64))

    def scaled(self, factor: float) -> Self:
        return replace(self, corners=tuple((factor * x, factor * y, factor * z) for x, y, z in self.corners))

    def thickened(self, minimum: float) -> Self:
        corners = np.asarray(self.corners)
        center = (corners.max(axis=0) + corners.min(axis=0)) / 2
        stretch = np.maximum(1.0, minimum / np.maximum(np.ptp(corners, axis=0), 1e-9))
        grown = center + stretch * (corners - center)
        return replace(self, corners=tuple((float(x), float(y), float(z)) for x, y, z in grown))
