"""Blender's pictures beside the rasteriser's: same cameras, same sides, same bytes again."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.assets.asset import Asset, Rejected, write_asset
from training.data.rendering import blender
from training.data.rendering.product import read_views
from training.data.rendering.raster import raster
from training.data.rendering.step import ViewSettings, make_views, planned, shot
from training.data.rendering.surfaces import of_asset
from training.data.steps import Item

SIZE = 64
SETTINGS = ViewSettings(size=SIZE, n_lit=1, samples=4)
pytestmark = [
    pytest.mark.usefixtures("graphics"),
    pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs the bpy wheel"),
]


@pytest.fixture(scope="module", autouse=True)
def blender_ends() -> Iterator[None]:
    yield
    blender.close()


@pytest.mark.parametrize("engine", ["workbench", "cycles"])
def test_cameras_and_sides_are_the_rasterisers(painted: Asset, engine: str) -> None:
    surface, views = of_asset(painted), planned(painted, SETTINGS)
    shots = [shot(views[index]) for index in (0, 2, 6)]
    drawn = blender.draw(surface, shots, SIZE, engine=engine, samples=4)
    for ours, theirs in zip(raster(SIZE).draw(surface, shots), drawn, strict=True):
        assert np.abs(ours.color[..., 3].astype(int) - theirs[..., 3]).mean() < 3
        both = (ours.color[..., 3] == 255) & (theirs[..., 3] == 255)
        assert np.abs(ours.color[both].astype(int) - theirs[both]).mean() < 25
        assert (ours.color[both].argmax(axis=1) == theirs[both].argmax(axis=1)).mean() > 0.98


@pytest.mark.parametrize("engine", ["workbench", "cycles"])
def test_textures_lie_as_the_rasteriser_lays_them(textured: Asset, engine: str) -> None:
    front = shot(planned(textured, SETTINGS)[0])
    color = blender.draw(of_asset(textured), [front], SIZE, engine=engine)[0]
    low, high = SIZE // 2 - 8, SIZE // 2 + 8
    places = ((low, low), (low, high), (high, low))
    assert [int(color[row, column, :3].argmax()) for row, column in places] == [0, 1, 2]
    assert color[high, high, 3] == 0


def test_faces_that_lie_in_one_place_do_not_shade_each_other(painted: Asset) -> None:
    assert painted.colors is not None
    white = replace(painted, colors=np.full_like(painted.colors, 255))
    zeros = np.zeros(24, np.int32)
    turned = np.concatenate([white.faces, np.roll(white.faces, 1, axis=1)])
    double = replace(white, faces=turned, face_material=zeros, parts=zeros)
    front = [shot(planned(white, SETTINGS)[0])]
    seen = [blender.draw(of_asset(asset), front, SIZE, engine="cycles")[0] for asset in (white, double)]
    assert np.abs(seen[0].astype(int) - seen[1]).mean() < 2


def test_same_seed_gives_the_same_file_with_depth_of_its_own(painted: Asset, tmp_path: Path) -> None:
    write_asset(tmp_path / "asset", painted)
    item = Item(key=painted.key, inputs={"asset": "asset"})
    settings = replace(SETTINGS, engine="cycles", n_lit=0, size=32)
    for name in ("a", "b"):
        make_views(item, settings, tmp_path, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    views = read_views(tmp_path / "a")
    assert views.engine == "cycles"
    assert views.depth(0)[16, 16] == pytest.approx(views.views[0].pose.distance - 0.4, abs=1e-3)


def test_a_missing_blender_is_a_reason(painted: Asset) -> None:
    front = [shot(planned(painted, SETTINGS)[0])]
    with pytest.raises(Rejected, match="no_blender"):
        blender.draw(of_asset(painted), front, SIZE, engine="cycles", executable="/nowhere/blender")
