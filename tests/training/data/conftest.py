"""A packed corpus of boxes, as the real one is laid out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

BOXES = [  # name, category, pack, split, palette: (colour word, rgb, share of the area)
    ("chair cushion", "furniture", "alpha", "train", [("red", (200, 0, 0), 0.7), ("grey", (9, 9, 9), 0.1)]),
    ("oak", "plant", "beta", "train", [("green", (0, 150, 0), 1.0)]),
    ("wall", "building_part", "alpha", "val", []),
    ("urn", "container", "alpha", "train", []),
]


@pytest.fixture
def corpus_root(tmp_path: Path) -> Path:
    """Four boxes of growing height in two packs; indices of a pack's faces are local to each object."""
    root = tmp_path / "corpus"
    (root / "packs").mkdir(parents=True)
    packs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"alpha": [], "beta": []}
    lines = []
    for height, (name, category, pack, split, palette) in enumerate(BOXES, start=1):
        box = trimesh.creation.box((1, 1, height))
        v = sum(len(vertices) for vertices, _ in packs[pack])
        f = sum(len(faces) for _, faces in packs[pack])
        packs[pack].append((box.vertices + 5, box.faces))
        row = {"id": f"{pack}/{name}", "name": name, "category": category, "pack": pack, "split": split}
        row |= {"palette": palette, "has_color": bool(palette), "c": None}
        lines.append(json.dumps(row | {"v": [v, v + len(box.vertices)], "f": [f, f + len(box.faces)]}))
    (root / "index.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for pack, boxes in packs.items():
        faces = np.concatenate([faces for _, faces in boxes]).astype(np.uint16)
        np.savez(
            root / "packs" / f"{pack}.npz",
            v=np.concatenate([vertices for vertices, _ in boxes]).astype(np.float32),
            f=faces,
            face_rgb=np.full((len(faces), 3), 128, np.uint8),
        )
    return root
