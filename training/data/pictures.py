"""Square pictures to train and judge image tokenizers on: rendered views, or any folder of image files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.data.views import Views

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
Rows = NDArray[np.int64]


class Pictures(Protocol):
    """Numbered pictures, each of one kind, all of one size."""

    kinds: tuple[str, ...]

    def __len__(self) -> int: ...

    def draw(self, rng: np.random.Generator, count: int) -> Rows:
        """Numbers of pictures for one batch."""
        ...

    def read(self, rows: Rows) -> NDArray[np.uint8]:
        """(B, size, size, 3) sRGB, top row first."""
        ...

    def kind(self, rows: Rows) -> Rows:
        """(B,) index into `kinds` of each."""
        ...


class ViewPictures:
    """Every view of every object, drawn by the object's category and then alike."""

    def __init__(self, views: Views, kinds: tuple[str, ...] | None = None) -> None:
        self.views = views
        self.kinds = kinds or tuple(sorted(set(views.sources)))
        place = {kind: index for index, kind in enumerate(self.kinds)}
        self._kind = np.array([place.get(source, -100) for source in views.sources])
        self._share = views.probabilities()

    def __len__(self) -> int:
        return len(self.views) * int(self.views.n_views)

    def draw(self, rng: np.random.Generator, count: int) -> Rows:
        objects = rng.choice(len(self.views), size=count, p=self._share)
        rows: Rows = objects * self.views.n_views + rng.integers(self.views.n_views, size=count)
        return rows

    def read(self, rows: Rows) -> NDArray[np.uint8]:
        per = self.views.n_views
        return np.stack([self.views.image(int(row) // per, int(row) % per) for row in rows])

    def kind(self, rows: Rows) -> Rows:
        kinds: Rows = self._kind[rows // self.views.n_views]
        return kinds


class FolderPictures:
    """Image files below a folder, cropped square and scaled; a file's kind is the folder it lies in."""

    def __init__(self, folder: Path, size: int) -> None:
        self.paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not self.paths:
            raise ValueError(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
        self.size = size
        self.kinds = tuple(sorted({path.parent.name for path in self.paths}))

    def __len__(self) -> int:
        return len(self.paths)

    def draw(self, rng: np.random.Generator, count: int) -> Rows:
        return rng.integers(len(self.paths), size=count)

    def read(self, rows: Rows) -> NDArray[np.uint8]:
        return np.stack([squared(self.paths[int(row)], self.size) for row in rows])

    def kind(self, rows: Rows) -> Rows:
        return np.array([self.kinds.index(self.paths[int(row)].parent.name) for row in rows])


def squared(path: Path, size: int) -> NDArray[np.uint8]:
    """The middle square of an image file, scaled to (size, size, 3); what is transparent becomes white."""
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))


def as_images(pixels: NDArray[np.uint8]) -> Tensor:
    """(B, size, size, 3) uint8 to (B, 3, size, size) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def as_pixels(images: Tensor) -> NDArray[np.uint8]:
    """The inverse of `as_images`, clipped."""
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
