"""Shapes of a data folder with their captions, meshes and stored views: what image tasks are judged on."""

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

from backend.events import Pixels
from backend.geometry.mesh import Mesh
from backend.sequence import VIEWS
from training.data.assets.asset import read_asset
from training.data.rendering.cameras import Pose, pose_of
from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.steps import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictured:
    """One shape, canonical, with views from known cameras."""

    key: str
    caption: str
    mesh: Mesh
    points: NDArray[np.float32]  # (n, 3) on its skin; any slice is a sample
    normals: NDArray[np.float32]  # (n, 3)
    names: tuple[str, ...]  # of its views: the canonical six, then "lit 0", ...
    poses: tuple[Pose, ...]
    files: tuple[bytes, ...]  # PNG with alpha

    def view(self, name: str) -> Pixels:
        """(size, size, 4) sRGB with straight alpha."""
        return pixels(self.files[self.names.index(name)])

    def pose(self, name: str) -> Pose:
        return self.poses[self.names.index(name)]

    @property
    def lit(self) -> tuple[str, ...]:
        """Views from anywhere under any light."""
        return tuple(name for name in self.names if name not in VIEWS)


def pixels(file: bytes) -> Pixels:
    """(h, w, 4) of a PNG."""
    with Image.open(io.BytesIO(file), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGBA"))


def pictured(data: Path, split: str, count: int, seed: int = 0) -> list[Pictured]:
    """Up to `count` shapes of a split, drawn by the seed. Raises DataError where there are none."""
    assets = _assets(data)
    dataset = Dataset(data)
    wanted = ("views", "shapes", "texts")
    rows = [
        (files, row)
        for files, found in joined_rows(dataset, wanted, split)
        for row in found
        if dataset.open(files[0]).row(int(row[0]), ["key"])["key"] in assets
    ]
    if not rows:
        raise DataError(f"{data} holds no views of the split {split} with their meshes; name a data folder.")
    drawn = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [_read(dataset, data, assets, *rows[number]) for number in drawn]


def _assets(data: Path) -> dict[str, str]:
    """The asset file of each key, from the data folder's records."""
    path = data / "records.jsonl"
    if not path.is_file():
        raise DataError(f"{data} has no records.jsonl; name the folder that `omni123-train data run` made.")
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["key"]: row["asset"] for row in rows if row["asset"] is not None}


def _read(
    dataset: Dataset, data: Path, assets: dict[str, str], files: Sequence[str], row: NDArray[np.int64]
) -> Pictured:
    views, shapes, texts = (
        dataset.open(file).row(int(number), names)
        for file, number, names in zip(
            files,
            row,
            (["key", "names", "cameras", "color"], ["points", "normals"], ["short", "medium"]),
            strict=True,
        )
    )
    cameras: list[dict[str, Any]] = json.loads(views["cameras"])
    return Pictured(
        key=views["key"],
        caption=(texts["medium"] or texts["short"])[0],
        mesh=read_asset(data / assets[views["key"]]).mesh,
        points=shapes["points"].astype(np.float32),
        normals=shapes["normals"].astype(np.float32) / 127,
        names=tuple(views["names"]),
        poses=tuple(pose_of(camera) for camera in cameras),
        files=tuple(views["color"]),
    )
