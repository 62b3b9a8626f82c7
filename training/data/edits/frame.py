"""The frame that both sides of a pair share, and the measured proof that what was not edited did not move."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset

_ROOM = canonical.BOUNDS - 1e-3  # what a target may fill of the field's domain


@dataclass(frozen=True, kw_only=True)
class Frame:
    """shared = (own - center) * scale, where `own` is the source's own canonical frame."""

    kind: str  # "source": they are one. "union": the target would leave the domain, so both are fitted
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def json(self) -> str:
        return json.dumps({"kind": self.kind, "center": list(self.center), "scale": self.scale})


def shared(source: Asset, target: Asset) -> tuple[Asset, Asset, Frame]:
    """Both in the source's canonical frame, or in that of their union where the target would stick out."""
    own = canonical.fit(_used(source))
    place = own
    if np.abs(own.to_canonical(_used(target))).max() > _ROOM:
        place = canonical.fit(np.concatenate([_used(source), _used(target)]))
    if place is own:
        frame = Frame(kind="source")
    else:
        x, y, z = own.to_canonical(np.array([place.center]))[0].tolist()
        frame = Frame(kind="union", center=(x, y, z), scale=place.scale / own.scale)
    return _placed(source, place), _placed(target, place), frame


def distance_moved(
    source: Asset, target: Asset, kept_source: NDArray[np.bool_], kept_target: NDArray[np.bool_]
) -> float | None:
    """Largest distance between a corner of a kept face and itself on the other side; None if none is kept.

    Raises ValueError when the sides do not keep the same faces.
    """
    before, after = source.faces[kept_source], target.faces[kept_target]
    if len(before) != len(after):
        raise ValueError(f"{len(before)} faces are kept of the source and {len(after)} of the target")
    if not len(before):
        return None
    offsets = source.vertices[before].astype(np.float64) - target.vertices[after]
    return float(np.linalg.norm(offsets, axis=2).max())


def kept_share(asset: Asset, kept: NDArray[np.bool_]) -> float:
    """Of the surface."""
    areas = face_normals(asset.vertices.astype(np.float64)[asset.faces])[1]
    return float(areas[kept].sum() / areas.sum())


def _used(asset: Asset) -> NDArray[Any]:
    return asset.vertices[np.unique(asset.faces)]


def _placed(asset: Asset, place: canonical.Placement) -> Asset:
    return replace(asset, vertices=place.to_canonical(asset.vertices).astype(np.float32))
