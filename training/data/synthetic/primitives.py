"""Solid primitives with exact inside tests: the base class, Box, Ellipsoid, Capsule and (arc of a) Torus.

Local frame, Z up. Signed distances are negative inside; they are exact unless a class says it gives a bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Triangles = NDArray[np.int32]
Vector = tuple[float, float, float]

ROUND_SEGMENTS = 48  # sides of a circle in meshes


class Primitive(ABC):
    """A solid in its own frame."""

    @abstractmethod
    def signed_distance(self, points: Floats) -> Floats:
        """Distance of points (n, 3) to the surface, negative inside, as (n,) float32."""

    @abstractmethod
    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Points (n, 3), uniform by area, and their outward unit normals (n, 3)."""

    @abstractmethod
    def to_mesh(self) -> tuple[Floats, Triangles]:
        """Closed mesh: vertices (v, 3) and triangles (f, 3), counter-clockwise seen from outside."""

    @property
    @abstractmethod
    def area(self) -> float:
        """Surface area."""

    @abstractmethod
    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Largest dot product of a point of the solid with each direction (k, 3), as (k,)."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The same solid, uniformly scaled about its origin."""

    @abstractmethod
    def thickened(self, minimum: float) -> Self:
        """The solid with every plain dimension at least `minimum`."""

    def inside(self, points: Floats) -> Bools:
        """Whether each of points (n, 3) is inside or on the surface."""
        return self.signed_distance(points) <= 0.0


class FacetedPrimitive(Primitive):
    """A solid with flat faces only, sampled from its own mesh."""

    @cached_property
    def mesh(self) -> tuple[Floats, Triangles]:
        return self._build_mesh()

    @abstractmethod
    def _build_mesh(self) -> tuple[Floats, Triangles]: ...

    def to_mesh(self) -> tuple[Floats, Triangles]:
        return self.mesh

    @cached_property
    def _crosses(self) -> NDArray[np.float64]:
        corners = self.mesh[0].astype(np.float64)[self.mesh[1]]
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    @property
    def area(self) -> float:
        return float(np.linalg.norm(self._crosses, axis=1).sum() / 2)

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        return sample_triangles(*self.mesh, self._crosses, n, rng)

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((self.mesh[0].astype(np.float64) @ directions.T).max(axis=0))


def sample_triangles(
    vertices: Floats, faces: Triangles, crosses: NDArray[np.float64], n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Uniform points and face normals on a mesh whose edge cross products are `crosses` (f, 3)."""
    doubled = np.linalg.norm(crosses, axis=1)
    chosen = np.searchsorted(np.cumsum(doubled), rng.random(n) * doubled.sum(), side="right")
    chosen = np.minimum(chosen, len(faces) - 1)
    a, b = rng.random((2, n, 1), dtype=np.float32)
    flip = (a + b) > 1
    a, b = np.where(flip, 1 - a, a), np.where(flip, 1 - b, b)
    corners = vertices[faces[chosen]]
    points = corners[:, 0] + a * (corners[:, 1] - corners[:, 0]) + b * (corners[:, 2] - corners[:, 0])
    normals = crosses[chosen] / np.maximum(doubled[chosen, None], 1e-20)
    return points.astype(np.float32), normals.astype(np.float32)


def hull_triangles(points: NDArray[np.float64]) -> tuple[Floats, Triangles]:
    """Outward triangles of the convex hull of points (n, 3)."""
    hull = ConvexHull(points)
    faces = hull.simplices
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wrong = np.einsum("ij,ij->i", normals, hull.equations[:, :3]) < 0
    faces = np.where(wrong[:, None], faces[:, ::-1], faces)
    used, inverse = np.unique(faces, return_inverse=True)
    return points[used].astype(np.float32), inverse.reshape(-1, 3).astype(np.int32)


def unit_vectors(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform directions (n, 3)."""
    vectors = rng.standard_normal((n, 3))
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def sphere_grid(segments: int = ROUND_SEGMENTS) -> NDArray[np.float64]:
    """Directions of a latitude-longitude grid, poles and the coordinate axes included."""
    azimuth = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    polar = np.linspace(0, np.pi, segments // 2 + 1)
    u, v = np.meshgrid(azimuth, polar)
    grid = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v)], axis=-1)
    return np.asarray(grid.reshape(-1, 3))


