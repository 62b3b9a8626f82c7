"""The views of one asset as a file: PNGs in a safetensors file, in its metadata where each was taken from.

views = read_views(data / result.product)
views.picture(0)  # the front on white; views.names is front, back, left, right, top, bottom, lit 0, ...
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from training.data.rendering.cameras import Pose, pose_of
from training.data.rendering.raster import Picture, metres

FORMAT = 1
_COMPRESSION = 6  # of zlib: 20 kB a view of 256 pixels, in 5 ms
_PASSES = ("color", "depth", "normals")


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture's name and how it was taken."""

    name: str  # front, back, left, right, top, bottom, then "lit 0", ...
    pose: Pose
    lighting: int | None  # set-up of the pool; None: the studio

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "lighting": self.lighting, **self.pose.described()}


class AssetViews:
    """The pictures of one asset, decoded one by one as asked for."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a file that holds no views, or not all of them."""
        opened: Any = safe_open
        try:
            self._file = opened(path, framework="numpy")
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is not a whole file of views ({error})") from error
        words = json.loads((self._file.metadata() or {}).get("views", "{}"))
        if words.get("format") != FORMAT:
            raise ValueError(f"{path} holds no views of format {FORMAT}; make them again")
        self.key: str = words["key"]
        self.engine: str = words["engine"]
        self.size: int = words["size"]
        self.views = tuple(
            View(name=row["name"], pose=pose_of(row), lighting=row["lighting"]) for row in words["views"]
        )
        self.names = tuple(view.name for view in self.views)

    def __len__(self) -> int:
        return len(self.views)

    def color(self, index: int) -> NDArray[np.uint8]:
        """(size, size, 4) sRGB with straight alpha, top row first."""
        return np.asarray(self._image("color", index))

    def picture(self, index: int, ground: tuple[float, float, float] = (255, 255, 255)) -> NDArray[np.uint8]:
        """(size, size, 3) sRGB, laid on a plain colour."""
        return on_ground(self.color(index), ground)

    def depth(self, index: int) -> NDArray[np.float32]:
        """(size, size) metres along the camera's axis, to within 0.5 mm; 0 where there is nothing."""
        steps = np.asarray(self._image("depth", index)).astype(np.uint16)
        return metres(steps, self.views[index].pose.distance)

    def normals(self, index: int) -> NDArray[np.float32]:
        """(size, size, 3) of length 1 in Blender's frame, turned to the camera; 0 where nothing is."""
        coded = np.asarray(self._image("normals", index)).astype(np.float32) / 127.5 - 1
        length = np.linalg.norm(coded, axis=2, keepdims=True)
        unit: NDArray[np.float32] = np.where(length > 0.5, coded / np.maximum(length, 0.5), 0).astype(
            np.float32
        )
        return unit

    def png(self, index: int) -> bytes:
        """The file of the colour picture."""
        data: bytes = self._file.get_tensor(f"color.{index:03d}").tobytes()
        return data

    def files(self, name: str) -> list[bytes]:
        """The PNG files of "color", "depth" or "normals", of all views."""
        return [self._file.get_tensor(f"{name}.{index:03d}").tobytes() for index in range(len(self))]

    def _image(self, name: str, index: int) -> Image.Image:
        return Image.open(
            io.BytesIO(self._file.get_tensor(f"{name}.{index:03d}").tobytes()), formats=("PNG",)
        )


def read_views(path: Path) -> AssetViews:
    """The views of one asset. Raises ValueError."""
    return AssetViews(path)


def write_views(
    path: Path, key: str, engine: str, views: Sequence[View], pictures: Sequence[Picture]
) -> None:
    """The same bytes for the same pictures."""
    tensors = {
        f"{name}.{index:03d}": np.frombuffer(_png(getattr(picture, name)), np.uint8)
        for index, picture in enumerate(pictures)
        for name in _PASSES
    }
    size = len(pictures[0].color)
    words: dict[str, Any] = {"format": FORMAT, "key": key, "engine": engine, "size": size}
    words["views"] = [view.described() for view in views]
    save_file(tensors, path, metadata={"views": json.dumps(words)})  # one entry: several come in any order


def on_ground(color: NDArray[np.uint8], ground: tuple[float, float, float]) -> NDArray[np.uint8]:
    """(..., 3) of (..., 4) with straight alpha, laid on a plain sRGB colour (0..255)."""
    alpha = color[..., 3:] / np.float32(255)
    laid = color[..., :3] * alpha + np.array(ground, np.float32) * (1 - alpha)
    pixels: NDArray[np.uint8] = np.round(laid).astype(np.uint8)
    return pixels


def _png(pixels: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()
