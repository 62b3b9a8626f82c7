"""What a piece looks like in plain words: its colour and its shape, where they are clear."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data.captions.colors import name_of, oklch

Shape = Literal["ball", "disc", "cylinder", "rod", "block", "panel", "bar", "flat", "long", ""]
_CLEAR = 0.75  # share of a piece's surface that must have the colour it is called by


def color_words(colors: NDArray[np.uint8]) -> NDArray[np.str_]:
    """The plain word of each of (n, 3) sRGB bytes."""
    return np.array([name_of(*row)[0] for row in oklch(colors)], np.str_)


def color_name(colors: NDArray[np.uint8], areas: NDArray[np.float64]) -> str | None:
    """What faces of these colours are called together; None where no one word fits most of them."""
    different, inverse = np.unique(colors // 8 * 8 + 4, axis=0, return_inverse=True)
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
