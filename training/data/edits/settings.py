"""What edit pairs are made and which are thought good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["add", "remove", "replace", "resize", "restyle", "pose"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """Lengths are of the canonical frame, where an asset's longest side is 1.92."""

    pairs: int = 6  # of an asset, at most
    per_kind: int = 2  # of those, at most
    same_geometry: int = 1  # that change only how it is painted, at most: shape tokens cannot tell these
    whole: int = 2  # of the asset as a whole, at most
    instructions: int = 3  # of a pair
    tries: int = 40  # candidates that are looked at, at most
    max_pieces: int = 400  # assets of more are edited as a whole only
    max_faces: int = 100_000  # assets of more are left out
    visible: float = 0.025  # share of the silhouette that must change in some view
    visible_vague: float = 0.08  # the same where the instruction can only speak of "the gray part"
    kept: float = 0.3  # share of the surface that adding and removing must leave
    moved: float = 1e-5  # what is not edited may not move farther

    def __post_init__(self) -> None:
        for name in ("pairs", "per_kind", "instructions", "tries", "max_pieces", "max_faces"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("visible", "visible_vague", "kept"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in 0..1, not {getattr(self, name)}")
