"""Measures of an asset's faces: area, doubles, flat regions, noise, floaters. Needs libigl (`train`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.orientation import Faces, Points, outward, weld
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset
from training.data.assets.parts import components

# Faces with less area, of the square of the longest side, have none.
_NO_AREA = 1e-12
_GROWTH = 16  # rounds in which parts may hang on parts that hang on the main ones
_GROUND = 0.01  # of the longest side: what reaches this low stands on the ground
_LARGE = 0.02  # share of the area from which a part belongs to the main ones


@dataclass(frozen=True)
class WeldedMesh:
    """An asset's surface with shared vertices, faces without area left out; what follows is computed once."""

    asset: Asset

    @cached_property
    def _welded(self) -> tuple[Points, Faces]:
        return weld(self.asset.vertices, self.asset.faces)

    @cached_property
    def vertices(self) -> Points:
        return self._welded[0]

    @cached_property
    def faces(self) -> Faces:
        """With area."""
        _, areas = face_normals(self.vertices[self._welded[1]])
        return np.ascontiguousarray(self._welded[1][areas > _NO_AREA * LONGEST_SIDE**2])

    @cached_property
    def normals(self) -> Points:
        return face_normals(self.vertices[self.faces])[0]

    @cached_property
    def areas(self) -> NDArray[np.float64]:
        return face_normals(self.vertices[self.faces])[1]

    @cached_property
    def oriented(self) -> Faces:
        """Looking outward, as far as there is an outside."""
        return outward(self.vertices, self.faces)[0]

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """(e, 2) pairs of faces that share an edge of exactly two."""
        ends = np.sort(np.stack([self.faces, np.roll(self.faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
        key = ends[:, 0] * len(self.vertices) + ends[:, 1]
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        pairs = first[np.diff(first, append=len(order)) == 2]
        found: NDArray[np.int64] = np.stack([order[pairs], order[pairs + 1]], axis=1) // 3
        return found


def degenerate_share(mesh: WeldedMesh) -> float:
    """Faces of the asset that have no area, after welding."""
    return 1.0 - len(mesh.faces) / max(len(mesh.asset.faces), 1)


def duplicate_share(mesh: WeldedMesh) -> float:
    """Area of faces that repeat another with the same corners and side; two-sided sheets are not that."""
    turn = mesh.faces.argmin(axis=1)
    rolled = np.take_along_axis(mesh.faces, (turn[:, None] + np.arange(3)) % 3, axis=1)
    _, first = np.unique(rolled, axis=0, return_index=True)
    return 1.0 - float(mesh.areas[first].sum() / max(mesh.areas.sum(), 1e-30))


def flat_regions(mesh: WeldedMesh, degrees: float) -> int:
    """Regions of neighbouring faces in one plane; a box has six, however finely it is cut."""
    pairs = mesh.edges
    flat = np.einsum("ij,ij->i", mesh.normals[pairs[:, 0]], mesh.normals[pairs[:, 1]]) > np.cos(
        np.radians(degrees)
    )
    pairs = pairs[flat]
    links = coo_array(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(mesh.faces),) * 2
    )
    return int(connected_components(links, directed=False)[0])


def thinnest_side(mesh: WeldedMesh) -> float:
    """Of the bounding box."""
    return float(np.ptp(mesh.vertices[np.unique(mesh.faces)], axis=0).min() / LONGEST_SIDE)


def noise(mesh: WeldedMesh, bend: tuple[float, float], longest: float) -> float:
    """0..1: how much of the surface's edges are short, bent, and bent in and out alike, as in raw scans.

    Smooth surfaces have few bent edges; modelled ones bend outward more than inward, and over long edges.
    """
    pairs, normals = mesh.edges, mesh.normals
    if len(pairs) == 0:
        return 0.0
    centres = mesh.vertices[mesh.faces].mean(axis=1)
    left, right = pairs.T
    cosine = np.clip(np.einsum("ij,ij->i", normals[left], normals[right]), -1, 1)
    angle = np.degrees(np.arccos(cosine))
    inward = np.einsum("ij,ij->i", normals[left], centres[right] - centres[left]) > 0
    short = np.linalg.norm(centres[right] - centres[left], axis=1) < longest * LONGEST_SIDE
    bent = (angle > bend[0]) & (angle < bend[1]) & short
    into, out = float((bent & inward).mean()), float((bent & ~inward).mean())
    return 2 * min(into, out)


def floaters(mesh: WeldedMesh, gap: float) -> tuple[float, float]:
    """(share of the area in small parts that touch nothing, largest gap of one to the rest, of the side)."""
    part = components(mesh.vertices, mesh.faces)
    share = np.bincount(part, mesh.areas) / max(float(mesh.areas.sum()), 1e-30)
    lowest = np.full(len(share), np.inf)
    np.minimum.at(lowest, part, mesh.vertices[mesh.faces, 2].min(axis=1))
    main = (share >= min(_LARGE, float(share.max()))) | (lowest < lowest.min() + _GROUND * LONGEST_SIDE)
    away = np.full(len(share), np.inf)
    for _ in range(_GROWTH):
        if main.all():
            return 0.0, 0.0
        away = _gaps(mesh, part, main)
        near = (away <= gap * LONGEST_SIDE) & ~main
        if not near.any():
            break
        main |= near
    alone = ~main
    return float(share[alone].sum()), float(away[alone].max(initial=0.0) / LONGEST_SIDE)


def _gaps(mesh: WeldedMesh, part: NDArray[np.int32], main: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(parts,) smallest distance of each other part's vertices to the main ones; 0 for those."""
    inside = main[part]
    corners = mesh.faces[~inside]
    queries = np.ascontiguousarray(mesh.vertices[corners.reshape(-1)])
    squared, _, _ = igl.point_mesh_squared_distance(
        queries, mesh.vertices, np.ascontiguousarray(mesh.faces[inside])
    )
    gaps = np.where(main, 0.0, np.inf)
    np.minimum.at(gaps, np.repeat(part[~inside], 3), np.sqrt(squared))
    return gaps
