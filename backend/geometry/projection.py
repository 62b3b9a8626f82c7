"""Pictures of the six views laid onto a mesh: colours of its vertices.

Each vertex takes the colours of the pictures that see it, the more the straighter they do; the studio's light
is taken out again; what no picture sees takes after the nearest place that one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from backend.geometry import studio
from backend.geometry.cameras import CANONICAL, Pose, place
from backend.geometry.compiled import compiled
from backend.geometry.sampling import face_normals

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
NEUTRAL = (200, 200, 200, 255)  # of a mesh that no picture shows
_DEPTH_SIDE = 384  # pixels of the depth maps that tell what is hidden
_BEHIND = 0.02  # canonical units: as far behind the nearest surface a vertex is still seen
_GRAZING = 0.15  # cosine below which a picture knows nothing of a surface
_STRAIGHT = 4.0  # power of the cosine that pictures are weighed by
_WHITE = 246  # of 255: pixels as bright, joined to the picture's border, are ground
_EDGE = 1  # pixels along the ground are a mixture with it
_DARKEST = 0.12  # light of a white wall; where there is less, colours are not to be trusted
_TURN = 0.3  # canonical units that a right angle between normals counts as, in looking for the nearest


def project(vertices: NDArray[Any], faces: NDArray[Any], pictures: Mapping[str, Pixels]) -> Pixels:
    """Colours (n, 4) sRGB of vertices (n, 3), canonical and Z up, from the pictures (h, w, 3 or 4) of views.

    Raises KeyError for a view that does not exist.
    """
    points = np.asarray(vertices, np.float64)
    normals = vertex_normals(points, faces)
    total, weights = np.zeros((len(points), 3)), np.zeros(len(points))
    for view, picture in pictures.items():
        pose = place(CANONICAL[view])
        color, weight = _seen(points, normals, np.asarray(faces, np.int64), pose, picture)
        total += color * weight[:, None]
        weights += weight
    colors = np.tile(np.array(NEUTRAL, np.uint8), (len(points), 1))
    known = weights > 1e-3
    if known.any():
        linear = total[known] / weights[known, None]
        colors[known, :3] = np.round(255 * np.clip(linear, 0, 1) ** (1 / studio.GAMMA))
        colors = filled(points, normals, colors, known)
    return colors


def filled(points: NDArray[Any], normals: NDArray[Any], colors: Pixels, known: NDArray[np.bool_]) -> Pixels:
    """Colours (n, 4) where those not known are those of the nearest known vertex that faces alike."""
    if known.all() or not known.any():
        return colors
    place_and_turn = np.concatenate([points, normals * (_TURN / np.sqrt(2))], axis=1)
    _, nearest = cKDTree(place_and_turn[known]).query(place_and_turn[~known])
    out = colors.copy()
    out[~known] = colors[known][nearest]
    return out


def vertex_normals(vertices: NDArray[Any], faces: NDArray[Any]) -> Floats:
    """(n, 3) unit normals, each face counted by its area; zero where faces cancel out."""
    points = np.asarray(vertices, np.float64)
    unit, areas = face_normals(points[faces])
    sums = np.zeros_like(points)
    for corner in range(3):
        np.add.at(sums, faces[:, corner], unit * areas[:, None])
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)


def _seen(
    points: Floats, normals: Floats, faces: NDArray[np.int64], pose: Pose, picture: Pixels
) -> tuple[Floats, Floats]:
    """Linear colours (n, 3) of one picture without its light, and how much they count (n,)."""
    toward = pose.eye - points
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    cosine = np.einsum("nk,nk->n", normals, toward)
    across, down, far = _on_picture(points, pose)
    weight: Floats = np.where(cosine > _GRAZING, cosine, 0.0) ** _STRAIGHT
    weight *= _visible(across, down, far, faces)
    lit = studio.light(normals, toward, pose)
    weight *= np.clip(lit / _DARKEST - 1, 0, 1)
    height, width = picture.shape[:2]
    at = np.stack([down * height - 0.5, across * width - 0.5])
    linear = (picture[..., :3] / 255.0) ** studio.GAMMA
    color = np.stack([ndimage.map_coordinates(linear[..., c], at, order=1, mode="nearest") for c in range(3)])
    weight *= ndimage.map_coordinates(_object(picture), at, order=1, mode="nearest") > 0.99
    return color.T / np.maximum(lit, _DARKEST)[:, None], weight


def _on_picture(points: Floats, pose: Pose) -> tuple[Floats, Floats, Floats]:
    """Places of points (n, 3): shares of the width from the left, of the height from the top; depths."""
    right, up, backward = ((points - pose.eye) @ pose.axes.T).T
    half = -backward * pose.slope
    return (1 + right / half) / 2, (1 - up / half) / 2, -backward


def _object(picture: Pixels) -> Floats:
    """(h, w) 1 where the picture shows the object for certain, 0 on the ground and at its edge."""
    bright = (picture[..., :3] >= _WHITE).all(axis=2)
    if picture.shape[2] == 4:
        bright |= picture[..., 3] < 128
    regions, _ = ndimage.label(bright)
    border = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    ground = np.isin(regions, border[border > 0])
    shown: Floats = (~ndimage.binary_dilation(ground, iterations=_EDGE)).astype(np.float64)
    return shown


def _visible(across: Floats, down: Floats, far: Floats, faces: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether nothing stands before a vertex."""
    depth = np.full((_DEPTH_SIDE, _DEPTH_SIDE), np.inf)
    x, y = across * _DEPTH_SIDE - 0.5, down * _DEPTH_SIDE - 0.5
    _draw(x, y, far, faces, depth)
    # A vertex lies between pixels: the farthest around it decides.
    depth = ndimage.maximum_filter(np.where(np.isinf(depth), -np.inf, depth), 3)
    column = np.clip(np.round(x), 0, _DEPTH_SIDE - 1).astype(np.int64)
    row = np.clip(np.round(y), 0, _DEPTH_SIDE - 1).astype(np.int64)
    inside = (across > 0) & (across < 1) & (down > 0) & (down < 1)
    seen: NDArray[np.bool_] = inside & (far <= depth[row, column] + _BEHIND)
    return seen


@compiled
def _draw(x: Floats, y: Floats, far: Floats, faces: NDArray[np.int64], depth: Floats) -> None:
    """The nearest depth at each pixel's middle, of triangles in pixels."""
    height, width = depth.shape
    for k in range(len(faces)):
        a, b, c = faces[k]
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if area == 0:
            continue
        left = max(0, int(np.ceil(min(x[a], x[b], x[c]))))
        right = min(width - 1, int(np.floor(max(x[a], x[b], x[c]))))
        top = max(0, int(np.ceil(min(y[a], y[b], y[c]))))
        bottom = min(height - 1, int(np.floor(max(y[a], y[b], y[c]))))
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                v = ((i - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (j - y[a])) / area
                w = ((x[b] - x[a]) * (j - y[a]) - (i - x[a]) * (y[b] - y[a])) / area
                if v < 0 or w < 0 or v + w > 1:
                    continue
                z = (1 - v - w) * far[a] + v * far[b] + w * far[c]
                if z < depth[j, i]:
                    depth[j, i] = z
