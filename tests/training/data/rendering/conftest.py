"""Small assets to draw."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from training.data.assets.asset import Asset, Material


def png(pixels: np.ndarray) -> bytes:  # type: ignore[type-arg]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def painted() -> Asset:
    """A box, its front red and the rest blue."""
    box = trimesh.creation.box((1.2, 0.8, 1.92))
    faces = np.asarray(box.faces, np.int32)
    colors = np.tile(np.array([[20, 40, 220, 255]], np.uint8), (36, 1))
    colors[np.repeat(box.face_normals[:, 1] < -0.5, 3)] = (220, 30, 20, 255)
    return Asset(
        key="painted-0",
        name="box",
        source="box.obj",
        provenance={},
        vertices=np.asarray(box.vertices, np.float32)[faces.ravel()],
        faces=np.arange(36, dtype=np.int32).reshape(12, 3),
        colors=colors,
        materials=(Material(),),
        face_material=np.zeros(12, np.int32),
        parts=np.zeros(12, np.int32),
        part_names=("",),
    )


@pytest.fixture
def textured() -> Asset:
    """An upright card seen from the front: its picture is red, green over blue, and a hole; a grey foot."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:32, :32], pixels[:32, 32:], pixels[32:, :32] = (
        (255, 0, 0, 255),
        (0, 255, 0, 255),
        (0, 0, 255, 255),
    )
    corners = np.array([[-0.9, 0, -0.9], [0.9, 0, -0.9], [0.9, 0, 0.9], [-0.9, 0, 0.9]], np.float32)
    foot = np.array([[-0.3, 0, -0.96], [0.3, 0, -0.96], [0, 0, -0.91]], np.float32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[4, 5, 6], [0, 1, 2], [0, 2, 3]], np.int32)
    uvs = np.concatenate([np.zeros((1, 3, 2)), uv[faces[1:]]]).astype(np.float32)
    return Asset(
        key="textured-0",
        name="card",
        source="card.glb",
        provenance={},
        vertices=np.concatenate([corners, foot]),
        faces=faces,
        uvs=uvs,
        materials=(Material(base_color=(1.0, 1.0, 1.0, 1.0), texture=png(pixels)), Material(name="foot")),
        face_material=np.array([1, 0, 0], np.int32),
        parts=np.zeros(3, np.int32),
        part_names=("",),
    )
