"""Pictures without shapes: procedural objects drawn once each, with captions, for the text-image pool.

The paper's pool holds 63.7 M pictures by people and no render (section 3.1). Where none are at hand, these
stand in: objects whose seeds no 3D data must hold, seen from the front half, under a light of the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.rendering.cameras import Camera, place
from training.data.rendering.lighting import POOL, from_pool
from training.data.rendering.raster import NoGraphicsError, Shot, raster
from training.data.rendering.surfaces import of_asset
from training.data.steps import DataError, seed_of
from training.data.synthetic import generate


def draw_pictures(
    seeds: Iterable[int], folder: Path, size: int, watch: Callable[[], object] = lambda: None
) -> None:
    """`folder/SEED.png` and its captions beside it, one a line; those that exist stay. Raises DataError."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = IngestSettings()
    for seed in seeds:
        target = folder / f"{seed}.png"
        if not target.exists():
            target.with_suffix(".txt").write_text("\n".join(generate(seed).captions) + "\n", encoding="utf-8")
            partial = target.with_suffix(".partial")
            _picture(seed, size, settings).save(partial, "PNG")
            partial.replace(target)
        watch()


def _picture(seed: int, size: int, settings: IngestSettings) -> Image.Image:
    """The object on white, from a camera and under a light that its seed decides."""
    asset = procedural_asset(seed, settings)
    rng = np.random.default_rng(seed_of(asset.key, "picture"))
    camera = Camera(
        azimuth=float(rng.uniform(-75, 75)),
        elevation=float(rng.uniform(0, 40)),
        field_of_view=float(rng.uniform(20, 50)),
        fill=float(rng.uniform(0.75, 0.95)),
    )
    pose = place(camera, asset.vertices.astype(np.float64))
    shot = Shot(pose=pose, lighting=from_pool(int(rng.integers(POOL))))
    try:
        (drawn,) = raster(size).draw(of_asset(asset), [shot])
    except NoGraphicsError as error:
        raise DataError(str(error)) from error
    white = Image.new("RGBA", (size, size), (255, 255, 255, 255))
    return Image.alpha_composite(white, Image.fromarray(drawn.color, "RGBA")).convert("RGB")
