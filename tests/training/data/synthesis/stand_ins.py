"""Models for both seats: a small random one of ours, and one that draws and returns procedural objects."""

from __future__ import annotations

import numpy as np

from backend.events import Pixels
from tests.backend.small_model import small_pipeline
from training.data.assets.asset import Asset
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.assets.reading import RawFile, RawObject
from training.data.rendering.cameras import CANONICAL, Camera, place
from training.data.rendering.lighting import STUDIO
from training.data.rendering.product import on_ground
from training.data.rendering.raster import Shot, raster
from training.data.rendering.surfaces import of_asset
from training.data.synthesis.interface import PictureRequest, ShapeRequest
from training.data.synthesis.own_model import OwnModel


def own() -> OwnModel:
    """Random weights, so that what it makes is noise."""
    return OwnModel(small_pipeline(), cells=16)


def lit(asset: Asset, view: str | None, size: int = 256) -> Pixels:
    """(size, size, 4) with alpha, in the studio."""
    camera = Camera() if view is None else CANONICAL[view]
    shot = Shot(pose=place(camera, asset.vertices.astype(np.float64)), lighting=STUDIO)
    (picture,) = raster(size).draw(of_asset(asset), [shot])
    return picture.color


def on_white(color: Pixels) -> Pixels:
    opaque = np.full((*color.shape[:2], 1), 255, np.uint8)
    return np.concatenate([on_ground(color, (255, 255, 255)), opaque], axis=2)


class Truth:
    """Draws the procedural object whose seed is the prompt's length, and makes that object of the picture."""

    def picture(self, request: PictureRequest) -> Pixels:
        return on_white(lit(self._asset(request.prompt), request.view))

    def shape(self, request: ShapeRequest) -> RawFile:
        asset = self._asset(request.prompt)
        assert asset.colors is not None
        thing = RawObject(
            name="",
            vertices=asset.vertices.astype(np.float64),
            faces=asset.faces.astype(np.int64),
            uvs=None,
            colors=asset.colors[asset.faces],
            materials=(),
            face_material=np.zeros(len(asset.faces), np.int32),
        )
        return RawFile(objects=(thing,))

    def _asset(self, prompt: str) -> Asset:
        return procedural_asset(len(prompt), IngestSettings())
