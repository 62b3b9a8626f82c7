"""What can be wrong with a cut-out: residual background, truncated parts (paper, section 3.5, step 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from backend.events import Pixels

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_BAND = 3  # pixels on either side of the outline where its contrast is measured
_SAME = 0.03  # of the colour range: no contrast


@dataclass(frozen=True, kw_only=True)
class MaskSettings:
    """Shares are of the object's area unless said otherwise."""

    smallest: float = 0.02  # area, of the picture
    largest: float = 0.9  # area, of the picture: more is background
    touching: float = 0.01  # of the picture's edge that the object may touch
    pieces: float = 0.03  # area apart from the largest piece
    specks: float = 0.02  # area of holes too small to be meant
    speck: float = 0.002  # area up to which a hole is one
    soft: float = 4.0  # pixels: mean width of the half-covered outline
    faint: float = 0.35  # of the outline that differs from nothing beside it

    def __post_init__(self) -> None:
        if not 0 <= self.smallest < self.largest <= 1:
            raise ValueError(
                f"smallest {self.smallest} and largest {self.largest} must be 0..1, in that order"
            )


@dataclass(frozen=True)
class Cut:
    """A picture and the opacity that was found for it."""

    picture: Pixels
    opacity: Floats

    @property
    def mask(self) -> Mask:
        found: Mask = self.opacity > 0.5
        return found


Finding = tuple[dict[str, float], str | None]
Predicate = Callable[[Cut, MaskSettings], Finding]


def _no_foreground(cut: Cut, limits: MaskSettings) -> Finding:
    area = float(cut.mask.mean())
    wrong = area < limits.smallest
    return {"area": area}, f"The object covers {area:.1%} of the picture." if wrong else None


def _residual_background(cut: Cut, limits: MaskSettings) -> Finding:
    area, faint = float(cut.mask.mean()), faint_outline(cut)
    measured = {"faint_outline": faint}
    if area > limits.largest:
        return measured, f"The object covers {area:.0%} of the picture, its background with it."
    wrong = faint > limits.faint
    return measured, f"{faint:.0%} of its outline runs through one colour." if wrong else None


def _truncated(cut: Cut, limits: MaskSettings) -> Finding:
    mask = cut.mask
    edge = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    share = float(edge.mean())
    wrong = share > limits.touching
    return {"touching": share}, f"It reaches over {share:.1%} of the picture's edge." if wrong else None


def _scattered(cut: Cut, limits: MaskSettings) -> Finding:
    labels, count = ndimage.label(cut.mask, np.ones((3, 3), bool))
    sizes = np.bincount(labels.ravel(), minlength=2)[1:]
    apart = float(1 - sizes.max() / max(sizes.sum(), 1))
    wrong = apart > limits.pieces
    return {"pieces": float(count), "apart": apart}, f"{apart:.0%} of it lies apart." if wrong else None


def _perforated(cut: Cut, limits: MaskSettings) -> Finding:
    mask = cut.mask
    labels, _ = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    sizes = np.bincount(labels.ravel())[1:]
    total = max(int(mask.sum()), 1)
    holes, specks = float(sizes.sum() / total), float(sizes[sizes < limits.speck * total].sum() / total)
    wrong = specks > limits.specks
    return {"holes": holes, "specks": specks}, f"{specks:.0%} of it is specks of nothing." if wrong else None


def _unsure(cut: Cut, limits: MaskSettings) -> Finding:
    outline = int((cut.mask & ~ndimage.binary_erosion(cut.mask)).sum())
    width = float(((cut.opacity > 0.1) & (cut.opacity < 0.9)).sum() / max(outline, 1))
    wrong = width > limits.soft
    return {"soft": width}, f"Its outline is {width:.1f} pixels wide." if wrong else None


PREDICATES: dict[str, Predicate] = {
    "no_foreground": _no_foreground,
    "residual_background": _residual_background,
    "truncated": _truncated,
    "scattered": _scattered,
    "perforated": _perforated,
    "unsure_outline": _unsure,
}


def judge_mask(cut: Cut, limits: MaskSettings) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Measures by name, and reasons against it as (code, sentence); an empty cut-out has only the first."""
    measures: dict[str, float] = {}
    reasons = []
    for code, predicate in PREDICATES.items():
        found, sentence = predicate(cut, limits)
        measures |= {name: round(value, 5) for name, value in found.items()}
        if sentence is not None:
            reasons.append((code, sentence))
            if code == "no_foreground":
                break
    return measures, reasons


def faint_outline(cut: Cut) -> float:
    """Share of the outline where the object a few pixels in has the colour of what is a few pixels out."""
    inner = cut.mask & ~ndimage.binary_erosion(cut.mask, iterations=_BAND + 1)
    inner &= ndimage.binary_erosion(cut.mask, iterations=_BAND)
    outer = ~ndimage.binary_dilation(cut.mask, iterations=_BAND)
    if not inner.any() or not outer.any():
        return 0.0
    index = ndimage.distance_transform_edt(~outer, return_distances=False, return_indices=True)
    colors = cut.picture[..., :3] / np.float32(255)
    beside = colors[index[0], index[1]]
    away = np.linalg.norm(colors - beside, axis=2)[inner]
    return float((away < _SAME).mean())
