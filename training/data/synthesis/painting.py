"""Colours for a shape that came without: from the picture it was made of, as far as that shows it.

What faces the picture takes its colour; what is hidden takes that of its mirror image, or of what is nearest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from backend.events import Pixels
from training.data.assets.asset import Asset, Material
from training.data.rendering.cameras import Camera, Pose, place
from training.data.rendering.raster import Shot, metres, raster
from training.data.rendering.surfaces import of_asset
from training.data.synthesis.gallery import UNLIT
from training.data.synthesis.matting import framed

_SIZE = 512  # pixels at which the picture is laid on
_SLACK = 0.03  # metres of depth within which a vertex is what shows
_MIRRORED = 0.05  # metres: how near a mirror image must be to one that shows
_PAINT = Material(name="painted", base_color=(1.0, 1.0, 1.0, 1.0))
Floats = NDArray[np.float64]


def painted(asset: Asset, cut: Pixels, camera: Camera) -> Asset:
    """The asset with baked colours; `camera` is from where it looks like the cut-out picture."""
    points = asset.vertices.astype(np.float64)
    pose = place(camera, points)
    (drawn,) = raster(_SIZE).draw(of_asset(asset), [Shot(pose=pose, lighting=UNLIT)])
    column, row, away = _projected(points, pose)
    depth = metres(drawn.depth, pose.distance)[row, column]
    shows = (depth > 0) & (away < depth + _SLACK)
    if not shows.any():
        return asset
    picture = _laid(cut, drawn.color[..., 3])
    colors = np.zeros((len(points), 3), np.uint8)
    colors[shows] = picture[row[shows], column[shows]]
    tree = cKDTree(points[shows])
    mirrored = points[~shows] * (-1.0, 1.0, 1.0)
    gap, twin = tree.query(mirrored)
    near = tree.query(points[~shows])[1]
    colors[~shows] = colors[shows][np.where(gap < _MIRRORED, twin, near)]
    opaque = np.full((len(points), 1), 255, np.uint8)
    return replace(
        asset,
        colors=np.concatenate([colors, opaque], axis=1),
        materials=(_PAINT,),
        face_material=np.zeros_like(asset.face_material),
        notes=tuple(sorted({*asset.notes, "painted_from_picture"})),
    )


def _projected(points: Floats, pose: Pose) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Column, row and depth of points in a picture of _SIZE pixels."""
    seen = (points - pose.eye) @ pose.axes.T
    away = -seen[:, 2]
    scale = _SIZE / 2 / (pose.slope * away)
    column = np.clip(_SIZE / 2 + seen[:, 0] * scale, 0, _SIZE - 1).astype(np.int64)
    row = np.clip(_SIZE / 2 - seen[:, 1] * scale, 0, _SIZE - 1).astype(np.int64)
    return column, row, away


def _laid(cut: Pixels, opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(s, s, 3): the picture's object laid over the box that the shape fills, its colours spread outward."""
    rows, columns = (np.flatnonzero((opacity > 12).any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    longest = max(box[0].stop - box[0].start, box[1].stop - box[1].start)
    centered = framed(cut, _SIZE, longest / _SIZE)
    middle = [(part.start + part.stop - _SIZE) // 2 for part in box]
    moved = np.roll(centered, middle, axis=(0, 1))
    solid = ndimage.binary_erosion(moved[..., 3] > 200, iterations=2)
    if not solid.any():
        solid = moved[..., 3] > 0
    index = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    spread: NDArray[np.uint8] = moved[index[0], index[1], :3]
    return spread
