"""The geometry step: an asset's skin and its field, labelled, as one safetensors file (paper, section 3.2).

Nothing is voxelised on the way: the field is that of the mesh itself (`backend.geometry.labels`), so thin
parts are kept, and the watertight surface is the field's zero level (`training.data.round_trip`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backend.geometry.canonical import BOUNDS
from training.data.assets.asset import Asset, Rejected, read_asset
from training.data.geometry.colors import UNKNOWN, surface_colors
from training.data.geometry.procedural import original
from training.data.geometry.sampling import Sampled, sample_mesh, sample_solid
from training.data.geometry.settings import TRUNCATION, GeometrySettings
from training.data.steps import Item, Step, seed_of

FORMAT = "geometry 1"


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A product of the step, as it is stored: everything in the asset's frame."""

    points: NDArray[np.float16]  # (n, 3) on the skin; any slice is a sample
    normals: NDArray[np.int8]  # (n, 3) outward, times 127
    point_colors: NDArray[np.uint8]  # (n, 3) sRGB
    queries: NDArray[np.float16]  # (q, 3); of the near ones, any slice is a sample
    distances: NDArray[np.float16]  # (q,) NEGATIVE inside, truncated at TRUNCATION
    near: NDArray[np.bool_]  # (q,) near the surface; the others lie anywhere in the field's domain

    def occupancy(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Uniform points (u, 3) and whether each lies inside."""
        return self.queries[~self.near], self.distances[~self.near] < 0


def make(item: Item, settings: GeometrySettings, data: Path, product: Path) -> dict[str, Any]:
    """Samples the asset that item.inputs["asset"] names."""
    asset = read_asset(data / item.inputs["asset"])
    sampled = sample(asset, settings, np.random.default_rng(seed_of(item.key, "geometry")))
    near = sampled.near
    write_geometry(product, stored(asset, sampled))
    inside = sampled.distances < 0
    return {
        **sampled.facts,
        "colored": asset.colors is not None or sampled.colors is not None,
        "inside": round(float(inside[~near].mean()), 4),  # share of the domain
        "inside_near": round(float(inside[near].mean()), 4),  # share of the queries near the surface
    }


def sample(asset: Asset, settings: GeometrySettings, rng: np.random.Generator) -> Sampled:
    """By the distances of the generator that made the asset, if one did, or those of its mesh.

    Raises Rejected for an asset that has no surface, leaves the field's domain or holds nothing.
    """
    if not (np.abs(asset.vertices) <= BOUNDS).all():
        raise Rejected(
            "outside_domain", f"The asset reaches {np.abs(asset.vertices).max():.4g}, over {BOUNDS}."
        )
    solid = original(asset)
    if solid is not None:
        return sample_solid(solid.sample_surface, solid.signed_distance, settings, rng)
    try:
        sampled = sample_mesh(asset.vertices, asset.faces, settings, rng)
    except ValueError as error:
        raise Rejected("no_surface", f"The asset has no surface to sample: {error}.") from error
    if not (sampled.distances < 0).any():
        raise Rejected("nothing_inside", "No point lies inside the asset.")
    return sampled


def stored(asset: Asset, sampled: Sampled) -> Geometry:
    """Rounded as its file holds it."""
    colors = sampled.colors
    if colors is None and sampled.face is not None:
        colors = surface_colors(asset, sampled.points, sampled.face)
    if colors is None:
        colors = np.tile(np.array(UNKNOWN, np.uint8), (len(sampled.points), 1))
    return Geometry(
        points=sampled.points.astype(np.float16),
        normals=np.round(sampled.normals * 127).astype(np.int8),
        point_colors=colors,
        queries=sampled.queries,
        distances=np.clip(sampled.distances, -TRUNCATION, TRUNCATION).astype(np.float16),
        near=sampled.near,
    )


def write_geometry(path: Path, geometry: Geometry) -> None:
    arrays = {name: np.ascontiguousarray(array) for name, array in vars(geometry).items()}
    save_file(arrays, path, metadata={"format": FORMAT})


def read_geometry(path: Path) -> Geometry:
    """Raises ValueError for a file that is none, or not a whole one."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise ValueError(f"{path} is no {FORMAT} file; make it again")
            return Geometry(**{name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  no dict
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole {FORMAT} file ({error})") from error


GEOMETRY: Step[GeometrySettings] = Step(name="geometry", version=2, make=make, suffix=".safetensors")
