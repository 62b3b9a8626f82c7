"""Is a synthesised asset good enough? Three axes, each "high" or "low" (paper, section 3.5, step 5).

The paper asks a language model for all three; here each is measured, so that a rating has its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from backend.events import Pixels
from training.data.assets.asset import Asset
from training.data.filtering.shape import WeldedMesh, floaters, noise
from training.data.synthesis.gallery import Look, best_match, inside_out, look_around
from training.data.synthesis.symmetry import Mirror, mirror

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_COARSE = 2.0  # pixels: the scale at which a sharp edge has lost most of its slope
_EDGE = 0.012  # of the colour range a pixel, at that scale: less is no texture
_DRIFT = 0.0015  # of the colour range a pixel: colours that change everywhere and nowhere sharply
_TRUNCATED = 2.0  # times that scale
_STRONG = 0.05  # of the surface: where its texture is told by
_TEXTURED = 200  # pixels of surface that a view must show


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """Every threshold of the three axes. Lengths are shares of the longest side, areas of what is meant."""

    size: int = 256  # pixels of the pictures
    match: float = 0.8  # overlap of the outline with the picture it was made from
    inside_out: float = 0.03  # of what shows that is the back of a surface: holes and open shells
    noise: float = 0.25  # balanced share of edges that bend both ways
    noise_bend: tuple[float, float] = (8.0, 80.0)  # degrees
    noise_length: float = 0.04
    warp: float = 0.01  # by which halves that mirror each other nearly differ
    variety: float = 0.02  # spread of the colours over the whole object: less is flat
    sharpness: float = 1.55  # of its texture's edges: 1 is muddy, 2.3 as sharp as can be
    colorless: bool = False  # whether assets without colour may pass the second axis
    apart: float = 0.02  # of the silhouette, in any view, that hangs on nothing
    ragged: float = 1.9  # outline over the outline of the same silhouette, smoothed
    floating: float = 0.0  # area of floaters
    floater_gap: float = 0.05

    def __post_init__(self) -> None:
        if not 64 <= self.size <= 1024:
            raise ValueError(f"size must be 64..1024 pixels, not {self.size}")
        if not 0 <= self.match <= 1 or not 0 <= self.inside_out <= 1:
            raise ValueError(f"match {self.match} and inside_out {self.inside_out} must lie in 0..1")


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One axis."""

    axis: str
    measures: dict[str, float]
    reasons: tuple[str, ...]  # sentences against it; none: high

    @property
    def high(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An asset, its gallery, and the cut-out it was made from, where there is one."""

    asset: Asset
    looks: Sequence[Look]
    cut: Pixels | None = None
    view: str | None = None


def rate(
    asset: Asset, settings: GateSettings, cut: Pixels | None = None, view: str | None = None
) -> list[Rating]:
    """All three axes, in the paper's order."""
    subject = Subject(asset=asset, looks=look_around(asset, settings.size), cut=cut, view=view)
    return [axis(subject, settings) for axis in AXES.values()]


def consistency(subject: Subject, limits: GateSettings) -> Rating:
    """Sound all around, its halves alike, and like its picture."""
    mesh = WeldedMesh(subject.asset)
    backs = inside_out(mesh, limits.size)
    rough = noise(mesh, limits.noise_bend, limits.noise_length)
    halves: Mirror = mirror(mesh)
    measures = {"inside_out": backs, "noise": rough, "mirrored": halves.share, "warp": halves.residual}
    reasons = []
    if backs > limits.inside_out:
        reasons.append(f"{backs:.0%} of what shows is the inside of its skin.")
    if rough > limits.noise:
        reasons.append(f"{rough:.0%} of its edges bend in and out.")
    if halves.meant and halves.residual > limits.warp:
        reasons.append(f"Its halves are meant to mirror each other and differ by {halves.residual:.1%}.")
    if subject.cut is not None:
        match = best_match(subject.asset, subject.cut, subject.view)
        measures["match"] = match.overlap
        if match.overlap < limits.match:
            reasons.append(f"Its outline overlaps its picture's by {match.overlap:.0%} at best.")
    return Rating(axis="consistency", measures=measures, reasons=tuple(reasons))


def texture(subject: Subject, limits: GateSettings) -> Rating:
    """Colours that differ, with edges that are sharp."""
    asset = subject.asset
    if asset.colors is None and not any(material.texture for material in asset.materials):
        reasons = () if limits.colorless else ("It has no colours.",)
        return Rating(axis="texture", measures={}, reasons=reasons)
    variety = float(np.median([_spread(look) for look in subject.looks]))
    edges = [found for look in subject.looks if (found := _sharpness(look)) is not None]
    measures = {"variety": variety}
    wrong = []
    if variety < limits.variety:
        wrong.append(f"Its colours hardly differ ({variety:.1%} of the range).")
    if edges:  # a plainly painted object has no texture that could be muddy
        measures["sharpness"] = float(np.median(edges))
        if measures["sharpness"] < limits.sharpness:
            wrong.append(f"Its texture is muddy (sharpness {measures['sharpness']:.2f}).")
    return Rating(axis="texture", measures=measures, reasons=tuple(wrong))


def silhouette(subject: Subject, limits: GateSettings) -> Rating:
    """One clear outline from everywhere, without floaters."""
    apart = max(_apart(look.mask) for look in subject.looks)
    ragged = float(np.median([_raggedness(look.mask) for look in subject.looks]))
    floating, gap = floaters(WeldedMesh(subject.asset), limits.floater_gap)
    reasons = []
    if apart > limits.apart:
        reasons.append(f"{apart:.1%} of its silhouette hangs on nothing.")
    if ragged > limits.ragged:
        reasons.append(f"Its outline is {ragged:.1f} times as long as it had to be.")
    if gap > 0 and floating > limits.floating:
        reasons.append(f"Parts of it ({floating:.1%} of its surface) float.")
    measures = {"apart": apart, "ragged": ragged, "floating": floating, "floating_gap": gap}
    return Rating(axis="silhouette", measures=measures, reasons=tuple(reasons))


AXES: dict[str, Callable[[Subject, GateSettings], Rating]] = {
    "consistency": consistency,
    "texture": texture,
    "silhouette": silhouette,
}


def _spread(look: Look) -> float:
    """Standard deviation of the colours seen, over all channels."""
    seen = look.colors[look.picture.color[..., 3] > 250]
    return float(np.sqrt(seen.var(axis=0).sum())) if len(seen) else 0.0


def _sharpness(look: Look) -> float | None:
    """Slope of a texture's edges over their slope when blurred; None where surfaces have no texture.

    Steps between surfaces do not count: they are sharp, however muddy the colours are.
    """
    reach = round(_TRUNCATED * _COARSE) + 1  # so that no blur reaches over a surface's border
    surface = ndimage.binary_erosion(look.surface, np.ones((3, 3), bool), iterations=reach)
    if surface.sum() < _TEXTURED:
        return None
    gray = look.colors @ _LUMA
    smooth = ndimage.gaussian_filter(gray, _COARSE, truncate=_TRUNCATED)
    fine = ndimage.maximum_filter(_slope(gray), 3)[surface]  # sharp edges are thin
    coarse = _slope(smooth)[surface]
    strong = coarse >= np.quantile(coarse, 1 - _STRONG)
    if float(coarse[strong].mean()) < _EDGE:
        return 1.0 if float(np.median(coarse)) > _DRIFT else None
    return float(fine[strong].mean() / coarse[strong].mean())


def _slope(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    down, right = np.gradient(gray)
    slope: NDArray[np.float32] = np.hypot(down, right).astype(np.float32)
    return slope


def _apart(mask: NDArray[np.bool_]) -> float:
    """Share of the silhouette outside its largest piece; gaps of two pixels are bridged."""
    labels, count = ndimage.label(ndimage.binary_dilation(mask), np.ones((3, 3), bool))
    if count < 2:
        return 0.0
    sizes = np.bincount(labels[mask], minlength=count + 1)[1:]
    return float(1 - sizes.max() / max(int(sizes.sum()), 1))


def _raggedness(mask: NDArray[np.bool_]) -> float:
    """Length of the outline over that of the mask smoothed by three pixels."""
    smooth = ndimage.gaussian_filter(mask.astype(np.float32), 3.0) > 0.5
    rough, plain = _outline(mask), _outline(smooth)
    return float(rough / plain) if plain else 1.0


def _outline(mask: NDArray[np.bool_]) -> int:
    """Sides of pixels between inside and outside."""
    padded = np.pad(mask, 1)
    return int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())
