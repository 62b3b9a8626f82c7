"""Small pictures for the report, of assets and of their views; what cannot be drawn says why."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from training.data.assets.asset import read_asset
from training.data.rendering.cameras import BOX, Camera, place
from training.data.rendering.lighting import STUDIO
from training.data.rendering.product import on_ground, read_views
from training.data.rendering.raster import NoGraphicsError, Shot, raster
from training.data.rendering.surfaces import of_asset
from training.data.report.markup import image, missing

_SMALL = 92  # pixels of a view in a strip


class Pictures:
    """Pictures of one data folder as HTML; without OpenGL there are none of assets."""

    def __init__(self, data: Path, pixels: int, quality: int) -> None:
        self.data, self.pixels, self.quality = data, pixels, quality
        self._graphics = True

    def asset(self, path: str | None) -> str:
        """Of an asset's file, relative to the data folder; the box [-1, 1]^3 fills the picture."""
        if path is None:
            return missing("no picture")
        if not self._graphics:
            return missing("no OpenGL")
        try:
            surface = of_asset(read_asset(self.data / path))
            shot = Shot(pose=place(Camera(), BOX), lighting=STUDIO)
            (picture,) = raster(self.pixels).draw(surface, [shot])
        except NoGraphicsError:
            self._graphics = False
            return missing("no OpenGL")
        except (ValueError, OSError):
            return missing("no picture")
        return image(self._webp(on_ground(picture.color, (255, 255, 255))))

    def views(self, path: str) -> str:
        """A strip of all views of an asset."""
        try:
            views = read_views(self.data / path)
            drawn = [views.picture(index) for index in range(len(views))]
        except (ValueError, OSError):
            return missing("no views")
        small = [Image.fromarray(picture).resize((_SMALL, _SMALL)) for picture in drawn]
        return f'<div class="strip">{"".join(image(self._webp(picture)) for picture in small)}</div>'

    def _webp(self, picture: NDArray[Any] | Image.Image) -> bytes:
        shown = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        file = io.BytesIO()
        shown.save(file, "WEBP", quality=self.quality)
        return file.getvalue()
