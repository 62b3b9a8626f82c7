"""What can be measured of an asset that a caption may say: proportions, outline, symmetry, parts, finish."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset
from training.data.captions.colors import NamedColor, palette
from training.data.geometry.colors import surface_colors
from training.data.geometry.step import Geometry

_POINTS = 4096
_BANDS = 10  # slices of the outline
# How far the samples of a mirrored surface lie from those of the surface, in mean distances between its own:
# 1 on average and 2.2 for 98 % of them where the two are one.
_MEAN, _FARTHEST = 1.15, 2.8
_FOOT = 0.3  # a foot's side, at most, of the footprint's


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Lengths are shares of the longest side."""

    width: float  # along X
    depth: float  # along Y, from the front to the back
    height: float
    colors: tuple[NamedColor, ...]  # empty: none known
    mirrored: bool  # left and right
    turned: bool  # looks the same from every side
    alike_behind: bool  # the front and the back
    boxy: float  # share of the surface that faces along an axis, to within 10 degrees; 0 if not all three
    directions: int  # in how many directions nine tenths of it face, in steps of about 20 degrees
    fill: float  # share of its box that it covers seen from the front
    balance: float  # mean height of the surface, 0 (bottom) to 1 (top)
    profile: str  # "widest at the bottom", "" where it has none worth a word
    feet: int  # separate small areas it stands on; 0 where there are none or it stands on its whole base
    pieces: int  # named objects and connected components
    repeated: int  # of the pieces that are alike, the most; 1: none
    faces: int
    metallic: float  # share of the surface
    clear: float  # share of the surface that one sees through


def measure(asset: Asset, geometry: Geometry | None) -> Measures:
    """By the exposed surface where `geometry` knows it, else by all faces."""
    points, normals, colors = _surface(asset, geometry)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, 1e-6)
    width, depth, height = (size / size.max()).tolist()
    heights = (points[:, 2] - low[2]) / size[2]
    areas = face_normals(asset.vertices[asset.faces].astype(np.float64))[1]
    of_material = np.bincount(asset.face_material, areas, len(asset.materials)) / max(areas.sum(), 1e-12)
    return Measures(
        width=width,
        depth=depth,
        height=height,
        colors=() if colors is None else tuple(palette(colors, heights)),
        mirrored=_alike(points, np.diag([-1.0, 1.0, 1.0])),
        alike_behind=_alike(points, np.diag([1.0, -1.0, 1.0])),
        boxy=_boxy(normals),
        directions=_directions(normals),
        fill=_fill(points, low, size),
        balance=float(heights.mean()),
        turned=_is_turned(points, size),
        profile=_profile(points, heights),
        feet=_feet(points, heights, size),
        pieces=len(asset.part_names),
        repeated=_repeated(asset, areas),
        faces=len(asset.faces),
        metallic=float(sum(s for m, s in zip(asset.materials, of_material, strict=True) if m.metallic > 0.5)),
        clear=float(
            sum(s for m, s in zip(asset.materials, of_material, strict=True) if m.base_color[3] < 0.7)
        ),
    )


