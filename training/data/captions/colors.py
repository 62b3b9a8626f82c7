"""Colours as people name them: points of a surface in sRGB to a few names with shares of the area.

Named in OKLCH (Ottosson, 2020). Names of one family ("light green", "green") are one colour to a caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.assets.materials import linear

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
_GRAY = 0.028  # chroma below which a colour has no hue
_PALE = 0.05  # and below which a dark or a light one has none worth a name

FAMILIES = ("black", "gray", "white", "red", "orange", "brown", "beige", "yellow", "green", "teal", "blue",
            "purple", "pink")  # fmt: skip
# What a name's colour word may look like.
LOOKS: dict[str, tuple[str, ...]] = {
    "golden": ("yellow", "orange", "brown", "beige"),
    "gold": ("yellow", "orange", "brown", "beige"),
    "silver": ("gray", "white", "blue"),
    "orange": ("orange", "red", "brown", "yellow"),
    "yellow": ("yellow", "orange", "beige", "brown"),
    "tan": ("beige", "brown", "orange"),
    "brown": ("brown", "orange", "beige", "red"),
    "red": ("red", "pink", "orange", "brown"),
    "pink": ("pink", "red", "purple"),
    "purple": ("purple", "pink", "blue"),
    "blue": ("blue", "teal", "purple"),
    "teal": ("teal", "green", "blue"),
    "turquoise": ("teal", "green", "blue"),
    "green": ("green", "teal", "yellow"),
    "white": ("white", "gray", "beige"),
    "black": ("black", "gray", "blue", "purple"),
    "gray": ("gray", "black", "white", "blue"),
    "dark": FAMILIES,
    "light": FAMILIES,
}


@dataclass(frozen=True, kw_only=True)
class NamedColor:
    """One family of colour on a surface."""

    family: str
    name: str  # its commonest shade: "dark green"
    share: float  # of the visible surface
    height: float  # mean height of where it is, 0 (bottom) to 1 (top)


def oklch(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 3) lightness 0..1, chroma, hue in degrees 0..360 of (n, 3) sRGB."""
    lms = np.cbrt(linear(srgb.astype(np.float64) / 255) @ _TO_LMS.T)
    lab = lms @ _TO_LAB.T
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    return np.stack([lab[:, 0], chroma, hue], axis=1)


def name_of(lightness: float, chroma: float, hue: float) -> tuple[str, str]:
    """(family, shade) of one colour."""
    if lightness < 0.25:
        return "black", "black"
    if lightness < 0.5 and 0.018 < chroma < 0.09 and (hue < 85 or hue > 355):
        return "brown", "dark brown"  # what bark and rubble are called, hardly coloured as they are
    if lightness < 0.5 and chroma > 0.025 and 105 <= hue < 165:
        return "green", "dark green"
    if lightness < 0.31 and chroma < 0.07:
        return "black", "black"
    if chroma < _GRAY or (chroma < _PALE and (lightness < 0.32 or lightness > 0.93)):
        return _neutral(lightness)
    if chroma < _PALE and not 40 <= hue < 110:
        bluish = 200 <= hue < 290 and 0.4 < lightness < 0.85 and chroma > 0.033
        return ("gray", "bluish gray") if bluish else _neutral(lightness)
    return _hued(lightness, chroma, hue)


def _neutral(lightness: float) -> tuple[str, str]:
    if lightness < 0.31:
        return "black", "black"
    if lightness < 0.52:
        return "gray", "dark gray"
    if lightness < 0.75:
        return "gray", "gray"
    return ("gray", "light gray") if lightness < 0.9 else ("white", "white")


def _hued(lightness: float, chroma: float, hue: float) -> tuple[str, str]:
    if 322 <= hue < 353 and chroma > 0.17 and 0.5 < lightness < 0.75:
        return "purple", "magenta"
    if hue < 18 or hue >= 345:
        if lightness > 0.66:
            return "pink", "pink"
        return "red", _shade("red", lightness, 0.42, 1.0)
    if hue < 42:
        return _reddish(lightness, chroma, hue)
    if hue < 82:
        return _orange(lightness, chroma, hue)
    if hue < 112:
        return _yellow(lightness, chroma, hue)
    if hue < 171:
        return "green", _shade("green", lightness, 0.45, 0.8)
    if hue < 208:
        return "teal", "turquoise" if lightness > 0.72 else _shade("teal", lightness, 0.42, 1.0)
    if hue < 286:
        return "blue", _shade("blue", lightness, 0.4, 0.72)
    if hue < 328:
        return "purple", _shade("purple", lightness, 0.38, 0.75)
    return ("pink", "pink") if lightness > 0.55 else ("purple", "purple")


def _reddish(lightness: float, chroma: float, hue: float) -> tuple[str, str]:
    if lightness > 0.74 and chroma < 0.14:
        return "pink", "pink" if hue < 34 else "peach"
    if hue > 32 and chroma < 0.16 and lightness < 0.7:
        return "brown", "reddish brown"
    if chroma < 0.1 and hue > 28:
        return "brown", _shade("brown", lightness, 0.42, 0.66)
    if chroma < 0.08:
        return "brown", "brown"
    if hue > 36 and lightness > 0.66:
        return "orange", "orange"
    return "red", _shade("red", lightness, 0.42, 1.0)


def _orange(lightness: float, chroma: float, hue: float) -> tuple[str, str]:
    if lightness > 0.8 and chroma < 0.125:
        return "beige", "beige"
    if hue > 72 and chroma > (0.095 if hue > 76 else 0.12) and lightness > 0.66:
        return "yellow", "golden yellow"
    if chroma > 0.135 and lightness > 0.62:
        return "orange", "orange"
    if lightness > 0.66 and chroma < 0.125:
        return "beige", "tan"
    return "brown", _shade("brown", lightness, 0.4, 0.62)


def _yellow(lightness: float, chroma: float, hue: float) -> tuple[str, str]:
    if lightness > 0.7 and chroma > 0.1:
        return "yellow", "yellow" if hue > 90 else "golden yellow"
    if lightness > 0.7:
        return "beige", "cream" if lightness > 0.88 else "beige"
    if hue > 100:
        return "green", "olive green"
    return ("yellow", "dark yellow") if chroma > 0.11 and lightness > 0.6 else ("brown", "brown")


def _shade(family: str, lightness: float, dark: float, light: float) -> str:
    if lightness < dark:
        return f"dark {family}"
    return f"light {family}" if lightness > light else family


def palette(srgb: NDArray[np.uint8], heights: NDArray[np.floating[Any]]) -> list[NamedColor]:
    """The families on a surface by falling share, from points spread evenly over it."""
    quantised, index = np.unique(srgb // 8, axis=0, return_inverse=True)
    index = index.reshape(-1)
    named = [name_of(*row) for row in oklch(np.minimum(quantised * 8 + 4, 255).astype(np.uint8))]
    families = np.array([family for family, _ in named])[index]
    shades = np.array([shade for _, shade in named])[index]
    found = []
    for family in np.unique(families):
        own = families == family
        names, counts = np.unique(shades[own], return_counts=True)
        most = int(counts.argmax())
        name = str(names[most]) if counts[most] > 0.55 * counts.sum() else str(family)
        found.append(
            NamedColor(
                family=str(family), name=name, share=float(own.mean()), height=float(heights[own].mean())
            )
        )
    return sorted(found, key=lambda color: -color.share)


def share_of(word: str, colors: Sequence[NamedColor]) -> float:
    """How much of the surface may be called by a colour word; all of it where nothing is known."""
    looks = LOOKS.get(word)
    return 1.0 if not colors or looks is None else sum(c.share for c in colors if c.family in looks)
