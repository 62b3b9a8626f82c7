"""The pieces of an asset that an edit may change alone: what they look like, where, and what touches what.

Pieces are the objects an author named, else connected components; small ones go with what they sit in, and
alike ones form groups (four wheels).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from backend.geometry.sampling import face_normals, sample_surface
from training.data.assets.asset import Asset

from .looks import Shape, color_name, shape_of
from .names import part_name

TOUCH = 0.045  # pieces whose samples come this near to one another hold together
_SAMPLES = 6000  # on an asset, to see what touches
_SMALL = 0.004  # share of the surface; smaller pieces go with a neighbour
_WITHIN = 0.55  # a piece inside another's box with this share of its diagonal belongs to it
_ALIKE = 0.03  # relative difference of sides and areas of alike pieces
Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some faces of an asset that hold together."""

    faces: NDArray[np.int64]
    name: str  # "" where its author gave none that says anything
    points: Points  # its vertices
    area: float
    color: str | None  # None: of many, or not known
    samples: Points

    @cached_property
    def box(self) -> tuple[Points, Points]:
        return self.points.min(axis=0), self.points.max(axis=0)

    @property
    def center(self) -> Points:
        middle: Points = (self.box[0] + self.box[1]) / 2
        return middle

    @property
    def sides(self) -> Points:
        return self.box[1] - self.box[0]

    @cached_property
    def tree(self) -> cKDTree:
        return cKDTree(self.samples)

    @cached_property
    def shape(self) -> Shape:
        return shape_of(self.points, self.area)


@dataclass(frozen=True, eq=False)
class Pieces:
    """All pieces of an asset, and groups of alike ones."""

    asset: Asset
    pieces: tuple[Piece, ...]
    groups: tuple[tuple[int, ...], ...]
    contacts: NDArray[np.bool_]  # (pieces, pieces)

    @cached_property
    def box(self) -> tuple[Points, Points]:
        lows, highs = zip(*(piece.box for piece in self.pieces), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)

    def mask(self, chosen: Sequence[int]) -> NDArray[np.bool_]:
        """(m,) whether each face of the asset belongs to the chosen pieces."""
        faces = np.zeros(len(self.asset.faces), bool)
        for number in chosen:
            faces[self.pieces[number].faces] = True
        return faces

    def others(self, chosen: Sequence[int]) -> list[int]:
        return [i for i in range(len(self.pieces)) if i not in chosen]

    def clusters(self, chosen: Sequence[int]) -> int:
        """Into how many that do not touch the chosen pieces fall."""
        index = np.array(chosen, np.int64)
        return int(connected_components(coo_array(self.contacts[np.ix_(index, index)]), directed=False)[0])

    def joint(self, chosen: Sequence[int]) -> Points | None:
        """(k, 3) samples of the chosen pieces where they touch the rest."""
        rest = np.concatenate([self.pieces[i].samples for i in self.others(chosen)] or [np.zeros((0, 3))])
        own = np.concatenate([self.pieces[i].samples for i in chosen])
        if not len(rest):
            return None
        near = cKDTree(rest).query(own, distance_upper_bound=TOUCH)[0] < TOUCH
        return own[near] if near.any() else None


def find(asset: Asset, most: int, rng: np.random.Generator) -> Pieces | None:
    """None where there are more than `most` parts."""
    if len(asset.part_names) > most or len(asset.faces) == 0:
        return None
    points, _, face = sample_surface(asset.vertices, asset.faces, _SAMPLES, rng)
    areas = face_normals(np.asarray(asset.vertices, np.float64)[asset.faces])[1]
    samples = np.asarray(points, np.float64)
    first = [
        _piece(asset, np.flatnonzero(asset.parts == part), name, areas, samples, face)
        for part, name in enumerate(asset.part_names)
        if (asset.parts == part).any()
    ]
    owner = _owners(first, float(areas.sum()))
    merged: list[Piece] = []
    for boss in np.unique(owner):
        members = [i for i in np.flatnonzero(owner == boss)]
        faces = np.sort(np.concatenate([first[i].faces for i in members]))
        whole = first[boss].name
        merged.append(
            first[boss]
            if len(members) == 1
            else _piece(asset, faces, whole, areas, samples, face, named=True)
        )
    merged.sort(key=lambda piece: (-piece.area, int(piece.faces[0])))
    return Pieces(asset, tuple(merged), _groups(merged), _contacts(merged))


