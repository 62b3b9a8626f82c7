"""The pen families draw with: adds placed primitives to a list of parts. Any unit; Z up, front -Y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .objects import Matrix, Part
from .palette import Color
from .primitives import Box, Capsule, Ellipsoid, Primitive, Torus
from .swept import Convex, Extrusion, Lathe

Point = Sequence[float] | NDArray[np.float64]
Outline = Sequence[tuple[float, float]]

UPRIGHT: Matrix = np.eye(3)
# Columns are where the local axes go. An outline (u, v) drawn in the named plane, extruded across it.
PLANES: dict[str, Matrix] = {
    "xy": np.eye(3),
    "xz": np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]),
    "yz": np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 1.0, 0]]),
}


def turn(axis: str, degrees: float) -> Matrix:
    """Rotation about a coordinate axis, right-handed."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def along(direction: NDArray[np.float64]) -> Matrix:
    """A rotation that takes +Z to the direction."""
    z = direction / np.linalg.norm(direction)
    helper = np.array([1.0, 0, 0]) if abs(z[2]) > 0.9 else np.array([0, 0, 1.0])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def ring(n: int, radius: float, start: float = 0.0) -> list[tuple[float, float]]:
    """n points evenly on a circle; `start` in degrees from +X."""
    angles = np.radians(start) + 2 * np.pi * np.arange(n) / n
    return [(float(radius * np.cos(a)), float(radius * np.sin(a))) for a in angles]


@dataclass
class Assembly:
    """Collects parts."""

    parts: list[Part] = field(default_factory=list)

    def add(
        self, name: str, primitive: Primitive, at: Point, color: Color, rotation: Matrix = UPRIGHT
    ) -> None:
        x, y, z = (float(c) for c in at)
        self.parts.append(
            Part(name=name, primitive=primitive, rotation=rotation, translation=(x, y, z), color=color)
        )

    def box(
        self,
        name: str,
        at: Point,
        size: Point,
        color: Color,
        *,
        rounding: float = 0.0,
        rotation: Matrix = UPRIGHT,
    ) -> None:
        """A box centred `at` with full sides `size`."""
        x, y, z = (float(s) / 2 for s in size)
        self.add(name, Box(half=(x, y, z), rounding=min(rounding, x, y, z)), at, color, rotation)

    def ball(
        self, name: str, at: Point, radii: float | Point, color: Color, rotation: Matrix = UPRIGHT
    ) -> None:
        x, y, z = (radii, radii, radii) if isinstance(radii, int | float) else radii
        self.add(name, Ellipsoid(radii=(float(x), float(y), float(z))), at, color, rotation)

    def column(
        self,
        name: str,
        at: Point,
        radius: float,
        height: float,
        color: Color,
        *,
        top: float | None = None,
        sides: int = 0,
        rotation: Matrix = UPRIGHT,
    ) -> None:
        """A cylinder or frustum standing on `at` (centre of its bottom); `top` is the upper radius."""
        upper = radius if top is None else top
        profile: list[tuple[float, float]] = [(0, 0), (radius, 0), (upper, height)]
        if upper > 0:
            profile.append((0, height))
        self.lathe(name, at, profile, color, sides=sides, rotation=rotation)

    def lathe(
        self,
        name: str,
        at: Point,
        profile: Outline,
        color: Color,
        *,
        sides: int = 0,
        rotation: Matrix = UPRIGHT,
    ) -> None:
        points = tuple((float(r), float(z)) for r, z in profile)
        self.add(name, Lathe(profile=points, sides=sides), at, color, rotation)

    def rod(
        self,
        name: str,
        start: Point,
        end: Point,
        radius: float,
        color: Color,
        *,
        top: float | None = None,
        sides: int = 0,
    ) -> None:
        """A cylinder or frustum from one point to another."""
        direction = np.asarray(end, dtype=float) - np.asarray(start, dtype=float)
        length = float(np.linalg.norm(direction))
        self.column(name, start, radius, length, color, top=top, sides=sides, rotation=along(direction))

    def capsule(self, name: str, start: Point, end: Point, radius: float, color: Color) -> None:
        a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        half = float(np.linalg.norm(b - a)) / 2
        self.add(name, Capsule(half_length=half, radius=radius), (a + b) / 2, color, along(b - a))

    def torus(
        self,
        name: str,
        at: Point,
        major: float,
        minor: float,
        color: Color,
        *,
        arc: float = 180.0,
        rotation: Matrix = UPRIGHT,
    ) -> None:
        """A ring in the local XY plane; `arc` degrees to either side of local +X."""
        primitive = Torus(major=major, minor=minor, arc=float(np.radians(arc)))
        self.add(name, primitive, at, color, rotation)

    def slab(
        self,
        name: str,
        at: Point,
        outline: Outline,
        thickness: float,
        color: Color,
        *,
        plane: str = "xy",
        rotation: Matrix = UPRIGHT,
    ) -> None:
        """An outline in the "xy", "xz" or "yz" plane, extruded by `thickness` centred on `at`."""
        points = tuple((float(u), float(v)) for u, v in outline)
        primitive = Extrusion(outline=points, half_height=thickness / 2)
        self.add(name, primitive, at, color, rotation @ PLANES[plane])

    def hull(self, name: str, corners: Sequence[Point], color: Color, at: Point = (0, 0, 0)) -> None:
        """Convex hull of the corners."""
        points = tuple((float(x), float(y), float(z)) for x, y, z in corners)
        self.add(name, Convex(corners=points), at, color)

    def count(self, name: str) -> int:
        return sum(part.name == name for part in self.parts)
