"""A table as a real asset has it: five boxes without names, in the canonical frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import trimesh

from training.data.assets.asset import Asset, Material

Box = tuple[
    tuple[float, float, float], tuple[float, float, float], tuple[int, int, int]
]  # centre, sides, colour
WOOD, RED = (120, 80, 50), (200, 40, 40)
LEGS: list[Box] = [((x, y, -0.55), (0.12, 0.12, 0.82), WOOD) for x in (-0.8, 0.8) for y in (-0.5, 0.5)]
TABLE: list[Box] = [((0, 0, -0.06), (1.92, 1.3, 0.16), RED), *LEGS]


def boxes(parts: Sequence[Box], name: str, names: Sequence[str] = ()) -> Asset:
    made = [trimesh.creation.box(sides).apply_translation(at) for at, sides, _ in parts]
    whole = trimesh.util.concatenate(made)
    return Asset(
        key=f"{name}-1",
        name=name,
        source=name,
        provenance={},
        vertices=np.asarray(whole.vertices, np.float32),
        faces=np.asarray(whole.faces, np.int32),
        colors=np.repeat([[*color, 255] for _, _, color in parts], 8, axis=0).astype(np.uint8),
        materials=(Material(),),
        face_material=np.zeros(12 * len(parts), np.int32),
        parts=np.repeat(np.arange(len(parts)), 12).astype(np.int32),
        part_names=tuple(names) or ("",) * len(parts),
    )


@pytest.fixture
def build() -> Callable[..., Asset]:
    return boxes


@pytest.fixture
def table() -> Asset:
    return boxes(TABLE, "table")
