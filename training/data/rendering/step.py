"""The views step: an asset's six canonical pictures in the studio, then some from anywhere under any light.

The rasteriser is the default; Blender's engines draw the same cameras' colours at a higher price, and the
rasteriser still adds depth and normals, which no engine would draw otherwise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from training.data.assets.asset import Asset, Rejected, read_asset
from training.data.rendering import blender
from training.data.rendering.cameras import CANONICAL, Camera, place
from training.data.rendering.lighting import POOL, STUDIO, from_pool
from training.data.rendering.product import View, write_views
from training.data.rendering.raster import NoGraphicsError, Picture, Shot, raster
from training.data.rendering.surfaces import of_asset
from training.data.steps import DataError, Item, Step, seed_of

Engine = Literal["raster", "workbench", "cycles"]


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """How an asset is pictured."""

    size: int = 256  # pixels along each side
    n_lit: int = 6  # views from anywhere, each under a set-up of the pool, after the six canonical ones
    engine: Engine = "raster"
    samples: int = 16  # per pixel, of Cycles, before it removes the noise
    lowest: float = -20.0  # degrees of elevation of the lit views
    highest: float = 60.0
    narrowest: float = 20.0  # degrees of field of view of the lit views
    widest: float = 50.0
    smallest: float = 0.75  # share of the picture that a lit view's object fills
    largest: float = 0.95

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ValueError(f"engine must be one of {', '.join(get_args(Engine))}, not {self.engine!r}")
        if not 16 <= self.size <= 2048:
            raise ValueError(f"size must be 16 to 2048 pixels, not {self.size}")
        if self.n_lit < 0 or self.samples < 1:
            raise ValueError(f"n_lit {self.n_lit} and samples {self.samples} must not be less than 0 and 1")
        for low, high in (("lowest", "highest"), ("narrowest", "widest"), ("smallest", "largest")):
            if not getattr(self, low) <= getattr(self, high):
                raise ValueError(f"{low} {getattr(self, low)} must not exceed {high} {getattr(self, high)}")


def planned(asset: Asset, settings: ViewSettings) -> list[View]:
    """The canonical six, then lit ones that the asset's key decides, framed on what it fills."""
    views = [View(name=name, pose=place(camera), lighting=None) for name, camera in CANONICAL.items()]
    rng = np.random.default_rng(seed_of(asset.key, "views"))
    for number in range(settings.n_lit):
        camera = Camera(
            azimuth=float(rng.uniform(-180, 180)),
            elevation=float(rng.uniform(settings.lowest, settings.highest)),
            field_of_view=float(rng.uniform(settings.narrowest, settings.widest)),
            fill=float(rng.uniform(settings.smallest, settings.largest)),
        )
        pose = place(camera, asset.vertices.astype(np.float64))
        views.append(View(name=f"lit {number}", pose=pose, lighting=int(rng.integers(POOL))))
    return views


def shot(view: View) -> Shot:
    """The view with its light."""
    return Shot(pose=view.pose, lighting=STUDIO if view.lighting is None else from_pool(view.lighting))


def make_views(item: Item, settings: ViewSettings, data: Path, product: Path) -> dict[str, Any]:
    """Pictures of `item.inputs["asset"]`; `item.where["blender"]` may name a Blender."""
    asset = read_asset(data / item.inputs["asset"])
    surface = of_asset(asset)
    if surface.faces == 0:
        raise Rejected("no_faces", "Nothing of it can be drawn: no face has an area.")
    views = planned(asset, settings)
    shots = [shot(view) for view in views]
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's: assets are drawn side by side, one a worker
    try:
        pictures = list(raster(settings.size).draw(surface, shots))
    except NoGraphicsError as error:
        raise DataError(str(error)) from error
    if settings.engine != "raster":
        colors = blender.draw(
            surface,
            shots,
            settings.size,
            engine=settings.engine,
            samples=settings.samples,
            executable=item.where.get("blender"),
        )
        pictures = [replace(old, color=color) for old, color in zip(pictures, colors, strict=True)]
    write_views(product, asset.key, settings.engine, views, pictures)
    return {"views": len(views), "engine": settings.engine, "covered": covered(pictures)}


def covered(pictures: list[Picture]) -> list[float]:
    """The share of each canonical picture that the object covers."""
    return [round(float((picture.color[..., 3] > 0).mean()), 4) for picture in pictures[: len(CANONICAL)]]


VIEWS: Step[ViewSettings] = Step(name="views", version=1, make=make_views, suffix=".safetensors")
