"""Cutting the object out of its picture by a rule for plain backgrounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from backend.events import Pixels
from training.data.assets.asset import Rejected

_RING = 0.03  # of the side: what is background for sure, on all four edges
_PLAIN = 0.6  # share of the ring that must fit a plane of colour
_NOISE = 3.5  # standard deviations that background may stray
_LEAST = 0.02  # of the colour range: what nobody sees
_SURE = 2.5  # times the tolerance: certainly not background
_REACH = 3  # pixels over which the edge of an object may blend
Floats = NDArray[np.float32]


class PlainBackground:
    """For pictures on one colour, or on a gradient from edge to edge; a picture with alpha keeps its own."""

    def opacity(self, picture: Pixels) -> Floats:
        """Raises Rejected: background_not_plain, no_foreground."""
        if picture[..., 3].min() < 250:
            return (picture[..., 3] / np.float32(255)).astype(np.float32)
        colors = picture[..., :3] / np.float32(255)
        ground, noise = _background(colors)
        away = np.linalg.norm(colors - ground, axis=2)
        tolerance = max(_NOISE * noise, _LEAST)
        inside = _grown(away > _SURE * tolerance, away > tolerance)
        inside = _without_false_holes(inside, away, tolerance)
        if not inside.any():
            raise Rejected("no_foreground", "The picture is all background.")
        return _blended(colors, ground, inside)


def _background(colors: Floats) -> tuple[Floats, float]:
    """The background's colour at every pixel, a plane fitted to the picture's edges, and its noise."""
    h, w = colors.shape[:2]
    y, x = (np.mgrid[:h, :w] / np.float32(max(h, w) - 1)).astype(np.float32)
    basis = np.stack([np.ones_like(x), x, y], axis=2)
    ring = np.ones((h, w), bool)
    edge = max(1, round(_RING * max(h, w)))
    ring[edge:-edge, edge:-edge] = False
    rows, seen = basis[ring], colors[ring]
    fits = np.linalg.norm(seen - np.median(seen, axis=0), axis=1) < 0.25
    for _ in range(4):
        if fits.mean() < _PLAIN:
            break
        plane = np.linalg.lstsq(rows[fits], seen[fits], rcond=None)[0]
        strays = np.linalg.norm(seen - rows @ plane, axis=1)
        noise = float(1.4826 * np.median(strays[fits]))
        fits = strays < max(_NOISE * noise, 2 * _LEAST)
    if fits.mean() < _PLAIN:
        raise Rejected(
            "background_not_plain", f"Only {fits.mean():.0%} of the picture's edge is of one colour."
        )
    return (basis @ plane).astype(np.float32), noise


def _grown(sure: NDArray[np.bool_], likely: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The likely pixels that hang together with sure ones."""
    labels, count = ndimage.label(likely, np.ones((3, 3), bool))
    kept = np.zeros(count + 1, bool)
    kept[np.unique(labels[sure])] = True
    kept[0] = False
    grown: NDArray[np.bool_] = kept[labels]
    return grown


def _without_false_holes(inside: NDArray[np.bool_], away: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Holes that do not show the background itself, or are mere specks, belong to the object."""
    labels, count = ndimage.label(~inside)
    if count == 0:
        return inside
    numbers = np.arange(count + 1)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    middle = ndimage.median(away, labels, numbers)
    outer = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    speck = sizes < max(4, 2e-4 * inside.size)
    false = speck | (middle > tolerance / 2)
    false[outer] = False
    false[0] = False
    filled: NDArray[np.bool_] = inside | false[labels]
    return filled


def _blended(colors: Floats, ground: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Opacity at the object's edge: how far each pixel's colour has come from the ground to the object's."""
    core = ndimage.binary_erosion(inside, iterations=2)
    core |= inside & ~ndimage.binary_dilation(core, iterations=_REACH)  # parts too thin to have a core
    near, index = ndimage.distance_transform_edt(~core, return_indices=True)
    own = colors[index[0], index[1]]
    span = own - ground
    share = ((colors - ground) * span).sum(axis=2) / np.maximum((span * span).sum(axis=2), 1e-6)
    edge = (near > 0) & (near <= _REACH + 1)
    opacity = np.where(core, 1.0, np.where(edge, np.clip(share, 0.0, 1.0), 0.0))
    return np.where(~edge & inside, 1.0, opacity).astype(np.float32)


def cut_out(picture: Pixels, opacity: Floats) -> Pixels:
    """The picture with that opacity; half-covered pixels take the colour of the object beside them."""
    solid = opacity > 0.95
    if not solid.any():
        raise Rejected("no_foreground", "Nothing in the picture is certainly the object.")
    index = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    cut = picture.copy()
    cut[..., :3] = np.where(solid[..., None], picture[..., :3], picture[index[0], index[1], :3])
    cut[..., 3] = np.round(opacity * 255)
    return cut


def framed(cut: Pixels, size: int, fill: float) -> Pixels:
    """(size, size, 4): the object in the middle, its longer side `fill` of the picture's."""
    rows, columns = (np.flatnonzero((cut[..., 3] > 12).any(axis=axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    thing = Image.fromarray(np.ascontiguousarray(cut[top:bottom, left:right]), "RGBA")
    scale = fill * size / max(thing.size)
    wanted = (max(1, round(thing.width * scale)), max(1, round(thing.height * scale)))
    # Premultiplied, so that colours from outside do not bleed in.
    small = thing.convert("RGBa").resize(wanted, Image.Resampling.LANCZOS).convert("RGBA")
    square = Image.new("RGBA", (size, size), (255, 255, 255, 0))
    square.paste(small, ((size - wanted[0]) // 2, (size - wanted[1]) // 2))
    return np.asarray(square)
