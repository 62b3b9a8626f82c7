"""Assets of a packed mesh corpus (`training.data.corpus`): an index line and some arrays for each object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.assets.asset import Asset
from training.data.assets.ingest import IngestSettings, make_asset
from training.data.assets.reading import RawFile, RawObject

_WORDS = ("id", "name", "category", "licence", "author", "split", "raw_name")
_ORIGIN = ("source_repo", "source_commit", "source_path", "licence_file", "licence_tier", "front_status")


def is_packed(root: Path) -> bool:
    return (root / "index.jsonl").is_file() and (root / "packs").is_dir()


def read_rows(root: Path) -> list[dict[str, Any]]:
    """The index, in pack order."""
    with (root / "index.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return sorted(rows, key=lambda row: (row["pack"], row["id"]))


def pack_path(root: Path, row: Mapping[str, Any]) -> Path:
    return root / "packs" / f"{row['pack']}.npz"


def ingest_row(root: Path, row: Mapping[str, Any], settings: IngestSettings) -> Asset:
    """The object of one index row. Raises Rejected."""
    arrays = _pack(pack_path(root, row))
    faces = arrays["f"][slice(*row["f"])].astype(np.int64)
    colors = None
    if row.get("has_color"):
        if row.get("c"):
            rgb = arrays["corner_rgb"][slice(*row["c"])]
        else:
            rgb = np.repeat(arrays["face_rgb"][slice(*row["f"])][:, None], 3, axis=1)
        colors = np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], axis=2)
    thing = RawObject(
        name=str(row["name"]),
        vertices=arrays["v"][slice(*row["v"])].astype(np.float64),
        faces=faces,
        uvs=None,
        colors=colors,
        materials=(),
        face_material=np.zeros(len(faces), np.int32),
    )
    known = {key: row[key] for key in (*_WORDS, *_ORIGIN) if row.get(key) is not None}
    return make_asset([thing], str(row["id"]), 0, known, RawFile(objects=(thing,)), settings)


@lru_cache(maxsize=2)
def _pack(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
