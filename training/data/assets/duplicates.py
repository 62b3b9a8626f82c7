"""Assets of the same shape: by integrals over the surface, which neither the order of vertices and faces nor
another triangulation changes, and then by the distance between the surfaces. Needs libigl (extra `train`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.orientation import weld

Floats = NDArray[np.float64]
# Integrals are hashed in cells of this size. Float noise of 1e-6 moves about one hash in fifty over a border,
# which the comparison of surfaces then finds all the same.
_CELL = 2e-3
_MONOMIALS = [tuple(axes) for degree in (1, 2, 3) for axes in combinations_with_replacement(range(3), degree)]


@dataclass(frozen=True, kw_only=True)
class DuplicateSettings:
    """When two assets are one."""

    near: float = 0.02  # largest difference of the integrals for a pair to be compared at all
    same: float = 0.005  # of the longest side: no vertex lies further from the other's surface
    color: float = 3.0  # of 255: colours whose mean or spread differ more make a variant, which is kept
    turns: bool = True  # quarter turns about Z count as the same


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What is compared before any surface is."""

    key: str
    integrals: Floats  # (23,)
    color: tuple[float, ...] | None  # by area: mean, then spread of red, green, blue; sRGB of 255


@dataclass(frozen=True, kw_only=True)
class Match:
    """`key` has the shape of `of`, which came first."""

    key: str
    of: str
    kind: str  # duplicate, color_variant (both the same surface) or near_duplicate
    distance: float  # largest between the surfaces' vertices, of the longest side
    quarter_turns: int = 0


def integrals(vertices: NDArray[Any], faces: NDArray[Any]) -> Floats:
    """(23,) sides of the box, and area integrals of every monomial of degree 0 to 3: canonical shapes only.

    Exact on triangles (quadrature of degree 3 in the corners, edge middles and centre). Pieces of the surface
    count by their area, so tessellation and vertex noise of size e change them by O(e).
    """
    points = np.asarray(vertices, np.float64)
    a, b, c = (points[np.asarray(faces)[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    nodes = [(a, 1 / 20), (b, 1 / 20), (c, 1 / 20), ((a + b) / 2, 2 / 15), ((b + c) / 2, 2 / 15)]
    nodes += [((c + a) / 2, 2 / 15), ((a + b + c) / 3, 9 / 20)]
    totals = np.zeros(len(_MONOMIALS))
    for place, share in nodes:
        totals += [(area * share) @ np.prod(place[:, axes], axis=1) for axes in _MONOMIALS]
    total = max(float(area.sum()), 1e-30)
    sides = np.ptp(points, axis=0) if len(points) else np.zeros(3)
    return np.concatenate([sides, totals / total, [np.sqrt(total)]])


def geometry_hash(vertices: NDArray[Any], faces: NDArray[Any]) -> str:
    """24 hex digits that canonical meshes of the same surface share."""
    cells = np.round(integrals(vertices, faces) / _CELL + 0.137).astype(np.int64)
    return hashlib.sha256(cells.tobytes()).hexdigest()[:24]


def turned(points: NDArray[Any], quarters: int) -> NDArray[Any]:
    """About Z, exactly."""
    for _ in range(quarters % 4):
        points = np.stack([-points[:, 1], points[:, 0], points[:, 2]], axis=1)
    return points


def distance(
    a: tuple[NDArray[Any], NDArray[Any]], b: tuple[NDArray[Any], NDArray[Any]], limit: int = 2000
) -> float:
    """Largest distance from (at most `limit`) vertices of one surface to the other, of 1.92, both ways."""
    worst = 0.0
    for (vertices, faces), (other, triangles) in ((a, b), (b, a)):
        points, used = weld(vertices, faces)
        if len(used) == 0:
            return np.inf
        queries = points[np.unique(used)]
        queries = np.ascontiguousarray(queries[:: max(1, len(queries) // limit)])
        squared, _, _ = igl.point_mesh_squared_distance(
            queries, np.ascontiguousarray(other, np.float64), np.ascontiguousarray(triangles, np.int64)
        )
        worst = max(worst, float(np.sqrt(squared.max())))
    return worst / 1.92


def find_duplicates(
    signatures: Sequence[Signature],
    mesh: Callable[[str], tuple[NDArray[Any], NDArray[Any]]],
    settings: DuplicateSettings,
) -> list[Match]:
    """For each asset its match among those before it, if there is one: the closest.

    mesh: reads vertices and faces by key, called only for the few that may match.
    """
    if not signatures:
        return []
    tree = cKDTree(np.stack([s.integrals for s in signatures]))
    variants = range(4 if settings.turns else 1)
    matches, dropped = [], set[int]()
    for later, signature in enumerate(signatures):
        found: Match | None = None
        for quarters in variants:
            for earlier in sorted(tree.query_ball_point(_turn(signature.integrals, quarters), settings.near)):
                if earlier >= later or earlier in dropped:
                    continue
                match = _compare(signature, signatures[earlier], quarters, mesh, settings)
                if match is not None and (found is None or match.distance < found.distance):
                    found = match
            if found is not None and found.distance < settings.same:
                break
        if found is not None:
            matches.append(found)
            if found.kind == "duplicate":
                dropped.add(later)
    return matches


def _compare(
    later: Signature,
    earlier: Signature,
    quarters: int,
    mesh: Callable[[str], tuple[NDArray[Any], NDArray[Any]]],
    settings: DuplicateSettings,
) -> Match | None:
    vertices, faces = mesh(later.key)
    apart = distance((turned(vertices, quarters), faces), mesh(earlier.key))
    if apart > 4 * settings.same:
        return None
    kind = "near_duplicate"
    if apart <= settings.same:
        kind = "duplicate" if _same_color(later.color, earlier.color, settings.color) else "color_variant"
    return Match(key=later.key, of=earlier.key, kind=kind, distance=apart, quarter_turns=quarters)


def _same_color(a: tuple[float, ...] | None, b: tuple[float, ...] | None, limit: float) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.abs(np.subtract(a, b)).max() <= limit)


def _turn(values: Floats, quarters: int) -> Floats:
    """The integrals of the shape turned about Z by quarters: (x, y) -> (-y, x) each."""
    out = values.copy()
    for _ in range(quarters):
        before, out = out, out.copy()
        out[[0, 1]] = before[[1, 0]]
        for index, axes in enumerate(_MONOMIALS):
            source = tuple(sorted({0: 1, 1: 0, 2: 2}[axis] for axis in axes))
            sign = (-1.0) ** sum(axis == 0 for axis in axes)
            out[3 + index] = sign * before[3 + _MONOMIALS.index(source)]
    return out