@cache
def unit_sphere() -> tuple[Floats, Triangles]:
    """The hull of a grid of directions; an ellipsoid's mesh is this one, scaled."""
    return hull_triangles(sphere_grid())


@dataclass(frozen=True, kw_only=True)
class Box(Primitive):
    """Axis-aligned box, its edges rounded by `rounding` (which stays within `half`)."""

    half: Vector
    rounding: float = 0.0

    @cached_property
    def core(self) -> NDArray[np.float64]:
        """Half sides of the box that, swollen by the rounding, gives this one."""
        return np.maximum(np.asarray(self.half) - self.rounding, 0.0)

    def signed_distance(self, points: Floats) -> Floats:
        q: Floats = np.abs(points) - self.core.astype(np.float32)
        outside = np.sqrt(np.square(np.maximum(q, 0)).sum(axis=1))
        return np.asarray(outside + np.minimum(q.max(axis=1), 0) - np.float32(self.rounding))

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        """Three pairs of faces, three quadruples of rounded edges, the corners."""
        a, b, c = 2 * self.core
        r = self.rounding
        edges = 2 * np.pi * r * np.array([a, b, c])
        return np.concatenate([[2 * b * c, 2 * a * c, 2 * a * b], edges, [4 * np.pi * r * r]])

    @property
    def area(self) -> float:
        return float(self._areas.sum())

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        kind = np.searchsorted(np.cumsum(self._areas), rng.random(n) * self.area, side="right")
        kind = np.minimum(kind, 6)
        normals = rng.standard_normal((n, 3))
        axis = np.arange(3)[None, :]
        on_face, on_edge = (kind < 3)[:, None], ((kind >= 3) & (kind < 6))[:, None]
        flat = (on_face & (axis != kind[:, None])) | (on_edge & (axis == kind[:, None] - 3))
        normals[flat] = 0.0
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        along = rng.uniform(-1, 1, (n, 3)) * self.core
        points = np.where(flat, along, np.sign(normals) * self.core) + self.rounding * normals
        return points.astype(np.float32), normals.astype(np.float32)

    def to_mesh(self) -> tuple[Floats, Triangles]:
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3).astype(np.float64)
        if self.rounding <= 0:
            return hull_triangles(signs * self.core)
        ball = self.rounding * sphere_grid(16)
        return hull_triangles((signs[:, None] * self.core + ball[None]).reshape(-1, 3))

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(directions) @ self.core + self.rounding * np.linalg.norm(directions, axis=1))

    def scaled(self, factor: float) -> Self:
        x, y, z = (factor * side for side in self.half)
        return replace(self, half=(x, y, z), rounding=factor * self.rounding)

    def thickened(self, minimum: float) -> Self:
        x, y, z = (max(side, minimum / 2) for side in self.half)
        return replace(self, half=(x, y, z), rounding=min(self.rounding, x, y, z))


