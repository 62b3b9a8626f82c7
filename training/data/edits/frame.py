"""The frame that both sides of a pair share, and the measured proof that what was not edited did not move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset

_ROOM = canonical.BOUNDS - 1e-3  # what a target may fill of the field's domain
SCALE = (
    canonical.EDITED_SIDE / canonical.LONGEST_SIDE
)  # of the shared frame to the source's own canonical one


def shared(source: Asset, target: Asset) -> tuple[Asset, Asset] | None:
    """Both where the backend lays an edit's source; None where the target would leave the field's domain.

    The frame follows from the source alone, since nobody knows the target of an edit yet to be made.
    """
    place = canonical.fit(_used(source), side=canonical.EDITED_SIDE)
    if np.abs(place.to_canonical(_used(target))).max() > _ROOM:
        return None
    return _placed(source, place), _placed(target, place)


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
