"""What a piece looks like in plain words: its colour and its shape, where they are clear."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Shape = Literal["ball", "disc", "cylinder", "rod", "block", "panel", "bar", "flat", "long", ""]
_CLEAR = 0.75  # share of a piece's surface that must have the colour it is called by
_NAMED: dict[str, tuple[tuple[int, int, int], ...]] = {
    "red": ((200, 40, 40), (150, 30, 30), (225, 75, 65)),
    "orange": ((230, 125, 40), (240, 150, 70)),
    "yellow": ((240, 205, 60), (250, 225, 110)),
    "green": ((60, 140, 70), (110, 170, 70), (40, 90, 50), (130, 200, 120), (40, 150, 120)),
    "blue": ((50, 90, 190), (70, 130, 210), (40, 60, 120), (110, 170, 220), (70, 180, 210)),
    "purple": ((125, 75, 165), (90, 60, 120), (160, 120, 200)),
    "pink": ((235, 145, 175), (220, 100, 150), (240, 180, 190)),
    "white": ((250, 250, 250), (232, 232, 228)),
    "black": ((10, 10, 10), (35, 35, 38)),
    "gray": ((130, 130, 130), (160, 162, 166), (95, 97, 102), (75, 78, 82), (190, 192, 195), (110, 120, 130)),
    "brown": ((115, 75, 45), (90, 60, 40), (140, 95, 60), (165, 115, 75)),
    "beige": ((225, 200, 165), (200, 175, 140), (235, 215, 190)),
}


def _lab(colors: NDArray[Any]) -> NDArray[np.float64]:
    """(n, 3) CIE L*a*b* of (n, 3) sRGB bytes."""
    c = np.asarray(colors, np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


_WORDS = [word for word, colors in _NAMED.items() for _ in colors]
_ANCHORS = _lab(np.array([color for colors in _NAMED.values() for color in colors]))


def color_words(colors: NDArray[Any]) -> NDArray[np.str_]:
    """The nearest plain word of each of (n, 3) sRGB bytes."""
    # Lightness counts half: shading and lit tints do not change what a colour is called.
    weights = np.array([0.6, 1.0, 1.0])
    distance = ((_lab(colors)[:, None] - _ANCHORS) * weights) ** 2
    return np.array(_WORDS)[distance.sum(axis=2).argmin(axis=1)]


def color_name(colors: NDArray[np.uint8], areas: NDArray[np.float64]) -> str | None:
    """What faces of these colours are called together; None where no one word fits most of them."""
    different, inverse = np.unique(colors, axis=0, return_inverse=True)
    share = np.bincount(inverse.reshape(-1), areas, len(different))
    words = color_words(different)
    names = sorted(set(words.tolist()))
    parts = [float(share[words == name].sum()) for name in names]
    best = int(np.argmax(parts))
    return names[best] if parts[best] >= _CLEAR * share.sum() > 0 else None


def shape_of(points: NDArray[np.float64], area: float) -> Shape:
    """The word for a piece of these vertices and surface area; "" where none is sure."""
    centered = points - (points.min(axis=0) + points.max(axis=0)) / 2
    sides = np.ptp(points, axis=0)
    small, middle, large = np.sort(sides)
    if large <= 0:
        return ""
    if len(points) >= 12 and small > 0.85 * large:
        radius = np.linalg.norm(centered, axis=1)
        if radius.std() < 0.06 * radius.mean():
            return "ball"
    round_about = _round_axis(centered, sides)
    if round_about is not None:
        height, width = sides[round_about], np.delete(sides, round_about).mean()
        return "disc" if height < 0.4 * width else "rod" if height > 4 * width else "cylinder"
    boxed = 2 * (sides[0] * sides[1] + sides[1] * sides[2] + sides[0] * sides[2])
    if len(np.unique(np.round(points / large, 3), axis=0)) <= 24 and abs(area - boxed) < 0.06 * boxed:
        return "panel" if small < 0.15 * middle else "bar" if middle < 0.3 * large else "block"
    spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(centered.T)), 0)) if len(points) > 3 else sides
    if spread[1] < 0.25 * spread[2]:
        return "long"
    return "flat" if spread[0] < 0.1 * spread[1] else ""


def _round_axis(centered: NDArray[np.float64], sides: NDArray[np.float64]) -> int | None:
    """The coordinate axis that the outline is a circle about."""
    for axis in range(3):
        across = [k for k in range(3) if k != axis]
        a, b = sides[across]
        if min(a, b) < 0.94 * max(a, b) or len(centered) < 12:
            continue
        radius = np.hypot(*centered[:, across].T)
        angle = np.arctan2(*centered[radius > 0.97 * radius.max()][:, across].T)
        corners = len(np.unique(np.round(angle, 1)))
        if radius.max() < 1.08 * max(a, b) / 2 and corners >= 6:
            return axis
    return None