@dataclass(frozen=True, kw_only=True)
class Ellipsoid(Primitive):
    """Ellipsoid; the signed distance is a first-order bound, exact at the surface and for spheres."""

    radii: Vector

    def signed_distance(self, points: Floats) -> Floats:
        radii = np.asarray(self.radii, dtype=np.float32)
        if min(self.radii) > 0.999 * max(self.radii):
            return np.asarray(np.sqrt(np.square(points).sum(axis=1)) - radii[0])
        scaled = points / radii
        k0 = np.sqrt(np.square(scaled).sum(axis=1))
        k1 = np.sqrt(np.square(scaled / radii).sum(axis=1))
        return np.asarray(np.where(k0 < 1e-3, -radii.min(), k0 * (k0 - 1) / np.maximum(k1, 1e-9)))

    @property
    def area(self) -> float:
        """Knud Thomsen's approximation, within 1.1 %."""
        a, b, c = (r**1.6075 for r in self.radii)
        return float(4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075))

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        radii = np.asarray(self.radii)
        kept = np.empty((0, 3))
        while len(kept) < n:
            directions = unit_vectors(2 * (n - len(kept)) + 16, rng)
            stretch = np.linalg.norm(directions / radii, axis=1) * radii.min()
            kept = np.concatenate([kept, directions[rng.random(len(directions)) < stretch]])
        kept = kept[:n]
        normals = kept / radii
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return (kept * radii).astype(np.float32), normals.astype(np.float32)

    def to_mesh(self) -> tuple[Floats, Triangles]:
        vertices, faces = unit_sphere()
        return vertices * np.asarray(self.radii, np.float32), faces.copy()

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(directions * np.asarray(self.radii), axis=1))

    def scaled(self, factor: float) -> Self:
        x, y, z = (factor * r for r in self.radii)
        return replace(self, radii=(x, y, z))

    def thickened(self, minimum: float) -> Self:
        x, y, z = (max(r, 0.6 * minimum) for r in self.radii)
        return replace(self, radii=(x, y, z))


@dataclass(frozen=True, kw_only=True)
class Capsule(Primitive):
    """All points within `radius` of the Z segment from -half_length to half_length."""

    half_length: float
    radius: float

    def signed_distance(self, points: Floats) -> Floats:
        z = np.maximum(np.abs(points[:, 2]) - np.float32(self.half_length), 0)
        squared = np.square(points[:, 0]) + np.square(points[:, 1]) + np.square(z)
        return np.asarray(np.sqrt(squared) - np.float32(self.radius))

    @property
    def area(self) -> float:
        return float(4 * np.pi * self.radius * (self.radius + self.half_length))

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        normals = unit_vectors(n, rng)
        on_side = rng.random(n) * (self.radius + self.half_length) < self.half_length
        normals[on_side, 2] = 0.0
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        points = self.radius * normals
        side_z = rng.uniform(-1, 1, n)
        points[:, 2] += self.half_length * np.where(on_side, side_z, np.sign(normals[:, 2]))
        return points.astype(np.float32), normals.astype(np.float32)

    def to_mesh(self) -> tuple[Floats, Triangles]:
        ball = self.radius * sphere_grid(32)
        shift = np.array([0, 0, self.half_length])
        return hull_triangles(np.concatenate([ball + shift, ball - shift]))

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        swollen = self.radius * np.linalg.norm(directions, axis=1)
        return np.asarray(np.abs(directions[:, 2]) * self.half_length + swollen)

    def scaled(self, factor: float) -> Self:
        return replace(self, half_length=factor * self.half_length, radius=factor * self.radius)

    def thickened(self, minimum: float) -> Self:
        return replace(self, radius=max(self.radius, minimum / 2))


