"""Every threshold of the filter in one place; the paper names the faults (section 3.2) but no numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FilterSettings:
    """Lengths are shares of the longest side, areas of the whole surface, unless said otherwise."""

    min_faces: int = 12  # with area, after welding
    max_degenerate: float = 0.25  # share of the faces without area
    max_duplicate: float = 0.25  # area of faces that lie on another of the same side
    min_regions: int = 8  # flat regions (or curved faces): a box has 6
    flat_degrees: float = 1.0  # neighbours that turn less are one region
    min_side: float = 0.002  # of the box: thinner is a picture, not an object
    max_bad_uvs: float = 0.25  # textured area whose UVs are missing, not finite, or smear the texture
    smear_ratio: float = 60.0  # a texture stretched this much more one way than the other
    smear_texels: float = 24.0  # and over so many texels
    smear_contrast: float = 10.0  # of 255, mean change between the texels along it; gradients change less
    min_texels: float = 48.0  # along the longest side, where a picture texture covers most of the surface
    noise_edges: float = 0.5  # balanced share of edges that bend both ways
    noise_faces: int = 2000  # fewer faces are no scan
    noise_bend: tuple[float, float] = (8.0, 80.0)  # degrees that count as bent
    noise_length: float = 0.04  # edges longer than this are not noise
    wall: float = 0.012  # of the longest side: thinner walls lose their inside in a field of 128 cells
    max_thin: float = 0.7  # exposed area that no inside lies behind
    max_thin_area: float = 0.5  # in squares of the longest side: blades and leaves may be thin
    thin_samples: int = 1500  # points probed for it
    floater_gap: float = 0.05  # a part further from everything else, and from the ground, floats
    max_floater: float = 0.1  # area up to which floating parts are debris; more is a second object
    min_floater: float = 0.0  # area of debris that is let pass

    def __post_init__(self) -> None:
        shares = ("max_degenerate", "max_duplicate", "max_bad_uvs", "max_thin", "max_floater", "noise_edges")
        for name in shares:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in 0..1, not {getattr(self, name)}")
        if self.wall <= 0 or self.thin_samples < 1:
            raise ValueError("wall and thin_samples must be positive")
