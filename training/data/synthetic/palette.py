"""Colours and materials that captions can name, each with the sRGB values it stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Color = tuple[int, int, int]

COLORS: dict[str, tuple[Color, ...]] = {
    "red": ((190, 40, 40), (210, 50, 45), (165, 30, 35)),
    "orange": ((225, 120, 40), (235, 140, 50)),
    "yellow": ((235, 200, 60), (240, 210, 80)),
    "green": ((60, 140, 70), (90, 160, 70), (45, 110, 60)),
    "blue": ((50, 90, 180), (60, 120, 200), (40, 70, 140)),
    "purple": ((120, 70, 160), (140, 90, 180)),
    "pink": ((230, 140, 170), (240, 160, 190)),
    "white": ((235, 235, 230), (225, 225, 225)),
    "black": ((40, 40, 42), (30, 30, 34)),
    "gray": ((130, 132, 136), (155, 157, 160)),
    "brown": ((110, 72, 45), (95, 62, 40)),
}
MATERIALS: dict[str, tuple[Color, ...]] = {
    "wooden": ((150, 105, 65), (170, 125, 80), (125, 85, 50), (190, 150, 105)),
    "metal": ((140, 145, 152), (165, 170, 176), (110, 114, 120)),
    "stone": ((150, 146, 138), (130, 128, 124), (170, 162, 148)),
    "golden": ((212, 170, 70), (225, 185, 90)),
    "brick": ((160, 82, 62), (175, 95, 72)),
    "clay": ((186, 112, 78), (170, 98, 66)),
}
DARK: Color = (50, 46, 44)
STEEL: Color = (168, 172, 178)
GLASS: Color = (150, 185, 205)
SKIN: Color = (222, 184, 150)
PAPER: Color = (232, 224, 205)
LEAF: Color = (70, 130, 60)
BARK: Color = (105, 75, 50)


@dataclass(frozen=True, kw_only=True)
class Finish:
    """A colour and the word a caption uses for it."""

    word: str
    color: Color


def pick(rng: np.random.Generator, *words: str) -> Finish:
    """One of the named colours or materials (any colour if none are named), slightly varied."""
    word = str(rng.choice(words or tuple(COLORS)))
    shades = MATERIALS.get(word) or COLORS[word]
    return Finish(word=word, color=shade(shades[int(rng.integers(len(shades)))], rng=rng))


def shade(color: Color, factor: float = 1.0, rng: np.random.Generator | None = None) -> Color:
    """A lighter or darker version of a colour, with a little noise if a generator is given."""
    noise = rng.integers(-8, 9, 3) if rng is not None else np.zeros(3, dtype=int)
    r, g, b = (int(np.clip(round(c * factor) + n, 0, 255)) for c, n in zip(color, noise, strict=True))
    return r, g, b