def _surface(
    asset: Asset, geometry: Geometry | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8] | None]:
    """Points spread evenly over the surface, its normals there, and its colours if any are known."""
    known = asset.colors is not None or any(material.texture for material in asset.materials)
    if geometry is not None:
        points = geometry.points[:_POINTS].astype(np.float64)
        normals = geometry.normals[:_POINTS].astype(np.float64)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        return points, normals, geometry.point_colors[:_POINTS] if known else None
    rng = np.random.default_rng(0)
    triangles = asset.vertices[asset.faces].astype(np.float64)
    normals, areas = face_normals(triangles)
    face = rng.choice(len(areas), _POINTS, p=areas / areas.sum())
    u, v = rng.random((2, _POINTS, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    a, b, c = triangles[face].transpose(1, 0, 2)
    points = a + u * (b - a) + v * (c - a)
    return points, normals[face], surface_colors(asset, points, face) if known else None


def _boxy(normals: NDArray[np.float64]) -> float:
    along = (np.abs(normals) > np.cos(np.radians(10))).mean(axis=0)
    return float(along.sum()) if along.min() > 0.015 else 0.0  # a disc has two sides and no corners


def _directions(normals: NDArray[np.float64]) -> int:
    _, counts = np.unique(np.round(normals * 3), axis=0, return_counts=True)
    falling = np.sort(counts)[::-1].cumsum() / len(normals)
    return int(np.searchsorted(falling, 0.9)) + 1


def _fill(points: NDArray[np.float64], low: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    cells = np.minimum(((points[:, (0, 2)] - low[[0, 2]]) / size[[0, 2]] * 24).astype(int), 23)
    grid = np.zeros((24, 24), bool)
    grid[cells[:, 0], cells[:, 1]] = True
    return float(ndimage.binary_closing(np.pad(grid, 1)).mean() * 26 * 26 / (24 * 24))


def _alike(points: NDArray[np.float64], turn: NDArray[np.float64]) -> bool:
    """Whether the turned surface lies on the surface. Sparse samples: compared with their own spacing."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    centred = points - middle
    tree = cKDTree(centred)
    away = tree.query(centred[::4] @ turn.T)[0]
    spacing = tree.query(centred[::16], k=2)[0][:, 1].mean()
    return bool(away.mean() < _MEAN * spacing and np.quantile(away, 0.98) < _FARTHEST * spacing)


def _is_turned(points: NDArray[np.float64], size: NDArray[np.float64]) -> bool:
    if abs(size[0] - size[1]) > 0.06 * max(size[0], size[1]):
        return False
    turns = [np.radians(angle) for angle in (37.0, 75.0)]
    return all(
        _alike(points, np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]]))
        for t in turns
    )


def _profile(points: NDArray[np.float64], heights: NDArray[np.floating[Any]]) -> str:
    """How the outline seen from the front changes with height."""
    band = np.minimum((heights * _BANDS).astype(int), _BANDS - 1)
    widths = np.zeros(_BANDS)
    for index in range(_BANDS):
        own = points[band == index]
        if len(own) < 8:
            return ""
        widths[index] = max(np.ptp(own[:, 0]), np.ptp(own[:, 1]))
    widths /= widths.max()
    bottom, middle, top = widths[:2].mean(), widths[4:6].mean(), widths[-2:].mean()
    steps = np.diff(widths)
    if widths.min() > 0.9:
        return "even"
    if top < 0.5 * bottom and steps.max() < 0.08:
        return "narrows upward"
    if bottom < 0.5 * top and steps.min() > -0.08:
        return "widens upward"
    if max(bottom, top) < 0.65 and middle > 0.9:
        return "widest in the middle"
    if middle < 0.65 and min(bottom, top) > 0.85:
        return "narrowest in the middle"
    if bottom < 0.4 and top > 0.5:
        return "narrow base"
    if bottom > 0.9 and top < 0.5:
        return "wide base"
    return ""


def _feet(points: NDArray[np.float64], heights: NDArray[np.floating[Any]], size: NDArray[np.float64]) -> int:
    """How many separate small feet touch the ground, if the same number is seen a little higher."""
    counts = {_islands(points[(heights > a) & (heights < b)], size) for a, b in ((-0.1, 0.08), (0.08, 0.16))}
    return counts.pop() if len(counts) == 1 else 0


def _islands(points: NDArray[np.float64], size: NDArray[np.float64]) -> int:
    """Separate small islands seen from above; 0 if one is large."""
    side = max(size[0], size[1])
    if len(points) < 24:
        return 0
    cells = np.floor((points[:, :2] - points[:, :2].min(axis=0)) / (side / 16)).astype(int)
    grid = np.zeros(cells.max(axis=0) + 1, bool)
    grid[cells[:, 0], cells[:, 1]] = True
    labels, count = ndimage.label(grid, structure=np.ones((3, 3)))
    for part in ndimage.find_objects(labels):
        if max(part[0].stop - part[0].start, part[1].stop - part[1].start) > _FOOT * 16 + 1:
            return 0
    return int(count)


def _repeated(asset: Asset, areas: NDArray[np.float64]) -> int:
    """The most pieces of one size and area."""
    total = max(areas.sum(), 1e-12)
    seen: Counter[tuple[float, ...]] = Counter()
    area = np.bincount(asset.parts, areas, len(asset.part_names)) / total
    faces = np.bincount(asset.parts, minlength=len(asset.part_names))
    for part in np.flatnonzero(faces):
        if faces[part] < 4:
            continue
        seen[(round(float(np.log(max(area[part], 1e-9))), 1), float(faces[part]))] += 1
    return max(seen.values(), default=1)
