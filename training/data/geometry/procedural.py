"""The generator's own object behind an asset, whose distances are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from training.data.assets.asset import Asset
from training.data.edits.variations import exact
from training.data.synthetic import SyntheticObject, generate

_SAME = 1e-3  # canonical units
_AS_IT_IS = canonical.Placement(center=(0.0, 0.0, 0.0), scale=1.0)
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A procedural object where ingesting put it: its mesh departs from its frame by up to 0.002."""

    solid: SyntheticObject
    placement: canonical.Placement

    def sample_surface(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        """Points and normals (n, 3) and colours (n, 3)."""
        points, normals, colors = self.solid.sample_surface(n, rng)
        return self.placement.to_canonical(points).astype(np.float32), normals, colors

    def signed_distance(self, points: Floats) -> Floats:
        own = self.placement.to_world(points).astype(np.float32)
        return self.solid.signed_distance(own) * np.float32(self.placement.scale)


def original(asset: Asset) -> Original | None:
    """The object of the asset's family and seed, or one side of an edit of it, or None where none made it, or
    it was changed since."""
    varied = exact(asset)
    if varied is not None:
        return Original(solid=varied, placement=_AS_IT_IS)
    seed = asset.provenance.get("seed", "")
    if "family" not in asset.provenance or not seed.isdecimal():
        return None
    solid = generate(int(seed))
    mesh = solid.to_mesh()
    if solid.family != asset.provenance["family"] or len(mesh.faces) != len(asset.faces):
        return None
    placement = canonical.fit(mesh.vertices)
    made = _moments(placement.to_canonical(mesh.vertices)[mesh.faces])
    same = np.abs(_moments(asset.vertices[asset.faces]) - made).max() < _SAME
    return Original(solid=solid, placement=placement) if same else None


def _moments(triangles: NDArray[Any]) -> NDArray[np.float64]:
    """(12,) bounds of triangles (m, 3, 3), and mean and spread of their middles, in whatever order."""
    middles = triangles.mean(axis=1, dtype=np.float64)
    bounds = (triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1)))
    return np.concatenate([*bounds, middles.mean(axis=0), middles.std(axis=0)])
