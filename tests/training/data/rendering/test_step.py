"""The views step: which pictures, by what they are decided, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.data.assets.asset import Asset, Rejected, write_asset
from training.data.rendering.cameras import CANONICAL, place
from training.data.rendering.product import read_views
from training.data.rendering.step import VIEWS, ViewSettings, make_views, planned
from training.data.steps import Item

SETTINGS = ViewSettings(size=32, n_lit=2)


def item(asset: Asset, data: Path) -> Item:
    write_asset(data / "asset", asset)
    return Item(key=asset.key, inputs={"asset": "asset"})


def test_views_depend_on_the_key_alone(painted: Asset) -> None:
    again = [view.described() for view in planned(painted, SETTINGS)]
    assert [view.described() for view in planned(painted, SETTINGS)] == again
    other = [view.described() for view in planned(replace(painted, key="other-1"), SETTINGS)]
    assert other[:6] == again[:6]
    assert other[6:] != again[6:]
    for view, camera in zip(planned(painted, SETTINGS), CANONICAL.values(), strict=False):
        np.testing.assert_array_equal(view.pose.eye, place(camera).eye)


@pytest.mark.usefixtures("graphics")
def test_step_writes_whole_objects_within_the_frame(painted: Asset, tmp_path: Path) -> None:
    facts = make_views(item(painted, tmp_path), SETTINGS, tmp_path, tmp_path / "views")
    views = read_views(tmp_path / "views")
    assert facts["views"] == len(views) == 8
    for index in range(8):
        alpha = views.color(index)[..., 3]
        assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()
    assert facts["covered"][0] == pytest.approx((views.color(0)[..., 3] > 0).mean(), abs=1e-3)
    assert (VIEWS.name, VIEWS.suffix) == ("views", ".safetensors")


@pytest.mark.usefixtures("graphics")
def test_same_seed_gives_the_same_pictures(painted: Asset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_views(item(painted, tmp_path), SETTINGS, tmp_path, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_has_no_area_is_refused(painted: Asset, tmp_path: Path) -> None:
    flat = replace(painted, vertices=np.zeros_like(painted.vertices))
    with pytest.raises(Rejected, match="no_faces"):
        make_views(item(flat, tmp_path), SETTINGS, tmp_path, tmp_path / "views")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"engine": "eevee"}, "engine"),
        ({"size": 4}, "size"),
        ({"n_lit": -1}, "n_lit"),
        ({"lowest": 70.0}, "70"),
    ],
)
def test_settings_are_checked(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ViewSettings(**wrong)  # type: ignore[arg-type]