def _piece(
    asset: Asset,
    faces: NDArray[np.int64],
    name: str,
    areas: NDArray[np.float64],
    samples: Points,
    sampled: NDArray[np.int64],
    *,
    named: bool = False,
) -> Piece:
    corners = asset.faces[faces]
    used = np.asarray(asset.vertices, np.float64)[np.unique(corners)]
    colors = asset.face_colors()
    own = np.isin(sampled, faces)
    return Piece(
        faces=faces,
        name=name if named else part_name(name),
        points=used,
        area=float(areas[faces].sum()),
        color=None if colors is None else color_name(colors[faces], areas[faces]),
        samples=np.concatenate([samples[own], used[:: max(1, len(used) // 400)]]),
    )


def _owners(pieces: list[Piece], total: float) -> NDArray[np.int64]:
    """Which piece each goes with: itself, or a bigger one that it sits in or that it is a small bit of."""
    owner = np.arange(len(pieces))
    order = sorted(range(len(pieces)), key=lambda i: pieces[i].area)
    for place, i in enumerate(order):
        small, (low, high) = pieces[i], pieces[i].box
        if small.name:
            continue
        for j in order[place + 1 :]:
            (a, b), diagonal = pieces[j].box, np.linalg.norm(pieces[j].sides)
            inside = bool((low >= a - TOUCH).all() and (high <= b + TOUCH).all())
            if inside and np.linalg.norm(small.sides) >= _WITHIN * diagonal and not pieces[j].name:
                owner[i] = j
                break
        if owner[i] == i and small.area < _SMALL * total:
            owner[i] = _nearest(pieces, i, order[place + 1 :])
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return owner


def _nearest(pieces: list[Piece], number: int, bigger: Sequence[int]) -> int:
    """The bigger piece that touches it; itself where none does."""
    for j in bigger:
        if _touch(pieces[number], pieces[j]):
            return j
    return number


def _touch(a: Piece, b: Piece) -> bool:
    if (a.box[0] > b.box[1] + TOUCH).any() or (b.box[0] > a.box[1] + TOUCH).any():
        return False
    inside = (a.box[0] >= b.box[0]).all() and (a.box[1] <= b.box[1]).all()
    return bool(inside or b.tree.query(a.samples, distance_upper_bound=TOUCH)[0].min() < TOUCH)


def _contacts(pieces: list[Piece]) -> NDArray[np.bool_]:
    n = len(pieces)
    touching = np.eye(n, dtype=bool)
    for i in range(n):
        for j in range(i):
            touching[i, j] = touching[j, i] = _touch(pieces[i], pieces[j]) or _touch(pieces[j], pieces[i])
    return touching


def _groups(pieces: list[Piece]) -> tuple[tuple[int, ...], ...]:
    """Pieces of one name, or that are copies of one another as far as size, area and faces tell.

    Names that begin alike are of one thing: a back's posts and rails, a hat and its brim.
    """
    named = _bases({piece.name for piece in pieces if piece.name})
    groups: list[list[int]] = []
    for i, piece in enumerate(pieces):
        for group in groups:
            if _alike(pieces[group[0]], piece, named):
                group.append(i)
                break
        else:
            groups.append([i])
    return tuple(tuple(group) for group in groups)


def _bases(names: set[str]) -> dict[str, str]:
    first = Counter(name.split()[0] for name in names)
    return {name: word if first[word := name.split()[0]] > 1 else name for name in names}


def _alike(a: Piece, b: Piece, bases: Mapping[str, str]) -> bool:
    if a.name or b.name:
        return bases.get(a.name) == bases.get(b.name)
    if len(a.faces) != len(b.faces) or a.color != b.color:
        return False
    sides = np.abs(np.sort(a.sides) - np.sort(b.sides)).max() / max(float(a.sides.max()), 1e-9)
    return bool(sides < _ALIKE and abs(a.area - b.area) < _ALIKE * a.area)