@dataclass(frozen=True, kw_only=True)
class Torus(Primitive):
    """Round tube along a circle in the XY plane, or its arc within `arc` radians of +X, round-ended."""

    major: float
    minor: float
    arc: float = float(np.pi)

    @property
    def _closed(self) -> bool:
        return self.arc > np.pi - 1e-6

    def signed_distance(self, points: Floats) -> Floats:
        x, y, z = points[:, 0], np.abs(points[:, 1]), points[:, 2]
        ring = np.sqrt(np.square(np.hypot(x, y) - np.float32(self.major)) + np.square(z))
        if not self._closed:
            end_x, end_y = (
                np.float32(self.major * np.cos(self.arc)),
                np.float32(self.major * np.sin(self.arc)),
            )
            ends = np.sqrt(np.square(x - end_x) + np.square(y - end_y) + np.square(z))
            ring = np.where(np.arctan2(y, x) <= np.float32(self.arc), ring, ends)
        return np.asarray(ring - np.float32(self.minor))

    @cached_property
    def _areas(self) -> tuple[float, float]:
        caps = 0.0 if self._closed else 4 * np.pi * self.minor**2
        return 4 * np.pi * self.arc * self.major * self.minor, caps

    @property
    def area(self) -> float:
        return float(sum(self._areas))

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        n_caps = int(rng.binomial(n, self._areas[1] / self.area))
        n_ring = n - n_caps
        v = np.empty(0)
        while len(v) < n_ring:
            candidates = rng.uniform(-np.pi, np.pi, 2 * n_ring + 16)
            keep = rng.random(len(candidates)) * (self.major + self.minor) < (
                self.major + self.minor * np.cos(candidates)
            )
            v = np.concatenate([v, candidates[keep]])
        v, u = v[:n_ring], rng.uniform(-self.arc, self.arc, n_ring)
        normals = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=1)
        centers = self.major * np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], axis=1)
        balls = unit_vectors(n_caps, rng)
        side = np.where(rng.random(n_caps) < 0.5, 1.0, -1.0)
        tangents = np.stack([np.full(n_caps, -np.sin(self.arc)), side * np.cos(self.arc)], axis=1)
        backward = np.einsum("ij,ij->i", balls[:, :2], tangents) < 0
        balls[backward] *= -1
        ends = np.stack(
            [np.full(n_caps, np.cos(self.arc)), side * np.sin(self.arc), np.zeros(n_caps)], axis=1
        )
        normals = np.concatenate([normals, balls])
        points = np.concatenate([centers, self.major * ends]) + self.minor * normals
        return points.astype(np.float32), normals.astype(np.float32)

    def _rings(self, segments: int) -> NDArray[np.float64]:
        """Rows of (angle along the circle, offset along the tangent, tube radius)."""
        if self._closed:
            u = np.linspace(-np.pi, np.pi, segments, endpoint=False)
            return np.stack([u, np.zeros_like(u), np.full_like(u, self.minor)], axis=1)
        u = np.linspace(-self.arc, self.arc, max(8, int(segments * self.arc / np.pi)))
        body = np.stack([u, np.zeros_like(u), np.full_like(u, self.minor)], axis=1)
        bend = np.linspace(0, np.pi / 2, 7)[1:]
        offset, radius = self.minor * np.sin(bend), self.minor * np.cos(bend) + 1e-6
        last = np.stack([np.full_like(bend, self.arc), offset, radius], axis=1)
        first = np.stack([np.full_like(bend, -self.arc), -offset, radius], axis=1)[::-1]
        return np.concatenate([first, body, last])

    def to_mesh(self) -> tuple[Floats, Triangles]:
        around = 24
        u, offset, radius = (column[:, None] for column in self._rings(ROUND_SEGMENTS).T)
        v = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
        reach = self.major + radius * np.cos(v)
        x, y = reach * np.cos(u) - offset * np.sin(u), reach * np.sin(u) + offset * np.cos(u)
        vertices = np.stack([x, y, np.broadcast_to(radius * np.sin(v), x.shape)], axis=-1)
        n = len(u)
        i, j = np.meshgrid(np.arange(n if self._closed else n - 1), np.arange(around), indexing="ij")
        next_i, next_j = (i + 1) % n, (j + 1) % around
        a, b, c, d = (k * around + m for k, m in ((i, j), (next_i, j), (next_i, next_j), (i, next_j)))
        faces = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
        if not self._closed:
            fan = np.arange(1, around - 1)
            start = np.stack([np.zeros_like(fan), fan, fan + 1], axis=1)
            end = start[:, ::-1] + (n - 1) * around
            faces = np.concatenate([faces, start, end])
        return vertices.reshape(-1, 3).astype(np.float32), faces.astype(np.int32)

    def support(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = np.hypot(directions[:, 0], directions[:, 1])
        angle = np.abs(np.arctan2(directions[:, 1], directions[:, 0]))
        beyond = np.maximum(angle - self.arc, 0.0)
        return np.asarray(
            self.major * flat * np.cos(beyond) + self.minor * np.linalg.norm(directions, axis=1)
        )

    def scaled(self, factor: float) -> Self:
        return replace(self, major=factor * self.major, minor=factor * self.minor)

    def thickened(self, minimum: float) -> Self:
        return replace(self, minor=max(self.minor, minimum / 2))
