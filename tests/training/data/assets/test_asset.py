"""Assets on disk: what is written comes back, and half a file is no asset."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from training.data.assets.asset import Asset, Material, Rejected, read_asset, write_asset

TRIANGLE = Asset(
    key="ab-cd",
    name="sail",
    category="boat",
    tags=("white", "cloth"),
    source="boats.glb#sail",
    licence="CC0-1.0",
    author=None,
    provenance={"url": "somewhere"},
    notes=("rest_pose",),
    vertices=np.eye(3, dtype=np.float32),
    faces=np.array([[0, 1, 2]], np.int32),
    uvs=np.zeros((1, 3, 2), np.float32),
    colors=np.full((3, 4), 200, np.uint8),
    materials=(Material(), Material(name="cloth", roughness=0.9, texture=b"\x89PNG")),
    face_material=np.ones(1, np.int32),
    parts=np.zeros(1, np.int32),
    part_names=("sail",),
)


def test_an_asset_comes_back_as_it_was(tmp_path: Path) -> None:
    for asset in (TRIANGLE, replace(TRIANGLE, uvs=None, colors=None, author="Ann")):
        write_asset(tmp_path / "a.safetensors", asset)
        found = read_asset(tmp_path / "a.safetensors")
        for field in fields(Asset):
            assert np.array_equal(getattr(found, field.name), getattr(asset, field.name)), field.name
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_asset(path, TRIANGLE)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a whole asset"):
        read_asset(path)


def test_numbers_that_name_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"part numbers must lie in 0\.\.0"):
        replace(TRIANGLE, parts=np.ones(1, np.int32))


def test_face_colours_and_shared_geometry() -> None:
    colors = TRIANGLE.face_colors()
    assert colors is not None
    assert colors.tolist() == [[200, 200, 200]]
    assert TRIANGLE.geometry == "ab"


def test_a_rejection_is_a_code_and_a_sentence() -> None:
    rejected = Rejected("empty", "The file holds no faces.")
    assert (rejected.reason, str(rejected)) == ("empty", "empty: The file holds no faces.")
