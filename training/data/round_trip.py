"""How much of a shape its geometry product keeps: surfaces read back, beside the assets they come from.

omni123-train data round-trip ASSETS --out OUT --count 50

ASSETS holds asset files, in whatever folders. Writes sheet.png, rows.jsonl and prints the figures. "field" is
the zero level of the signed distances that the samples are drawn from, "samples" that of a function fitted to
the stored queries alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from backend.geometry.labels import MeshField
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from backend.geometry.skin import skin
from backend.geometry.surface import EmptySurfaceError
from training.data.assets.asset import SUFFIX, Asset, Rejected, read_asset
from training.data.geometry.reconstruction import from_field, from_samples
from training.data.geometry.settings import GeometrySettings
from training.data.geometry.step import sample, stored
from training.data.rendering.cameras import Camera
from training.data.steps import seed_of
from training.evaluation.render import blank, render_views
from training.evaluation.scores import F_THRESHOLD, SurfaceDistance, surface_distance
from training.evaluation.sheets import Panel, Section, save, sheet

POINTS = 20_000  # of each surface that is compared
_PIXELS = 224
_NOTHING = SurfaceDistance(chamfer=float("nan"), chamfer_squared=float("nan"), f_score=0.0)


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """One asset there and back; distances of its skin to each surface, canonical units."""

    asset: Asset
    facts: dict[str, Any]
    field: Mesh | None  # None: it came out empty
    samples: Mesh | None
    floor: SurfaceDistance  # between two samples of the same skin: no surface can do better
    of_field: SurfaceDistance
    of_samples: SurfaceDistance


def round_trip(asset: Asset, settings: GeometrySettings, cells: int) -> RoundTrip:
    """Raises Rejected where the geometry step does."""
    sampled = sample(asset, settings, np.random.default_rng(seed_of(asset.key, "geometry")))
    thickness = {"sheet_thickness": settings.sheet_thickness, "min_thickness": settings.min_thickness}
    field = MeshField(asset.vertices, asset.faces, **thickness)
    rng = np.random.default_rng(seed_of(asset.key, "round trip"))
    here, again = (skin(field, POINTS, rng).points for _ in range(2))
    meshes = (_surface(from_field, field, cells), _surface(from_samples, stored(asset, sampled), cells))
    compared = [
        _NOTHING
        if mesh is None
        else surface_distance(here, sample_surface(mesh.vertices, mesh.faces, POINTS, rng)[0])
        for mesh in meshes
    ]
    return RoundTrip(
        asset=asset,
        facts=sampled.facts,
        field=meshes[0],
        samples=meshes[1],
        floor=surface_distance(here, again),
        of_field=compared[0],
        of_samples=compared[1],
    )


def _surface(read: Any, known: Any, cells: int) -> Mesh | None:
    try:
        found: Mesh = read(known, cells)
    except EmptySurfaceError:
        return None
    return found


def row(trip: RoundTrip) -> dict[str, Any]:
    """Figures of one asset, as JSON."""
    distances = {name: asdict(getattr(trip, name)) for name in ("floor", "of_field", "of_samples")}
    return {"key": trip.asset.key, "source": trip.asset.source, **trip.facts, **distances}


def pictures(trips: list[RoundTrip], columns: int = 4) -> Image.Image:
    """A sheet of all: the asset, the surface of its field, and that of its samples."""
    panels = []
    for trip in trips:
        meshes = (trip.asset.mesh, trip.field, trip.samples)
        images = tuple(
            blank(_PIXELS) if mesh is None else render_views(mesh, [Camera()], _PIXELS)[0] for mesh in meshes
        )
        field, samples = trip.of_field, trip.of_samples
        figures = f"F1 {field.f_score:.3f} field, {samples.f_score:.3f} samples"
        panels.append(Panel(caption=f"{trip.asset.source}\n{figures}", images=images))
    return sheet([Section(panels=panels)], columns=columns)


def summary(trips: list[RoundTrip], cells: int) -> str:
    """Medians and means of both surfaces, with what they depend on."""
    lines = [f"{len(trips)} assets, {cells} cells, {POINTS} points a surface, F1 at {F_THRESHOLD}"]
    for name in ("floor", "of_field", "of_samples"):
        found = [getattr(trip, name) for trip in trips]
        chamfer = np.array([one.chamfer for one in found])
        f_score = np.array([one.f_score for one in found])
        lines.append(
            f"{name:10} Chamfer median {np.nanmedian(chamfer):.5f} mean {np.nanmean(chamfer):.5f}   "
            f"F1 median {np.median(f_score):.4f} mean {f_score.mean():.4f} least {f_score.min():.4f}"
        )
    return "\n".join(lines)


def compare(assets: Path, out: Path, *, count: int = 50, cells: int = 256, seed: int = 0) -> str:
    """Takes `count` assets of a folder there and back; `out` receives sheet.png and rows.jsonl.

    Returns the summary for people.
    """
    paths = sorted(assets.rglob(f"*{SUFFIX}"))
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    out.mkdir(parents=True, exist_ok=True)
    trips: list[RoundTrip] = []
    with (out / "rows.jsonl").open("w", encoding="utf-8") as rows:
        for path in tqdm([paths[index] for index in order], unit="asset"):
            try:
                trips.append(round_trip(read_asset(path), GeometrySettings(), cells))
                rows.write(json.dumps(row(trips[-1])) + "\n")
            except Rejected as rejected:
                tqdm.write(f"{path.name}: {rejected}")
    save(pictures(trips), out / "sheet.png")
    return summary(trips, cells)
