"""Seconds per view of the views step by each engine, on objects as they come: python benchmarks/render.py.

Objects are procedural ones and a textured ball. `raster_*` splits the default's time; the last line is JSON.
"""

from __future__ import annotations

import io
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from backend.geometry import canonical
from training.data.assets.asset import Asset, Material, write_asset
from training.data.rendering import blender
from training.data.rendering.product import write_views
from training.data.rendering.raster import raster
from training.data.rendering.step import ViewSettings, make_views, planned, shot
from training.data.rendering.surfaces import of_asset
from training.data.steps import Item
from training.data.synthetic import generate

SETTINGS = ViewSettings()
PROCEDURAL = 12


def procedural(seed: int) -> Asset:
    mesh = generate(seed).to_mesh()
    vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices).astype(np.float32)
    zeros = np.zeros(len(mesh.faces), np.int32)
    return Asset(
        key=f"{seed}-0",
        name="procedural",
        source=str(seed),
        provenance={},
        vertices=vertices,
        faces=mesh.faces,
        colors=mesh.colors,
        materials=(Material(),),
        face_material=zeros,
        parts=zeros,
        part_names=("",),
    )


def textured(pixels: int = 1024) -> Asset:
    """A dense grid of one texture, bent to a half tube."""
    side = 100
    u, v = np.meshgrid(np.linspace(0, 1, side + 1), np.linspace(0, 1, side + 1))
    points = np.stack([0.9 * np.cos(np.pi * u), -0.9 * np.sin(np.pi * u), 1.92 * v - 0.96], axis=-1)
    corner = np.arange(side * (side + 1)).reshape(side, side + 1)[:, :-1].ravel()
    low, high = (
        np.stack([corner, corner + 1, corner + side + 2]),
        np.stack([corner, corner + side + 2, corner + side + 1]),
    )
    faces = np.concatenate([low, high], axis=1).T.astype(np.int32)
    noise = np.random.default_rng(0).integers(0, 255, (pixels // 16, pixels // 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((pixels, pixels), Image.Resampling.BICUBIC).save(file, "PNG")
    zeros = np.zeros(len(faces), np.int32)
    return Asset(
        key="textured-0",
        name="tube",
        source="tube",
        provenance={},
        vertices=points.reshape(-1, 3).astype(np.float32),
        faces=faces,
        uvs=np.stack([u, v], axis=-1).reshape(-1, 2)[faces].astype(np.float32),
        materials=(Material(texture=file.getvalue(), base_color=(1.0, 1.0, 1.0, 1.0)),),
        face_material=zeros,
        parts=zeros,
        part_names=("",),
    )


def cpu_seconds() -> float:
    """Of this process and its Blender."""
    times = [process.cpu_times() for process in (psutil.Process(), *psutil.Process().children())]
    return sum(t.user + t.system for t in times)


def each(work: Callable[[Asset], object], assets: list[Asset], views: int) -> dict[str, float]:
    """Wall seconds per view, median and mean, and CPU seconds."""
    taken, cpu = [], cpu_seconds()
    for asset in assets:
        started = time.perf_counter()
        work(asset)
        taken.append((time.perf_counter() - started) / views)
    return {
        "median_s": round(statistics.median(taken), 4),
        "mean_s": round(statistics.mean(taken), 4),
        "cpu_s": round((cpu_seconds() - cpu) / views / len(assets), 4),
    }


def step(assets: list[Asset], settings: ViewSettings, folder: Path) -> dict[str, float]:
    """The whole step, files read and written."""

    def work(asset: Asset) -> None:
        item = Item(key=asset.key, inputs={"asset": f"{asset.key}.asset"})
        make_views(item, settings, folder, folder / f"{asset.key}.views")

    work(assets[0])  # shaders and processes are kept from asset to asset
    return each(work, assets, len(planned(assets[0], settings)))


def stages(assets: list[Asset], folder: Path) -> dict[str, dict[str, float]]:
    """Where the default's time goes."""
    views = len(planned(assets[0], SETTINGS))
    shots = {asset.key: [shot(view) for view in planned(asset, SETTINGS)] for asset in assets}
    surfaces = {asset.key: of_asset(asset) for asset in assets}
    target = raster(SETTINGS.size)
    drawn = {key: list(target.draw(surface, shots[key])) for key, surface in surfaces.items()}
    plan = {asset.key: planned(asset, SETTINGS) for asset in assets}
    return {
        "raster_prepare": each(of_asset, assets, views),
        "raster_draw": each(lambda a: list(target.draw(surfaces[a.key], shots[a.key])), assets, views),
        "raster_write": each(
            lambda a: write_views(folder / "out", a.key, "raster", plan[a.key], drawn[a.key]), assets, views
        ),
    }


def main() -> None:
    assets = [*(procedural(seed) for seed in range(PROCEDURAL)), textured()]
    found: dict[str, object] = {"machine": platform.platform(), "size": SETTINGS.size}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for asset in assets:
            write_asset(folder / f"{asset.key}.asset", asset)
        found["faces"] = int(statistics.median(len(asset.faces) for asset in assets))
        found["raster"] = step(assets, SETTINGS, folder)
        sizes = [path.stat().st_size for path in folder.glob("*.views")]
        found["bytes_per_view"] = round(statistics.mean(sizes) / len(planned(assets[0], SETTINGS)))
        found |= stages(assets, folder)
        few = replace(SETTINGS, n_lit=2)
        for engine in ("workbench", "cycles"):
            found[engine] = step(assets[-4:], replace(few, engine=engine), folder)
        blender.close()
    for key, value in found.items():
        print(f"{key:16} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
