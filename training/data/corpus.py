"""Reader of a packed mesh corpus: `index.jsonl` (a JSON object per mesh) and `packs/<pack>.npz` (its arrays).

Index fields used: id, name, category, pack, split, palette, has_color, v, f. Arrays: `v` float32 vertices,
`f` object-local triangles, `face_rgb` sRGB uint8 per face.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.geometry.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class CorpusEntry:
    """One line of the index."""

    id: str
    name: str
    category: str
    pack: str
    split: str
    colors: tuple[str, ...]  # colour words by falling area share
    vertex_range: tuple[int, int]
    face_range: tuple[int, int]


def read_index(root: Path) -> list[CorpusEntry]:
    """All entries, in file order. Raises ValueError when the folder holds no corpus."""
    path = root / "index.jsonl"
    if not path.is_file():
        raise ValueError(f"{root} holds no index.jsonl; point --corpus at the folder of the packed corpus")
    with path.open(encoding="utf-8") as lines:
        return [_entry(json.loads(line)) for line in lines]


def _entry(row: dict[str, object]) -> CorpusEntry:
    palette = row["palette"] if row["has_color"] else []
    assert isinstance(palette, list)
    return CorpusEntry(
        id=str(row["id"]),
        name=str(row["name"]),
        category=str(row["category"]),
        pack=str(row["pack"]),
        split=str(row["split"]),
        colors=tuple(str(color[0]) for color in palette if color[2] > 0.2),
        vertex_range=tuple(row["v"]),  # type: ignore[arg-type]
        face_range=tuple(row["f"]),  # type: ignore[arg-type]
    )


def read_meshes(
    root: Path, entries: list[CorpusEntry]
) -> Iterator[tuple[CorpusEntry, Mesh, NDArray[np.uint8]]]:
    """(entry, mesh in the author's units with Z up, face colours (m, 3)), one pack in memory at a time."""
    ordered = sorted(entries, key=lambda entry: entry.pack)
    for pack, members in groupby(ordered, key=lambda entry: entry.pack):
        with np.load(root / "packs" / f"{pack}.npz", allow_pickle=False) as arrays:
            v, f, rgb = arrays["v"], arrays["f"], arrays["face_rgb"]
        for entry in members:
            faces = slice(*entry.face_range)
            mesh = Mesh(
                vertices=v[slice(*entry.vertex_range)].astype(np.float32), faces=f[faces].astype(np.int32)
            )
            yield entry, mesh, rgb[faces]


def captions(entry: CorpusEntry) -> tuple[str, ...]:
    """Names as an artist types them: both word orders, with and without the article and the main colour."""
    name = entry.name.strip()
    words = name.split()
    names = {name, " ".join([*words[1:], words[0]])} if 1 < len(words) < 4 else {name}
    out = [f"{article}{variant}" for variant in sorted(names) for article in ("", _article(variant))]
    if entry.colors:
        color = entry.colors[0]
        out += [f"{_article(color)}{color} {variant}" for variant in sorted(names)]
    return tuple(out)


def _article(words: str) -> str:
    return "an " if words[0] in "aeiou" else "a "
