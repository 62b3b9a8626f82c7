"""How the geometry of an asset is sampled."""

from __future__ import annotations

from dataclasses import dataclass

# Signed distances beyond this tell nothing more, in canonical units.
TRUNCATION = 0.25


@dataclass(frozen=True, kw_only=True)
class GeometrySettings:
    """Lengths are canonical: the longest side of an asset is 1.92."""

    n_points: int = 8192  # on the skin
    n_near: int = 24576  # queries near the surface, alike for every scale
    near_scales: tuple[float, ...] = (0.005, 0.015, 0.06)  # standard deviations of their offsets
    n_uniform: int = 8192  # queries anywhere in the field's domain
    sheet_thickness: float = 0.05  # given to leaves, cloth and cards
    min_thickness: float = 0.02  # walls of solids are thickened to; over two cells of a grid of 256

    def __post_init__(self) -> None:
        if min(self.n_points, self.n_near, self.n_uniform) <= 0:
            raise ValueError(
                f"points and queries must be more than none, not {self.n_points}, {self.n_near}, "
                f"{self.n_uniform}"
            )
        if not self.near_scales or min(self.near_scales) <= 0:
            raise ValueError(f"near_scales must be one or more lengths, not {self.near_scales}")
        if min(self.sheet_thickness, self.min_thickness) < 0:
            raise ValueError(f"thickness must not be negative: {self.sheet_thickness}, {self.min_thickness}")
